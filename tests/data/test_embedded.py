"""Sizes within strips and tiles, of what imagecodecs has written."""

import zlib
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from caes.data.decode.pictures import UnreadableError, decode, quiet_decoding
from caes.data.formats.embedded import PICTURES, embedded_size
from caes.data.reading import Reading
from tests.hostile.bombs import relabelled
from tests.hostile.pictures import tiff

SIDES = [(1, 1), (8, 8), (16, 256), (19, 23), (30, 40), (300, 7), (9, 16), (600, 1200)]
ENCODERS: dict[int, Any] = {
    34934: imagecodecs.jpegxr_encode,
    34887: imagecodecs.lerc_encode,
    50002: imagecodecs.jpegxl_encode,
    34933: imagecodecs.png_encode,
    34712: imagecodecs.jpeg2k_encode,
}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("compression", ENCODERS)
def test_a_picture_says_its_size(compression: int, side: tuple[int, int]) -> None:
    content = bytes(ENCODERS[compression](np.zeros(side, np.uint8)))
    assert embedded_size(compression, content) == side


@pytest.mark.parametrize("side", SIDES)
def test_a_jpeg_xl_within_boxes_says_its_size(side: tuple[int, int]) -> None:
    pixels = np.zeros(side, np.uint8)
    content = bytes(imagecodecs.jpegxl_encode(pixels, usecontainer=True))
    assert content[4:8] == b"JXL "
    assert embedded_size(50002, content) == side


@pytest.mark.parametrize("compression", PICTURES)
@pytest.mark.parametrize(
    "content", [b"", b"\xff\x0a", b"Lerc2 ", b"WMPHOTO\0", b"other"]
)
def test_what_says_no_size_has_none(compression: int, content: bytes) -> None:
    if content != b"\xff\x0a" or compression not in (50002, 52546):
        assert embedded_size(compression, content) is None


@pytest.mark.parametrize("compression", ["jpegxl", "jpegxr", "lerc"])
def test_strips_larger_than_declared_are_refused(compression: str) -> None:
    pixels = np.zeros((64, 96), np.uint8)
    about: dict[str, Any] = {"photometric": "minisblack", "rowsperstrip": 64}
    whole = tiff(pixels, compression=compression, **about)
    assert decode(whole, Reading()).pixels.shape == (64, 96, 1)
    with quiet_decoding(), pytest.raises(UnreadableError) as caught:
        decode(relabelled(whole), Reading())
    assert str(caught.value) == "strips or tiles larger than declared"


def test_a_lerc_that_was_deflated_is_looked_into() -> None:
    pixels = np.zeros((64, 96), np.float32)
    about: dict[str, Any] = {"photometric": "minisblack", "rowsperstrip": 64}
    more = {"compression": "lerc", "compressionargs": {"compression": "deflate"}}
    whole = tiff(pixels, **about, **more)
    with tifffile.TiffFile(BytesIO(whole)) as file:
        start = file.pages.first.dataoffsets[0]
        assert zlib.decompressobj().decompress(whole[start:], 6) == b"Lerc2 "
    assert decode(whole, Reading()).pixels.shape == (64, 96, 1)
    with quiet_decoding(), pytest.raises(UnreadableError) as caught:
        decode(relabelled(whole), Reading())
    assert str(caught.value) == "strips or tiles larger than declared"
