"""The error of the reconstruction: an auto-encoder gives back what it has learnt."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, gaussian_filter

from caes.anomalies.detectors.detector import (
    Detector,
    Maps,
    Normals,
    Pictures,
    Scores,
    State,
    View,
)
from caes.data.decode.resize import resized
from caes.estimators import CAE
from caes.nn.linear import Subspace

ErrorName = Literal["pixels", "structure", "edges"]
SMOOTH = 1.0
"""Pixels that errors are smoothed by, as a standard deviation."""
WINDOW = 1.5
"""The same of the structural similarity's windows (Wang et al. 2004, section III.C)."""
C1, C2 = 0.01**2, 0.03**2
"""Its constants, for values in [0, 1]."""


class Reconstruction(Detector):
    """How far a picture is from what the auto-encoder makes of it.

    Args:
        error: "pixels": squared differences; "structure": one minus the structural
            similarity; "edges": squared differences of the gradients.
    """

    def __init__(self, error: ErrorName) -> None:
        self.error = error
        self.name = f"reconstruction by {error}"

    def fit(self, normals: Normals) -> None:
        """Take the auto-encoder, which has learnt already."""
        self.restore({}, normals.view, normals.cae)

    def maps(self, pictures: Pictures) -> Maps:
        """Give each place's error, smoothed a little."""
        found = apart(pictures, reconstructed(self.cae, pictures), self.error)
        smooth: Maps = gaussian_filter(found, (0, SMOOTH, SMOOTH))
        return smooth

    def state(self) -> State:
        """Give nothing: the auto-encoder is kept by itself."""
        return {}

    def restore(self, state: State, view: View, cae: CAE) -> None:
        """Take the auto-encoder."""
        self.cae = cae


class WholeReconstruction(Detector):
    """The same of the whole picture, squeezed to a square, by a linear auto-encoder.

    That is PCA, of pictures with the light that they have: it sees what pieces do not
    show, such as a corner that is missing.
    """

    name = "reconstruction of the whole"
    local, plain = False, True
    weight = 2.0  # as much as all that tell of places have together, or nearly

    def fit(self, normals: Normals) -> None:
        """Find the directions in which normal pictures differ most."""
        rows = np.concatenate([squeezed(part) for part in normals.batches(True)])
        most = min(COMPONENTS, max(1, len(rows) // 2))
        self.subspace = Subspace.fit(rows, most)

    def scores(self, pictures: Pictures, maps: Maps | None) -> Scores:
        """Give the mean squared error of each picture."""
        return self.subspace.errors(squeezed(pictures))

    def state(self) -> State:
        """Give mean and directions."""
        return {"mean": self.subspace.mean, "components": self.subspace.components}

    def restore(self, state: State, view: View, cae: CAE) -> None:
        """Take them back."""
        self.subspace = Subspace(state["mean"], state["components"])


SQUARE, COMPONENTS = 128, 200
"""Side in pixels of what pictures are squeezed to, and the directions that are kept."""


def squeezed(pictures: Pictures) -> NDArray[np.float32]:
    """Give N×H×W×C as rows of small squares, N×features."""
    found = [resized(each, (SQUARE, SQUARE)) for each in pictures]
    return np.stack(found).reshape(len(found), -1).astype(np.float32)


def reconstructed(cae: CAE, pictures: Pictures) -> Pictures:
    """Reconstruct pictures as they are seen, whatever their size."""
    again: Pictures = cae.reconstruct(pictures)
    return again


def apart(pictures: Pictures, again: Pictures, error: ErrorName) -> Maps:
    """Compare N×H×W×C with N×H×W×C in [0, 1], place by place; channels are averaged."""
    if error == "structure":
        return _unlike(pictures, again)
    difference = pictures - again
    if error == "pixels":
        squares = np.square(difference)
    else:
        slopes = (convolve1d(difference, [0.5, 0, -0.5], axis) for axis in (1, 2))
        squares = np.add(*(np.square(each) for each in slopes))
    found: Maps = squares.mean(axis=3)
    return found


def _unlike(one: Pictures, other: Pictures) -> Maps:
    """Give one minus the structural similarity (Wang et al. 2004, equation 13)."""

    def mean(values: Pictures) -> Pictures:
        return np.asarray(gaussian_filter(values, (0, WINDOW, WINDOW, 0), truncate=3.5))

    m1, m2 = mean(one), mean(other)
    v1 = mean(np.square(one)) - np.square(m1)
    v2 = mean(np.square(other)) - np.square(m2)
    both = mean(one * other) - m1 * m2
    above = (2 * m1 * m2 + C1) * (2 * both + C2)
    below = (np.square(m1) + np.square(m2) + C1) * (v1 + v2 + C2)
    found: Maps = (1 - above / below).mean(axis=3)
    return found
