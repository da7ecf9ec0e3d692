"""Thresholds from normal pictures alone: what they promise, they keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from caes.anomalies.conformal import (
    Calibration,
    Places,
    drift,
    for_recall,
    strangest,
)
from caes.errors import ArgumentError, DataError


def naive(kept: list[float], groups: list[str], score: float) -> float:
    names = [*dict.fromkeys(groups)] if groups else [*map(str, range(len(kept)))]
    groups = groups or names
    total = 1.0
    for name in names:
        own = [s for s, g in zip(kept, groups, strict=True) if g == name]
        total += sum(s >= score for s in own) / len(own)
    return total / (len(names) + 1)


scores = st.lists(st.integers(0, 9).map(float), min_size=1, max_size=30)


@given(scores, scores, st.booleans(), st.floats(0.001, 0.999))
def test_p_values_are_ranks_and_the_threshold_flags_just_those_below_the_rate(
    kept: list[float], new: list[float], grouped: bool, rate: float
) -> None:
    groups = [str(int(s) % 4) for s in kept] if grouped else []
    calibration = Calibration(np.array(kept), groups)
    found = calibration.p_values(np.array(new))
    np.testing.assert_allclose(found, [naive(kept, groups, s) for s in new])
    flagged = np.array(new) > calibration.threshold(rate)
    within = found <= calibration.held(rate) + 1e-9
    assert (flagged == within).all() or not np.isin(new, kept).any()
    assert not (flagged & ~within).any()


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40))
def test_each_part_of_a_map_has_its_largest_value(tall: int, wide: int, n: int) -> None:
    maps = np.random.default_rng(0).normal(size=(2, tall, wide))
    found = strangest(maps, n)
    assert found.shape == (2, n, n)
    for row, column in [(0, 0), (n // 2, n - 1), (n - 1, n // 3)]:
        (top, bottom), (left, right) = (
            (at * side // n, max((at + 1) * side // n, at * side // n + 1))
            for at, side in ((row, tall), (column, wide))
        )
        part = maps[:, top:bottom, left:right]
        np.testing.assert_array_equal(found[:, row, column], part.max(axis=(1, 2)))


def test_the_rate_is_held_where_some_places_are_ignored() -> None:
    """The left half of all pictures is ten times as strange, and ignored."""
    random = np.random.default_rng(0)
    maps = random.gamma(2.0, size=(400, 40, 48))
    maps[:, :, :24] *= 10
    ignored = np.zeros((40, 48), bool)
    ignored[:, :23] = True  # one column that is strange is left
    parts = strangest(maps).astype(np.float32)
    flagged, tried = 0, 200
    for _ in range(tried):
        order = random.permutation(400)
        known = Places(parts[order[:300]]).calibration(ignored)
        new = maps[order[300]][~ignored].max()
        flagged += new > known.threshold(0.2)
    high = binom.interval(0.99, tried, 0.2)[1]
    assert flagged <= high
    whole = Places(parts).calibration()
    np.testing.assert_allclose(whole.scores, maps.max(axis=(1, 2)), rtol=1e-6)
    assert len(Places(parts).calibration(np.ones((40, 48), bool))) == 400
    clear = np.zeros((40, 48), bool)
    clear[:, :24] = True
    assert Places(parts).calibration(clear).scores.max() < whole.scores.min()


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_the_rate_is_held_over_200_splits(rate: float) -> None:
    random = np.random.default_rng(0)
    pool = random.gamma(2.0, size=400)
    flagged, tried = 0, 0
    for _ in range(200):
        order = random.permutation(400)
        kept, new = pool[order[:300]], pool[order[300:]]
        # One picture a split: those of one split share their threshold.
        flagged += int(new[0] > Calibration(kept).threshold(rate))
        tried += 1
    low, high = binom.interval(0.99, tried, rate)
    assert low <= flagged <= high


def test_groups_hold_the_rate_where_pictures_of_one_part_are_alike() -> None:
    random = np.random.default_rng(1)
    flagged = []
    for _ in range(400):
        parts = random.normal(size=61)
        each = parts[:60].repeat(8) + random.normal(size=480) / 10
        groups = [str(part) for part in range(60) for _ in range(8)]
        flagged.append(
            parts[60] + random.normal() / 10 > Calibration(each, groups).threshold(0.05)
        )
    low, high = binom.interval(0.999, len(flagged), 0.05)
    assert low <= sum(flagged) <= high


def test_too_few_hold_the_least_rate_and_say_so() -> None:
    kept = Calibration(np.arange(40.0))
    assert kept.held(0.01) == 1 / 41
    assert kept.threshold(0.01) == 39
    said = "40 normal pictures kept apart: 2.4 % false alarms at best"
    assert kept.said(0.01) == said
    assert kept.said(0.05) == "40 normal pictures kept apart: 5 % false alarms"
    grouped = Calibration(np.arange(40.0), [str(n // 4) for n in range(40)])
    said = "10 groups of normal pictures kept apart: 9.1 % false alarms at best"
    assert grouped.said(0.01) == said


def test_a_threshold_for_a_recall_flags_that_share() -> None:
    strange = np.arange(20.0)
    for recall in (0.05, 0.5, 0.95, 1.0):
        flagged = (strange > for_recall(strange, recall)).mean()
        assert flagged >= recall
        assert flagged < recall + 0.05


def test_drift_is_told_from_chance() -> None:
    random = np.random.default_rng(2)
    kept = Calibration(random.normal(size=300))
    at = kept.threshold(0.05)
    assert drift(kept, random.normal(size=200), at, 0.05).holds
    moved = drift(kept, random.normal(0.7, size=200), at, 0.05)
    assert not moved.holds
    assert moved.flagged > 20


def test_what_is_no_rate_is_refused() -> None:
    with pytest.raises(ArgumentError) as refused:
        Calibration(np.arange(3.0)).threshold(1.5)
    assert str(refused.value) == (
        "false_alarms: received 1.5; allowed: a share above 0 and below 1, or a "
        "percentage such as 1%. Try false_alarms=0.01."
    )
    with pytest.raises(ArgumentError, match="recall: received 0"):
        for_recall(np.arange(3.0), 0)
    with pytest.raises(DataError, match="no picture that is not normal"):
        for_recall(np.empty(0), 0.9)
