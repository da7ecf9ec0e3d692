"""Runs with few and with many labels, put together: means, spread, paired tests."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from caes.errors import ArgumentError
from caes.report.judgement import paired
from caes.report.publish import Table


@dataclass(frozen=True)
class CurveRun:
    """One training and its error.

    Args:
        contender: Who was trained, such as "the classifier".
        labels: Labelled pictures it learned from; at least one.
        seed: Of the drawing of labels and of the training; runs of one seed are
            compared with each other.
        error: On the test pictures, in per cent.
    """

    contender: str
    labels: int
    seed: int
    error: float


@dataclass(frozen=True)
class Summary:
    """The runs of one contender with one number of labels.

    Args:
        contender: Who was trained.
        labels: Labelled pictures.
        n: Runs.
        mean: Of their errors, in per cent.
        sd: Their standard deviation (n − 1), in percentage points; NaN for one run.
        pairs: Seeds that the first contender was trained with too.
        difference: Over these, the mean of the error minus the first contender's, in
            percentage points; NaN for the first itself, and without a pair.
        p: Of the paired t-test; NaN where it cannot be made.
    """

    contender: str
    labels: int
    n: int
    mean: float
    sd: float
    pairs: int
    difference: float
    p: float


def check(runs: Sequence[CurveRun], test_pictures: int) -> None:
    """Make sure that the runs make a curve.

    Raises:
        ArgumentError: No run, the same one twice, less than one label or test picture,
            or an error that is not in [0, 100].
    """
    if not runs:
        advice = "Train with some number of labels first."
        raise ArgumentError("runs", "none", "at least one", advice)
    if test_pictures < 1:
        advice = "Give the number that every error was measured on."
        raise ArgumentError(
            "test_pictures", str(test_pictures), "a whole number of at least 1", advice
        )
    keys = Counter((run.contender, run.labels, run.seed) for run in runs)
    for run in runs:
        if keys[run.contender, run.labels, run.seed] > 1:
            raise _refused(run, "more than one", "one run a seed", "Keep one of them.")
        if run.labels < 1:
            advice = "Leave it out: no classifier is learned from nothing."
            raise _refused(run, "no labels", "at least one label", advice)
        if not 0 <= run.error <= 100:
            advice = "Give the share of test pictures named wrongly, in per cent."
            raise _refused(run, f"an error of {run.error:g}", "0 to 100", advice)


def summarise(runs: Sequence[CurveRun]) -> list[Summary]:
    """Put the runs together, contender by contender, the fewest labels first."""
    names = list(dict.fromkeys(run.contender for run in runs))
    counts = sorted({run.labels for run in runs})
    return [
        _summary(name, labels, own, {} if name == names[0] else first)
        for name in names
        for labels in counts
        if (own := _errors(runs, name, labels))
        for first in [_errors(runs, names[0], labels)]
    ]


def runs_table(runs: Sequence[CurveRun]) -> Table:
    """Lay the runs out for a file."""
    rows = [(run.contender, run.labels, run.seed, run.error) for run in runs]
    return [("contender", "labels", "seed", "error"), *rows]


def summary_table(rows: Sequence[Summary]) -> Table:
    """Lay the summary out for a file; what is not defined is left empty."""
    head = ("contender", "labels", "n", "mean", "sd", "difference", "p")
    return [head, *map(_cells, rows)]


def _cells(row: Summary) -> tuple[object, ...]:
    numbers = (row.mean, row.sd, row.difference, row.p)
    cells = ("" if math.isnan(value) else f"{value:.6g}" for value in numbers)
    return (row.contender, row.labels, row.n, *cells)


def _errors(runs: Sequence[CurveRun], name: str, labels: int) -> dict[int, float]:
    """Give the errors by seed."""
    wanted = (run for run in runs if (run.contender, run.labels) == (name, labels))
    return {run.seed: run.error for run in wanted}


def _summary(
    name: str, labels: int, own: Mapping[int, float], first: Mapping[int, float]
) -> Summary:
    errors = np.array(list(own.values()))
    seeds = [seed for seed in own if seed in first]
    difference, p = paired([own[at] for at in seeds], [first[at] for at in seeds])
    return Summary(
        contender=name,
        labels=labels,
        n=len(errors),
        mean=float(errors.mean()),
        sd=float(errors.std(ddof=1)) if len(errors) > 1 else math.nan,
        pairs=len(seeds),
        difference=difference,
        p=p,
    )


def _refused(
    run: CurveRun, received: str, allowed: str, next_step: str
) -> ArgumentError:
    name = f"run of {run.contender}, {run.labels} labels, seed {run.seed}"
    return ArgumentError(name, received, allowed, next_step)
