"""Which detectors to trust: chosen by planted defects, on normal pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

Scores = NDArray[np.float64]

LEAST = 1e-9
"""Below it all differences are rounding: pictures lie in [0, 1]."""
LOSS = 0.01
"""What one more detector may take from the best mean area under the ROC curve.

Real defects are others than those planted: in doubt several ways see more than one."""


@dataclass(frozen=True)
class Scale:
    """Units of a detector's scores: what normal pictures have, and how it varies."""

    middle: float
    spread: float

    @classmethod
    def of(cls, scores: Scores) -> "Scale":
        """Find it from scores of normal pictures: their median and deviation."""
        return cls(float(np.median(scores)), max(float(scores.std()), LEAST))

    def __call__(self, scores: Scores) -> Scores:
        """Give scores in these units, large ones by their logarithm.

        x becomes log(1 + x) from 0 on: no single detector outvotes all others.
        """
        found = (scores - self.middle) / self.spread
        return np.where(found > 0, np.log1p(np.maximum(found, 0)), found)


@dataclass(frozen=True)
class Choice:
    """Detectors, how well each finds what was planted, and those that are used."""

    found: Mapping[str, Mapping[str, float]]
    """By detector and kind of defect the area under the ROC curve; the used ones'
    combination is "together"."""
    used: Sequence[str]

    def mean(self, name: str) -> float:
        """Give a detector's mean over the kinds."""
        return float(np.mean([*self.found[name].values()]))

    def said(self) -> str:
        """Say what was chosen, and why."""
        used = " + ".join(self.used)
        figure = 100 * self.mean("together")
        best = max((n for n in self.found if n != "together"), key=self.mean)
        beside = f"; the best alone, {best}, {100 * self.mean(best):.1f}"
        several = beside if len(self.used) > 1 else ""
        return (
            f"chosen: {used}: planted defects are told with AUROC {figure:.1f}{several}"
        )


def choose(
    normal: Mapping[str, Scores],
    planted: Mapping[str, Mapping[str, Scores]],
    asked: Sequence[str] = (),
    weights: Mapping[str, float] | None = None,
    whole: Sequence[str] = (),
) -> Choice:
    """Choose detectors that together tell planted defects.

    The best alone, then, from good to bad, every other that does not harm the mean.

    Args:
        normal: By detector, scores of normal pictures kept apart, in common units.
        planted: By detector and kind of defect, the same of pictures with defects.
        asked: Detectors that are used in any case, and no others; empty to choose.
        whole: Those that are used in any case because they tell of whole pictures:
            what is planted is somewhere.
        weights: Of each in the mean; None for all alike.
    """

    def areas(names: Sequence[str]) -> dict[str, float]:
        each = [1.0 if weights is None else weights[name] for name in names]

        def together(scores: Sequence[Scores]) -> Scores:
            return np.asarray(np.average(scores, axis=0, weights=each))

        plain = together([normal[name] for name in names])
        return {
            kind: area(plain, together([planted[name][kind] for name in names]))
            for kind in planted[names[0]]
        }

    def mean(names: Sequence[str]) -> float:
        return float(np.mean([*areas(names).values()]))

    places = sorted({*normal} - {*whole}, key=lambda name: -mean([name]))
    used, reached = [*asked], 0.0
    for name in () if asked else places:
        if (now := mean([*used, name])) >= reached - LOSS:
            used, reached = [*used, name], max(reached, now)
    used += () if asked else whole
    found = {name: areas([name]) for name in normal}
    return Choice({**found, "together": areas(used)}, used)


def area(plain: Scores, strange: Scores) -> float:
    """Give the area under the ROC curve: how often a strange one scores higher."""
    truth = np.r_[np.zeros(len(plain)), np.ones(len(strange))]
    return float(roc_auc_score(truth, np.r_[plain, strange]))
