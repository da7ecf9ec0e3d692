import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from caes.report.statistics import (
    accuracy_interval,
    calibration_error,
    holm,
    mcnemar,
    paired,
    reliability,
)

ERRORS = st.lists(st.floats(0, 100), min_size=3, max_size=8)
OUTCOMES = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(counts: tuple[int, int]) -> None:
    right, n = counts
    z = stats.norm.ppf(0.975)
    share = right / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low, high = accuracy_interval(right, n)
    assert (low, high) == pytest.approx((middle - half, middle + half), abs=1e-9)
    assert 0 <= low <= share <= high <= 1


@given(OUTCOMES)
def test_mcnemar_tosses_a_coin_for_each_picture_they_differ_on(
    outcomes: list[tuple[bool, bool]],
) -> None:
    a, b = np.array(outcomes).T
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    tosses = only_a + only_b
    tail = sum(math.comb(tosses, at) for at in range(min(only_a, only_b) + 1))
    assert mcnemar(a, b) == pytest.approx(min(1, 2 * tail / 2**tosses))
    assert mcnemar(a, b) == mcnemar(b, a)
    assert mcnemar(a, a) == 1  # they never differ


@given(ERRORS, st.integers(0, 2**32 - 1))
def test_pairs_are_compared_as_scipy_does(a: list[float], seed: int) -> None:
    b = np.random.default_rng(seed).uniform(0, 100, len(a)).tolist()
    difference, p = paired(a, b)
    apart = np.subtract(a, b)
    assert difference == pytest.approx(apart.mean())
    t = apart.mean() / (apart.std(ddof=1) / math.sqrt(len(apart)))
    assert p == pytest.approx(2 * stats.t.sf(abs(t), len(apart) - 1))
    assert p == pytest.approx(float(stats.ttest_rel(a, b).pvalue))


@pytest.mark.parametrize(
    ("a", "b", "difference"),
    [
        ([3.0], [1.0], 2.0),
        ([3.0, 4.0], [1.0, 2.0], 2.0),
        ([3.0, 4.0], [1.0, 1.0], 2.5),
        ([4.1, 5.1, 6.3], [3.1, 4.1, 5.3], 1.0),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([], [], math.nan),
    ],
)
def test_what_has_no_spread_has_no_p(
    a: list[float], b: list[float], difference: float
) -> None:
    mean, p = paired(a, b)
    assert mean == pytest.approx(difference, nan_ok=True)
    assert math.isnan(p)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_s_correction_rejects_step_by_step(chances: list[float]) -> None:
    corrected = holm(chances)
    for level in (0.01, 0.05, 0.5):
        rejected: set[int] = set()
        for step, at in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
            if (len(chances) - step) * chances[at] > level:
                break
            rejected.add(at)
        assert {at for at, p in enumerate(corrected) if p <= level} == rejected


def test_what_has_no_p_is_not_counted_by_holm_s_correction() -> None:
    found = holm([0.01, math.nan, 0.04])
    assert found == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)


@given(st.integers(1, 60), st.integers(2, 5), st.integers(1, 15), st.integers(0, 99))
def test_the_calibration_error_is_the_weighted_gap_of_the_bins(
    n: int, k: int, bins: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(k), n).astype(np.float32)
    truth = rng.integers(0, k, n)
    expected = 0.0
    for m in range(bins):
        inside = [
            row
            for row in range(n)
            if m / bins < float(probabilities[row].max()) <= (m + 1) / bins
        ]
        if inside:
            right = [int(probabilities[row].argmax()) == truth[row] for row in inside]
            sure = [float(probabilities[row].max()) for row in inside]
            expected += abs(sum(right) - sum(sure)) / n
    assert calibration_error(probabilities, truth, bins) == pytest.approx(expected)


def test_a_bin_ends_with_its_upper_edge() -> None:
    tops = np.array([0.1, 0.2, 0.5, 0.7, 0.9, 1.0], np.float32)
    probabilities = np.stack([tops, np.zeros_like(tops)], axis=1)
    bins = reliability(probabilities, np.zeros(6, np.int64))
    tenths = pytest.approx(np.arange(11) / 10)
    assert [bins[0].low, *(part.high for part in bins)] == tenths
    assert [*(part.low for part in bins), bins[-1].high] == tenths
    full = [(round(part.low, 1), part.count) for part in bins if part.count]
    assert full == [(0.0, 1), (0.1, 1), (0.4, 1), (0.6, 1), (0.8, 1), (0.9, 1)]


def test_an_empty_bin_has_no_mean() -> None:
    first, last = reliability(np.array([[1, 0]], np.float32), np.array([0]), bins=2)
    assert (first.count, last.count) == (0, 1)
    assert math.isnan(first.confidence)
    assert math.isnan(first.accuracy)
    assert (last.confidence, last.accuracy) == (1, 1)


def test_who_is_always_sure_and_right_is_calibrated() -> None:
    sure = np.eye(3, dtype=np.float32)
    assert calibration_error(sure, np.arange(3)) == 0
    assert calibration_error(sure, np.array([1, 2, 0])) == 1
