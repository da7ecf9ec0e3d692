"""The size that a picture within a TIFF's strip or tile says it has."""

import struct
from io import BytesIO

from PIL import Image, UnidentifiedImageError

HEADER = 65_536  # bytes in which a picture says its size

# Numbers of the TIFF standard and of its extensions.
_BY_PILLOW = (7, 33003, 33004, 33005, 34712, 34933, 50001)  # JPEG, JPEG 2000, PNG, WebP
_JPEG_XR, _LERC, _JPEG_XL = (22610, 34934), (34887,), (50002, 52546)
PICTURES = (*_BY_PILLOW, *_JPEG_XR, *_LERC, *_JPEG_XL)
"""Compressions whose strips and tiles are pictures with a header of their own."""

# ISO/IEC 18181-1, D.2: bits of a side by its selector, and widths by the ratio.
_SIDE_BITS = (9, 13, 18, 30)
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def embedded_size(compression: int, head: bytes) -> tuple[int, int] | None:
    """Read height and width from a picture's first bytes; None where they say none.

    Args:
        compression: The number that the TIFF has for it, one of `PICTURES`.
        head: The first bytes, `HEADER` of them if there are as many.
    """
    try:
        if compression in _JPEG_XL:
            return _jpeg_xl(head)
        if compression in _JPEG_XR:
            return _jpeg_xr(head)
        if compression in _LERC:
            return _lerc(head)
        with Image.open(BytesIO(head)) as picture:
            return picture.height, picture.width
    except (struct.error, IndexError, UnidentifiedImageError):
        return None


def _jpeg_xl(head: bytes) -> tuple[int, int] | None:
    """Read the codestream's first bits, lowest first, behind its boxes if any."""
    if not head.startswith(b"\xff\x0a"):
        # A box: length, kind, content; jxlp counts the parts of a codestream first.
        whole, part = head.find(b"jxlc\xff\x0a"), head.find(b"jxlp")
        start = whole + 4 if whole >= 0 else part + 8
        head = head[start:] if max(whole, part) >= 0 else b""
        if not head.startswith(b"\xff\x0a"):
            return None
    bits = int.from_bytes(head[2:14], "little")

    def taken(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    small = taken(1)

    def side() -> int:
        return 8 * (taken(5) + 1) if small else 1 + taken(_SIDE_BITS[taken(2)])

    height, ratio = side(), taken(3)
    if not ratio:
        return height, side()
    times, by = _RATIOS[ratio - 1]
    return height, height * times // by


def _jpeg_xr(head: bytes) -> tuple[int, int] | None:
    """Read the image header of ITU-T T.832, 8.3, wherever the container has it."""
    start = head.find(b"WMPHOTO\0")
    if start < 0:
        return None
    short = head[start + 10] & 0x80
    width, height = struct.unpack_from(">HH" if short else ">II", head, start + 12)
    return height + 1, width + 1


def _lerc(head: bytes) -> tuple[int, int] | None:
    """Read rows and columns; there is a checksum before them from version 3 on."""
    if head.startswith(b"CntZImage "):
        height, width = struct.unpack_from("<ii", head, 18)
    elif head.startswith(b"Lerc2 "):
        (version,) = struct.unpack_from("<i", head, 6)
        height, width = struct.unpack_from("<ii", head, 14 if version >= 3 else 10)
    else:
        return None
    return height, width
