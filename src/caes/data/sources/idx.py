"""IDX files, the format of MNIST: one array, big-endian, plain or gzipped."""

import gzip
import math
import re
import struct
from dataclasses import dataclass
from functools import cached_property
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.labels.classes import Indices, class_indices
from caes.data.reading import check_unpacking, guarded
from caes.data.sources.base import ArraySource, Classes
from caes.data.sources.splits import SPLITS, leading_split
from caes.errors import DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_WHAT = "an IDX file, plain or .gz"
_MOST_GZIP_SHRINKS = 1032  # deflate codes at most 258 bytes in 2 bits


@dataclass(frozen=True)
class Header:
    """What the first bytes of an IDX file say."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    length: int  # the header's own

    @property
    def row_bytes(self) -> int:
        """The bytes of one row along the first axis."""
        return self.dtype.itemsize * math.prod(self.shape[1:])


class Idx(ArraySource):
    """One IDX file of pictures, or a folder of them named as MNIST names its four.

    Labels are found beside the pictures: ``train-labels-idx1-ubyte`` belongs to
    ``train-images-idx3-ubyte``, either of them with or without ``.gz``.
    """

    name = "idx"

    @classmethod
    def opens(cls, spec: Any) -> bool:
        """Whether the path's name has idx in it, or the folder has such files."""
        if not isinstance(spec, Path):
            return False
        if spec.is_dir():
            return bool(image_files(spec))
        return re.search(r"(^|[-._])idx\d?([-._]|$)", spec.name) is not None

    def splits(self) -> dict[str, int]:
        """Count the rows that the headers promise."""
        return {split: header(path).shape[0] for split, path in self._files.items()}

    def pixels(self, split: str, rows: range) -> NDArray[Any]:
        """Read these rows; of a plain file no others are touched."""
        return read_idx(self._files[split], rows)

    @cached_property
    def labels(self) -> tuple[dict[str, Indices], Classes]:
        """Number the labels of all splits together."""
        found = {split: _labels_beside(path) for split, path in self._files.items()}
        values = {split: read_idx(path) for split, path in found.items() if path}
        return class_indices(values, self.splits(), self.called)

    @cached_property
    def _files(self) -> dict[str, Path]:
        return image_files(self.spec) if self.spec.is_dir() else {"train": self.spec}


def image_files(folder: Path) -> dict[str, Path]:
    """Find ``train-images-idx3-ubyte`` and the like in a folder, by their splits."""
    found = {}
    for path in sorted(folder.glob("*-images[-.]idx*"), reverse=True):
        split = leading_split(path.name)
        if split:
            found[split] = path  # the plain file sorts before its .gz, so it stays
    return {split: found[split] for split in SPLITS if split in found}


def header(path: Path) -> Header:
    """Read an IDX file's header, and check that the file can hold what it promises."""
    with guarded(path, _WHAT), _opened(path) as file:
        start = file.read(4)
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES:
            raise _damaged(path, f"a file that starts with {start!r}")
        axes = file.read(4 * start[3])
        if not start[3] or len(axes) < 4 * start[3]:
            raise _damaged(path, "a file that ends within its header")
        shape = struct.unpack(f">{start[3]}I", axes)
        found = Header(np.dtype(_TYPES[start[2]]), shape, 4 + len(axes))
    promised, size = found.length + shape[0] * found.row_bytes, path.stat().st_size
    if path.suffix == ".gz":
        if promised > size * _MOST_GZIP_SHRINKS:
            raise _damaged(path, f"a header that promises {promised:,} bytes")
        check_unpacking(str(path), size, promised)
    elif promised != size:
        raise _damaged(path, f"{size:,} bytes where its header promises {promised:,}")
    return found


def read_idx(path: Path, rows: range | None = None) -> NDArray[Any]:
    """Read an array, or some of its rows, in its own type and native byte order."""
    about = header(path)
    rows = range(about.shape[0]) if rows is None else rows
    with guarded(path, _WHAT), _opened(path) as file:
        values = np.empty((len(rows), *about.shape[1:]), about.dtype)
        file.seek(about.length + rows.start * about.row_bytes)
        got = file.readinto(values.data.cast("B")) if values.size else 0
    if got < values.nbytes:
        raise _damaged(path, "a file that ends early")
    return values.astype(about.dtype.newbyteorder("="), copy=False)


def _opened(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _damaged(path: Path, received: str) -> DataError:
    return DataError(str(path), received, _WHAT, "Fetch or make the file again.")


def _labels_beside(images: Path) -> Path | None:
    if "images" not in images.name:
        return None
    name = re.sub(r"idx\d", "idx1", images.name.removesuffix(".gz"))
    name = name.replace("images", "labels")
    beside = (images.with_name(name), images.with_name(f"{name}.gz"))
    return next((path for path in beside if path.is_file()), None)
