"""A level as an auto-encoder of its own: the CAE of Masci et al. 2011, section 3.

Tensors here are N×C×H×W in channels-last memory, or N×units. A level's code is what
the next level learns from: pooled maps behind their activation, or units.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caes.nn.architecture import ActivationName, Level, PaddingName
from caes.nn.layers import activate, convolve, convolve_back
from caes.nn.patches import cut, paste
from caes.nn.sparsity import Sparsity


class Code(NamedTuple):
    """What a level makes of its input.

    Args:
        maps: N×maps×h×w or N×units, float32.
        winners: N×maps×h×w, int64: where in the unpooled map (flat, row by row) each
            value was the largest of its cell; None without pooling.
    """

    maps: Tensor
    winners: Tensor | None = None


class StackLevel(nn.Module):
    """What every level offers: a code of what goes in, and the way back."""

    weight: nn.Parameter
    bias: nn.Parameter
    bias_back: nn.Parameter
    weight_back: nn.Parameter | None

    def encode(self, maps: Tensor, *, winners: bool = False) -> Code:
        """Give the code, and on request the places of its winners, if it has some."""
        raise NotImplementedError

    def decode(self, code: Code) -> Tensor:
        """Give back what went in."""
        raise NotImplementedError

    def reconstruct(self, maps: Tensor, sparsity: Sparsity | None = None) -> Tensor:
        """Encode and decode what goes in."""
        code = self.encode(maps, winners=True)
        if sparsity is not None:
            code = code._replace(maps=sparsity(code.maps))
        return self.decode(code)

    @property
    def _way_back(self) -> nn.Parameter:
        return self.weight if self.weight_back is None else self.weight_back


def _places(code: Code) -> Tensor:
    """Give where in each unpooled map its largest value is, N×maps."""
    place = code.maps.flatten(2).argmax(2, keepdim=True)
    if code.winners is not None:
        place = code.winners.flatten(2).gather(2, place)
    return place[..., 0]


class ConvolutionalLevel(StackLevel):
    """Convolution, max-pooling that erases all but the largest, and the way back.

    Code: h = σ(x ∗ W + b), largest of each cell (equation 4 of the paper and section
    3.1). Way back: y = σ'(Σ h ∗ W̃ + c) (equation 5), W̃ the flipped kernels when tied,
    kernels of their own otherwise; the values stand where they were before pooling, and
    what was erased is 0.

    Args:
        inputs: Channels that come in.
        level: Maps, kernel and pooling.
        tied: Whether the way back uses the same weights.
        padding: "valid" (the way back is then a full convolution) or "same".
        activation: σ, of the maps.
        output: σ', of what the way back gives.
        normalised: Whether batch normalisation follows convolution and pooling.
    """

    def __init__(
        self,
        inputs: int,
        level: Level,
        *,
        tied: bool,
        padding: PaddingName,
        activation: ActivationName,
        output: ActivationName,
        normalised: bool = False,
    ) -> None:
        super().__init__()
        shape = (level.maps, inputs, level.kernel, level.kernel)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(level.maps))
        self.weight_back = None if tied else nn.Parameter(torch.empty(shape))
        self.bias_back = nn.Parameter(torch.zeros(inputs))
        self.norm = nn.BatchNorm2d(level.maps) if normalised else None
        self.pool, self.padding = level.pool, padding
        self.activation, self.output = activation, output

    def encode(self, maps: Tensor, *, winners: bool = False) -> Code:
        """Give the code of N×inputs×H×W, and on request the places of its winners."""
        maps, where = convolve(maps, self.weight, self.bias, self.padding), None
        if self.pool > 1 and winners:
            maps, where = F.max_pool2d(maps, self.pool, return_indices=True)
        elif self.pool > 1:
            maps = F.max_pool2d(maps, self.pool)
        if self.norm is not None:
            maps = self.norm(maps)
        return Code(activate(maps, self.activation), where)

    def decode(self, code: Code) -> Tensor:
        """Give N×inputs×H×W back; without winners, their mean over where they may be.

        A value whose place in its cell of p×p is not known counts 1/p² in each.
        """
        maps = code.maps
        if self.pool > 1 and code.winners is not None:
            maps = F.max_unpool2d(maps, code.winners, [self.pool] * 2)
        elif self.pool > 1:
            maps = F.interpolate(maps, scale_factor=self.pool) / self.pool**2
        back = convolve_back(maps, self._way_back, self.bias_back, self.padding)
        return activate(back, self.output)

    def reconstruct(self, maps: Tensor, sparsity: Sparsity | None = None) -> Tensor:
        """Encode and decode what goes in.

        Where one value a map may reconstruct, nothing else has a gradient, nor a way
        back: while learning, only its patch is computed with.
        """
        if sparsity is None or self.norm is not None or not torch.is_grad_enabled():
            return super().reconstruct(maps, sparsity)
        with torch.no_grad():
            places = _places(self.encode(maps, winners=True))
        kernel = self.weight.shape[-1]
        seen = cut(maps, places, kernel, self.padding)
        sums = (seen * self.weight.flatten(2).transpose(0, 1)).sum((1, 3)) + self.bias
        values = sparsity(activate(sums, self.activation))
        patches = values[:, None, :, None] * self._way_back.flatten(2).transpose(0, 1)
        height, width = maps.shape[2:]
        back = paste(patches, places, (height, width), self.padding)
        return activate(back + self.bias_back[:, None, None], self.output)


class DenseLevel(StackLevel):
    """The fully connected auto-encoder: h = σ(Wx + b), y = σ'(Wᵀh + c).

    Equations 1 and 2 of the paper; with noise on x it is the denoising one (Vincent et
    al. 2008).

    Args:
        inputs: Shape of one input, (C, H, W) or (units,); it is flattened.
        units: Units of the code.
        tied: Whether the way back uses the same weights.
        activation: σ.
        output: σ'.
    """

    def __init__(
        self,
        inputs: tuple[int, ...],
        units: int,
        *,
        tied: bool,
        activation: ActivationName,
        output: ActivationName,
    ) -> None:
        super().__init__()
        features = torch.Size(inputs).numel()
        self.weight = nn.Parameter(torch.empty(units, features))
        self.bias = nn.Parameter(torch.empty(units))
        self.weight_back = None if tied else nn.Parameter(torch.empty(units, features))
        self.bias_back = nn.Parameter(torch.zeros(features))
        self.inputs = inputs
        self.activation, self.output = activation, output

    def encode(self, maps: Tensor, *, winners: bool = False) -> Code:
        """Give the code, N×units, of N×C×H×W or N×features; it has no winners."""
        if maps.ndim == 4:  # in the order H, W, C, as everywhere outside
            maps = maps.permute(0, 2, 3, 1).flatten(1)
        units = F.linear(maps, self.weight, self.bias)
        return Code(activate(units, self.activation))

    def decode(self, code: Code) -> Tensor:
        """Give N×C×H×W or N×features back."""
        back = F.linear(code.maps, self._way_back.t(), self.bias_back)
        back = activate(back, self.output)
        if len(self.inputs) == 1:
            return back
        channels, height, width = self.inputs
        return back.view(-1, height, width, channels).permute(0, 3, 1, 2)
