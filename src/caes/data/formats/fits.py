"""FITS, by the extra of this name: each plane of each image in the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import SEEK_END
from math import prod
from typing import Any, BinaryIO

import numpy as np

from caes.data.formats import colour
from caes.data.formats.format import (
    Decoded,
    Form,
    Format,
    Opened,
    UnreadableError,
    from_extra,
    native,
)


class Fits(Format):
    """FITS images, compressed ones too; tables in the same file are left out."""

    name = "FITS"
    suffixes = (".fits", ".fit", ".fts")
    paged = True

    def recognises(self, head: bytes) -> bool:
        """Whether the first card is SIMPLE, as the standard says."""
        return head.startswith(b"SIMPLE  =")

    @contextmanager
    def opened(self, file: BinaryIO) -> Iterator[Opened]:
        """Read the headers."""
        with from_extra(self.name):
            from astropy.io import fits
        with fits.open(file, memmap=False) as units:
            yield FitsPlanes(units, file.seek(0, SEEK_END))


class FitsPlanes(Opened):
    """The planes H×W of the images in an open FITS file, in the file's order."""

    def __init__(self, units: Any, size: int) -> None:
        images = [unit for unit in units if unit.is_image and len(unit.shape) >= 2]
        self.images = [image for image in images if prod(image.shape)]
        self.counts = [prod(image.shape[:-2]) for image in self.images]
        if not self.images:
            raise UnreadableError("FITS without a picture")
        if len(self) > size:  # however they are compressed
            raise UnreadableError("truncated")

    def __len__(self) -> int:
        return sum(self.counts)

    def form(self, page: int) -> Form:
        """Tell a plane's form."""
        image, _ = self._place(page)
        height, width = image.shape[-2:]
        bits = int(image.header["BITPIX"])
        mode = colour.mode(1, abs(bits), floating=bits < 0)
        return Form(height, width, height * width * abs(bits) // 8, mode)

    def read(self, page: int, size: tuple[int, int] | None) -> Decoded:
        """Read a plane, its first row first; BSCALE and BZERO are applied."""
        image, plane = self._place(page)
        return Decoded(native(np.asarray(image.section[plane])))

    def _place(self, page: int) -> tuple[Any, tuple[Any, ...]]:
        for image, count in zip(self.images, self.counts, strict=True):
            if page < count:
                return image, np.unravel_index(page, image.shape[:-2])
            page -= count
        raise UnreadableError("no such plane")
