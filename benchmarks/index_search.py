"""The graph of an index beside comparing all codes: how much it finds, how fast.

Codes of 64 values: of 60,000 MNIST digits by the default network, and of 1,000,000, the
same digits moved, turned and mirrored. Queries are test digits, all 10,000 or the first
2,000, asked at once, by as many threads; contenders take turns. All are compared by
`ImageIndex` (a matrix product and PyTorch's topk) and by scikit-learn; the faster
counts. The product alone, which no such search can beat, stands beside. Exits with 1
when less than 0.95 of the ten nearest are found, or not ten times as fast.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import numpy as np
import tyro
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from caes import CAE, ImageIndex, ImageSet, load
from caes.tasks.index.filling import MOVES, moved
from caes.tasks.index.search import QUERIES, ROWS, recall
from sheet import RESULTS, Sheet

Codes = NDArray[np.float32]
K = 10
AT_ONCE = 10_000
MB = 1e6
FEW = 100_000
"""Codes among which is searched for all test digits."""


def main(
    run: Path | None = None,
    sizes: tuple[int, ...] = (60_000, 1_000_000),
    rounds: int = 3,
    out: Path = RESULTS,
) -> int:
    """Build, search, judge.

    Args:
        run: The default's run on MNIST with 64 values; without it one is trained.
        sizes: How many codes.
        rounds: Turns of each contender.
        out: Folder of the result.
    """
    sheet = Sheet("The graph of an index beside comparing all codes", "mnist")
    cae, train, test = fitted(run), load("mnist"), load("mnist", "test")
    sheet.say(f"- network: {cae.architecture_}, seed {cae.seed_}")
    queries = cae.transform(test)
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            row, share, ratio = _measured(
                cae,
                train,
                queries if size < FEW else queries[:2000],
                size,
                Path(folder) / "index",
                rounds,
            )
        rows.append(row)
        sheet.say(f"- {size:,} codes: {', '.join(row[1:])}")
        name = f"{size:,} codes"
        sheet.judge(f"{name}: recall@10 {share:.4f}, must 0.95", share >= 0.95)
        sheet.at_least(f"{name}: queries/s over the fastest exact search's", ratio, 10)
    head = [
        "codes",
        "queries",
        "recall@10",
        "graph q/s",
        "all, ours q/s",
        "scikit-learn q/s",
    ]
    head += ["product alone q/s", "build s", "its peak MB", "on disk MB"]
    head += ["search's memory MB"]
    sheet.table(head, rows)
    return sheet.finish(out)


def fitted(run: Path | None) -> CAE:
    """Give the default network with a code of 64 values."""
    if run is not None:
        return CAE.load(run)
    return CAE(code=64, minutes=2, random_state=0).fit(load("mnist"))


def _codes(cae: CAE, train: ImageSet, size: int) -> list[Codes]:
    """Encode digits, and then the same moved, part by part."""
    parts = [train[at : at + AT_ONCE] for at in range(0, len(train), AT_ONCE)]
    moves = islice(cycle(MOVES["mirrored"]), -(-size // len(train)))
    every = (cae.transform(moved(part, *move)) for move in moves for part in parts)
    found, count = [], 0
    for codes in every:
        found.append(codes[: size - count])
        count += len(found[-1])
        if count == size:
            break
    return found


def _measured(
    cae: CAE, train: ImageSet, queries: Codes, size: int, folder: Path, rounds: int
) -> tuple[list[str], float, float]:
    points = np.concatenate(_codes(cae, train, size))
    np.save(file := folder.with_suffix(".npy"), points)
    built = _apart(_build, str(file), str(folder))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    rival = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(points)
    asked = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    index = ImageIndex.load(folder)
    share = recall(
        index.search(queries, K).rows, index.search(queries, K, exact=True).rows
    )
    contenders: dict[str, Callable[[], object]] = {
        "graph": lambda: index.search(queries, K),
        "all": lambda: index.search(queries, K, exact=True),
        "scikit-learn": lambda: rival.kneighbors(asked),
        "product": lambda: _product(asked, points),
    }
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            began = time.perf_counter()
            work()
            speeds[name].append(len(queries) / (time.perf_counter() - began))
    full = zip(speeds["all"], speeds["scikit-learn"], strict=True)
    pairs = zip(speeds["graph"], map(max, full), strict=True)
    ratio = median(graph / fastest for graph, fastest in pairs)
    row = [f"{size:,}", f"{len(queries):,}", f"{share:.4f}"]
    row += [f"{median(each):,.0f}" for each in speeds.values()]
    row += [f"{each:,.0f}" for each in (*built, *_apart(_open, str(folder), queries))]
    return row, share, ratio


def _product(asked: Codes, points: Codes) -> None:
    for start in range(0, len(asked), QUERIES):
        for first in range(0, len(points), ROWS):
            _ = asked[start : start + QUERIES] @ points[first : first + ROWS].T


def _apart(work: Callable[..., tuple[float, ...]], *given: object) -> tuple[float, ...]:
    """Do it in a process of its own, whose memory is its alone."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, given)


def _build(file: str, folder: str) -> tuple[float, ...]:
    """Build an index; give seconds, the most MB of memory that it adds, MB on disk."""
    codes: Codes = np.load(file, mmap_mode="r")
    before = _ready(np.array(codes[:100]))
    began = time.perf_counter()
    index = ImageIndex("cosine")
    for start in range(0, len(codes), AT_ONCE):
        part = codes[start : start + AT_ONCE]
        index.add(part, names=[f"{start + row:07d}" for row in range(len(part))])
    index.save(folder)
    took = time.perf_counter() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    disk = sum(path.stat().st_size for path in Path(folder).iterdir())
    return took, (most - before) / MB, disk / MB


def _open(folder: str, queries: Codes) -> tuple[float, ...]:
    """Open an index, and search; give the MB of memory that this adds."""
    before = _ready(queries)
    index = ImageIndex.load(folder)
    index.search(queries, K)
    return ((_memory() - before) / MB,)


def _ready(codes: Codes) -> float:
    """Import what is needed; give the bytes of memory that this takes."""
    ImageIndex("cosine").add(codes).search(codes, K)
    return _memory()


def _memory() -> float:
    """Give the bytes of memory that this process takes."""
    import psutil  # only what needs it has to have it

    return float(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
