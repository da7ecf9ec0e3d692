"""From the scores of normal pictures kept apart to p-values and thresholds.

Split-conformal prediction (Vovk, Gammerman & Shafer 2005, section 4.2; for novelties
Bates et al. 2023): a new normal picture is as likely to rank at any place among those
kept apart, whatever the scores are like. So p ≤ rate flags at most that rate of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom

from caes.errors import ArgumentError, DataError

Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of normal pictures that nothing was learnt from.

    Args:
        scores: n scores, larger is stranger.
        groups: n names: pictures of one group, such as one part photographed several
            times, count together as one (Lee, Barber & Willett 2023, section 3.1).
            Empty for each by itself.
    """

    scores: Scores
    groups: Sequence[str] = field(default=())

    def __len__(self) -> int:
        """Give the number of groups, or of pictures without any."""
        return len({*self.groups}) if self.groups else len(self.scores)

    @property
    def least(self) -> float:
        """The least false-alarm rate above 0 that so many can hold: 1/(n + 1)."""
        return 1 / (len(self) + 1)

    def p_values(self, scores: Scores) -> Scores:
        """Give each score's p-value: how seldom normal pictures are as strange.

        (1 + Σ w) / (n + 1) over the kept scores that are not below, where pictures of
        one group share a weight of 1. N scores, N values in (0, 1].
        """
        order = np.argsort(self.scores, kind="stable")
        above = np.concatenate([np.cumsum(self._weights[order][::-1])[::-1], [0.0]])
        at = np.searchsorted(self.scores[order], scores, side="left")
        found: Scores = (1 + above[at]) / (len(self) + 1)
        return found

    def held(self, rate: float) -> float:
        """Give the rate that is held where one is asked for: no less than the least."""
        return max(rate, self.least)

    def threshold(self, rate: float) -> float:
        """Give the least score whose excess has a p-value of at most the rate held.

        A picture is flagged where its score is above.

        Raises:
            ArgumentError: The rate is none between 0 and 1.
        """
        check_rate(rate)
        values, reverse = np.unique(self.scores, return_inverse=True)
        weights = np.bincount(reverse.ravel(), self._weights)
        above = np.concatenate([np.cumsum(weights[::-1])[::-1][1:], [0.0]])
        fits = 1 + above <= self.held(rate) * (len(self) + 1) + 1e-9
        return float(values[fits][0])

    def said(self, rate: float) -> str:
        """Say what rate is held where one is asked for."""
        kind = "groups of normal pictures" if self.groups else "normal pictures"
        kept = f"{len(self):,} {kind} kept apart"
        if rate < self.least:
            return f"{kept}: {100 * self.least:.2g} % false alarms at best"
        return f"{kept}: {100 * rate:.3g} % false alarms"

    @property
    def _weights(self) -> Scores:
        if not self.groups:
            return np.ones(len(self.scores))
        _, at, counts = np.unique(
            np.asarray(self.groups), return_inverse=True, return_counts=True
        )
        weights: Scores = 1 / counts[at]
        return weights


PARTS = 32
"""Parts along each side of a picture whose strangest places are kept."""


@dataclass(frozen=True, eq=False)
class Places:
    """The strangest place in each part of normal pictures that were not learnt from.

    So the threshold holds also where some parts are not looked at.

    Args:
        strangest: n×parts×parts, in the heatmaps' units; parts lie alike in pictures of
            any size.
        groups: As in `Calibration`.
    """

    strangest: NDArray[np.float32]
    groups: Sequence[str] = field(default=())

    def calibration(self, ignored: NDArray[np.bool_] | None = None) -> Calibration:
        """Give the scores of whole pictures.

        Args:
            ignored: H×W, where nothing counts: parts that lie in it as a whole do not.
        """
        kept = np.ones(self.strangest.shape[1:], bool)
        if ignored is not None and not ignored.all():
            kept = strangest(~ignored[None], len(kept))[0]
        return Calibration(
            self.strangest[:, kept].max(axis=1).astype("f8"), self.groups
        )


def strangest(maps: NDArray[Any], parts: int = PARTS) -> NDArray[Any]:
    """Give the largest value in each of parts×parts parts of maps n×H×W."""
    for axis in (1, 2):
        starts = np.arange(parts) * maps.shape[axis] // parts
        maps = np.maximum.reduceat(maps, starts, axis=axis)
    return maps


def check_rate(rate: float) -> None:
    """Refuse what is no rate."""
    if not 0 < rate < 1:
        raise ArgumentError(
            "false_alarms",
            f"{rate:g}",
            "a share above 0 and below 1, or a percentage such as 1%",
            "Try false_alarms=0.01.",
        )


def for_recall(scores: Scores, recall: float) -> float:
    """Give the highest threshold that flags a share of strange pictures, at least.

    Args:
        scores: Of labelled pictures with something strange.
        recall: The share in (0, 1].

    Raises:
        ArgumentError: There is no such share.
        DataError: There are no such pictures.
    """
    if not 0 < recall <= 1:
        raise ArgumentError(
            "recall", f"{recall:g}", "a share above 0, up to 1", "Try recall=0.95."
        )
    if not len(scores):
        raise DataError(
            "recall",
            "no picture that is not normal",
            "pictures with something strange, in folders other than the normal ones",
            "Name the normal ones' folder with --normal.",
        )
    wanted = math.ceil(recall * len(scores) - 1e-9)
    return float(np.nextafter(np.sort(scores)[-wanted], -math.inf))


@dataclass(frozen=True)
class Drift:
    """Whether a threshold still holds on new normal pictures."""

    pictures: int
    flagged: int
    rate: float  # that the threshold was to hold
    chance: float
    """How likely so many flagged or more are where nothing has changed."""

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it, at 1 %."""
        return self.chance >= 0.01


def drift(kept: Calibration, scores: Scores, threshold: float, rate: float) -> Drift:
    """Compare the flagged share of new normal pictures with the rate to be held.

    Of m new ones, k are flagged with the probability of a beta-binomial distribution,
    as the threshold itself was found from finitely many (Vovk 2012, section 3).
    """
    flagged = int((scores > threshold).sum())
    n = len(kept) + 1
    beside = betabinom(len(scores), rate * n, (1 - rate) * n)
    return Drift(len(scores), flagged, rate, float(beside.sf(flagged - 1)))
