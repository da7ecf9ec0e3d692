"""The strips and tiles of a TIFF, looked at before they are decoded."""

import zlib
from typing import Any

from caes.data.formats.embedded import HEADER, PICTURES, embedded_size
from caes.data.formats.format import UnreadableError

# Numbers of the TIFF standard and of its extensions.
_UNCOMPRESSED = 1
_LERC, _LERC_PARAMETERS, _BY_DEFLATE = 34887, 50674, 1


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
    if compression not in PICTURES:
        return
    most = page.keyframe.chunks[-3:-1] if page.axes[-1] == "S" else page.chunks[-2:]
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(offset)
        head = _unpacked(page.keyframe, file.read(min(count, HEADER)))
        size = embedded_size(compression, head)
        if size is not None and (size[0] > most[0] or size[1] > most[1]):
            raise UnreadableError("strips or tiles larger than declared")
        # Without a size, its decoder will tell what is wrong.


def _unpacked(key: Any, head: bytes) -> bytes:
    """Inflate the first bytes of a LERC that was deflated again."""
    if int(key.compression) != _LERC:
        return head
    if tuple(key.tags.valueof(_LERC_PARAMETERS, ()))[1:2] != (_BY_DEFLATE,):
        return head
    return zlib.decompressobj().decompress(head, HEADER)
