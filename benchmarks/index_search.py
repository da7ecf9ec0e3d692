"""The graph of an index beside comparing all codes: how much it finds, how fast.

Codes of 64 values: of 60,000 MNIST digits by the default network, and of 1,000,000, the
same digits moved, turned and mirrored. Queries are test digits. Contenders take turns;
exits with 1 when less than 0.95 of the ten nearest are found, or not ten times as fast.
"""

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
from caes.tasks.index.search import recall
from sheet import RESULTS, Sheet

Codes = NDArray[np.float32]
K = 10
AT_ONCE = 10_000


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
    queries = cae.transform(test[:2000])
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            row, share, ratio = _measured(
                cae, train, queries, size, Path(folder) / "index", rounds
            )
        rows.append(row)
        sheet.say(f"- {size:,} codes: {', '.join(row[1:])}")
        name = f"{size:,} codes"
        sheet.judge(f"{name}: recall@10 {share:.4f}, must 0.95", share >= 0.95)
        sheet.at_least(f"{name}: queries/s over the fastest exact search's", ratio, 10)
    head = ["codes", "recall@10", "graph q/s", "all, ours q/s", "scikit-learn q/s"]
    head += ["build s", "on disk MB", "search's memory MB"]
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
    codes = _codes(cae, train, size)
    began = time.perf_counter()
    index = ImageIndex("cosine")
    for part in codes:
        names = [f"{len(index) + row:07d}" for row in range(len(part))]
        index.add(part, names=names)
    index.save(folder)
    took = time.perf_counter() - began
    del index
    points = np.concatenate(codes)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    rival = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(points)
    asked = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    index = ImageIndex.load(folder)
    found, few = index.search(queries, K), queries[: 2000 if size < 10**5 else 200]
    truth = index.search(few, K, exact=True)
    share = recall(found.rows[: len(few)], truth.rows)
    speeds: dict[str, list[float]] = {"graph": [], "all": [], "scikit-learn": []}
    for _ in range(rounds):
        _time(speeds["graph"], lambda: index.search(queries, K), len(queries))
        _time(speeds["all"], lambda: index.search(few, K, exact=True), len(few))
        _time(
            speeds["scikit-learn"],
            lambda: rival.kneighbors(asked[: len(few)]),
            len(few),
        )
    pairs = zip(*speeds.values(), strict=True)
    ratio = median(graph / max(others) for graph, *others in pairs)
    disk = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    row = [f"{size:,}", f"{share:.4f}"]
    row += [f"{median(each):,.0f}" for each in speeds.values()]
    return [*row, f"{took:.0f}", f"{disk:.0f}", _memory(folder, queries)], share, ratio


def _time(speeds: list[float], work: Callable[[], object], count: int) -> None:
    began = time.perf_counter()
    work()
    speeds.append(count / (time.perf_counter() - began))


def _memory(folder: Path, queries: Codes) -> str:
    """Give what opening an index and searching adds to a process."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return f"{pool.apply(_added, (str(folder), queries)):.0f}"


def _added(folder: str, queries: Codes) -> float:
    """Open an index, and search; give the megabytes of memory that this takes."""
    import psutil

    ImageIndex("cosine").add(queries).search(queries, K)  # what is imported for it
    process = psutil.Process()
    before = process.memory_info().rss
    index = ImageIndex.load(folder)
    index.search(queries, K)
    return float(process.memory_info().rss - before) / 1e6


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
