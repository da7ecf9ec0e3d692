from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caes.data.sources.splits import rows_of
from caes.errors import ArgumentError
from tests.refusals import refused

COUNTS = {"train": 1000, "test": 200}

bounds = st.one_of(st.none(), st.integers(-1500, 1500).map(str))
percents = st.one_of(st.none(), st.integers(-100, 100).map(lambda n: f"{n}%"))


def closest(percent: str, count: int) -> int:
    """Round half to even, with exact fractions."""
    return round(Fraction(int(percent[:-1]) * count, 100))


def naive(start: str | None, stop: str | None, count: int) -> list[int]:
    """Keep every row that a walk from the start to the stop passes."""

    def place(bound: str | None, otherwise: int) -> int:
        if bound is None:
            return otherwise
        row = closest(bound, count) if bound.endswith("%") else int(bound)
        return row + count if row < 0 else row

    low, high = place(start, 0), place(stop, count)
    return [row for row in range(count) if low <= row < high]


@given(
    count=st.integers(1, 700),
    bounds=st.one_of(st.tuples(bounds, bounds), st.tuples(percents, percents)),
)
def test_bounds_pick_what_a_naive_walk_picks(
    count: int, bounds: tuple[str | None, str | None]
) -> None:
    start, stop = bounds
    split = f"train[{start or ''}:{stop or ''}]"
    wanted = naive(start, stop, count)
    if wanted:
        [(name, rows)] = rows_of(split, {"train": count})
        assert (name, list(rows)) == ("train", wanted)
    else:
        with pytest.raises(ArgumentError, match="picks no pictures"):
            rows_of(split, {"train": count})


@given(cuts=st.lists(st.integers(0, 100), max_size=8), count=st.integers(100, 999))
def test_percents_that_meet_share_the_rows_out_without_gap_or_overlap(
    cuts: list[int], count: int
) -> None:
    edges = [0, *sorted(cuts), 100]
    pairs = pairwise(edges)
    split = " + ".join(f"train[{low}%:{high}%]" for low, high in pairs)
    parts = rows_of(split, {"train": count})
    assert [row for _, rows in parts for row in rows] == list(range(count))


def test_parts_are_joined_in_the_order_written() -> None:
    assert rows_of("test[-50:] + train[:10%]", COUNTS) == [
        ("test", range(150, 200)),
        ("train", range(100)),
    ]


@pytest.mark.parametrize(
    ("split", "found"),
    [
        ("", "nothing at character 1 is not a split"),
        ("train+", "nothing at character 7 is not a split"),
        ("train[:10", "'train[:10' at character 1 is not a split"),
        ("train[10]", "'10' at character 7 is not start:stop"),
        ("train[1:2:3]", "'1:2:3' at character 7 is not start:stop"),
        ("test+train[a:5]", "'a' at character 12 is not a whole number or percent"),
        ("train[:2.5%]", "'2.5%' at character 8 is not a whole number or percent"),
        ("train[:120%]", "'120%' at character 8 is not between -100% and 100%"),
        (
            "train[10:50%]",
            "'10:50%' at character 7 is not both in pictures or both in %",
        ),
        (7, ""),
    ],
)
def test_a_split_that_cannot_be_read_is_pointed_at(split: str, found: str) -> None:
    assert refused(rows_of, split, COUNTS, error=ArgumentError) == (
        f"split: received {split!r}{found and ': '}{found}; allowed: split names with an "
        "optional [start:stop] in pictures or whole percents, joined by +. "
        "Try train, train[:1000], train[10%:] or train[:80%]+test."
    )


@pytest.mark.parametrize(
    ("split", "told"),
    [
        ("tets", "; allowed: parts of train, test. Did you mean test?"),
        ("dev[:5]", "; allowed: parts of train, test. Choose one of these."),
        (
            "train[5:5]",
            ", which picks no pictures; allowed: parts of train (1,000), test (200). Widen "
            "the bounds.",
        ),
        (
            "train[:10]+test+train[5:]",
            ", which picks rows 5 to 9 of train twice; allowed: parts that do not overlap. "
            "Change the bounds.",
        ),
    ],
)
def test_a_split_that_cannot_be_picked_says_what_there_is(
    split: str, told: str
) -> None:
    sentence = f"split: received {split!r}{told}"
    assert refused(rows_of, split, COUNTS, error=ArgumentError) == sentence
