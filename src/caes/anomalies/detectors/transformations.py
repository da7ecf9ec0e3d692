"""Which of some transformations a picture went through: easy only for known pictures.

Golan & El-Yaniv 2018, "Deep Anomaly Detection Using Geometric Transformations".
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from caes.anomalies.detectors.detector import (
    Detector,
    Maps,
    Normals,
    Pictures,
    Scores,
    State,
    View,
    fill,
    learn,
    weights_of,
)
from caes.estimators import CAE
from caes.nn.architecture import parse
from caes.nn.autoencoder import Autoencoder
from caes.nn.classifier import Classifier
from caes.train.finetune import Classification

ENCODER = "24C3-MP2-48C3-96C3-MP2-96C3-MP2"
BATCH = 72
STRETCH, STEPS = 50, 1_000
"""Batches between two lines that tell of the training, and in all."""


class Transformation(NamedTuple):
    """Turned by so many quarters, then moved by shares of the sides."""

    turns: int
    down: float
    right: float

    def __call__(self, pictures: Tensor) -> Tensor:
        """Transform N×H×W×C, square; what is moved in is mirrored."""
        turned = torch.rot90(pictures, self.turns, (1, 2))
        side = pictures.shape[1]
        down, right = round(self.down * side), round(self.right * side)
        if not (down or right):
            return turned
        around = (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0))
        framed = F.pad(turned.permute(0, 3, 1, 2), around, mode="reflect")
        top, left = max(-down, 0), max(-right, 0)
        return framed[..., top : top + side, left : left + side].permute(0, 2, 3, 1)


MOVES = ((0.0, 0.0), (0.25, 0.0), (0.0, 0.25))
TRANSFORMATIONS = tuple(
    Transformation(turns, *move) for turns in range(4) for move in MOVES
)


class Transformations(Detector):
    """How sure a network is which transformation each picture went through."""

    name = "transformations"
    local = False
    weight = 4.0  # of 1, 2, 3, 4 and 6: the least that lets no other outvote it

    def fit(self, normals: Normals) -> None:
        """Learn to tell the transformations of normal pictures apart."""
        self.network = _network(normals.view, normals.seed)
        compare = partial(Classifier.compare, self.network)
        objective = Classification(self.network, compare, seed=normals.seed)
        learn(objective, Turned(normals), normals, STEPS)

    def scores(self, pictures: Pictures, maps: Maps | None) -> Scores:
        """Give -Σ log p(T | T(x)) over all transformations, a mean of them.

        It is the simplified score of the paper's section 4.2.
        """
        batch, total = torch.from_numpy(square(pictures)), 0.0
        self.network.eval()
        with torch.inference_mode():
            for label, transform in enumerate(TRANSFORMATIONS):
                logits = self.network(transform(batch))
                total -= logits.log_softmax(1)[:, label].double()
        found: Scores = (total / len(TRANSFORMATIONS)).numpy()  # type: ignore[attr-defined]
        return found

    def state(self) -> State:
        """Give the network's weights."""
        return weights_of(self.network)

    def restore(self, state: State, view: View, cae: CAE) -> None:
        """Take them back."""
        self.network = _network(view, 0)
        fill(self.network, state)


class Turned:
    """Normal pictures, each through a transformation drawn at random."""

    def __init__(self, normals: Normals) -> None:
        self.normals = normals
        self.random = np.random.default_rng(normals.seed)
        self.steps = min(STRETCH, normals.steps or STRETCH)
        self.pictures = self.steps * BATCH

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Give n×H×W×C pictures and n transformations by their number."""
        each = -(-BATCH // len(TRANSFORMATIONS))
        for _ in range(self.steps):
            pieces = square(self.normals.pieces(BATCH, self.random))
            batch = torch.from_numpy(pieces)
            parts = [
                transform(batch[at * each : (at + 1) * each])
                for at, transform in enumerate(TRANSFORMATIONS)
            ]
            labels = torch.arange(len(parts)).repeat_interleave(each)[:BATCH]
            yield torch.cat(parts), labels


def square(pictures: Pictures) -> Pictures:
    """Bring N×H×W×C to squares, the shorter side mirrored."""
    tall, wide = pictures.shape[1:3]
    side = max(tall, wide)
    ends = [(0, 0), (0, side - tall), (0, side - wide), (0, 0)]
    return np.pad(pictures, ends, mode="symmetric") if tall != wide else pictures


def _network(view: View, seed: int) -> Classifier:
    side = max(view.side)
    arch = replace(parse(ENCODER), normalised=True)
    trunk = Autoencoder(arch, (side, side, view.channels), seed)
    return Classifier(trunk, (), len(TRANSFORMATIONS), dropout=0.3, seed=seed)
