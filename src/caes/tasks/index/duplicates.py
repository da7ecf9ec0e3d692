"""Pictures of an index that are the same as others, exactly or nearly: in groups."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caes.errors import ArgumentError
from caes.tasks.index.search import Progress
from caes.tasks.index.searched import Searched
from caes.tasks.index.twins import differences, relative

NEAREST = 10
"""Codes nearest to each that are looked at."""
AT_ONCE = 4096

Kind = Literal["first", "exact", "near"]
Pairs = NDArray[np.int64]
"""P×2: a row of the index, and one of the other."""


class Member(NamedTuple):
    """A picture of a group."""

    name: str
    label: str | None
    against: bool  # whether it is of the other index
    kind: Kind  # what it is to the group's first picture
    likeness: float  # to that, at most 1; NaN where there are no pictures
    distance: float  # of the codes
    row: int


Group = tuple[Member, ...]
"""Pictures that are the same as the first of them, which was added first."""


def find_groups(
    index: Searched,
    other: Searched | None,
    within: float | None,
    progress: Progress,
) -> list[Group]:
    """Group the pictures of an index, or of an index and another."""
    alike = index.about.get("alike", {})
    if within is None and not alike:
        raise ArgumentError(
            "within",
            "None for an index that has no threshold of its own",
            "a distance of codes",
            "Try within=0.1, and look at what is found.",
        )
    against = other is not None
    others = other if other is not None else index
    same = _exact(index, others, against)
    found, apart = _near(index, others, against, same)
    if within is not None:
        likely = np.full(len(found), np.nan, np.float32)
        kept = apart <= within
    else:
        differ = _differences(index, others, found, alike["blur"], progress)
        # One number, one picture, also where the second is of the other index.
        ends = found + np.array([0, len(index.live) * against])
        likely = relative(differ, ends, alike["floor"])
        kept = likely >= alike["likeness"]
    edges: dict[int, dict[int, tuple[Kind, float, float]]] = {}
    for (one, two), apart_, like in zip(
        found[kept].tolist(), apart[kept].tolist(), likely[kept].tolist(), strict=True
    ):
        edges.setdefault(one, {})[two] = ("near", like, apart_)
    for one, two in same.tolist():
        edges.setdefault(one, {})[two] = ("exact", 1.0, 0.0)
    return [*_stars(index, others, against, edges)]


def _exact(index: Searched, other: Searched, against: bool) -> Pairs:
    """Pair each picture with the first of the same values, or with all in the other."""
    mine, theirs = index.contents(), other.contents()
    if mine is None or theirs is None:
        return np.zeros((0, 2), np.int64)
    first: dict[bytes, int] = {}
    for row in index.rows.tolist():
        first.setdefault(mine[row].tobytes(), row)
    pairs = []
    for row in other.rows.tolist():
        at = first.get(theirs[row].tobytes())
        if at is not None and (against or at != row):
            pairs.append((at, row))
    return np.array(pairs, np.int64).reshape(-1, 2)


def _near(
    index: Searched, other: Searched, against: bool, same: Pairs
) -> tuple[Pairs, NDArray[np.float32]]:
    """Pair pictures with those of the nearest codes; those that are exact, once."""
    lone = np.zeros(len(index.live), bool)
    lone[index.rows] = True
    asked = np.setdiff1d(other.rows, same[:, 1])
    if not against:
        lone[same[:, 1]] = False
    pairs, apart = [], []
    for start in range(0, len(asked), AT_ONCE):
        rows = asked[start : start + AT_ONCE]
        near = index.nearest(other.take(rows), NEAREST + 1, lone, exact=False)
        each = np.stack(
            [near.rows, np.broadcast_to(rows[:, None], near.rows.shape)], axis=2
        )
        fits = near.rows >= 0
        if not against:
            fits &= each[..., 0] != each[..., 1]
            each = np.sort(each, axis=2)
        pairs.append(each[fits])
        apart.append(near.distances[fits])
    if not pairs:
        return np.zeros((0, 2), np.int64), np.zeros(0, np.float32)
    found, at = np.unique(np.concatenate(pairs), axis=0, return_index=True)
    return found, np.concatenate(apart)[at]


def _differences(
    index: Searched,
    other: Searched,
    pairs: Pairs,
    blur: float,
    progress: Progress,
) -> NDArray[np.float32]:
    """Compare the pictures of pairs, some thousands at a time."""
    found = np.zeros(len(pairs), np.float32)
    for start in range(0, len(pairs), AT_ONCE):
        part = pairs[start : start + AT_ONCE]
        ones, at = np.unique(part[:, 0], return_inverse=True)
        others, to = np.unique(part[:, 1], return_inverse=True)
        mine, theirs = index.thumbnails(ones), other.thumbnails(others)
        if mine is None or theirs is None:
            raise ArgumentError(
                "against",
                "an index without pictures",
                "one that caes index build has made",
                "Give a distance: within=0.1.",
            )
        each = np.stack([at, to], axis=1)
        found[start : start + len(part)] = differences(mine, theirs, each, blur)
        if progress:
            progress(start + len(part), len(pairs))
    return found


def _stars(
    index: Searched,
    other: Searched,
    against: bool,
    edges: dict[int, dict[int, tuple[Kind, float, float]]],
) -> Iterator[Group]:
    """Give groups: each picture that is in none yet, and all that are like it."""
    taken: set[int] = set()
    both: dict[int, dict[int, Any]] = {one: {**far} for one, far in edges.items()}
    if not against:
        for one, far in edges.items():
            for two, how in far.items():
                both.setdefault(two, {}).setdefault(one, how)
    for one in sorted(edges if against else both):
        mine = [two for two in sorted(both[one]) if against or two not in taken]
        if (one in taken and not against) or not mine:
            continue
        taken |= {one, *mine}
        yield (
            _member(index, one, False, ("first", 1.0, 0.0)),
            *(_member(other, two, against, both[one][two]) for two in mine),
        )


def _member(
    index: Searched, row: int, against: bool, how: tuple[Kind, float, float]
) -> Member:
    at, (kind, like, distance) = np.array([row]), how
    name, label = (index.column(each, at)[0] for each in ("name", "label"))
    return Member(name, label, against, kind, like, distance, row)
