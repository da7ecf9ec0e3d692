"""Precision, recall and F1 of each class, and what it is taken for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

from caes.report.publish import Table


@dataclass(frozen=True)
class Score:
    """How one class fared.

    Args:
        number: The class's, counted from 1.
        name: Its name.
        precision: The share of pictures given this name that have it, in [0, 1]; NaN
            if none was given it.
        recall: The share of its pictures that were given its name; NaN without any.
        f1: Their harmonic mean; NaN if it neither occurs nor was answered.
        support: Its test pictures.
        taken_for: The class it was most often mistaken for; empty without a mistake.
        taken: How often.
    """

    number: int
    name: str
    precision: float
    recall: float
    f1: float
    support: int
    taken_for: str
    taken: int


def scores(confused: NDArray[np.int64], classes: Sequence[str]) -> list[Score]:
    """Score each class.

    Args:
        confused: K×K counts, the true class down, the answer across.
        classes: K names.
    """
    measured = _measured(confused)
    mistakes = confused - np.diag(np.diag(confused))
    rivals = mistakes.argmax(axis=1)
    taken = mistakes.max(axis=1)
    return [
        Score(
            number=at + 1,
            name=name,
            precision=float(precision),
            recall=float(recall),
            f1=float(f1),
            support=int(support),
            taken_for=classes[rivals[at]] if taken[at] else "",
            taken=int(taken[at]),
        )
        for at, (name, precision, recall, f1, support) in enumerate(
            zip(classes, *measured, strict=True)
        )
    ]


def mean_f1(rows: Sequence[Score]) -> float:
    """Average F1 over the classes that have test pictures."""
    return float(np.mean([row.f1 for row in rows if row.support]))


def table(rows: Sequence[Score]) -> Table:
    """Lay the scores out for a file; what is not defined is left empty."""
    head = ("class", "precision", "recall", "f1", "support")
    return [
        head,
        *(
            (row.name, *map(_cell, (row.precision, row.recall, row.f1)), row.support)
            for row in rows
        ),
    ]


def _measured(confused: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """Let scikit-learn count each cell as so many pictures."""
    k = len(confused)
    truth, answers = np.divmod(np.arange(k * k), k)
    found: tuple[NDArray[np.float64], ...] = precision_recall_fscore_support(
        truth,
        answers,
        labels=np.arange(k),
        sample_weight=confused.ravel(),
        zero_division=np.nan,
    )
    return found


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"
