"""The labels of a set of pictures: taken, given, checked, counted by other classes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from caes.data.imageset import ImageSet
from caes.data.labels.classes import NONE, Indices
from caes.errors import DataError


def labels_of(images: ImageSet) -> Indices:
    """Give the labels of a set that has some; -1 for each picture of one without."""
    if images.labels is None:
        return np.full(len(images), NONE, np.int64)
    return images.labels


def labelled_only(images: ImageSet) -> ImageSet:
    """Leave out the pictures that have no label."""
    return images[labels_of(images) >= 0]


def labelled(images: ImageSet, labels: Indices, classes: tuple[str, ...]) -> ImageSet:
    """Give N pictures N class indices, -1 for no label, sharing their pixels."""
    if labels.shape != (len(images),):
        raise DataError(
            "labels",
            f"an array of shape {labels.shape} for {len(images):,} pictures",
            "one class index, or -1, for each picture",
            "Check how the two were selected.",
        )
    low, high = int(labels.min()), int(labels.max())
    if low < NONE or high >= len(classes):
        raise DataError(
            "labels",
            f"values from {low} to {high} for {len(classes)} classes",
            f"indices of the classes, or {NONE} for none",
            "Number the classes from 0.",
        )
    return replace(images, labels=labels.astype(np.int64), classes=classes)


def renumbered(images: ImageSet, classes: Sequence[str]) -> Indices:
    """Give N labels as indices into other classes, which hold all the set's own."""
    # One place more: -1 finds it, and stays.
    places = np.array([*(classes.index(name) for name in images.classes), NONE])
    return places[labels_of(images)]


def same_classes(train: ImageSet, test: ImageSet) -> ImageSet:
    """Number the test pictures' classes as the training pictures', which have all."""
    if test.classes == train.classes:
        return test
    strange = [name for name in test.classes if name not in train.classes]
    if strange:
        raise unknown_class(test.source, strange[0], train.classes)
    moved = renumbered(test, train.classes)
    return replace(test, labels=moved, classes=train.classes)


def unknown_class(source: str, name: str, known: tuple[str, ...]) -> DataError:
    """The error for labels that the classifier cannot give."""
    some = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
    return DataError(
        source,
        f"the class {name!r}, which the classifier does not know",
        some,
        "Train it on this class too, or leave its pictures out.",
    )


def check_classes(labels: Indices, classes: Sequence[str]) -> None:
    """Refuse labels that no classifier can be learned from and tested on.

    There are none, all are of one class, or a class has only one.
    """
    numbers = np.bincount(labels[labels >= 0], minlength=len(classes))
    present = [classes[at] for at in np.flatnonzero(numbers).tolist()]
    if len(present) < 2:
        raise DataError(
            "labels",
            f"labels of one class only ({present[0]})" if present else "no labels",
            "labels of at least two classes",
            "Label some pictures of each class.",
        )
    single = [classes[at] for at in np.flatnonzero(numbers == 1).tolist()]
    if single:
        raise DataError(
            "labels",
            f"a single labelled picture of {listed(single)}",
            "at least two labelled pictures of each class",
            "Label more of them, or leave the class out.",
        )


def listed(names: Sequence[str]) -> str:
    """Write up to three names, and how many more there are.

    >>> listed(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
