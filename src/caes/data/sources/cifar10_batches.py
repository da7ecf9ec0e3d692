"""The two formats of CIFAR-10's batches: raw records and Python pickles."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caes.data.sources.pickled import read_pickle, uint8_array

ROWS = 10_000  # pictures in each batch
VALUES = 3 * 32 * 32  # of each picture
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


class Batch(NamedTuple):
    """What one file holds.

    Args:
        pixels: N×32×32×3, uint8 in [0, 255].
        labels: N class indices, int64 in [0, 10).
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


def from_records(content: bytes) -> Batch:
    """Read records of a label and the planes red, green and blue, a byte a value.

    Raises:
        ValueError: There are not ROWS of them, or a label is no class.
    """
    records = np.frombuffer(content, np.uint8).reshape(ROWS, 1 + VALUES)
    return _batch(records[:, 1:], records[:, 0])


def from_pickle(content: bytes) -> Batch:
    """Read a pickled dict with a list of labels and an array of ROWS × 3072 values.

    Raises:
        ValueError: It is anything else, or asks for a call.
    """
    batch = read_pickle(content)
    if not isinstance(batch, dict) or not {"labels", "data"} <= batch.keys():
        raise ValueError("a pickle without labels and data")
    labels = batch["labels"]
    if type(labels) is not list or any(type(label) is not int for label in labels):
        raise ValueError("labels that are not a list of whole numbers")
    return _batch(uint8_array(batch["data"]), np.array(labels))


def _batch(planes: NDArray[np.uint8], labels: NDArray[Any]) -> Batch:
    if planes.shape != (ROWS, VALUES) or labels.shape != (ROWS,):
        shapes = f"{planes.shape} values and {labels.shape} labels"
        raise ValueError(f"arrays of {shapes} for {ROWS:,} pictures")
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise ValueError(f"labels from {labels.min()} to {labels.max()}")
    pixels = planes.reshape(ROWS, 3, 32, 32).transpose(0, 2, 3, 1)
    return Batch(pixels, labels.astype(np.int64))
