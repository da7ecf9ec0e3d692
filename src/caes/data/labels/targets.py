"""The y of scikit-learn's users: classes as people write them, and as they count."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from caes.data.imageset import ImageSet
from caes.data.labels.classes import NONE, Indices, number
from caes.errors import DataError


@dataclass(frozen=True)
class Numbered:
    """The classes of N pictures."""

    indices: Indices  # (N,), -1 where a picture has no label
    classes: NDArray[Any]  # (K,) ascending, in the labels' own type
    names: tuple[str, ...]  # K


def numbered(images: ImageSet, y: ArrayLike | None) -> Numbered:
    """Number the classes of ``y``, or of the pictures themselves: at least two."""
    values, known = known_labels(images, y)
    indices, classes = number(values, known)
    if len(classes) < 2:
        raise DataError(
            "y",
            f"labels of one class only ({classes[0]})",
            "labels of at least two classes",
            "Label pictures of another class too.",
        )
    own = y is None and len(images.classes) > classes[-1]
    names = (images.classes[each] if own else str(each) for each in classes.tolist())
    return Numbered(indices, classes, tuple(names))


def known_labels(
    images: ImageSet, y: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Give the label of each picture, and which pictures have one.

    The pictures' own count where ``y`` is None. Among numbers -1 means "no label",
    unless -1 and 1 are all there is: then they are two classes, as for other
    classifiers of scikit-learn.
    """
    given = images.labels if y is None else y
    if given is None:
        # So much of scikit-learn's own words as its checks look for.
        raise DataError(
            "y",
            "no labels: a classifier requires y to be passed, but the target y is None",
            "a class for each picture, or -1 where it is not known",
            "Pass y, or an ImageSet with labels.",
        )
    values = _plain(column_or_1d(given, warn=True))
    if len(values) != len(images):
        raise DataError(
            "y",
            f"{len(values)} labels for {len(images)} pictures",
            "as many labels as pictures",
            "Check how the two were selected.",
        )
    known = np.ones(len(values), bool)
    if values.dtype.kind in "if" and (y is None or {*np.unique(values)} != {-1, 1}):
        known = values != NONE
    if not known.any():
        raise DataError(
            "y",
            "no labels, only -1",
            "a class for some of the pictures",
            "Label some pictures of each class.",
        )
    return values, known


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Take Python's numbers out of an array of objects, and refuse what is no class."""
    whole = (int, np.integer)
    if values.dtype == object and all(isinstance(each, whole) for each in values):
        values = np.array(values.tolist())
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise _no_classes("NaN or infinity")
    if values.dtype == object:
        kinds = sorted({type(each).__name__ for each in values} - {"str"})
        if kinds:
            raise _no_classes(f"values of type {' and '.join(kinds)}")
    elif values.dtype.kind not in "biufU":
        raise _no_classes(f"values of type {values.dtype}")
    try:
        check_classification_targets(values)
    except ValueError as error:  # such as 0.5
        reason = str(error).partition(". ")[0]
        raise _no_classes(f"measured values ({reason})") from error
    return values


def _no_classes(received: str) -> DataError:
    return DataError(
        "y",
        received,
        "classes as whole numbers, of which -1 means that it is not known, or as text",
        "Pictures whose class is not known can also go into unlabelled.",
    )
