import numpy as np
import pytest

from caes.errors import ArgumentError
from caes.report.comparison import Contender, check, judge, simplest, standings
from caes.report.layout import Verdict
from tests.refusals import refusing
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
        "(p = 0.00262). Logistic regression errs on 5.0%: 1.0 points more, which may "
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
        ([range(5), range(5)], "The classifier is not to be told apart from random weights."),
        ([range(20), range(5), range(50), range(19)], "The classifier is better than logistic regression, worse than random weights and not to be told apart from a third."),
        ([range(70), range(80)], "The classifier is no better than always answering “a”."),
    ],
)  # fmt: skip
def test_the_lead_follows_the_errors(wrong: list[range], lead: str) -> None:
    assert judged(*wrong).lead == lead


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([range(5), range(5, 10)], "Random weights errs on 5.0% too (p = 1)."),
        ([range(30), range(5)], "errs on 5.0%: 25.0 points fewer, which is more than chance (p < 0.001)."),
    ],
)  # fmt: skip
def test_errors_are_told_beside_the_classifiers(wrong: list[range], words: str) -> None:
    assert judged(*wrong).figures.endswith(words)


def test_classes_without_a_test_picture_are_named() -> None:
    begin = "Nothing is known of classes without a test picture:"
    assert judged(range(5), unseen=["x"]).context == f"{begin} “x”."
    assert judged(range(5), unseen=list("stuvwxyz")).context == (
        f"{begin} “s”, “t”, “u”, “v”, “w” and 3 more."
    )


def test_answers_that_are_no_numbers_are_refused() -> None:
    check(Contender("it", answers(TRUTH, 4), 1.0))
    broken = answers(TRUTH, 4)
    broken[:3, 1] = np.nan
    message = "probabilities of the classifier: received NaN or infinity in 3 of 100 rows; allowed: 100 × 4 numbers in [0, 1], rows that sum to 1. Give the output of the softmax, or of predict_proba."
    with refusing(ArgumentError, message):
        check(Contender("the classifier", broken, 1.0))
