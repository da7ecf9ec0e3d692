"""The classifier: an auto-encoder's encoder under dense layers and a softmax."""

import math
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caes.nn.architecture import ActivationName, Architecture, Shape
from caes.nn.kernels import threads
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
        hidden: list[ActivationName] = [self.arch.activation] * len(head)
        self.head = nn.ModuleList(
            Dense(inputs, units, activation=used)
            for (inputs, units), used in zip(
                pairwise(widths), [*hidden, "linear"], strict=True
            )
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
        for kept in ("_weights", "_shares"):
            self.__dict__.pop(kept, None)

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
        """Classify pictures and compare with their labels.

        Args:
            pictures: N×H×W×C float32 in [0, 1].
            labels: N class indices, int64.
            masks: From `draw_masks`; None drops nothing.

        Returns:
            (3,): the cross-entropy, the one figure with a gradient; NaN, as nothing is
            reconstructed; the accuracy.
        """
        batch = [pictures, labels, *([] if masks is None else [masks])]
        if not self._is_shared(pictures):
            return self._figures(*batch)
        return threads.compared(self._shares, self._weights, *batch)

    def draw_masks(self, n: int, generator: torch.Generator) -> Tensor | None:
        """Draw what is dropped of ``n`` pictures: n×features, 0 or 1/(1 - dropout)."""
        if not self.dropout:
            return None
        drawn = torch.rand(n, sum(self.widths), generator=generator)
        return (drawn >= self.dropout).float() / (1 - self.dropout)

    def _is_shared(self, pictures: Tensor) -> bool:
        """Tell whether sharing the batch out is possible here, and faster."""
        possible = self.trunk.splits_batches and self.trunk.is_plain(pictures)
        if not (threads.are_reserved() and possible):
            return False
        # Without a gradient, the compiled loop encodes on all threads by itself.
        learns = torch.is_grad_enabled() and not self.frozen
        return learns or self.trunk.path != "fused"

    def _figures(
        self, pictures: Tensor, labels: Tensor, masks: Tensor | None = None
    ) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            codes = self.trunk.encode(pictures)
        logits = self._decide(codes, masks)
        loss = F.cross_entropy(logits, labels, reduction="none").mean()
        right = logits.detach().argmax(1) == labels
        right &= logits.isnan().any(1).logical_not_()  # NaN is the largest of all
        nothing = loss.new_tensor(torch.nan)
        return torch.stack([loss, nothing, right.float().mean()])

    def _decide(self, codes: Tensor, masks: Tensor | None) -> Tensor:
        features = codes.flatten(1)
        kept: list[Tensor | None] = [None] * len(self.widths)
        if masks is not None:
            kept = [*torch.split(masks, self.widths, 1)]
        for layer, keep in zip(self.head, kept, strict=True):
            features = layer(features if keep is None else features * keep)
        return features

    @cached_property
    def _weights(self) -> list[nn.Parameter]:
        """What learns."""
        return [each for each in self.parameters() if each.requires_grad]

    @cached_property
    def _shares(self) -> threads.Shares:
        return threads.Shares(self._figures, self._weights)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process."""
        mine = ("_shares", "_weights")
        return {key: value for key, value in vars(self).items() if key not in mine}
