"""How sure one may be: intervals, paired tests, calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, ttest_rel

CONFIDENCE = 0.95
"""Share of such intervals that hold the true value."""
CHANCE = 0.05
"""A difference with a smaller p is called more than chance."""
PAIRS = 3
"""Of fewer pairs no p is told: their spread is hardly known."""
FEW = 30
"""Below so many test pictures a comparison is an anecdote."""
BINS = 10
"""Of a reliability diagram, as many as are usual."""


def accuracy_interval(right: int, n: int) -> tuple[float, float]:
    """Bound the true accuracy behind ``right`` of ``n``, by Wilson's score interval.

    It speaks for the choice of the test pictures, not for another training.
    """
    found = binomtest(right, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> float:
    """Test whether two classifiers err equally often, by McNemar's exact test.

    Only the pictures that one of the two gets right and the other wrong count
    (McNemar 1947; exact as in Dietterich 1998): if both are equally good, each of
    these is the toss of a coin. Takes N bool each, whether they are right; gives the
    two-sided p, in (0, 1].
    """
    first = int(np.count_nonzero(right_a & ~right_b))
    second = int(np.count_nonzero(right_b & ~right_a))
    if first + second == 0:
        return 1.0
    return float(binomtest(first, first + second).pvalue)


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Compare paired values, by the t-test for pairs: the mean of a − b, and p.

    The mean is NaN without any pair; p is NaN for fewer than three pairs, and where
    all differences are the same.
    """
    first, second = (np.asarray(values, np.float64) for values in (a, b))
    apart = first - second
    if not apart.size:
        return float("nan"), float("nan")
    # Differences that only rounding tells apart are the same.
    noise = 1e-9 * max(np.abs(first).max(), np.abs(second).max())
    if len(apart) < PAIRS or np.ptp(apart) <= noise:
        return float(apart.mean()), float("nan")
    return float(apart.mean()), float(ttest_rel(first, second).pvalue)


def holm(chances: Sequence[float]) -> list[float]:
    """Correct the p of several tests for their number (Holm 1979).

    With the p in rising order, the i-th of m becomes (m - i + 1) times itself, at most
    1 and no less than the one before it: the chance that any of the tests calls a
    difference that is not there stays below the level. NaN stays, and is not counted.
    """
    given = np.asarray(chances, np.float64)
    tests = np.flatnonzero(np.isfinite(given))
    order = tests[np.argsort(given[tests], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    given[order] = np.maximum.accumulate(np.minimum(1, factors * given[order]))
    return [float(each) for each in given]


@dataclass(frozen=True)
class Bin:
    """The pictures whose top probability lies in one bin, (low, high]."""

    low: float
    high: float
    count: int
    confidence: float  # their mean top probability; NaN without pictures
    accuracy: float  # the share of them named correctly; NaN without pictures


def reliability(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64], bins: int = BINS
) -> list[Bin]:
    """Sort pictures by their top probability into bins of one width.

    Bin m of M is ((m − 1)/M, m/M], as in Guo et al. 2017.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    edges = np.linspace(0, 1, bins + 1)
    # In the probabilities' own type: a float32 of 0.1 is a little more than 0.1.
    place = np.searchsorted(edges[1:-1].astype(confidence.dtype), confidence)
    counts = np.bincount(place, minlength=bins)
    nothing = np.full((2, bins), np.nan)
    sums = np.stack([np.bincount(place, each, bins) for each in (confidence, right)])
    means = np.divide(sums, counts, out=nothing, where=counts > 0)
    columns = edges[:-1], edges[1:], counts, *means
    return [Bin(*row) for row in zip(*(each.tolist() for each in columns), strict=True)]


def calibration_error(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64], bins: int = BINS
) -> float:
    """Give the expected calibration error, in [0, 1] (Guo et al. 2017, eq. 3)."""
    apart = (
        part.count * abs(part.accuracy - part.confidence)
        for part in reliability(probabilities, truth, bins)
        if part.count
    )
    return sum(apart) / len(truth)
