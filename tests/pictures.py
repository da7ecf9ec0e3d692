"""Pictures read by other means than those that wrote them."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import png
from numpy.typing import NDArray

KINDS = {1: "u", 2: "i", 3: "f"}
"""TIFF 6.0, section 19: SampleFormat."""


def png_pixels(path: Path) -> NDArray[Any]:
    """Read H×W×C of 1, 8 or 16 bits, by PyPNG."""
    width, height, rows, about = png.Reader(bytes=path.read_bytes()).read()
    dtype = {1: bool, 8: np.uint8, 16: np.uint16}[about["bitdepth"]]
    flat = np.array([list(row) for row in rows], dtype)
    return flat.reshape(height, width, about["planes"])


def tiff_pixels(path: Path) -> NDArray[Any]:
    """Read H×W×C of an uncompressed TIFF of one strip, tag by tag (TIFF 6.0)."""
    data = path.read_bytes()
    order, magic, at = struct.unpack("<2sHI", data[:8])
    assert (order, magic) == (b"II", 42)
    (count,) = struct.unpack_from("<H", data, at)
    tags = dict(_tag(data, at + 2 + 12 * index) for index in range(count))
    height, width = tags[257][0], tags[256][0]
    samples, bits = tags.get(277, (1,))[0], tags[258][0]
    assert tags.get(259, (1,))[0] == 1  # not compressed
    assert tags.get(284, (1,))[0] == 1  # channel by channel within each pixel
    assert len(tags[273]) == 1
    kind = KINDS[tags.get(339, (1,))[0]]
    flat = np.frombuffer(
        data, f"<{kind}{bits // 8}", height * width * samples, tags[273][0]
    )
    return flat.reshape(height, width, samples)


def _tag(data: bytes, at: int) -> tuple[int, tuple[int, ...]]:
    tag, kind, count = struct.unpack_from("<HHI", data, at)
    form = f"<{count}{ {1: 'B', 2: 'B', 3: 'H', 4: 'I', 5: 'Q'}[kind] }"
    size = struct.calcsize(form)
    place = at + 8 if size <= 4 else struct.unpack_from("<I", data, at + 8)[0]
    return tag, struct.unpack_from(form, data, place)
