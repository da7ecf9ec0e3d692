"""Answers straight from features: linear ones, and those of a kernel machine."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caes.nn.model import Model
from caes.nn.texture import count, texture

FARTHEST = 6.0
"""Deviations from the mean beyond which a feature does not count any more."""
WIDEST, CELLS = 1024, 4
"""Codes of more values are averaged in so many cells along each side of their maps."""


class Readout(nn.Module):
    """Log-odds of classes, linear in features or in their nearness to landmarks.

    Features f become z = (f - mean) / scale, cut off at ±6. Log-odds are W z + b, or
    W k + b with k = exp(-γ‖z - l‖²) for every landmark l: multinomial logistic
    regression in the span of the landmarks (Williams & Seeger 2001, Nyström).

    Args:
        features: Number of features.
        classes: Number of classes.
        landmarks: Number of landmarks; 0 for a linear answer.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    landmarks: Tensor
    gamma: Tensor

    def __init__(self, features: int, classes: int, landmarks: int = 0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("weight", torch.zeros(classes, landmarks or features))
        self.register_buffer("bias", torch.zeros(classes))
        self.register_buffer("landmarks", torch.zeros(landmarks, features))
        self.register_buffer("gamma", torch.ones(()))

    def forward(self, features: Tensor) -> Tensor:
        """Give log-odds, N×classes, of N×features."""
        unit = self.standardised(features)
        if len(self.landmarks):
            apart = torch.cdist(unit, self.landmarks)
            unit = torch.exp(-self.gamma * apart**2)
        return F.linear(unit, self.weight, self.bias)

    def standardised(self, features: Tensor) -> Tensor:
        """Give features in deviations from their means."""
        return ((features - self.mean) / self.scale).clamp(-FARTHEST, FARTHEST)


class Answers(nn.Module):
    """Readouts of one encoder's codes, and of texture statistics beside them.

    Args:
        encoder: The auto-encoder whose codes are read; it stays as it is.
        readouts: By name; those that read more features than a code has read the
            statistics of `caes.nn.texture` behind it.
    """

    def __init__(self, encoder: Model, readouts: Mapping[str, Readout]) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.readouts = nn.ModuleDict(dict(readouts))
        self.statistics = count(encoder.picture[2])

    def features(self, pictures: Tensor) -> Tensor:
        """Give codes, and statistics behind them, of N×H×W×C in [0, 1]."""
        return torch.cat([self.codes(pictures), texture(pictures)], 1)

    def codes(self, pictures: Tensor) -> Tensor:
        """Give codes of N×H×W×C in [0, 1]: N×values, of large maps means of cells."""
        codes = self.encoder.encode(pictures)
        if codes[0].numel() > WIDEST:
            codes = F.adaptive_avg_pool2d(codes.permute(0, 3, 1, 2), CELLS)
        return codes.flatten(1)

    def probabilities(self, pictures: Tensor, name: str) -> Tensor:
        """Give each class's probability by one readout: N×classes, rows of sum 1."""
        readout: Readout = self.readouts.get_submodule(name)  # type: ignore[assignment]
        codes = self.codes(pictures)
        if len(readout.mean) > codes.shape[1]:
            codes = torch.cat([codes, texture(pictures)], 1)
        return readout(codes).softmax(1)  # type: ignore[no-any-return]
