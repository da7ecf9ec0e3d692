from typing import Any

import numpy as np
import pytest

from caes.data.labels.classes import class_indices
from tests.refusals import refused


def test_classes_are_numbered_over_all_splits_in_their_own_order() -> None:
    values = {"train": np.array([10, 2, 10]), "test": np.array([[7], [2]])}
    indices, classes = class_indices(values, {"train": 3, "test": 2}, "x.npz")
    assert classes == ("2", "7", "10")
    assert indices["train"].tolist() == [2, 0, 2]
    assert indices["test"].tolist() == [1, 0]
    assert indices["test"].dtype == np.int64


@pytest.mark.parametrize(
    "values",
    [np.array(["no", "yes"]), np.array([b"no", b"yes"]), np.array(["no", "yes"], "O")],
)
def test_text_of_any_kind_names_its_classes(values: Any) -> None:
    assert class_indices({"train": values}, {"train": 2}, "x")[1] == ("no", "yes")


def test_whole_numbers_written_as_floats_are_classes() -> None:
    _, classes = class_indices({"train": np.array([1.0, 0.0])}, {"train": 2}, "x")
    assert classes == ("0", "1")


ONE_HOT = "Turn one-hot rows into numbers with labels.argmax(axis=1)."


@pytest.mark.parametrize(
    ("values", "received", "step"),
    [
        (np.eye(3), "labels of shape (3, 3)", ONE_HOT),
        (np.array([0.5, 1, 2]), "labels of type float64", ONE_HOT),
        (np.array(["a", 1, None], "O"), "labels of mixed types", ONE_HOT),
        (
            np.array([0, 1]),
            "2 labels for 3 pictures of train",
            "Check that the two belong together.",
        ),
    ],
)
def test_labels_that_are_no_classes_are_refused(
    values: Any, received: str, step: str
) -> None:
    assert refused(class_indices, {"train": values}, {"train": 3}, "x.npz") == (
        f"x.npz: received {received}; allowed: one whole number or text for each picture. "
        f"{step}"
    )
