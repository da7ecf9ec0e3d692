"""Fitting of readouts by scikit-learn, their strength chosen by cross-validation."""

import warnings
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from caes.nn.readout import Readout

Features = NDArray[np.float32]
"""N×features."""
Labels = NDArray[np.int64]
"""N class indices, every class met."""

FOLDS, ENOUGH = 3, 1000
"""Folds of a cross-validation; from so many labels on a fifth is kept apart, once."""
LANDMARKS = 1000
"""Most landmarks of a kernel machine."""
FLATTEST = 0.05
"""Least scale of a feature, as a share of the median: what hardly varies is noise."""


class Strength(NamedTuple):
    """How closely a readout follows the labels."""

    inverse: float  # of the penalty on squared weights, C
    gamma: float = 0.0  # of the kernel, times the number of features; 0 for linear
    evened: float = 0.5  # from 0, codes as far apart as they are, to 1, all alike


GRIDS = {
    "codes": [
        Strength(c, evened=evened)
        for c, evened in product((0.01, 0.1, 1.0, 10.0), (0.0, 1.0))
    ],
    "statistics": [Strength(c) for c in (1e-3, 1e-2, 1e-1, 1.0)],
    "kernel": [Strength(c, g) for g, c in product((0.3, 1.0), (3.0, 30.0, 300.0))],
}
"""Answers straight from features, and the strengths tried: logistic regression on
codes; on codes with texture statistics; a kernel machine on these."""


class Fold(NamedTuple):
    """Rows to learn from, and rows to test on."""

    learn: NDArray[np.int64]
    test: NDArray[np.int64]


def folds_of(labels: Labels, seed: int) -> list[Fold]:
    """Deal labelled pictures out, every class alike; none where a class has only one.

    With many labels there is a single fold, whose test part is a fifth.
    """
    fewest = int(np.bincount(labels).min())
    if fewest < 2:
        return []
    count = 5 if len(labels) >= ENOUGH and fewest >= 5 else min(FOLDS, fewest)
    dealt = StratifiedKFold(count, shuffle=True, random_state=seed)
    found = [Fold(*rows) for rows in dealt.split(labels, labels)]
    return found[:1] if len(labels) >= ENOUGH else found


class Judged(NamedTuple):
    """What cross-validation says of one answer."""

    error: float  # share of wrong answers on pictures not learnt from, in [0, 1]
    loss: float  # their mean cross-entropy


def judged(probabilities: Features, labels: Labels) -> Judged:
    """Compare N×classes probabilities with N labels."""
    wrong = float((probabilities.argmax(1) != labels).mean())
    known = np.arange(probabilities.shape[1])
    unit = np.clip(probabilities.astype(np.float64), 1e-7, 1)
    unit /= unit.sum(1, keepdims=True)
    return Judged(wrong, float(log_loss(labels, unit, labels=known)))


def best_strength(
    name: str, features: Features, codes: int, labels: Labels, folds: Sequence[Fold]
) -> tuple[Strength, Features]:
    """Choose one of `GRIDS` by cross-entropy; give it, and its answers on test rows."""
    rows = np.concatenate([fold.test for fold in folds])
    tried = {}
    for strength in GRIDS[name]:
        parts = [
            answers(
                fit(features[fold.learn], codes, labels[fold.learn], strength),
                features[fold.test],
            )
            for fold in folds
        ]
        tried[strength] = np.concatenate(parts)
    best = min(tried, key=lambda each: judged(tried[each], labels[rows]).loss)
    return best, tried[best]


def fit(features: Features, codes: int, labels: Labels, strength: Strength) -> Readout:
    """Fit a readout of N×features, of which the first are codes.

    Of a kernel machine every picture is a landmark, up to 1,000.
    """
    classes, n = int(labels.max()) + 1, len(labels)
    marks = np.sort(np.random.default_rng(0).permutation(n)[:LANDMARKS])
    made = Readout(features.shape[1], classes, len(marks) if strength.gamma else 0)
    made.mean[:] = torch.from_numpy(features.mean(0))
    made.scale[:] = torch.from_numpy(_scales(features, codes, strength.evened))
    unit = made.standardised(torch.from_numpy(features)).numpy()
    seen, back = unit, None
    if strength.gamma:
        made.gamma.fill_(strength.gamma / features.shape[1])
        made.landmarks[:] = torch.from_numpy(unit[marks])
        near = Nystroem(
            gamma=float(made.gamma), n_components=len(marks), random_state=0
        )
        near.fit(unit[marks])
        order = near.component_indices_
        made.landmarks[:] = torch.from_numpy(unit[marks][order])
        back = near.normalization_
        seen = near.transform(unit)
    with warnings.catch_warnings():
        # Its error is what counts, whether or not the last digits have settled.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression = LogisticRegression(C=strength.inverse, max_iter=500, tol=1e-3)
        regression.fit(seen, labels)
    weight, bias = regression.coef_, regression.intercept_
    if len(weight) == 1:  # of two classes, the odds of the second
        weight, bias = (np.stack([-each[0], each[0]]) / 2 for each in (weight, bias))
    weight = weight if back is None else weight @ back
    made.weight[:] = torch.from_numpy(np.asarray(weight, np.float32))
    made.bias[:] = torch.from_numpy(np.asarray(bias, np.float32))
    return made


def _scales(features: Features, codes: int, evened: float) -> Features:
    """Give what each feature is divided by."""
    deviations = features.std(0)
    of_codes, others = deviations[:codes], deviations[codes:]
    widest = max(float(of_codes.max()), 1e-6)
    of_codes = np.maximum(of_codes, 1e-3 * widest) ** evened * widest ** (1 - evened)
    if len(others):
        others = np.maximum(others, max(FLATTEST * float(np.median(others)), 1e-6))
    return np.concatenate([of_codes, others]).astype(np.float32)


def answers(readout: Readout, features: Features) -> Features:
    """Give the probabilities, N×classes, that a readout has for features."""
    with torch.inference_mode():
        return readout(torch.from_numpy(features)).softmax(1).numpy()  # type: ignore[no-any-return]
