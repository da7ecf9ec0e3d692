"""Labels of any kind into class indices and class names: the one place that numbers."""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.errors import DataError

NONE = -1
"""The class index of a picture without a label."""

Indices = NDArray[np.int64]
Key = Callable[[Any], Any]

_NUMBERS = re.compile("([0-9]+)")


def number(
    values: NDArray[Any], known: NDArray[np.bool_] | None = None, key: Key | None = None
) -> tuple[Indices, NDArray[Any]]:
    """Number distinct labels from 0, in their own order or that of a sorting key.

    Gives N class indices, -1 where a label is not known, and the labels by index.
    """
    known = np.ones(len(values), bool) if known is None else known
    distinct, found = np.unique(values[known], return_inverse=True)
    if key is not None:
        order = sorted(range(len(distinct)), key=lambda at: key(distinct[at]))
        distinct, found = distinct[order], np.argsort(order)[found]
    indices = np.full(len(values), NONE, np.int64)
    indices[known] = found
    return indices, distinct


def number_splits(
    values: Mapping[str, NDArray[Any]], key: Key | None = None
) -> tuple[dict[str, Indices], NDArray[Any]]:
    """Number the labels of at least one split together, as `number` does."""
    indices, distinct = number(np.concatenate(list(values.values())), key=key)
    ends = np.cumsum([len(each) for each in values.values()])[:-1]
    return dict(zip(values, np.split(indices, ends), strict=True)), distinct


def natural(parts: tuple[str, ...]) -> tuple[list[list[str | int]], tuple[str, ...]]:
    """A sorting key: folder by folder, numbers by value, case only to break ties."""
    keys: list[list[str | int]] = []
    for part in parts:
        words: list[str | int] = [*_NUMBERS.split(part.casefold())]
        words[1::2] = map(int, words[1::2])
        keys.append(words)
    return keys, parts


def order_of(labels: Collection[str]) -> Key:
    """Choose a sorting key: by value if all labels are numbers, else natural."""
    numbers = {label: _number(label) for label in labels}
    if all(map(math.isfinite, numbers.values())):
        return lambda label: (numbers[label], label)
    return lambda label: natural((label,))


def _number(label: str) -> float:
    try:
        return float(label)
    except ValueError:
        return math.nan


def class_indices(
    values: Mapping[str, NDArray[Any]], counts: Mapping[str, int], source: str
) -> tuple[dict[str, Indices], tuple[str, ...]]:
    """Number labels of splits, (N,) or (N, 1): whole numbers, text or bool.

    Counts are the N that there must be. The classes' names are given by index.
    """
    flat = {split: _checked(each, source) for split, each in values.items()}
    for split, each in flat.items():
        if len(each) != counts[split]:
            received = f"{len(each):,} labels for {counts[split]:,} pictures of {split}"
            raise _unusable(source, received, "Check that the two belong together.")
    if not flat:
        return {}, ()
    try:
        indices, classes = number_splits(flat)
    except TypeError as error:  # objects that have no order, such as None beside text
        raise _unusable(source, "labels of mixed types") from error
    return indices, tuple(map(str, classes))


def table_indices(
    values: Mapping[str, Sequence[Any]], classes: tuple[str, ...], source: str
) -> tuple[dict[str, Indices], tuple[str, ...]]:
    """Number labels of a table, some of which may not be known.

    Labels are indices into the classes where these have names, else themselves the
    classes, None where not known. Splits without a known label are left out.
    """
    # Hugging Face writes -1, others nothing, where a label is not known.
    unknown = (None, NONE) if classes else (None,)
    known = {
        split: [row for row, value in enumerate(each) if value not in unknown]
        for split, each in values.items()
    }
    found = {
        split: np.array([values[split][row] for row in rows])
        for split, rows in known.items()
        if rows
    }
    count = len(classes)
    if classes:
        for each in found.values():
            if each.dtype.kind not in "iu" or each.min() < 0 or each.max() >= count:
                raise DataError(
                    source,
                    f"labels that are not the indices of its {count} class names",
                    f"whole numbers from 0 to {count - 1}",
                    "Make the file again, for example with Hugging Face's datasets.",
                )
    else:
        counts = {split: len(each) for split, each in found.items()}
        found, classes = class_indices(found, counts, source)
    labels = {split: np.full(len(values[split]), NONE, np.int64) for split in found}
    for split, each in found.items():
        labels[split][known[split]] = each
    return labels, classes


def _checked(values: NDArray[Any], source: str) -> NDArray[Any]:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise _unusable(source, f"labels of shape {values.shape}")
    whole = values.dtype.kind == "f" and np.isfinite(values).all()
    if whole and (values == np.floor(values)).all():
        values = values.astype(np.int64)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind not in "biuUO":
        raise _unusable(source, f"labels of type {values.dtype}")
    return values


def _unusable(
    source: str,
    received: str,
    next_step: str = "Turn one-hot rows into numbers with labels.argmax(axis=1).",
) -> DataError:
    allowed = "one whole number or text for each picture"
    return DataError(source, received, allowed, next_step)
