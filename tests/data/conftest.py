"""Real picture files, made without caes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Paint = Callable[..., NDArray[Any]]


@pytest.fixture
def paint() -> Paint:
    """Write a picture of random values, whose type fits the mode, and give them."""

    def write(
        path: Path, mode: str = "L", size: tuple[int, int] = (6, 8), **options: Any
    ) -> NDArray[Any]:
        random = np.random.default_rng(sum(path.name.encode()))
        bands = len(Image.new(mode, (1, 1)).getbands())
        deep = mode == "I;16"
        shape = size if bands == 1 else (*size, bands)
        pixels = random.integers(0, 65536 if deep else 256, shape)
        pixels = pixels.astype(np.uint16 if deep else np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels)
        if mode in ("CMYK", "LA"):
            image = Image.frombytes(mode, size[::-1], pixels.tobytes())
        image.save(path, **options)
        return pixels if pixels.ndim == 3 else pixels[..., None]

    return write
