"""Small pictures whose class is where their bright stripe lies."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from caes import CAE, ImageSet

CLASSES = ("high", "low", "middle")
"""In the order in which a folder's classes come."""
ROWS = {"high": 0, "middle": 4, "low": 8}
SIDE = 12


def pixels(kind: str, seed: int) -> NDArray[np.uint8]:
    """Give a picture of a class: noise, and four rows of white."""
    draw = np.random.default_rng(seed)
    picture = draw.integers(0, 128, (SIDE, SIDE), np.uint8)
    picture[ROWS[kind] :][:4] = 255
    return picture


def images(n: int = 30, seed: int = 0, **about: Any) -> ImageSet:
    """Give a set in which the classes come in turn."""
    kinds = [CLASSES[number % 3] for number in range(n)]
    found = np.stack([pixels(kind, seed + at) for at, kind in enumerate(kinds)])
    labels = np.arange(n) % 3
    own: dict[str, Any] = {"labels": labels, "classes": CLASSES, "source": "stripes"}
    return ImageSet.from_pixels(found, **own | about)


def stack(pictures: ImageSet, **options: Any) -> CAE:
    """Train a tiny stack."""
    small = {"decoder": "tied", "schedule": "greedy", "loss": "mse"}
    given = {**small, "epochs": 1, "random_state": 0, **options}
    return CAE("2C3-MP2", **given).fit(pictures)


def write_folder(folder: Path, each: int = 10, *, nested: bool = True) -> None:
    """Write ``each`` PNGs of each class, into sub-folders or, named by it, beside."""
    for kind in CLASSES:
        for number in range(each):
            name = f"{kind}/{number}.png" if nested else f"{kind}-{number}.png"
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels(kind, 100 * ROWS[kind] + number)).save(path)
