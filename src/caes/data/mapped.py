"""Pictures that stay on disk, mapped into memory, and are read by the batch."""

import mmap
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
AT_ONCE = 2**27  # bytes that are taken into memory without a thought; more stay on disk
_FAULT = 2**16 + 2**12
# Reading one byte of a mapped file makes the system map up to sixteen pages around it.


class OnDisk:
    """Rows of mapped arrays, in any order: looks like an array N×H×W×C, and is none.

    What has been read is given back to the system every `AT_ONCE` bytes, so that the
    process never occupies more than that, however large the arrays are. Rows are N
    positions in the arrays behind each other; None for all.
    """

    def __init__(
        self, arrays: Sequence[NDArray[Any]], rows: Rows | None = None
    ) -> None:
        self.arrays = arrays
        self.ends = np.cumsum([len(array) for array in arrays])
        self.rows = np.arange(self.ends[-1]) if rows is None else rows
        self.dtype: np.dtype[Any] = arrays[0].dtype
        self.shape = (len(self.rows), *arrays[0].shape[1:])
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape))
        self.nbytes = self.size * self.dtype.itemsize
        self.touched = 0
        # Where the file cannot stay in the system's memory, reading ahead of a random
        # row would fetch a hundred others that are gone again before their turn.
        self.scarce = self.nbytes > _physical_memory() / 2
        if self.scarce:
            self._advise("MADV_RANDOM")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, where: Any) -> Any:
        """Read some rows; as many as to make a large array stay on disk."""
        if isinstance(where, tuple):
            return np.asarray(self)[where]
        rows = self.rows[where]
        if rows.ndim == 0:
            return self._read(rows[None])[0]
        if len(rows) * _row_bytes(self) > AT_ONCE:
            return OnDisk(self.arrays, rows)
        return self._read(rows)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = self._read(self.rows)
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return np.asarray, (np.asarray(self),)  # another process has no such map

    def take(self, rows: Rows, out: NDArray[Any]) -> None:
        """Copy rows, counted among these N, into an array of their own shape."""
        self._copy(self.rows[rows], out)

    def expect(self, rows: Rows) -> None:
        """Let the system fetch rows that are asked for soon, where it may not have."""
        if not self.scarce:
            return
        size = _row_bytes(self)
        for number, array in enumerate(self.arrays):
            held = mapping(array)
            if held is None:
                continue
            first = array.ctypes.data - np.frombuffer(held, np.uint8).ctypes.data
            here = self._within(number, self.rows[rows])
            for row in here[0].tolist():
                start = first + row * size
                page = start - start % mmap.PAGESIZE
                _advise(held, "MADV_WILLNEED", page, start + size - page)

    def _read(self, rows: Rows) -> NDArray[Any]:
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        # By the part, so that no more is mapped than is meant to be.
        step = max(1, AT_ONCE // max(_row_bytes(self), _FAULT))
        for start in range(0, len(rows), step):
            self._copy(rows[start : start + step], out[start : start + step])
        return out

    def _copy(self, rows: Rows, out: NDArray[Any]) -> None:
        if len(self.arrays) == 1:
            # mode="clip" writes straight into the buffer; the rows are known to fit.
            np.take(self.arrays[0], rows, axis=0, out=out, mode="clip")
        else:
            for number, array in enumerate(self.arrays):
                here, places = self._within(number, rows)
                out[places] = array[here]
        self.touched += len(rows) * (_row_bytes(self) + _FAULT)
        if self.touched > AT_ONCE:
            self._advise("MADV_DONTNEED")
            self.touched = 0

    def _within(self, number: int, rows: Rows) -> tuple[Rows, Rows]:
        """Give the rows of one array, and their places among those asked for."""
        end = self.ends[number]
        start = end - len(self.arrays[number])
        places = np.flatnonzero((rows >= start) & (rows < end))
        return rows[places] - start, places

    def _advise(self, what: str) -> None:
        for array in self.arrays:
            if (held := mapping(array)) is not None:
                _advise(held, what)


def mapping(pixels: Any) -> mmap.mmap | None:
    """Give the map that an array, or the array it is a view of, lies in.

    A map whose changes are private has none here: what was read must not be given back.
    """
    while pixels is not None:
        if isinstance(pixels, np.memmap):
            held = pixels._mmap  # type: ignore[attr-defined]
            return None if pixels.mode == "c" else held
        pixels = getattr(pixels, "base", None)
    return None


def forget(pixels: NDArray[Any]) -> None:
    """Give the memory of a mapped array back; what was changed reaches the file."""
    if (held := mapping(pixels)) is not None:
        _advise(held, "MADV_DONTNEED")


def lazily(pixels: Any) -> Any:
    """Give an array back, or, where it is a large one on disk, as an `OnDisk`."""
    if isinstance(pixels, OnDisk) or pixels.nbytes <= AT_ONCE:
        return pixels
    return pixels if mapping(pixels) is None else OnDisk([pixels])


def pick(pixels: Any, rows: slice | Rows) -> Any:
    """Pick rows of an array; many of one on disk stay there, in their new order."""
    if isinstance(rows, slice) and not isinstance(pixels, OnDisk):
        return pixels[rows]
    return lazily(pixels)[rows]


def take(pixels: Any, rows: Rows, out: NDArray[Any]) -> None:
    """Copy rows of an array, or of an `OnDisk`, into one of their shape and type."""
    if isinstance(pixels, OnDisk):
        pixels.take(rows, out)
    else:
        # mode="clip" writes straight into the buffer; the rows are known to fit.
        np.take(pixels, rows, axis=0, out=out, mode="clip")


def joined(parts: Sequence[Any]) -> Any:
    """Put arrays behind each other, on disk if they are large and all of them there."""
    large = sum(part.nbytes for part in parts) > AT_ONCE
    there = all(isinstance(p, OnDisk) or mapping(p) is not None for p in parts)
    if not (large and there):
        return np.concatenate([np.asarray(part) for part in parts])
    parts = [part if isinstance(part, OnDisk) else OnDisk([part]) for part in parts]
    arrays = [array for part in parts for array in part.arrays]
    starts = np.cumsum([0, *(part.ends[-1] for part in parts)])
    rows = [part.rows + start for part, start in zip(parts, starts, strict=False)]
    return OnDisk(arrays, np.concatenate(rows))


def parts(pixels: Any, size: int = 2**24) -> Iterator[NDArray[Any]]:
    """Go through an array, or an `OnDisk`, so many bytes at a time."""
    pixels = lazily(pixels)
    step = max(1, min(size, AT_ONCE) // max(1, _row_bytes(pixels)))
    for start in range(0, len(pixels), step):
        yield np.asarray(pixels[start : start + step])


def _row_bytes(pixels: Any) -> int:
    return int(np.prod(pixels.shape[1:])) * int(pixels.dtype.itemsize)


def _advise(held: mmap.mmap, what: str, *where: int) -> None:
    """Tell the system, where it has an ear for it."""
    if hasattr(held, "madvise") and hasattr(mmap, what):
        held.madvise(getattr(mmap, what), *where)


def _physical_memory() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")
