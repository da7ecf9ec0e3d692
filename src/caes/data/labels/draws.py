"""Labels for a few of many pictures: read from a table, checked, drawn evenly."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.data.labels.matching import listed, matched
from caes.data.labels.tables import entries
from caes.data.reading import guarded
from caes.data.sources.tree import natural
from caes.errors import ArgumentError, DataError

__all__ = [
    "check_classes",
    "labelled",
    "labelled_only",
    "labels_of",
    "read_labels",
    "renumbered",
    "stratified",
]

_NONE = -1


def labels_of(images: ImageSet) -> NDArray[np.int64]:
    """Give the labels of a set that has some; -1 for each picture of one without."""
    if images.labels is None:
        return np.full(len(images), _NONE, np.int64)
    return images.labels


def labelled_only(images: ImageSet) -> ImageSet:
    """Leave out the pictures that have no label."""
    return images[labels_of(images) >= 0]


def renumbered(images: ImageSet, classes: Sequence[str]) -> NDArray[np.int64]:
    """Give N labels as indices into other classes, which hold all the set's own.

    Args:
        images: N pictures; those without a label keep -1.
        classes: The names to count by.
    """
    places = np.array([classes.index(name) for name in images.classes], np.int64)
    labels = labels_of(images)
    known = labels >= 0
    moved = np.full(len(labels), _NONE, np.int64)
    moved[known] = places[labels[known]]
    return moved


def read_labels(
    path: Path, names: Sequence[str]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Read the labels of some pictures from a CSV file with the columns name, label.

    The delimiter may be a comma, a semicolon or a tab, and the header may be missing. A
    row with an empty label says nothing. A name is a picture's own, or that without
    some of its folders or with others before them, as long as it means one picture.

    Args:
        path: The file.
        names: The names of all N pictures, as in `ImageSet.names`.

    Returns:
        N class indices, -1 where there is no label; and the classes' names by index:
        by their values if all are numbers, else in natural order.

    Raises:
        DataError: The file is missing or unreadable, has no rows, a row of another
            width or not one label; or a row names no picture, several pictures, or one
            that has another label already.
    """
    found = matched(path, entries(path), names)
    if not found:
        raise DataError(
            str(path),
            "a table without a single label",
            "a label for some of the pictures",
            "Write classes into the second column.",
        )
    with guarded(path, "labels that can be put in order"):
        classes = _in_order({*found.values()})
    index = {name: number for number, name in enumerate(classes)}
    labels = np.full(len(names), _NONE, np.int64)
    labels[list(found)] = [index[label] for label in found.values()]
    return labels, classes


def labelled(
    images: ImageSet, labels: NDArray[np.int64], classes: tuple[str, ...]
) -> ImageSet:
    """Give pictures other labels, sharing their pixels.

    Args:
        images: N pictures.
        labels: N class indices, -1 where a picture has no label.
        classes: The classes' names by index.

    Raises:
        DataError: Not a label for each picture, or one that is no class.
    """
    if labels.shape != (len(images),):
        raise DataError(
            "labels",
            f"an array of shape {labels.shape} for {len(images):,} pictures",
            "one class index, or -1, for each picture",
            "Check how the two were selected.",
        )
    low, high = int(labels.min()), int(labels.max())
    if low < _NONE or high >= len(classes):
        raise DataError(
            "labels",
            f"values from {low} to {high} for {len(classes)} classes",
            f"indices of the classes, or {_NONE} for none",
            "Number the classes from 0.",
        )
    return replace(images, labels=labels.astype(np.int64), classes=classes)


def check_classes(labels: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Refuse labels that no classifier can be learned from and tested on.

    Args:
        labels: N class indices, -1 where a picture has no label.
        classes: The classes' names by index; those without any picture do not count.

    Raises:
        DataError: There are no labels, all are of one class, or a class has only one.
    """
    numbers = np.bincount(labels[labels >= 0], minlength=len(classes))
    present = [classes[number] for number in np.flatnonzero(numbers).tolist()]
    if len(present) < 2:
        raise DataError(
            "labels",
            f"labels of one class only ({present[0]})" if present else "no labels",
            "labels of at least two classes",
            "Label some pictures of each class.",
        )
    single = [classes[number] for number in np.flatnonzero(numbers == 1).tolist()]
    if single:
        raise DataError(
            "labels",
            f"a single labelled picture of {listed(single)}",
            "at least two labelled pictures of each class",
            "Label more of them, or leave the class out.",
        )


def stratified(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Draw labelled pictures without replacement, as many of each class as possible.

    They are dealt in rounds: in each, every class that has pictures left gives one, in
    an order that the seed sets. So two classes differ by one picture at most, unless
    one has no more; and with the same seed a larger count adds rows and keeps all.

    Args:
        labels: N class indices, -1 where a picture has no label.
        count: How many to draw, from one for each class to all that have a label.
        seed: At least 0; the same one draws the same rows, whatever NumPy's version.

    Returns:
        ``count`` row indices, ascending.

    Raises:
        ArgumentError: The count is too small or too large.
    """
    present = np.unique(labels[labels >= 0])
    _check_count(count, len(present), int((labels >= 0).sum()))
    # Of NumPy's generators, only RandomState promises never to change its stream.
    random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
    rounds, turns = np.zeros_like(labels), np.zeros_like(labels)
    for turn, label in enumerate(random.permutation(present)):
        rows = random.permutation(np.flatnonzero(labels == label))
        rounds[rows], turns[rows] = np.arange(len(rows)), turn
    rows = np.flatnonzero(labels >= 0)
    dealt = rows[np.lexsort((turns[rows], rounds[rows]))]
    return np.sort(dealt[:count]).astype(np.int64)


def _check_count(count: int, classes: int, available: int) -> None:
    if isinstance(count, int | np.integer) and classes <= count <= available != 0:
        return
    if not available:
        raise ArgumentError(
            "labels",
            f"{count}, and no picture has a label",
            "a number of labelled pictures",
            "Label some pictures first.",
        )
    raise ArgumentError(
        "labels",
        str(count),
        f"a whole number from {classes:,} (one for each class) to {available:,} (all "
        "that have a label)",
        f"Try labels={min(10 * classes, available)}.",
    )


def _in_order(labels: set[str]) -> tuple[str, ...]:
    numbers = {label: _number(label) for label in labels}
    if all(map(math.isfinite, numbers.values())):
        return tuple(sorted(labels, key=lambda label: (numbers[label], label)))
    return tuple(sorted(labels, key=lambda label: natural((label,))))


def _number(label: str) -> float:
    try:
        return float(label)
    except ValueError:
        return math.nan
