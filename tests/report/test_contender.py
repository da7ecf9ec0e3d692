import numpy as np
import pytest
from numpy.typing import NDArray

from caes.errors import ArgumentError
from caes.report.contender import Contender, check
from tests.report.fake import answers

TRUTH = np.array([0, 1, 1])
ALLOWED = (
    "allowed: 3 × 2 numbers in [0, 1], rows that sum to 1. Give the output of the "
    "softmax, or of predict_proba."
)


def refusal(probabilities: NDArray[np.float32]) -> str:
    with pytest.raises(ArgumentError) as caught:
        check([Contender("the classifier", probabilities, 1.0)], TRUTH, 3, 2)
    return str(caught.value)


def test_probabilities_are_accepted() -> None:
    check([Contender("the classifier", answers(TRUTH, 2), 1.0)], TRUTH, 3, 2)


@pytest.mark.parametrize(
    ("probabilities", "received"),
    [
        (np.ones((2, 2)) / 2, "an array of shape (2, 2)"),
        (np.full((3, 2), np.nan), "NaN or infinity in 3 of 3 rows"),
        (np.array([[2, -1]] * 3), "rows that are not probabilities"),
        (np.array([[0.9, 0.9]] * 3), "rows that are not probabilities"),
    ],
)
def test_other_numbers_are_refused(
    probabilities: NDArray[np.float64], received: str
) -> None:
    assert refusal(probabilities.astype(np.float32)) == (
        f"probabilities of the classifier: received {received}; {ALLOWED}"
    )


def test_someone_must_answer() -> None:
    with pytest.raises(ArgumentError) as caught:
        check([], TRUTH, 3, 2)
    assert str(caught.value) == (
        "contenders: received none; allowed: at least the classifier itself. "
        "Give its probabilities as the first contender."
    )


@pytest.mark.parametrize("pictures", [0, 4])
def test_every_picture_has_a_true_class(pictures: int) -> None:
    with pytest.raises(ArgumentError) as caught:
        check([Contender("the classifier", answers(TRUTH, 2), 1.0)], TRUTH, pictures, 2)
    assert str(caught.value) == (
        f"truth: received an array of shape (3,) for {pictures} pictures; allowed: one "
        "class index for each test picture, and at least one picture. Check how the "
        "two were selected."
    )


def test_true_classes_are_indices() -> None:
    with pytest.raises(ArgumentError) as caught:
        check([Contender("the classifier", answers(TRUTH, 2), 1.0)], TRUTH, 3, 1)
    assert str(caught.value) == (
        "truth: received class 1; allowed: 0 to 0 for 1 classes. "
        "Give the labels as indices into classes."
    )
