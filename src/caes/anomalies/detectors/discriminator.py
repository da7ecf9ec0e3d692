"""A network that learns on planted defects to tell a picture from its reconstruction.

After DRAEM (Zavrtanik, Kristan & Skočaj 2021): what sees a picture beside what an
auto-encoder makes of it need not be told which differences matter. Everything is
learnt from the set's own pictures.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from caes.anomalies.detectors.detector import (
    Detector,
    Maps,
    Normals,
    Pictures,
    State,
    View,
    fill,
    learn,
    weights_of,
)
from caes.anomalies.detectors.reconstruction import reconstructed
from caes.anomalies.planted import KINDS, any_defect
from caes.estimators import CAE
from caes.nn.architecture import Stage, parse
from caes.nn.layers import Convolution, crop, initialise, inside, pad

ENCODER = "16C3-MP2-32C3-48C3-MP2-48C3-64C3-MP2-64C3"
"""What comes into a level that is pooled is met again on the way back."""
BATCH, PIECES = 24, 12
"""Small pictures, or pieces of larger ones, that are learnt from together."""
STRETCH, STEPS = 50, 400
"""Batches between two lines that tell of the training, and in all."""
CLEAN = 4
"""Of so many pieces one has no defect."""
RARE = 3.0
"""How much a defect's pixel counts beside a clean one, as defects are small."""
GAINS = 0.15
"""Standard deviation of the logarithm of the light that pieces are varied by."""


class Discriminator(Detector):
    """A network that sees the picture and its reconstruction, and marks defects.

    Args:
        kinds: Defects that are planted, of `caes.anomalies.planted.KINDS`.
    """

    name = "planted defects"
    weight = 2.0  # it alone found nearly all that was planted (docs/anomalies.md)

    def __init__(self, kinds: tuple[str, ...] = tuple(KINDS)) -> None:
        self.kinds = kinds

    def fit(self, normals: Normals) -> None:
        """Plant defects and learn to find them."""
        self.cae = normals.cae
        self.network = Marks(2 * normals.view.channels, normals.seed)
        planted = PlantedBatches(normals, self.kinds)
        learn(Marking(self.network), planted, normals, STEPS)

    def maps(self, pictures: Pictures) -> Maps:
        """Give each place's log-odds of a defect, smoothed a little."""
        both = torch.from_numpy(beside(self.cae, pictures))
        self.network.eval()
        with torch.inference_mode():
            found = self.network(both).numpy()
        smooth: Maps = gaussian_filter(found, (0, 1, 1))
        return smooth

    def state(self) -> State:
        """Give the network's weights."""
        return weights_of(self.network)

    def restore(self, state: State, view: View, cae: CAE) -> None:
        """Take them back."""
        self.cae = cae
        self.network = Marks(2 * view.channels, 0)
        fill(self.network, state)


class Marks(nn.Module):
    """A small U-Net (Ronneberger et al. 2015), whose finest level is half as fine.

    Args:
        channels: Of what comes in.
        seed: Of the weights.
    """

    def __init__(self, channels: int, seed: int) -> None:
        super().__init__()
        self.arch = replace(parse(ENCODER), normalised=True)
        self.stages = self.arch.encoder((64, 64, channels))
        self.down = nn.ModuleList(Convolution(stage) for stage in self.stages)
        self.back = nn.ModuleList(
            [_convolution(64 + 48, 48, 3), _convolution(48 + 32, 32, 3)]
        )
        self.mark = _convolution(32, 1, 1, last=True)
        initialise(self, torch.Generator().manual_seed(seed))

    def forward(self, pictures: Tensor) -> Tensor:
        """Give log-odds N×H×W of N×H×W×C in [0, 1]."""
        height, width = pictures.shape[1:3]
        here = pad(inside(pictures), self.arch)
        size, kept = here.shape[-2:], []
        for layer, stage in zip(self.down, self.stages, strict=True):
            if stage.pool > 1:
                kept.append(here)
            here = layer(here)
        for layer, fine in zip(self.back, reversed(kept[1:]), strict=True):
            spread = F.interpolate(here, size=fine.shape[-2:])
            here = layer(torch.cat([spread, fine], dim=1))
        marks = F.interpolate(self.mark(here), size=size, mode="bilinear")
        return crop(marks, height, width, self.arch)[:, 0]


class Marking(nn.Module):
    """The objective: planted defects are marked, and nothing else."""

    def __init__(self, network: Marks) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor, masks: Tensor) -> Tensor:
        """Give the cross-entropy, NaN, and the share marked rightly, (3,)."""
        marks = self.network(pictures)
        weight = marks.new_tensor(RARE)
        loss = F.binary_cross_entropy_with_logits(marks, masks, pos_weight=weight)
        right = ((marks.detach() > 0) == (masks > 0.5)).float().mean()
        return torch.stack([loss, loss.new_tensor(torch.nan), right])


class PlantedBatches:
    """Pieces of normal pictures, most with a planted defect, beside reconstructions."""

    def __init__(self, normals: Normals, kinds: tuple[str, ...]) -> None:
        self.normals, self.kinds = normals, kinds
        self.random = np.random.default_rng(normals.seed)
        self.steps = min(STRETCH, normals.steps or STRETCH)
        self.batch = BATCH if normals.view.whole else PIECES
        self.pictures = self.steps * self.batch

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Give n×H×W×2C pictures with reconstructions, and n×H×W masks."""
        for _ in range(self.steps):
            pieces = self.normals.pieces(2 * self.batch, self.random)
            light = np.exp(self.random.normal(0, GAINS, (self.batch, 1, 1, 1)))
            own = (pieces[: self.batch] * light).clip(0, 1).astype(np.float32)
            masks = np.zeros(own.shape[:3], np.float32)
            for at in range(self.batch):
                if at % CLEAN:
                    other = pieces[self.batch + at]
                    made = any_defect(own[at], other, self.kinds, self.random)
                    own[at], masks[at] = made
            both = beside(self.normals.cae, self.normals.view.even(own))
            yield torch.from_numpy(both), torch.from_numpy(masks)


def beside(cae: CAE, pictures: Pictures) -> Pictures:
    """Put what the auto-encoder makes of pictures beside them, N×H×W×2C."""
    return np.concatenate([pictures, reconstructed(cae, pictures)], axis=3)


def _convolution(
    inputs: int, maps: int, kernel: int, last: bool = False
) -> Convolution:
    return Convolution(
        Stage(
            "head",
            "convolve",
            (1, 1, inputs),
            (1, 1, maps),
            kernel,
            activation="linear" if last else "relu",
            normalised=not last,
        )
    )
