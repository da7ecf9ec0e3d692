import numpy as np
import pytest
from numpy.typing import NDArray

from caes.errors import ArgumentError
from caes.report.comparison import Contender, check, judge, simplest, standings
from caes.report.page import Verdict
from tests.report.fake import answers

TRUTH = np.repeat(np.arange(4), [40, 25, 20, 15])
CLASSES = ("a", "b", "c", "d")


def judged(*wrong: range, unseen: list[str] | None = None) -> Verdict:
    """The classifier and its controls, each wrong on these pictures of 100."""
    names = ("the classifier", "random weights", "logistic regression", "a third")
    contenders = [
        Contender(name, answers(TRUTH, 4, rows), 1.0)
        for name, rows in zip(names, wrong, strict=False)
    ]
    rows = standings(contenders, TRUTH)
    return judge(rows, simplest(rows[0], TRUTH, CLASSES), unseen or [])


def test_the_verdict_tells_all_errors_and_whether_they_differ() -> None:
    assert judged(range(4), range(2, 20), range(1, 6)) == Verdict(
        "The classifier is better than random weights and not to be told apart from "
        "logistic regression.",
        "It errs on 4.0% of 100 test pictures (95% confidence: 1.6% to 9.8%). Random "
        "weights errs on 18.0%: 14.0 points more, which is more than chance "
        "(p = 0.00131). Logistic regression errs on 5.0%: 1.0 points more, which may "
        "be chance (p = 1).",
        "",
    )


@pytest.mark.parametrize(
    ("wrong", "lead"),
    [
        ([range(5)], "The classifier names 95.0% of the test pictures correctly."),
        ([range(0)], "The classifier names every test picture correctly."),
        ([range(5), range(30)], "The classifier is better than random weights."),
        ([range(30), range(5)], "The classifier is worse than random weights."),
        (
            [range(5), range(5)],
            "The classifier is not to be told apart from random weights.",
        ),
        (
            [range(20), range(5), range(50), range(19)],
            "The classifier is better than logistic regression, worse than random "
            "weights and not to be told apart from a third.",
        ),
        (
            [range(70), range(80)],
            "The classifier is no better than always answering “a”.",
        ),
    ],
)
def test_the_lead_follows_the_errors(wrong: list[range], lead: str) -> None:
    assert judged(*wrong).lead == lead


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([range(5), range(5, 10)], "Random weights errs on 5.0% too (p = 1)."),
        (
            [range(30), range(5)],
            "errs on 5.0%: 25.0 points fewer, which is more than chance (p < 0.001).",
        ),
    ],
)
def test_errors_are_told_beside_the_classifiers(wrong: list[range], words: str) -> None:
    assert judged(*wrong).figures.endswith(words)


def test_classes_without_a_test_picture_are_named() -> None:
    begin = "Nothing is known of classes without a test picture:"
    assert judged(range(5), unseen=["x"]).context == f"{begin} “x”."
    assert judged(range(5), unseen=list("stuvwxyz")).context == (
        f"{begin} “s”, “t”, “u”, “v”, “w” and 3 more."
    )


THREE = np.array([0, 1, 1])
ALLOWED = (
    "allowed: 3 × 2 numbers in [0, 1], rows that sum to 1. Give the output of the "
    "softmax, or of predict_proba."
)


def refusal(probabilities: NDArray[np.float32]) -> str:
    with pytest.raises(ArgumentError) as caught:
        check([Contender("the classifier", probabilities, 1.0)], THREE, 3, 2)
    return str(caught.value)


def test_probabilities_are_accepted() -> None:
    check([Contender("the classifier", answers(THREE, 2), 1.0)], THREE, 3, 2)


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
        check([], THREE, 3, 2)
    assert str(caught.value) == (
        "contenders: received none; allowed: at least the classifier itself. "
        "Give its probabilities as the first contender."
    )


@pytest.mark.parametrize("pictures", [0, 4])
def test_every_picture_has_a_true_class(pictures: int) -> None:
    with pytest.raises(ArgumentError) as caught:
        check([Contender("the classifier", answers(THREE, 2), 1.0)], THREE, pictures, 2)
    assert str(caught.value) == (
        f"truth: received an array of shape (3,) for {pictures} pictures; allowed: one "
        "class index for each test picture, and at least one picture. Check how the "
        "two were selected."
    )


def test_true_classes_are_indices() -> None:
    with pytest.raises(ArgumentError) as caught:
        check([Contender("the classifier", answers(THREE, 2), 1.0)], THREE, 3, 1)
    assert str(caught.value) == (
        "truth: received class 1; allowed: 0 to 0 for 1 classes. "
        "Give the labels as indices into classes."
    )
