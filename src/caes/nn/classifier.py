"""The classifier: an auto-encoder's encoder under dense layers and a softmax."""

import math
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caes.nn.architecture import ActivationName, Architecture, Shape
from caes.nn.kernels import threads
from caes.nn.layers import Dense, activate, initialise
from caes.nn.model import Model


class Classifier(nn.Module):
    """Convolutions that may start from a trained stack, and a head of dense layers.

    The CNN of Masci et al. 2011, section 4. The decoder comes along: it may go on
    learning as a second task, and costs nothing otherwise.

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
        self.choose(encoder=True, decoder=False)

    @property
    def arch(self) -> Architecture:
        """The encoder."""
        return self.trunk.arch

    @property
    def picture(self) -> Shape:
        """(H, W, C) of the pictures."""
        return self.trunk.picture

    def choose(self, *, encoder: bool, decoder: bool) -> None:
        """Choose what learns beside the head; without a choice, the encoder.

        Args:
            encoder: Whether the encoder does; else it stays as it is, normalisation
                included.
            decoder: Whether the decoder does, as a second task.
        """
        self.frozen = not encoder
        self.trunk.requires_grad_(encoder)
        for parameter in self.trunk.decoder_parameters():
            parameter.requires_grad_(encoder and decoder)
        for kept in ("_weights", "_cache"):
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
        self,
        pictures: Tensor,
        labels: Tensor,
        weights: Tensor,
        masks: Tensor | None = None,
        *,
        smoothing: float = 0.0,
        reconstruction: float = 0.0,
    ) -> Tensor:
        """Classify pictures and compare with their labels.

        Args:
            pictures: N×H×W×C float32 in [0, 1].
            labels: N class indices, int64.
            weights: N×2 float32: each picture's weight in the loss, and in the
                accuracy; the means over N are taken of the weighted values.
            masks: From `draw_masks`; None drops nothing.
            smoothing: Share of each target spread evenly over all classes (Szegedy et
                al. 2016, section 7).
            reconstruction: Weight of the mean squared reconstruction error, as a second
                task; 0 where the encoder does not learn.

        Returns:
            (3,): the loss, the one figure with a gradient; the mean squared
            reconstruction error, NaN where it is no task; the accuracy.
        """
        compare = partial(
            self._figures, smoothing=smoothing, reconstruction=reconstruction
        )
        batch = [pictures, labels, weights, *([] if masks is None else [masks])]
        if not self._shares(pictures):
            return compare(*batch)
        key = (smoothing, reconstruction)
        if self._cache.get("key") != key:
            self._cache.update(key=key, runner=threads.Shares(compare, self._weights))
        return threads.compared(self._cache["runner"], self._weights, *batch)

    def draw_masks(self, n: int, generator: torch.Generator) -> Tensor | None:
        """Draw what is dropped of ``n`` pictures: n×features, 0 or 1/(1 - dropout)."""
        if not self.dropout:
            return None
        drawn = torch.rand(n, sum(self.widths), generator=generator)
        return (drawn >= self.dropout).float() / (1 - self.dropout)

    def _shares(self, pictures: Tensor) -> bool:
        """Tell whether sharing the batch out is possible here, and faster."""
        possible = self.trunk.splits_batches and self.trunk.is_plain(pictures)
        if not (threads.are_reserved() and possible):
            return False
        # Without a gradient, the compiled loop encodes on all threads by itself.
        learns = torch.is_grad_enabled() and not self.frozen
        return learns or self.trunk.path != "fused"

    def _figures(
        self,
        pictures: Tensor,
        labels: Tensor,
        weights: Tensor,
        masks: Tensor | None = None,
        *,
        smoothing: float,
        reconstruction: float,
    ) -> Tensor:
        codes, square = self._codes(pictures, bool(reconstruction))
        logits = self._decide(codes, masks)
        losses = F.cross_entropy(
            logits, labels, reduction="none", label_smoothing=smoothing
        )
        loss = (losses * weights[:, 0]).mean()
        if reconstruction:
            loss = loss + reconstruction * square
        guessed = logits.detach().argmax(1) == labels
        guessed &= logits.isnan().any(1).logical_not_()  # NaN is the largest of all
        right = guessed.float() * weights[:, 1]
        return torch.stack([loss, square.detach(), right.mean()])

    def _codes(self, pictures: Tensor, back: bool) -> tuple[Tensor, Tensor]:
        nothing = pictures.new_tensor(torch.nan)
        if self.frozen:
            with torch.no_grad():
                return self.trunk.encode(pictures), nothing
        if not back:
            return self.trunk.encode(pictures), nothing
        codes, raw = self.trunk.both(pictures)
        again = activate(raw, self.arch.output)
        return codes, F.mse_loss(again, pictures)

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
    def _cache(self) -> dict[str, Any]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process."""
        mine = ("_cache", "_weights")
        return {key: value for key, value in vars(self).items() if key not in mine}
