"""The classifier: an auto-encoder's encoder under dense layers and a softmax."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caes.nn.architecture import ActivationName, Architecture, Shape, Stage
from caes.nn.layers import Dense, initialise
from caes.nn.model import Model


class Classifier(nn.Module):
    """Convolutions that may start from a trained stack, and a head of dense layers.

    The CNN of Masci et al. 2011, section 4. The decoder comes along, and costs nothing.

    Args:
        trunk: The auto-encoder whose encoder is used; it becomes part of this.
        head: Units of the hidden dense layers above it, with the encoder's activation.
        classes: Number of classes.
        dropout: Share of what goes into each dense layer that is set to 0 while
            learning (Srivastava et al. 2014).
        seed: Of the head's weights.
    """

    def __init__(
        self,
        trunk: Model,
        head: tuple[int, ...],
        classes: int,
        *,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.head_units = head
        self.dropout = dropout
        self.frozen = False
        widths = (math.prod(self.arch.code_shape(self.picture)), *head, classes)
        self.widths = [*widths[:-1]]
        used: list[ActivationName] = [*[self.arch.activation] * len(head), "linear"]
        self.head = nn.ModuleList(
            Dense(Stage("head", "connect", (inputs,), (units,), activation=each))
            for (inputs, units), each in zip(pairwise(widths), used, strict=True)
        )
        initialise(self.head, torch.Generator().manual_seed(seed))
        self.choose(encoder=True)

    @property
    def arch(self) -> Architecture:
        """The encoder."""
        return self.trunk.arch

    @property
    def picture(self) -> Shape:
        """(H, W, C) of the pictures."""
        return self.trunk.picture

    def choose(self, *, encoder: bool) -> None:
        """Choose whether the encoder learns, or stays, normalisation included."""
        self.frozen = not encoder
        self.trunk.requires_grad_(encoder)
        for parameter in self.trunk.decoder_parameters():
            parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> "Classifier":
        """Turn training on or off; a frozen encoder stays in evaluation."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        """Give log-odds, N×classes, of N×H×W×C float32 in [0, 1]."""
        return self._decide(self.trunk.encode(pictures), None)

    def probabilities(self, pictures: Tensor) -> Tensor:
        """Give each class's probability, N×classes, rows summing to 1."""
        return self(pictures).softmax(1)  # type: ignore[no-any-return]

    def compare(
        self, pictures: Tensor, labels: Tensor, masks: Tensor | None = None
    ) -> Tensor:
        """Classify N×H×W×C in [0, 1] and compare with N class indices, int64.

        Gives (3,): the cross-entropy, the one figure with a gradient; NaN, as nothing
        is reconstructed; the accuracy. Masks are from `draw_masks`; None drops nothing.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            codes = self.trunk.encode(pictures)
        logits = self._decide(codes, masks)
        loss = F.cross_entropy(logits, labels, reduction="none").mean()
        right = logits.detach().argmax(1) == labels
        right &= logits.isnan().any(1).logical_not_()  # NaN is the largest of all
        nothing = loss.new_tensor(torch.nan)
        return torch.stack([loss, nothing, right.float().mean()])

    def draw_masks(self, n: int, generator: torch.Generator) -> Tensor | None:
        """Draw what is dropped of ``n`` pictures: n×features, 0 or 1/(1 - dropout)."""
        if not self.dropout:
            return None
        drawn = torch.rand(n, sum(self.widths), generator=generator)
        return (drawn >= self.dropout).float() / (1 - self.dropout)

    def _decide(self, codes: Tensor, masks: Tensor | None) -> Tensor:
        features = codes.flatten(1)
        kept: list[Tensor | None] = [None] * len(self.widths)
        if masks is not None:
            kept = [*torch.split(masks, self.widths, 1)]
        for layer, keep in zip(self.head, kept, strict=True):
            features = layer(features if keep is None else features * keep)
        return features
