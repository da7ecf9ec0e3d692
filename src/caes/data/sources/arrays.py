"""NumPy's own files: .npy with pictures, .npz with pictures, labels and splits."""

import math
import struct
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.data.labels.classes import Indices, class_indices
from caes.data.reading import check_unpacking, guarded
from caes.data.sources.base import ArraySource, Classes
from caes.data.sources.splits import SPLITS
from caes.errors import DataError

# Each split's pictures and labels go by these names, those of Keras first.
_PICTURES = ("x_{}", "{}_images", "{}_x")
_LABELS = ("y_{}", "{}_labels", "{}_y")
# And by these where there is one split only.
_ONLY_PICTURES = ("images", "x", "data", "arr_0")
_ONLY_LABELS = ("labels", "y", "targets", "arr_1")
_LONGEST_HEADER = 10_000  # bytes, as numpy.lib.format has it
_WHAT = "an array of numbers, N×H×W or N×H×W×C, saved by numpy.save or numpy.savez"


class Arrays(ArraySource):
    """A .npy file, mapped into memory so that a slice reads its own rows, or a .npz.

    In a .npz file the arrays x_train, y_train, x_test, y_test, x_val, y_val (or
    train_images, train_labels …) are splits; else images and labels, x and y, or the
    only array of three or four axes are train. Pickled objects are never loaded. The
    value range of numbers other than uint8, uint16 and bool is that of the rows read.
    """

    name = "arrays"

    @classmethod
    def opens(cls, spec: Any) -> bool:
        """Whether the path ends in .npy or .npz."""
        return isinstance(spec, Path) and spec.suffix.lower() in (".npy", ".npz")

    def splits(self) -> dict[str, int]:
        """Count the rows that the headers promise."""
        for _, shape in self._pictures.values():
            if not shape:  # a single number has no rows to count: let its error be told
                ImageSet.from_pixels(np.empty(shape), source=self.called)
        return {split: shape[0] for split, (_, shape) in self._pictures.items()}

    def pixels(self, split: str, rows: range) -> NDArray[Any]:
        """Read rows; of a .npy file no others are touched."""
        with guarded(self.spec, _WHAT):
            return self._load(self._pictures[split][0], rows)

    @cached_property
    def labels(self) -> tuple[dict[str, Indices], Classes]:
        """Number the labels of all splits together."""
        values = {}
        for split in self._pictures:
            key = _first(self._shapes, _LABELS, split)
            if key is None and split == "train":
                key = _first(self._shapes, _ONLY_LABELS)
            if key:
                with guarded(self.spec, _WHAT):
                    values[split] = self._load(key)
        return class_indices(values, self.splits(), self.called)

    @cached_property
    def _pictures(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Each split's array: its key, "" in a .npy file, and its shape."""
        shapes = self._shapes
        if self.spec.suffix.lower() == ".npy":
            return {"train": ("", shapes[""])}
        keys = {split: _first(shapes, _PICTURES, split) for split in SPLITS}
        found = {split: (key, shapes[key]) for split, key in keys.items() if key}
        return found or {"train": self._only_pictures()}

    def _only_pictures(self) -> tuple[str, tuple[int, ...]]:
        shapes = self._shapes
        several = [key for key, shape in shapes.items() if len(shape) in (3, 4)]
        key = _first(shapes, _ONLY_PICTURES) or (several[0] if several else None)
        if key and (len(several) < 2 or key in _ONLY_PICTURES):
            return key, shapes[key]
        listed = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
        raise DataError(
            self.called,
            f"arrays {listed or 'of no kind'}",
            "x_train and x_test with y_train and y_test, or images with labels",
            "Save the pictures under one of these names with numpy.savez.",
        )

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        with guarded(self.spec, _WHAT):
            if self.spec.suffix.lower() == ".npy":
                with self.spec.open("rb") as file:
                    return {"": self._header(file)[0]}
            with zipfile.ZipFile(self.spec) as archive:
                members = {each.filename: each for each in archive.infolist()}
                return {
                    name.removesuffix(".npy"): self._shape_within(archive, member)
                    for name, member in members.items()
                    if name.endswith(".npy")
                }

    def _shape_within(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo
    ) -> tuple[int, ...]:
        """Read a header, and check that its array is all that the member holds."""
        with archive.open(member) as file:
            shape, itemsize = self._header(file)
            promised = file.tell() + math.prod(shape) * itemsize
        if promised != member.file_size:
            raise DataError(
                self.called,
                f"{member.file_size:,} bytes of {member.filename} where its header "
                f"promises {promised:,}",
                _WHAT,
                "Check it, or make it again.",
            )
        called = f"{member.filename} in {self.spec}"
        check_unpacking(called, member.compress_size, member.file_size)
        return shape

    def _header(self, file: Any) -> tuple[tuple[int, ...], int]:
        """Read an array's shape, and the bytes of each element."""
        if np.lib.format.read_magic(file) == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            _check_length(file)
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        if dtype.hasobject:
            raise DataError(
                self.called,
                "an array of Python objects",
                _WHAT,
                "Stack the pictures into one array of numbers before saving.",
            )
        return shape, dtype.itemsize

    def _load(self, key: str, rows: range | None = None) -> NDArray[Any]:
        part = slice(rows.start, rows.stop) if rows else slice(None)
        if not key:
            mapped = np.load(self.spec, mmap_mode="r", allow_pickle=False)
            # A copy, so that the file may change or go while the pictures are in use.
            return np.array(mapped[part])
        # NumPy, given a damaged file's name, would leave the file open.
        with self.spec.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return np.asarray(arrays[key][part])


def _check_length(file: Any) -> None:
    """Refuse a longer header than NumPy reads, before memory is taken for it."""
    start = file.tell()
    (length,) = struct.unpack("<I", file.read(4))
    if length > _LONGEST_HEADER:
        raise ValueError(f"a header of {length:,} bytes")
    file.seek(start)


def _first(
    keys: dict[str, tuple[int, ...]], patterns: tuple[str, ...], split: str = ""
) -> str | None:
    """The first pattern that is a key, validation also going by val."""
    words = (split, "val") if split == "validation" else (split,)
    wanted = [pattern.format(word) for pattern in patterns for word in words]
    return next((key for key in wanted if key in keys), None)
