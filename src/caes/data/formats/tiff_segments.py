"""The strips and tiles of a TIFF, looked at before they are decoded."""

from io import BytesIO
from typing import Any

from PIL import Image, UnidentifiedImageError

from caes.data.formats.format import UnreadableError

# Numbers of the TIFF standard and of its extensions.
_UNCOMPRESSED = 1
_PICTURES = (7, 33003, 33004, 33005, 34712, 34933, 50001)  # JPEG, JPEG 2000, PNG, WebP
_HEADER = 65_536  # bytes in which a picture says its size
_REFUSED = {
    22610: "JPEG XR",
    34934: "JPEG XR",
    34887: "LERC",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
"""Their strips are pictures too, but nothing tells their size before they decode."""


def check_whole(page: Any, size: int) -> None:
    """Refuse a page that lacks some of its data, for which a reader would put zeros."""
    pairs = zip(page.dataoffsets, page.databytecounts, strict=True)
    if any(offset + count > size for offset, count in pairs):
        raise UnreadableError("truncated")
    if not page.dataoffsets or 0 in page.databytecounts:
        raise UnreadableError("strips or tiles without data")
    key = page.keyframe
    if int(key.compression) == _UNCOMPRESSED:
        bits = (
            key.bitspersample * key.samplesperpixel
            if isinstance(key.bitspersample, int)
            else sum(key.bitspersample)
        )
        if sum(page.databytecounts) * 8 < key.imagelength * key.imagewidth * bits:
            raise UnreadableError("truncated")


def check_embedded(page: Any, file: Any) -> None:
    """Refuse strips and tiles that are pictures in files larger than the TIFF declares.

    Decoders take memory for what such a picture says of itself.
    """
    compression = int(page.keyframe.compression)
    if compression in _REFUSED:
        raise UnreadableError(
            f"compressed as {_REFUSED[compression]}, which is not read"
        )
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
