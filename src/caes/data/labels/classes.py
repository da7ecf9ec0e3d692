"""Labels of any kind into class indices and class names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.errors import DataError


def class_indices(
    values: Mapping[str, NDArray[Any]], counts: Mapping[str, int], source: str
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Number the distinct labels of all splits, in their own order.

    Args:
        values: For each split N labels, (N,) or (N, 1): whole numbers, text or bool.
        counts: For each split the N that there must be.
        source: What the labels belong to, for the error.

    Returns:
        For each split N class indices, and the classes' names by index.

    Raises:
        DataError: Labels of another shape, type or number.
    """
    flat = {split: _checked(each, source) for split, each in values.items()}
    for split, each in flat.items():
        if len(each) != counts[split]:
            received = f"{len(each):,} labels for {counts[split]:,} pictures of {split}"
            raise _unusable(source, received, "Check that the two belong together.")
    if not flat:
        return {}, ()
    try:
        distinct, indices = np.unique(
            np.concatenate(list(flat.values())), return_inverse=True
        )
    except TypeError as error:  # objects that have no order, such as None beside text
        raise _unusable(source, "labels of mixed types") from error
    ends = np.cumsum([len(each) for each in flat.values()])[:-1]
    parts = np.split(indices.astype(np.int64), ends)
    return dict(zip(flat, parts, strict=True)), tuple(map(str, distinct))


def numbered(
    values: Mapping[str, Sequence[Any]], classes: tuple[str, ...], source: str
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Number labels of a table, some of which may not be known.

    Args:
        values: For each split its labels: whole numbers or text, None where not known.
        classes: The classes' names where labels are indices into them; empty where the
            labels are themselves the classes.
        source: What the labels belong to, for errors.

    Returns:
        For each split with a known label its class indices, -1 where one is not known;
        and the classes' names by index.

    Raises:
        DataError: Indices beyond the names, or as for `class_indices`.
    """
    # Hugging Face writes -1, others nothing, where a label is not known.
    unknown = (None, -1) if classes else (None,)
    known = {
        split: [row for row, value in enumerate(each) if value not in unknown]
        for split, each in values.items()
    }
    found = {
        split: np.array([values[split][row] for row in rows])
        for split, rows in known.items()
        if rows
    }
    if classes:
        for each in found.values():
            _check_indices(each, len(classes), source)
    else:
        counts = {split: len(each) for split, each in found.items()}
        found, classes = class_indices(found, counts, source)
    labels = {split: np.full(len(values[split]), -1, np.int64) for split in found}
    for split, each in found.items():
        labels[split][known[split]] = each
    return labels, classes


def _checked(values: NDArray[Any], source: str) -> NDArray[Any]:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise _unusable(source, f"labels of shape {values.shape}")
    if values.dtype.kind == "f" and _are_whole(values):
        values = values.astype(np.int64)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind not in "biuUO":
        raise _unusable(source, f"labels of type {values.dtype}")
    return values


def _are_whole(values: NDArray[Any]) -> bool:
    return bool(np.isfinite(values).all() and (values == np.floor(values)).all())


def _unusable(
    source: str,
    received: str,
    next_step: str = "Turn one-hot rows into numbers with labels.argmax(axis=1).",
) -> DataError:
    allowed = "one whole number or text for each picture"
    return DataError(source, received, allowed, next_step)


def _check_indices(values: NDArray[Any], count: int, source: str) -> None:
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= count:
        raise DataError(
            source,
            f"labels that are not the indices of its {count} class names",
            f"whole numbers from 0 to {count - 1}",
            "Make the file again, for example with Hugging Face's datasets.",
        )
