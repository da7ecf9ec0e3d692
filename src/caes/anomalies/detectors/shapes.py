"""Shape and light of whole small pictures, and how far they are from what most have.

No network: what a few strange pictures among those learnt from cannot mislead.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from caes.anomalies.detectors.detector import (
    Detector,
    Maps,
    Normals,
    Pictures,
    Scores,
    State,
    View,
)
from caes.estimators import CAE
from caes.nn.linear import Subspace
from caes.nn.texture import gradients, oriented

SIDE = 9
"""Side of the small picture whose light is looked at, at most."""
COMPONENTS, TRIMMED, TURNS = 16, 0.2, 4
"""Directions that are kept, at most; the share of the pictures, the strangest, that
each turn but the first leaves out; turns."""
AT_ONCE = 1024
Rows = NDArray[np.float32]


class Shapes(Detector):
    """How far oriented gradients and light are from those of most pictures.

    Oriented gradients of 4×4 cells (Dalal & Triggs 2005) and the picture made small,
    both of variance 1, by PCA; then PCA of the four fifths that are least strange,
    within it and beside it, and so on: a trimmed fit (after Rousseeuw 1984), which
    strangers do not bend towards them.
    """

    name = "shapes of pictures"
    local = False

    def fit(self, normals: Normals) -> None:
        """Learn what most pictures are like."""
        self.learn(np.concatenate([*normals.batches()]))

    def learn(self, pictures: Pictures) -> None:
        """Do so from N×H×W×C in [0, 1], all of one size."""
        shape, light = _shape(pictures), _light(pictures)
        self.units = np.array([_unit(shape), _unit(light)], np.float32)
        rows, kept = self._rows(pictures), np.arange(len(pictures))
        most = max(1, int((1 - TRIMMED) * len(rows)))
        for _ in range(TURNS):
            components = min(COMPONENTS, max(1, len(kept) // 4))
            self.subspace = Subspace.fit(rows[kept], components)
            apart = self._apart(rows)
            codes = (rows - self.subspace.mean) @ self.subspace.components.T
            within = np.square(codes / (codes[kept].std(axis=0) + 1e-9)).sum(axis=1)
            strange = apart / _usual(apart) + within / _usual(within)
            kept = np.sort(np.argsort(strange, kind="stable")[:most])
        self.usual = np.float32(_usual(apart))

    def scores(self, pictures: Pictures, maps: Maps | None) -> Scores:
        """Give the squared distance from the subspace, 1 for the median learnt from."""
        return self._apart(self._rows(pictures)) / float(self.usual)

    def _apart(self, rows: Rows) -> Scores:
        return np.multiply(self.subspace.errors(rows), rows.shape[1])

    def _rows(self, pictures: Pictures) -> Rows:
        parts = _shape(pictures) / self.units[0], _light(pictures) / self.units[1]
        return np.concatenate(parts, axis=1)

    def state(self) -> State:
        """Give units, mean and directions."""
        return {
            "units": np.array([*self.units, self.usual], np.float32),
            "mean": self.subspace.mean,
            "components": self.subspace.components,
        }

    def restore(self, state: State, view: View, cae: CAE) -> None:
        """Take them back."""
        self.units, self.usual = state["units"][:2], state["units"][2]
        self.subspace = Subspace(state["mean"], state["components"])


def _usual(amounts: NDArray[np.floating[Any]]) -> float:
    """Give the median, above 0."""
    return max(float(np.median(amounts)), 1e-9)


def _shape(pictures: Pictures) -> Rows:
    """Give oriented gradients of N×H×W×C, N×288."""
    grey = torch.from_numpy(np.ascontiguousarray(pictures.mean(3)))[:, None]
    parts = torch.split(grey, AT_ONCE)
    return np.concatenate([oriented(gradients(e)[1]).numpy() for e in parts])


def _light(pictures: Pictures) -> Rows:
    """Give N×H×W×C made small, N×features."""
    planes = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    size = min(SIDE, pictures.shape[1]), min(SIDE, pictures.shape[2])
    return np.asarray(F.adaptive_avg_pool2d(planes, size).flatten(1).numpy())


def _unit(rows: Rows) -> float:
    """Give the root of the variance of all columns together."""
    return max(float(np.sqrt(rows.var(axis=0, dtype=np.float64).sum())), 1e-6)
