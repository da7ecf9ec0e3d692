"""Labels of any kind into class indices and class names."""

from collections.abc import Mapping
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
