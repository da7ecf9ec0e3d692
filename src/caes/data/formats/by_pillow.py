"""Formats that Pillow reads: JPEG, BMP, WebP, GIF, and most of PNG."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from caes.data.formats.colour import ALPHA, CMYK, PALETTE, is_grey, swaps_sides
from caes.data.formats.format import Decoded, Form, Format, Opened, native

_MODES = {
    "1": "1-bit", "L": "grey", "LA": "grey with alpha", "La": "grey with alpha",
    "P": "palette", "PA": "palette with alpha", "RGB": "colour", "RGBX": "colour",
    "RGBA": "colour with alpha", "RGBa": "colour with alpha", "YCbCr": "colour",
    "HSV": "colour", "LAB": "colour", "I": "32-bit grey", "F": "32-bit float grey",
    "I;16": "16-bit grey",
}  # fmt: skip
"""Pillow's words for how pixels are stored, in ours."""

FIRST_FRAME = "Only the first frame of animations was read"

_BAND = 2**20  # pixels that are laid on white at once


class PillowPicture(Opened):
    """A picture that Pillow has opened."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image

    def form(self, page: int) -> Form:
        """Tell height and width as EXIF turns them; Pillow checks them itself."""
        width, height = self.image.size
        needed = width * height * len(self.image.getbands())
        if swaps_sides(self.image.getexif().get(0x0112)):
            height, width = width, height
        mode = self.image.mode
        known = _MODES.get("I;16" if mode.startswith("I;16") else mode, mode)
        return Form(height, width, needed, known)

    def read(self, page: int, size: tuple[int, int] | None) -> Decoded:
        """Decode upright, grey staying grey and 16-bit grey staying 16-bit."""
        notes = (FIRST_FRAME,) if getattr(self.image, "is_animated", False) else ()
        if size:
            # JPEG can decode at a fraction of its size, far faster; twice what is asked
            # for leaves the resampling its say, and either axis may be the height yet.
            self.image.draft(None, (2 * max(size), 2 * max(size)))
        pixels, done = _upright(self.image)
        return Decoded(native(pixels), (*notes, *done))


class ByPillow(Format):
    """A format of Pillow's, whose files match a pattern at their start."""

    def __init__(self, name: str, suffixes: tuple[str, ...], starts: bytes) -> None:
        self.name, self.suffixes, self.starts = name, suffixes, starts

    def recognises(self, head: bytes) -> bool:
        """Whether the first bytes are the format's."""
        return re.match(self.starts, head, re.DOTALL) is not None

    @contextmanager
    def opened(self, file: BinaryIO) -> Iterator[Opened]:
        """Read the header."""
        with Image.open(file, formats=[self.name.upper()]) as image:
            yield self.picture(image, file)

    def picture(self, image: Image.Image, file: BinaryIO) -> Opened:
        """Give what decodes the picture."""
        return PillowPicture(image)


def _upright(image: Image.Image) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Give the picture as H×W or H×W×3, uint8, or 16-bit grey, and what that took."""
    notes = []
    ImageOps.exif_transpose(image, in_place=True)
    image.load()
    if image.mode.startswith("I;16"):
        return np.asarray(image), ()
    if image.mode == "CMYK":
        notes.append(CMYK)
    grey = image.mode in ("1", "L", "LA")
    if image.mode in ("P", "PA"):
        grey = is_grey(np.array(image.getpalette()).reshape(-1, 3))
        notes += [] if grey else [PALETTE]
    mode = "L" if grey else "RGB"
    if image.has_transparency_data:
        return _on_white(image, mode), (*notes, ALPHA)
    image = image if image.mode == mode else image.convert(mode)
    return np.asarray(image), tuple(notes)


def _on_white(image: Image.Image, mode: str) -> NDArray[np.uint8]:
    """Lay a picture on white by bands: steps between take four bytes a pixel each."""
    width, height = image.size
    pixels = np.empty((height, width) if mode == "L" else (height, width, 3), np.uint8)
    step = max(1, _BAND // width)
    for top in range(0, height, step):
        bottom = min(height, top + step)
        band = image.crop((0, top, width, bottom)).convert("RGBA")
        white = Image.new("RGBA", band.size, "white")
        flat = Image.alpha_composite(white, band).convert(mode)
        pixels[top:bottom] = np.asarray(flat)
    return pixels
