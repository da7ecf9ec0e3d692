"""Simple classifiers on codes, or on pixels: what a representation is worth."""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from caes.data import ImageSet
from caes.data.labels.labelled import labelled_only, labels_of
from caes.estimators import CAE

PROBES: dict[str, Callable[[int], Any]] = {
    "logistic regression": lambda n: make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, max_iter=300, tol=1e-3)
    ),
    "linear SVM": lambda n: make_pipeline(
        StandardScaler(), LinearSVC(C=0.001, dual="auto")
    ),
    "5 nearest neighbours": lambda n: KNeighborsClassifier(min(5, n)),
}
"""By name what makes a probe for n labelled pictures.

Each is on features scaled to unit variance, but for the neighbours.
"""


class Result(NamedTuple):
    """What a probe reached."""

    probe: str  # its name in `PROBES`
    features: str  # "codes" or "pixels"
    error: float  # on the test pictures, in per cent
    seconds: float  # of fitting and predicting


def probe(cae: CAE, train: ImageSet, test: ImageSet) -> Iterator[Result]:
    """Fit every probe on the codes, and on the pixels beside them."""
    train = labelled_only(train)
    truth, known = labels_of(test), labels_of(train)
    for features, seen in (("codes", cae.transform), ("pixels", pixels_of(cae))):
        inside, outside = seen(train), seen(test)
        for name in PROBES:
            start = time.perf_counter()
            fitted = fit_probe(name, inside, known)
            error = 100 * float((fitted.predict(outside) != truth).mean())
            yield Result(name, features, error, time.perf_counter() - start)


def fit_probe(
    name: str, features: NDArray[np.float32], labels: NDArray[np.int64]
) -> Any:
    """Fit one of `PROBES` to N×features and N class indices."""
    return fit_quietly(PROBES[name](len(labels)), features, labels)


def fit_quietly(
    model: Any, features: NDArray[np.float32], labels: NDArray[np.int64]
) -> Any:
    """Fit a classifier of scikit-learn to them."""
    with warnings.catch_warnings():
        # Its error is what counts, whether or not the last digits have settled.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, labels)


def pixels_of(cae: CAE) -> Callable[[ImageSet], NDArray[np.float32]]:
    """Give what turns pictures into N×(H·W·C) pixels in [0, 1], as the network's."""

    def pixels(images: ImageSet) -> NDArray[np.float32]:
        return cae.to_unit(images).reshape(len(images), -1)

    return pixels
