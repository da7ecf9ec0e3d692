"""All that the report of a classifier says, measured once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.report import confusion, judgement, mistakes, scores
from caes.report.comparison import Standing, simplest, standings
from caes.report.confusion import Confusion
from caes.report.contender import Contender, check
from caes.report.judgement import Bin
from caes.report.mistakes import Mistake
from caes.report.scores import Score


@dataclass(frozen=True, eq=False)
class Outcome:
    """A classifier on its test pictures, beside its controls.

    Args:
        classes: The classes' names.
        rows: The classifier and its controls.
        rule: The simplest rule beside them.
        counts: K×K pictures, the true class down, the classifier's answer across.
        drawn: What of it is drawn.
        scores: One a class.
        bins: The classifier's reliability.
        calibration: Its expected calibration error, in [0, 1].
        mistakes: Those that it was surest of.
    """

    classes: Sequence[str]
    rows: Sequence[Standing]
    rule: Standing
    counts: NDArray[np.int64]
    drawn: Confusion
    scores: Sequence[Score]
    bins: Sequence[Bin]
    calibration: float
    mistakes: Sequence[Mistake]

    @property
    def own(self) -> Standing:
        """The classifier itself."""
        return self.rows[0]

    @property
    def largest(self) -> float:
        """The largest error among the classifier and its controls, in [0, 1]."""
        return max(row.error for row in self.rows) or 1.0

    @property
    def shown(self) -> list[Score]:
        """The scores of the classes that are drawn."""
        return [self.scores[at] for at in self.drawn.kept]

    @property
    def unseen(self) -> list[str]:
        """Classes without a test picture."""
        return [score.name for score in self.scores if not score.support]


def examine(
    images: ImageSet,
    truth: NDArray[np.int64],
    classes: Sequence[str],
    contenders: Sequence[Contender],
) -> Outcome:
    """Measure the classifier and its controls.

    Args:
        images: The N test pictures.
        truth: Their classes, N indices in [0, K).
        classes: K names.
        contenders: The classifier itself, then its controls.

    Raises:
        ArgumentError: The contenders do not answer for N pictures of K classes.
    """
    check(contenders, truth, len(images), len(classes))
    rows = standings(contenders, truth)
    probabilities = contenders[0].probabilities
    counts = confusion.count_confusions(truth, contenders[0].answers, len(classes))
    return Outcome(
        classes=classes,
        rows=rows,
        rule=simplest(rows[0], truth, classes),
        counts=counts,
        drawn=confusion.confusion(counts, classes),
        scores=scores.scores(counts, classes),
        bins=judgement.reliability(probabilities, truth),
        calibration=judgement.calibration_error(probabilities, truth),
        mistakes=mistakes.mistakes(images, truth, probabilities),
    )
