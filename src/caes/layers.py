"""One level's parts: convolution, up-convolution, pooling, dense, padding.

Tensors here are N×C×H×W in channels-last memory, as PyTorch's fast kernels want them.
Each part is exact: what it computes is what its docstring's plain formulation computes,
up to the rounding of 32-bit floats.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caes.notation import Architecture


def fold_up_sampling(weight: Tensor, factor: int) -> Tensor:
    """Fold nearest up-sampling into the convolution that follows it.

    Nearest up-sampling by u and then a k×k convolution w is one transposed convolution
    of stride u with the (k+u-1)×(k+u-1) kernel G[g] = Σ_{0≤s<u} w[k-1+s-g]: every
    coarse cell meets each weight's sum only once.

    Args:
        weight: Convolution's kernel, outputs×inputs×k×k.
        factor: Up-sampling factor u.

    Returns:
        Transposed convolution's kernel G, inputs×outputs×(k+u-1)×(k+u-1).
    """
    flipped = weight.flip(2, 3).transpose(0, 1)
    framed = F.pad(flipped, [factor - 1] * 4)
    return F.avg_pool2d(framed, factor, stride=1, divisor_override=1)


def convolve_same(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve with zeros around, so that height and width stay.

    As in Keras, the frame of zeros is (k-1)//2 wide above and left, and the rest of
    k-1 below and right.

    Args:
        maps: N×inputs×H×W.
        weight: outputs×inputs×k×k.
        bias: outputs.

    Returns:
        N×outputs×H×W.
    """
    kernel = weight.shape[-1]
    if kernel % 2:
        return F.conv2d(maps, weight, bias, padding=kernel // 2)
    before, after = (kernel - 1) // 2, kernel // 2
    return F.conv2d(F.pad(maps, (before, after, before, after)), weight, bias)


def up_convolve(maps: Tensor, weight: Tensor, bias: Tensor, factor: int) -> Tensor:
    """Up-sample (nearest) by ``factor`` and convolve, as one transposed convolution.

    Args:
        maps: N×inputs×H×W.
        weight: outputs×inputs×k×k.
        bias: outputs.
        factor: Up-sampling factor.

    Returns:
        N×outputs×(H·factor)×(W·factor).
    """
    if factor == 1:
        return convolve_same(maps, weight, bias)
    kernel = weight.shape[-1]
    return F.conv_transpose2d(
        maps,
        fold_up_sampling(weight, factor),
        bias,
        stride=factor,
        padding=kernel // 2,
        output_padding=1 - kernel % 2,
    )


class Convolution(nn.Module):
    """Up-sampling, convolution, pooling and activation: one step of the auto-encoder.

    ReLU comes after the pooling instead of before it: the two commute, in value and in
    gradient, and there is less to rectify.

    Args:
        inputs: Channels that come in.
        maps: Feature maps that come out.
        kernel: Side of the kernels.
        up: Nearest up-sampling before the convolution; 1 for none.
        pool: Max-pooling after it; 1 for none.
        relu: Whether the maps are rectified.
    """

    def __init__(
        self,
        inputs: int,
        maps: int,
        kernel: int,
        *,
        up: int = 1,
        pool: int = 1,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(maps, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(maps))
        self.up, self.pool, self.relu = up, pool, relu

    def forward(self, maps: Tensor) -> Tensor:
        """N×inputs×H×W to N×maps×(H·up/pool)×(W·up/pool)."""
        maps = up_convolve(maps, self.weight, self.bias, self.up)
        if self.pool > 1:
            maps = F.max_pool2d(maps, self.pool)
        return F.relu(maps) if self.relu else maps


class Dense(nn.Module):
    """A fully connected layer over flat features.

    Args:
        inputs: Features that come in.
        units: Units that come out.
        relu: Whether the units are rectified.
    """

    def __init__(self, inputs: int, units: int, *, relu: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(units, inputs))
        self.bias = nn.Parameter(torch.empty(units))
        self.relu = relu

    def forward(self, features: Tensor) -> Tensor:
        """N×inputs to N×units."""
        units = F.linear(features, self.weight, self.bias)
        return F.relu(units) if self.relu else units


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw Glorot-uniform weights and set biases to zero, as Keras does.

    Weights are uniform in ±sqrt(6 / (fan_in + fan_out)), the fans counted with the
    kernel's area (Glorot & Bengio 2010, equation 16).
    """
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
            continue
        outputs, inputs, *sides = parameter.shape
        bound = math.sqrt(6 / ((inputs + outputs) * math.prod(sides)))
        with torch.no_grad():
            parameter.uniform_(-bound, bound, generator=generator)


def pad(maps: Tensor, arch: Architecture) -> Tensor:
    """Pad pictures to a size that the pooling divides, repeating their edges.

    Args:
        maps: N×C×H×W.
        arch: Whose poolings are meant.

    Returns:
        N×C×H'×W', the picture in the middle; the same tensor when nothing is missing.
    """
    height, width = maps.shape[-2:]
    tall, wide = arch.padded(height, width)
    if (tall, wide) == (height, width):
        return maps
    top, left = arch.margins(height, width)
    frame = (left, wide - width - left, top, tall - height - top)
    return F.pad(maps, frame, mode="replicate")


def crop(maps: Tensor, height: int, width: int, arch: Architecture) -> Tensor:
    """Take the padding of `pad` away again.

    Args:
        maps: N×C×H'×W'.
        height: Rows before the padding.
        width: Columns before the padding.
        arch: Whose poolings were meant.

    Returns:
        N×C×height×width, a view.
    """
    top, left = arch.margins(height, width)
    return maps[..., top : top + height, left : left + width]
