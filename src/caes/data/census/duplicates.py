"""Pictures that are the same, value by value, found by a digest of each."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.data.measures import DIGEST

SHOWN = 10
"""Groups of the same picture that are told of, and names in each."""

Pick = Callable[[list[int]], list[int]]


@dataclass(frozen=True)
class Group:
    """Pictures that are the same."""

    pictures: int
    names: tuple[str, ...]  # of the first `SHOWN`
    classes: tuple[str | None, ...]  # theirs; None for one without a label


@dataclass(frozen=True)
class Repeats:
    """What is the same in some pictures."""

    pictures: int = 0  # those that are the same as an earlier one
    groups: int = 0  # of the same picture
    first: tuple[Group, ...] = ()  # `SHOWN` of them
    across: dict[tuple[str, str], int] = field(default_factory=dict)
    """Pictures of a split that an earlier one has too, by (split, earlier split)."""
    first_across: tuple[Group, ...] = ()  # the first in several splits
    differing: int = 0  # groups whose pictures have different labels
    first_differing: tuple[Group, ...] = ()
    """The first of these; of each the first picture of each class."""


class Contents:
    """Takes pictures in and keeps of each a digest, its name, split and class."""

    def __init__(self) -> None:
        self._digests = bytearray()
        self._names: list[str] = []
        self._splits = array("i")
        self._labels = array("i")  # -1 for none
        self._split_names: dict[str, int] = {}
        self._class_names: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._names)

    def add(self, images: ImageSet, split: str) -> None:
        """Take pictures in."""
        self._names += images.names
        number = self._split_names.setdefault(split, len(self._split_names))
        self._splits.extend([number] * len(images))
        self._labels.extend(self._numbers(images))
        self._digests += images.statistics.digests

    def _numbers(self, images: ImageSet) -> list[int]:
        """Number the classes by name: other sets may have others, in another order."""
        if images.labels is None:
            return [-1] * len(images)
        known = self._class_names
        numbers = [known.setdefault(name, len(known)) for name in images.classes]
        return [numbers[n] if n >= 0 else -1 for n in images.labels.tolist()]

    def repeats(self) -> Repeats:
        """Find what is the same among all that was taken in."""
        rows, groups = self._repeated()
        if not len(rows):
            return Repeats()
        sizes = np.bincount(groups)
        split_of = np.frombuffer(self._splits, np.intc)[rows]
        across, spread = self._across(groups, split_of, len(sizes))
        differing = self._differing(rows, groups, len(sizes))
        bounds = np.cumsum([0, *sizes])

        def one_a_class(rows: list[int]) -> list[int]:
            firsts = {self._labels[row]: row for row in reversed(rows)}
            return sorted(row for label, row in firsts.items() if label >= 0)

        def first(chosen: NDArray[np.bool_], pick: Pick = list) -> tuple[Group, ...]:
            places = np.flatnonzero(chosen)[:SHOWN].tolist()
            members = [rows[bounds[at] : bounds[at + 1]].tolist() for at in places]
            return tuple(self._group(len(each), pick(each)) for each in members)

        return Repeats(
            pictures=len(rows) - len(sizes),
            groups=len(sizes),
            first=first(np.ones(len(sizes), bool)),
            across=across,
            first_across=first(spread),
            differing=int(differing.sum()),
            first_differing=first(differing, one_a_class),
        )

    def _repeated(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the rows of repeated pictures, group by group, and their groups.

        Groups are in the order of their first pictures, as are the rows in each.
        """
        digests = np.frombuffer(self._digests, f"V{DIGEST}")
        _, firsts, group, count = np.unique(
            digests, return_index=True, return_inverse=True, return_counts=True
        )
        rows = np.flatnonzero(count[group] > 1)
        rows = rows[np.argsort(firsts[group[rows]], kind="stable")]
        return rows, np.unique(firsts[group[rows]], return_inverse=True)[1]

    def _across(
        self, groups: NDArray[np.int64], splits: NDArray[np.intc], count: int
    ) -> tuple[dict[tuple[str, str], int], NDArray[np.bool_]]:
        """Count what later splits share with earlier ones; tell which groups are so."""
        held = {
            name: np.bincount(groups[splits == number], minlength=count)
            for name, number in self._split_names.items()
        }
        found = {}
        for earlier, later in combinations(held, 2):
            if shared := int(held[later][held[earlier] > 0].sum()):
                found[later, earlier] = shared
        return found, np.sum([each > 0 for each in held.values()], axis=0) > 1

    def _differing(
        self, rows: NDArray[np.int64], groups: NDArray[np.int64], count: int
    ) -> NDArray[np.bool_]:
        labels = np.frombuffer(self._labels, np.intc)[rows]
        known = labels >= 0
        low, high = np.full(count, len(self._class_names)), np.full(count, -1)
        np.minimum.at(low, groups[known], labels[known])
        np.maximum.at(high, groups[known], labels[known])
        return low < high

    def _group(self, pictures: int, rows: list[int]) -> Group:
        names: list[str | None] = [*self._class_names, None]  # the last one by -1
        rows = rows[:SHOWN]
        classes = tuple(names[self._labels[row]] for row in rows)
        return Group(pictures, tuple(self._names[row] for row in rows), classes)
