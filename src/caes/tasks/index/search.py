"""The nearest points: each compared where they are few, by a graph where many."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caes.errors import ArgumentError
from caes.tasks.index.space import Points

QUERIES, ROWS = 256, 2**16
"""Queries and points that are compared at once."""
CONNECTIONS, EXPANSION = 12, 128
"""Neighbours of a point in the graph, and how far is looked when it is put in."""
WIDTHS = (16, 18, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 192, 256)
"""How far may be looked in the graph when it is searched."""
WANTED = 0.97
"""Share of the nearest that the graph has to find, of points that it does not hold."""
PROBES = 512
"""Points that this is measured on, before they are put in."""
AXES, SAMPLE = 16, 4096
"""Principal axes by which points are put in a row, and points that give these."""
AT_ONCE = 4096
"""Points that are put into the graph at once."""

Progress = Callable[[int, int], None] | None
Blocks = Iterator[tuple[int, Points]]
"""The row of the first of some points, and these."""


class Found(NamedTuple):
    """The nearest rows of each query, nearest first."""

    rows: NDArray[np.int64]  # Q×k; -1 where there are no more
    distances: NDArray[np.float32]  # Q×k; infinite there


def nearest(
    queries: Points,
    blocks: Callable[[], Blocks],
    k: int,
    kept: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Give the rows nearest to queries Q×d, Q×k; only of those ``kept``, if said.

    Every point is compared; -1 stands where there are no more.
    """
    import torch

    found = []
    for start in range(0, len(queries), QUERIES):
        asked = queries[start : start + QUERIES]
        best = torch.full((len(asked), k), torch.inf)
        rows = torch.full((len(asked), k), -1, dtype=torch.int64)
        for first, points in blocks():
            # ‖a − b‖² less ‖a‖², which orders the same
            near = asked @ points.T
            near *= -2
            near += np.einsum("nd,nd->n", points, points)
            if kept is not None:
                near[:, ~kept[first : first + len(points)]] = np.inf
            value, at = torch.from_numpy(near).topk(min(k, len(points)), largest=False)
            both, names = torch.cat([best, value], 1), torch.cat([rows, at + first], 1)
            best, order = both.topk(k, largest=False)
            rows = names.gather(1, order)
        rows[best == torch.inf] = -1
        found.append(rows.numpy())
    return np.concatenate(found)


def measured(
    queries: Points, rows: NDArray[np.int64], take: Callable[..., Points], k: int
) -> Found:
    """Order rows, Q×more, by their exact distance, equal ones by row; keep k."""
    apart = np.empty(rows.shape, np.float32)
    for start in range(0, len(queries), QUERIES):
        part = slice(start, start + QUERIES)
        there = take(np.maximum(rows[part], 0).reshape(-1))
        there = there.reshape(*rows[part].shape, -1) - queries[part, None]
        apart[part] = np.sqrt(np.einsum("qkd,qkd->qk", there, there))
    apart[rows < 0] = np.inf
    order = np.lexsort((rows, apart), axis=1)[:, :k]
    return Found(*_picked(rows, apart, order))


def _picked(
    rows: NDArray[np.int64], apart: Points, order: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Points]:
    return np.take_along_axis(rows, order, 1), np.take_along_axis(apart, order, 1)


class Graph:
    """A navigable small world of points (HNSW, Malkov & Yashunin 2018), by USearch.

    Points are numbered as they are put in, from 0, and kept as bytes: their values
    times a scale, rounded. Who searches measures what was found again, by the values.
    """

    def __init__(self, size: int, scale: float, width: int = WIDTHS[-1]) -> None:
        self._index = _usearch().Index(
            ndim=size,
            metric="l2sq",
            dtype="i8",
            connectivity=CONNECTIONS,
            expansion_add=EXPANSION,
            expansion_search=width,
        )
        self.scale, self.width = scale, width

    @classmethod
    def open(cls, path: Path, size: int, scale: float, width: int) -> "Graph":
        """Read one that was saved; it stays on disk until it is added to."""
        graph = cls(size, scale, width)
        graph._index.view(str(path))
        graph._path = path
        return graph

    _path: Path | None = None  # where it lies, while it is only looked at

    def __len__(self) -> int:
        return len(self._index)

    @property
    def memory(self) -> int:
        """Bytes that it takes."""
        return int(self._index.memory_usage)

    def add(self, rows: NDArray[np.int64], points: Points) -> None:
        """Put points in, and their rows."""
        if self._path is not None:
            self._index.load(str(self._path))
            self._path = None
        keys = rows.astype(np.uint64)
        self._index.add(keys, self._bytes(points), threads=_threads())

    def search(self, queries: Points, k: int) -> NDArray[np.int64]:
        """Give the rows of points that are likely nearest, Q×k; -1 for none."""
        self._index.expansion_search = max(self.width, k)
        order = side_by_side([queries])
        asked = self._bytes(queries[order])
        found = self._index.search(asked, k, threads=_threads())
        each = np.array(found.keys, np.int64).reshape(len(queries), -1)
        if len(queries) > 1:  # beyond what was found there is nothing meant
            each[np.arange(each.shape[1]) >= np.asarray(found.counts)[:, None]] = -1
        keys = np.empty_like(each)
        keys[order] = each
        short = k - keys.shape[1]
        return np.pad(keys, ((0, 0), (0, short)), constant_values=-1)

    def _bytes(self, points: Points) -> NDArray[np.int8]:
        values: NDArray[np.float32] = np.rint(points * np.float32(self.scale))
        return np.clip(values, -127, 127).astype(np.int8)

    def save(self, path: str) -> None:
        """Write it to a file."""
        self._index.save(path)


def side_by_side(pieces: Sequence[Points]) -> NDArray[np.int64]:
    """Put points in a row in which near ones follow each other.

    They walk the same part of the graph, which then lies together, and in the cache.
    The row is by the side of the median on each of the principal axes.
    """
    step = -(-sum(map(len, pieces)) // SAMPLE)
    some = np.concatenate([each[::step] for each in pieces])
    apart = some - some.mean(0)
    axes = np.linalg.eigh(apart.T @ apart)[1][:, ::-1][:, :AXES]
    middle = np.median(some @ axes, axis=0)
    sides = np.concatenate([each @ axes > middle for each in pieces])
    return np.lexsort(sides.T[::-1])


def merged(found: Found, views: int, k: int) -> Found:
    """Join what several views of a query have found, Q·views×k: the nearest of all."""
    queries = len(found.rows) // views
    rows = found.rows.reshape(queries, -1)
    apart = found.distances.reshape(queries, -1)
    order = np.lexsort((rows, apart), axis=1)
    rows, apart = _picked(rows, apart, order)
    # A row that stands further left already is as near there, or nearer.
    by_row = np.argsort(rows, axis=1, kind="stable")
    ranked = np.take_along_axis(rows, by_row, 1)
    again = np.zeros(rows.shape, bool)
    np.put_along_axis(again, by_row[:, 1:], ranked[:, 1:] == ranked[:, :-1], 1)
    rows[again], apart[again] = -1, np.inf
    order = np.argsort(apart, axis=1, kind="stable")[:, :k]
    return Found(*_picked(rows, apart, order))


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Give the share of the true rows, Q×k, that are among those found, Q×k."""
    return float((truth[:, :, None] == found[:, None]).any(2).mean())


def _threads() -> int:
    """As many as PyTorch takes: `OMP_NUM_THREADS` bounds both."""
    import torch

    return torch.get_num_threads()


def _usearch() -> Any:
    try:
        import usearch.index
    except ImportError:
        raise missing("usearch") from None
    return usearch.index


def missing(package: str) -> ArgumentError:
    """The error for an index without the packages that it needs."""
    return ArgumentError(
        "index",
        f"an environment without the package {package}",
        "one with the extra",
        'Run: pip install "caes[index]"',
    )


def in_blocks(pieces: Sequence[Points], start: int = 0) -> Blocks:
    """Give points, from a row on, in blocks of at most `ROWS`."""
    first = 0
    for piece in pieces:
        for at in range(0, len(piece), ROWS):
            block = piece[at : at + ROWS]
            skip = max(0, start - first)
            if skip < len(block):
                yield first + skip, block[skip:]
            first += len(block)
