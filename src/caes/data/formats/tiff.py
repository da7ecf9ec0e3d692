"""TIFF, BigTIFF included: any type, any number of channels, pages, tiles, compression.

tifffile reads it, with imagecodecs for what is compressed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from caes.data.formats import colour
from caes.data.formats.format import (
    Decoded,
    Form,
    Format,
    Opened,
    UnreadableError,
    native,
)
from caes.data.formats.tiff_pages import Picture, Plane, believable, pictures_of

# Numbers of the TIFF standard.
_WHITE_IS_ZERO, _PALETTE, _INK, _YCBCR = 0, 3, 5, 6
_ASSOCIATED, _UNASSOCIATED = 1, 2
_ORIENTATION = 274
_READ = (0, 1, 2, _PALETTE, _INK, 32803, 34892)  # kinds of colour; 32803 is a mosaic
_UNCOMPRESSED = 1
_PICTURES = (7, 33003, 33004, 33005, 34712, 34933, 50001)  # JPEG, JPEG 2000, PNG, WebP
# Their strips are pictures too, but nothing tells their size before they decode.
_REFUSED = {22610: "JPEG XR", 34934: "JPEG XR", 34887: "LERC", 50002: "JPEG XL",
            52546: "JPEG XL"}  # fmt: skip
_HEADER = 65_536  # bytes in which a picture says its size


class Tiff(Format):
    """TIFF and BigTIFF."""

    name = "TIFF"
    suffixes = (".tif", ".tiff", ".btf", ".tf8", ".lsm")
    paged = True

    def recognises(self, head: bytes) -> bool:
        """Whether the first four bytes are a TIFF's, of either byte order and size."""
        # Some DICOM files have a TIFF's start in their preamble, and no TIFF behind it.
        dicom = head[128:132] == b"DICM"
        return not dicom and head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

    @contextmanager
    def opened(self, file: BinaryIO) -> Iterator[Opened]:
        """Read the headers of all pages."""
        from tifffile import TiffFile

        # A description may name other files, which are pictures of their own here.
        with TiffFile(file, _multifile=False) as tiff:
            if tiff.is_ome and not believable(tiff.pages.first.description):
                raise UnreadableError("an OME description of too many pages")
            yield TiffPictures(tiff)


class TiffPictures(Opened):
    """The pictures of an open TIFF."""

    def __init__(self, tiff: Any) -> None:
        self.tiff = tiff
        self.size = tiff.filehandle.size
        self.pictures: list[Picture] = pictures_of(tiff, self.size)

    def __len__(self) -> int:
        return len(self.pictures)

    def form(self, page: int) -> Form:
        """Tell a picture's form; a single tile may need more than all of it."""
        planes = self.pictures[page]
        first = planes[0].page.keyframe
        if first.dtype is None:
            raise UnreadableError("values of a type that is not read")
        if first.imagedepth > 1:
            raise UnreadableError("a volume in one page")
        height, width = first.imagelength, first.imagewidth
        tile = prod(first.chunks) * first.dtype.itemsize
        needed = max(tile, sum(plane.page.nbytes for plane in planes))
        if colour.swaps_sides(_orientation(first)):
            height, width = width, height
        samples = sum(plane.page.keyframe.samplesperpixel for plane in planes)
        return Form(height, width, needed, _mode(first, samples))

    def read(self, page: int, size: tuple[int, int] | None) -> Decoded:
        """Decode a picture's planes, upright, and put them behind each other."""
        planes = [self._plane(plane) for plane in self.pictures[page]]
        notes = [note for plane in planes for note in plane.notes]
        pixels = [plane.pixels for plane in planes]
        whole = pixels[0] if len(pixels) == 1 else np.concatenate(pixels, axis=2)
        return Decoded(whole, tuple(dict.fromkeys(notes)))

    def _plane(self, plane: Plane) -> Decoded:
        key = plane.page.keyframe
        if plane.offset is None:
            _check_whole(plane.page, self.size)
            _check_embedded(plane.page, self.tiff.filehandle)
            stored = plane.page.asarray(squeeze=False)
        else:
            file, kind = self.tiff.filehandle, self.tiff.byteorder + key.dtype.char
            file.seek(plane.offset)
            stored = np.frombuffer(file.read(key.nbytes), np.dtype(kind))
        # Its axes are samples in planes of their own, depth, height, width, samples.
        planes, _, height, width, samples = stored.reshape(key.shaped).shape
        pixels = stored.reshape(planes, height, width, samples)
        pixels = native(pixels[0] if planes == 1 else np.moveaxis(pixels[..., 0], 0, 2))
        pixels, notes = _plain(pixels, key)
        return Decoded(colour.upright(pixels, _orientation(key)), notes)


def _mode(key: Any, samples: int) -> str:
    """Write how a picture of so many samples a pixel is stored."""
    meaning, extra = int(key.photometric), [int(each) for each in key.extrasamples]
    alpha = extra[-1:] in ([_ASSOCIATED], [_UNASSOCIATED])
    if meaning == _PALETTE and key.colormap is not None:
        return "palette"
    if meaning == _INK and samples - alpha == 4:
        return "CMYK with alpha" if alpha else "CMYK"
    kind = key.dtype
    bits = 1 if kind.kind == "b" else 8 * kind.itemsize
    return colour.mode(samples - alpha, bits, floating=kind.kind == "f", alpha=alpha)


def _plain(pixels: NDArray[Any], key: Any) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Give grey, RGB or channels of what the header says the samples mean."""
    meaning, extra = int(key.photometric), [int(each) for each in key.extrasamples]
    unsigned = pixels.dtype.kind == "u"
    notes: tuple[str, ...] = ()
    if meaning == _YCBCR and int(key.compression) in (6, 7):
        meaning = 2  # its JPEG decoder has made RGB of it
    if meaning not in _READ:
        raise UnreadableError(f"colours of the kind {key.photometric.name}")
    if meaning == _PALETTE and key.colormap is not None:
        pixels = colour.painted(pixels, key.colormap.T)
        return pixels, (colour.PALETTE,) if pixels.shape[2] == 3 else ()
    if meaning == _WHITE_IS_ZERO and pixels.dtype.kind in "bu":
        bits = key.bitspersample if isinstance(key.bitspersample, int) else None
        pixels, notes = colour.inverted(pixels, bits), (colour.INVERTED,)
    if unsigned and extra[-1:] in ([_ASSOCIATED], [_UNASSOCIATED]):
        pixels = colour.on_white(pixels, premultiplied=extra[-1] == _ASSOCIATED)
        notes = (*notes, colour.ALPHA)
    if meaning == _INK and unsigned and pixels.shape[2] == 4:
        pixels, notes = colour.from_ink(pixels), (*notes, colour.CMYK)
    return pixels, notes


def _orientation(key: Any) -> Any:
    return key.tags.valueof(_ORIENTATION)


def _check_whole(page: Any, size: int) -> None:
    """Refuse a page that lacks some of its data, for which a reader would put zeros."""
    pairs = zip(page.dataoffsets, page.databytecounts, strict=True)
    if any(offset + count > size for offset, count in pairs):
        raise UnreadableError("truncated")
    if not page.dataoffsets or 0 in page.databytecounts:
        raise UnreadableError("strips or tiles without data")
    key = page.keyframe
    if int(key.compression) == _UNCOMPRESSED:
        each = key.bitspersample
        bits = each * key.samplesperpixel if isinstance(each, int) else sum(each)
        if sum(page.databytecounts) * 8 < key.imagelength * key.imagewidth * bits:
            raise UnreadableError("truncated")


def _check_embedded(page: Any, file: Any) -> None:
    """Refuse strips and tiles that are pictures in files larger than the TIFF declares.

    Decoders take memory for what such a picture says of itself.
    """
    compression = int(page.keyframe.compression)
    if compression in _REFUSED:
        how = _REFUSED[compression]
        raise UnreadableError(f"compressed as {how}, which is not read")
    if compression not in _PICTURES:
        return
    most = page.keyframe.chunks[-3:-1] if page.axes[-1] == "S" else page.chunks[-2:]
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(offset)
        try:
            with Image.open(BytesIO(file.read(min(count, _HEADER)))) as picture:
                large = picture.height > most[0] or picture.width > most[1]
        except UnidentifiedImageError:
            continue  # its decoder will tell what is wrong
        if large:
            raise UnreadableError("strips or tiles larger than declared")
