"""Speeds that can be compared on a noisy machine: contenders take turns, in rounds.

Only ratios within one round count, since both sides then met the same machine.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Literal

from sheet import Sheet
from workers import Entry, Worker

Speeds = Mapping[str, Sequence[float]]
"""Images/s by contender, one figure a round."""

GEMM = Entry("GEMM", "gemm", 1)
MOST = 60_000
"""Pictures in one turn at the most: as many as MNIST has."""


def race(
    entries: Sequence[Entry],
    work: Literal["train", "encode"],
    source: str,
    sheet: Sheet,
    *,
    rounds: int,
    seconds: float,
) -> Speeds:
    """Let contenders work in turn, forwards and backwards, and note their speeds.

    Args:
        entries: The contenders.
        work: What they do.
        source: The pictures, as `caes.load` takes them.
        sheet: Takes the facts: pictures of a turn, parameters, how it is computed, and
            each round's speed of a fixed product of matrices.
        rounds: Turns of each; before them come two turns of warming up.
        seconds: How long a turn shall take.
    """
    speeds: dict[str, list[float]] = {entry.name: [] for entry in entries}
    with ExitStack() as stack:
        gemm = stack.enter_context(Worker(GEMM, source))
        workers = [stack.enter_context(Worker(entry, source)) for entry in entries]
        turns = {worker: _size(worker, work, seconds) for worker in workers}
        for number in range(1, rounds + 1):
            print(f"round {number} of {rounds}", file=sys.stderr)
            sheet.gemm.append(gemm.ask("multiply")["gflops"])
            for worker in workers if number % 2 else reversed(workers):
                took = worker.ask(work, images=turns[worker])["seconds"]
                speeds[worker.entry.name].append(turns[worker] / took)
    _describe(turns, sheet)
    return speeds


def ratios(speeds: Speeds, ours: str, other: str) -> list[float]:
    """Divide speeds round by round."""
    return [a / b for a, b in zip(speeds[ours], speeds[other], strict=True)]


def fastest(speeds: Speeds, names: Sequence[str]) -> str:
    """Name the contender with the largest median speed."""
    return max(names, key=lambda name: median(speeds[name]))


def tabulate(speeds: Speeds, ours: str, sheet: Sheet) -> None:
    """Write two tables: images/s, and our speed divided by each other's."""
    gemm = sheet.gemm[-len(speeds[ours]) :]
    rounds = [f"round {n}" for n in range(1, len(speeds[ours]) + 1)]
    sheet.table(
        ["images/s", "median", *rounds],
        [
            [name, *(f"{v:,.0f}" for v in (median(values), *values))]
            for name, values in speeds.items()
        ]
        + [["GEMM, Gflop/s", *(f"{v:,.1f}" for v in (median(gemm), *gemm))]],
    )
    against = {n: ratios(speeds, ours, n) for n in speeds if n != ours}
    sheet.table(
        [f"{ours} is faster than", "median", *rounds],
        [
            [name, *(f"{v:.2f}×" for v in (median(values), *values))]
            for name, values in against.items()
        ],
    )


def _size(worker: Worker, work: str, seconds: float) -> int:
    """Warm up, so that nothing is compiled later, and find the pictures of a turn."""
    batch = worker.entry.batch
    few = 10 * batch
    worker.ask(work, images=few)
    speed: float = few / worker.ask(work, images=few)["seconds"]
    return max(1, min(MOST, round(speed * seconds)) // few) * few


def _describe(turns: Mapping[Worker, int], sheet: Sheet) -> None:
    sheet.table(
        ["contender", "batch", "parameters", "computed by", "images a turn"],
        [
            [
                worker.entry.name,
                str(worker.entry.batch),
                f"{worker.ready['parameters']:,}",
                worker.ready["path"],
                f"{images:,}",
            ]
            for worker, images in turns.items()
        ],
    )
