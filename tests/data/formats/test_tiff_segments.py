"""Strips that are pictures of their own, of what imagecodecs has written."""

from typing import Any

import numpy as np
import pytest

from caes.data.decode.pictures import UnreadableError, decode, quiet_decoding
from caes.data.reading import Reading
from tests.hostile.bombs import relabelled
from tests.hostile.pictures import tiff

ABOUT: dict[str, Any] = {"photometric": "minisblack", "rowsperstrip": 64}
PIXELS = np.zeros((64, 96), np.uint8)


def _reason(content: bytes) -> str:
    with quiet_decoding(), pytest.raises(UnreadableError) as caught:
        decode(content, Reading())
    return str(caught.value)


@pytest.mark.parametrize("compression", ["jpeg2000", "png", "jpeg"])
def test_strips_larger_than_declared_are_refused(compression: str) -> None:
    whole = tiff(PIXELS, compression=compression, **ABOUT)
    assert decode(whole, Reading()).pixels.shape == (64, 96, 1)
    assert _reason(relabelled(whole)) == "strips or tiles larger than declared"


@pytest.mark.parametrize(
    ("compression", "name"),
    [("jpegxl", "JPEG XL"), ("jpegxr", "JPEG XR"), ("lerc", "LERC")],
)
def test_compressions_whose_size_nothing_tells_are_refused_by_name(
    compression: str, name: str
) -> None:
    whole = tiff(PIXELS, compression=compression, **ABOUT)
    assert _reason(whole) == f"compressed as {name}, which is not read"


def test_a_strip_that_says_no_size_is_left_to_its_decoder() -> None:
    whole = bytearray(tiff(PIXELS, compression="png", **ABOUT))
    whole[whole.index(b"\x89PNG")] ^= 0xFF
    assert _reason(bytes(whole)).startswith("damaged (")
