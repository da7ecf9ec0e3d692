"""JPEG: by Pillow, unless it has more scans than anybody needs."""

from typing import BinaryIO

from PIL import Image

from caes.data.formats.by_pillow import ByPillow, PillowPicture
from caes.data.formats.format import Opened, UnreadableError

_SCAN = b"\xff\xda"
_MOST_PASSES = 2**31
"""Pixels times scans; progressive files have ten, and the largest pictures 2**26."""


class Jpeg(ByPillow):
    """JPEG, progressive or not."""

    def __init__(self) -> None:
        super().__init__("JPEG", (".jpg", ".jpeg"), b"\xff\xd8\xff")

    def picture(self, image: Image.Image, file: BinaryIO) -> Opened:
        """Refuse a picture each of whose many scans, however short, is a whole pass."""
        file.seek(0)
        # Within a scan 255 is followed by 0, so that only headers can be counted more.
        scans = file.read().count(_SCAN)
        if scans * image.width * image.height > _MOST_PASSES and scans > 1:
            raise UnreadableError(f"{scans:,} scans of {image.height}×{image.width}")
        return PillowPicture(image)
