"""What anybody can do without an auto-encoder: plain classifiers beside ours.

Nearest neighbours and logistic regression on pixels; logistic regression and a random
forest on texture and shape statistics, by scikit-image and scikit-learn.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from caes.tasks.probe import PROBES

QUANTILES = (1, 5, 25, 50, 75, 95, 99)
"""In per cent, of grey levels and of gradients."""
RINGS = ((8, 1), (16, 2))
"""Local binary patterns: neighbours, and their distance in pixels."""
ORIENTATIONS, CELLS, BLOCK = 8, 4, 2
"""Of the histograms of oriented gradients."""
TREES = 300
"""Of the forest."""

SHAPES = "texture and shape statistics"


class PlainMeans(NamedTuple):
    """A way to classify that needs no network."""

    name: str  # within a sentence
    features: str  # "pixels" or "statistics"
    make: Callable[[int], Any]  # of scikit-learn, for n labelled pictures


NEIGHBOURS, LINEAR = PROBES["5 nearest neighbours"], PROBES["logistic regression"]
PLAIN_MEANS = (
    PlainMeans("nearest neighbours on pixels", "pixels", NEIGHBOURS),
    PlainMeans("logistic regression on pixels", "pixels", LINEAR),
    PlainMeans(f"logistic regression on {SHAPES}", "statistics", LINEAR),
    PlainMeans(
        f"a random forest on {SHAPES}",
        "statistics",
        lambda n: RandomForestClassifier(TREES, random_state=0, n_jobs=-1),
    ),
)


def statistics(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Describe N×H×W×C pictures in about [0, 1] by texture and shape: N×F.

    Moments and quantiles of each channel and of the gradient, local binary patterns
    (Ojala et al. 2002) and histograms of oriented gradients (Dalal & Triggs 2005).
    """
    return np.stack([_describe(each) for each in pictures]).astype(np.float32)


def _describe(picture: NDArray[np.float32]) -> NDArray[np.float64]:
    from skimage.feature import hog, local_binary_pattern

    grey = picture.mean(axis=2)
    down, across = np.gradient(grey)
    parts = [_moments(channel) for channel in np.moveaxis(picture, 2, 0)]
    parts.append(_moments(np.hypot(down, across)))
    whole = np.clip(np.rint(255 * grey), 0, 255).astype(np.uint8)
    for neighbours, distance in RINGS:
        kinds = local_binary_pattern(whole, neighbours, distance, "uniform")
        counts = np.bincount(kinds.astype(np.int64).ravel(), minlength=neighbours + 2)
        parts.append(counts / kinds.size)
    cell = [max(1, side // CELLS) for side in grey.shape]
    fits = min(side // each for side, each in zip(grey.shape, cell, strict=True))
    if fits >= BLOCK:
        parts.append(hog(grey, ORIENTATIONS, cell, (BLOCK, BLOCK)))
    return np.concatenate(parts)


def _moments(values: NDArray[Any]) -> NDArray[np.float64]:
    mean, deviation = float(values.mean()), float(values.std()) + 1e-6
    unit = (values - mean) / deviation
    shape = [mean, deviation, (unit**3).mean(), (unit**4).mean()]
    return np.array([*shape, *np.percentile(values, QUANTILES)])
