from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from caes.data.labels.draws import (
    hold_out,
    keep_apart,
    only,
    split_rows,
    stratified,
)
from caes.data.labels.labelled import labels_of
from caes.errors import ArgumentError
from tests.blank import blank
from tests.refusals import refused


def dealt_naively(available: dict[int, int], count: int) -> list[int]:
    """The sorted numbers of each class when pictures go round one by one."""
    left, taken = dict(available), Counter[int]()
    while taken.total() < count:
        for label in left:
            if left[label] and taken.total() < count:
                left[label] -= 1
                taken[label] += 1
    return sorted(taken.values())


@st.composite
def draws(draw: st.DrawFn) -> tuple[NDArray[np.int64], int, int]:
    """Labels of a few classes, some missing; a count that can be; a seed."""
    elements = st.sampled_from([-1, 0, 1, 1, 1, 2, 2, 5])
    labels = draw(arrays(np.int64, st.integers(1, 60), elements=elements))
    labels[draw(st.integers(0, len(labels) - 1))] = 0
    known = labels[labels >= 0]
    count = draw(st.integers(len({*known.tolist()}), len(known)))
    return labels, count, draw(st.integers(0, 2**40))


@given(draws())
def test_classes_are_drawn_as_equally_as_their_numbers_allow(
    drawn: tuple[NDArray[np.int64], int, int],
) -> None:
    labels, count, seed = drawn
    rows = stratified(labels, count, seed)
    assert rows.dtype == np.int64
    assert rows.tolist() == sorted({*rows.tolist()})
    assert len(rows) == count
    assert (labels[rows] >= 0).all()
    available = Counter(labels[labels >= 0].tolist())
    taken = Counter(labels[rows].tolist())
    assert taken.keys() == available.keys()
    assert sorted(taken.values()) == dealt_naively(available, count)
    most = max(taken.values())
    assert all(taken[each] in (most, most - 1, available[each]) for each in taken)


@given(draws())
def test_the_same_seed_draws_the_same_and_a_larger_count_keeps_all(
    drawn: tuple[NDArray[np.int64], int, int],
) -> None:
    labels, count, seed = drawn
    rows = stratified(labels, count, seed)
    assert stratified(labels, count, seed).tolist() == rows.tolist()
    if count < (labels >= 0).sum():
        assert {*rows.tolist()} < {*stratified(labels, count + 1, seed).tolist()}


def test_every_picture_and_every_class_has_the_same_chance() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, -1])
    drawn = [stratified(labels, 3, seed).tolist() for seed in range(2000)]
    seen = Counter(row for rows in drawn for row in rows)
    # Three of two classes: one and a half of each on average.
    expected = [750, 750, 750, 750, 1500, 1500, 0]
    assert [seen[row] for row in range(7)] == pytest.approx(expected, abs=90)


def test_the_rows_of_a_seed_stay_those_that_they_are() -> None:
    labels = np.arange(60) % 3
    assert stratified(labels, 5, 0).tolist() == [5, 13, 15, 28, 35]
    assert stratified(labels, 5, 2**40).tolist() == [0, 41, 46, 58, 59]


@pytest.mark.parametrize("count", [2, 7, 0, -1, 3.0, 0.5, None])
def test_counts_that_cannot_be_drawn_are_refused(count: Any) -> None:
    labels = np.array([0, 1, 2, 0, 1, -1, 2])
    assert refused(stratified, labels, count, 0, error=ArgumentError) == (
        f"labels: received {count}; allowed: a whole number from 3 (one for each class) "
        "to 6 (all that have a label). Try labels=6."
    )


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_can_be_drawn_without_labels(count: int) -> None:
    assert refused(stratified, np.array([-1, -1]), count, 0, error=ArgumentError) == (
        f"labels: received {count}, and no picture has a label; allowed: a number of "
        "labelled pictures. Label some pictures first."
    )


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(2, 30), min_size=1, max_size=4),
    unlabelled=st.integers(0, 10),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_a_share_of_each_class_is_kept_apart_and_the_rest_stays(
    sizes: list[int], unlabelled: int, share: float, seed: int
) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    images = blank([*labels, *[-1] * unlabelled], ("a", "b", "c", "d"))
    rest, apart = hold_out(images, share, seed)
    assert sorted([*rest.names, *apart.names]) == list(images.names)
    assert (labels_of(rest) < 0).sum() == unlabelled
    for label, size in enumerate(sizes):
        tested = int((labels_of(apart) == label).sum())
        assert tested + (labels_of(rest) == label).sum() == size
        assert 1 <= tested <= size - 1
        assert abs(tested - size * share) <= 1
    assert list(hold_out(images, share, seed)[1].names) == list(apart.names)
    assert apart.split == "train (held out)"


def test_another_seed_keeps_others_apart() -> None:
    images = blank([0, 1] * 20)
    seen = {tuple(hold_out(images, 0.25, seed)[1].names) for seed in range(5)}
    assert len(seen) == 5


def test_a_rare_class_is_on_both_sides() -> None:
    rest, apart = hold_out(blank([0] * 3 + [1] * 300), 0.5, 0)
    assert np.bincount(labels_of(rest)).tolist() == [1, 150]
    assert np.bincount(labels_of(apart)).tolist() == [2, 150]


@pytest.mark.parametrize("share", [0, -0.5, 1, 2, float("nan"), float("inf")])
def test_a_share_that_leaves_one_side_empty_is_refused(share: float) -> None:
    assert refused(hold_out, blank([0, 1] * 5), share, 0, error=ArgumentError) == (
        f"--hold-out: received {share:g} where the source has no labelled test split; "
        "allowed: a share of the labelled pictures above 0 and below 1, to test on. "
        "Try --hold-out 0.2."
    )


def test_all_labels_are_forgotten_but_as_many_of_each_class() -> None:
    images = blank([0, 1, 2, -1] * 10)
    few = only(images, 9, 4)
    kept = labels_of(few) >= 0
    assert np.bincount(labels_of(few)[kept]).tolist() == [3, 3, 3]
    assert (labels_of(few)[kept] == labels_of(images)[kept]).all()
    assert few.pixels is images.pixels
    more = only(images, 12, 4)
    assert (labels_of(more)[kept] == labels_of(few)[kept]).all()


def test_a_share_is_kept_apart_to_show_and_groups_stay_together() -> None:
    images = blank([0] * 12)
    learn, show = keep_apart(images, 0.25)
    assert sorted([*learn.names, *show.names]) == list(images.names)
    assert (len(show), show.split) == (3, "train, kept apart")
    groups = [f"{row // 3}.png" for row in range(12)]
    learn, show = keep_apart(images, 0.01, groups)
    assert learn is images
    assert (len(show), show.split) == (12, "train (the training pictures)")
    learn, show = keep_apart(images, 0.99, groups)
    assert len({int(name) // 3 for name in learn.names}) == 1
    assert len(learn) == 3


def test_rows_of_a_group_are_watched_together_or_not_at_all() -> None:
    groups = [f"{row // 4}.png" for row in range(40)]
    learn, watch = split_rows(40, 0.2, np.random.default_rng(0), groups)
    assert sorted([*learn, *watch]) == list(range(40))
    assert len(watch) == 8
    assert not {row // 4 for row in learn} & {row // 4 for row in watch}
    # Where there is one group only, it is divided.
    learn, watch = split_rows(40, 0.2, np.random.default_rng(0), ["0.png"] * 40)
    assert len(watch) == 8
