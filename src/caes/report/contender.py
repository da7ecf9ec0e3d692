"""A classifier as the report knows it: its answers, whatever made them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caes.errors import ArgumentError
from caes.report.amounts import capital

ROUNDING = 1e-3
"""How far from 1 the probabilities of a picture may sum."""


@dataclass(frozen=True, eq=False)
class Contender:
    """The classifier or one of its controls, by its answers on the test pictures.

    Args:
        name: What to call it in a sentence, such as "the classifier" or "logistic
            regression on pixels".
        probabilities: N×K in [0, 1], one row a test picture; rows sum to 1.
        seconds: Time of its training.
    """

    name: str
    probabilities: NDArray[np.float32]
    seconds: float

    @property
    def title(self) -> str:
        """Its name at the beginning of a sentence."""
        return capital(self.name)

    @property
    def answers(self) -> NDArray[np.int64]:
        """N class indices, the most probable ones."""
        answers: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return answers


def check(
    contenders: Sequence[Contender], truth: NDArray[np.int64], pictures: int, k: int
) -> None:
    """Make sure that all answer the same question.

    Args:
        contenders: Who answers.
        truth: The right answers.
        pictures: N.
        k: K.

    Raises:
        ArgumentError: No contender, no picture, a true class outside [0, K), or
            probabilities that are not N×K, finite, and 1 in the sum of each row.
    """
    if not contenders:
        raise ArgumentError(
            "contenders",
            "none",
            "at least the classifier itself",
            "Give its probabilities as the first contender.",
        )
    _check_truth(truth, pictures, k)
    for each in contenders:
        _check_probabilities(each, pictures, k)


def _check_truth(truth: NDArray[np.int64], pictures: int, k: int) -> None:
    if truth.shape != (pictures,) or not pictures:
        raise ArgumentError(
            "truth",
            f"an array of shape {truth.shape} for {pictures} pictures",
            "one class index for each test picture, and at least one picture",
            "Check how the two were selected.",
        )
    strange = truth[(truth < 0) | (truth >= k)]
    if strange.size:
        raise ArgumentError(
            "truth",
            f"class {strange[0]}",
            f"0 to {k - 1} for {k} classes",
            "Give the labels as indices into classes.",
        )


def _check_probabilities(contender: Contender, pictures: int, k: int) -> None:
    given = contender.probabilities
    if given.shape != (pictures, k):
        received = f"an array of shape {given.shape}"
    elif not np.isfinite(given).all():
        bad = int((~np.isfinite(given).all(axis=1)).sum())
        received = f"NaN or infinity in {bad:,} of {pictures:,} rows"
    elif given.min() < 0 or np.abs(given.sum(axis=1) - 1).max() > ROUNDING:
        received = "rows that are not probabilities"
    else:
        return
    raise ArgumentError(
        f"probabilities of {contender.name}",
        received,
        f"{pictures} × {k} numbers in [0, 1], rows that sum to 1",
        "Give the output of the softmax, or of predict_proba.",
    )
