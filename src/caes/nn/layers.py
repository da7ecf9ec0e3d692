"""One level's parts: convolution, up-convolution, pooling, dense, padding.

Tensors here are N×C×H×W in channels-last memory, as PyTorch's fast kernels want them.
Convolutions between many channels go through `caes.nn.kernels.winograd` on the CPU.
Each part is exact: what it computes is what its docstring's plain formulation computes,
up to the rounding of 32-bit floats, at most 20 times that of PyTorch's own convolution.
A picture's code alone and in a batch differ by at most 1e-5 of the largest value.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caes.nn.architecture import ActivationName, Architecture, PaddingName, Stage
from caes.nn.kernels import winograd

LEAST_BATCH = 8
"""Pictures that pay for taking the filters to another basis."""


def activate(values: Tensor, name: ActivationName) -> Tensor:
    """Apply an activation to each value; all rise, so they commute with max-pooling."""
    match name:
        case "relu":
            return F.relu(values)
        case "tanh":
            return values.tanh()
        case "sigmoid":
            return values.sigmoid()
        case "elu":
            return F.elu(values)
        case "linear":
            return values


def fold_up_sampling(weight: Tensor, factor: int) -> Tensor:
    """Fold nearest up-sampling into the convolution that follows it.

    Nearest up-sampling by u and then a k×k convolution w is one transposed convolution
    of stride u with the (k+u-1)×(k+u-1) kernel G[g] = Σ_{0≤s<u} w[k-1+s-g]: every
    coarse cell meets each weight's sum only once. w is outputs×inputs×k×k, G
    inputs×outputs×(k+u-1)×(k+u-1).
    """
    flipped = weight.flip(2, 3).transpose(0, 1)
    framed = F.pad(flipped, [factor - 1] * 4)
    return F.avg_pool2d(framed, factor, stride=1, divisor_override=1)


def convolve(
    maps: Tensor, weight: Tensor, bias: Tensor, padding: PaddingName = "same"
) -> Tensor:
    """Convolve, as networks do: correlate each kernel with the maps.

    Args:
        maps: N×inputs×H×W.
        weight: outputs×inputs×k×k.
        bias: outputs.
        padding: "same": zeros around, so that height and width stay; as in Keras, the
            frame is (k-1)//2 wide above and left, and the rest of k-1 below and right.
            "valid": none; they shrink by k-1.

    Returns:
        N×outputs×H'×W'.
    """
    kernel = weight.shape[-1]
    same = padding == "same"
    places = _places(maps, weight, same)
    if same and (places or kernel % 2 == 0):
        maps, same = F.pad(maps, frame(kernel)), False
    if not places:
        return F.conv2d(maps, weight, bias, padding=kernel // 2 if same else 0)
    found = winograd.convolve(maps.permute(0, 2, 3, 1), weight, places)
    return (found + bias).permute(0, 3, 1, 2)


def convolve_back(
    maps: Tensor, weight: Tensor, bias: Tensor, padding: PaddingName = "same"
) -> Tensor:
    """Convolve the other way: the adjoint of `convolve` without its bias, plus a bias.

    N×outputs×H×W become N×inputs×H×W; after a valid convolution this is the full one
    with flipped kernels, so that sizes return exactly.
    """
    kernel = weight.shape[-1]
    places = _places(maps, weight, same=True)  # of these H'×W', whatever the padding
    if places:
        found = winograd.convolve_adjoint(maps.permute(0, 2, 3, 1), weight, places)
        whole = (found + bias).permute(0, 3, 1, 2)
    elif padding == "same" and kernel % 2:
        return F.conv_transpose2d(maps, weight, bias, padding=kernel // 2)
    else:
        whole = F.conv_transpose2d(maps, weight, bias)
    if padding == "valid":
        return whole
    left, right, top, below = frame(kernel)
    return whole[..., top : whole.shape[-2] - below, left : whole.shape[-1] - right]


def frame(kernel: int) -> tuple[int, int, int, int]:
    """Give the zeros left, right, above and below that keep a picture's size."""
    before, after = (kernel - 1) // 2, kernel // 2
    return before, after, before, after


def is_plain(*tensors: Tensor) -> bool:
    """Tell 32-bit arithmetic on the CPU."""
    return not torch.is_autocast_enabled("cpu") and all(
        each.device.type == "cpu" and each.dtype == torch.float32 for each in tensors
    )


def inside(maps: Tensor) -> Tensor:
    """N×H×W×C, as outside of here, to N×C×H×W; N×units stay."""
    return maps.permute(0, 3, 1, 2) if maps.ndim == 4 else maps


def outside(maps: Tensor) -> Tensor:
    """N×C×H×W to N×H×W×C, as outside of here; N×units stay."""
    return maps.permute(0, 2, 3, 1) if maps.ndim == 4 else maps


def _places(maps: Tensor, weight: Tensor, same: bool) -> int:
    """Choose the blocks of `caes.nn.kernels.winograd`; 0 for direct convolution."""
    if not is_plain(maps, weight) or maps.shape[0] < LEAST_BATCH:
        return 0
    outputs, inputs, kernel, _ = weight.shape
    lost = 0 if same else kernel - 1
    height, width = maps.shape[-2] - lost, maps.shape[-1] - lost
    return winograd.places_for(height, width, inputs, outputs, kernel)


def up_convolve(maps: Tensor, weight: Tensor, bias: Tensor, factor: int) -> Tensor:
    """Up-sample N×inputs×H×W (nearest) and convolve, as one transposed convolution."""
    if factor == 1:
        return convolve(maps, weight, bias)
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

    The activation comes after the pooling instead of before it: the two commute, in
    value and in gradient, and there is less to compute. Batch normalisation (Ioffe &
    Szegedy 2015) may stand between the two.
    """

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        inputs, maps, kernel = stage.input[2], stage.output[2], stage.kernel
        self.weight = nn.Parameter(torch.empty(maps, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(maps))
        self.norm = nn.BatchNorm2d(maps) if stage.normalised else None
        self.stage = stage

    def forward(self, maps: Tensor) -> Tensor:
        """N×inputs×H×W to N×maps×H'×W'."""
        maps, stage = self.convolved(maps), self.stage
        return self.finished(F.max_pool2d(maps, stage.pool) if stage.pool > 1 else maps)

    def convolved(self, maps: Tensor) -> Tensor:
        """Give what is pooled: N×maps, as high and wide as the convolution leaves."""
        if self.stage.up > 1:
            return up_convolve(maps, self.weight, self.bias, self.stage.up)
        return convolve(maps, self.weight, self.bias, self.stage.padding)

    def finished(self, maps: Tensor) -> Tensor:
        """Normalise and activate what was pooled."""
        if self.norm is not None:
            maps = self.norm(maps)
        return activate(maps, self.stage.activation)


class Dense(nn.Module):
    """A fully connected layer, from maps or N×inputs to maps or N×units."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        inputs, units = math.prod(stage.input), math.prod(stage.output)
        self.weight = nn.Parameter(torch.empty(units, inputs))
        self.bias = nn.Parameter(torch.empty(units))
        self.stage = stage

    def forward(self, features: Tensor) -> Tensor:
        """Maps are flattened in the order H, W, C, as everywhere outside."""
        units = F.linear(outside(features).flatten(1), self.weight, self.bias)
        units = activate(units, self.stage.activation)
        return inside(units.view(-1, *self.stage.output))


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw Glorot-uniform weights and set biases to zero, as Keras does.

    Weights are uniform in ±sqrt(6 / (fan_in + fan_out)), the fans counted with the
    kernel's area (Glorot & Bengio 2010, equation 16). Normalisations start as 1 and 0.
    """
    for parameter in module.parameters():
        if parameter.ndim == 1:
            continue
        outputs, inputs, *sides = parameter.shape
        bound = math.sqrt(6 / ((inputs + outputs) * math.prod(sides)))
        with torch.no_grad():
            parameter.uniform_(-bound, bound, generator=generator)
    for part in module.modules():
        bias = getattr(part, "bias", None)
        if isinstance(bias, nn.Parameter):
            nn.init.zeros_(bias)


def pad(maps: Tensor, arch: Architecture) -> Tensor:
    """Pad N×C×H×W to a size that the poolings divide, repeating edges evenly."""
    around = arch.frame(*maps.shape[-2:])
    return F.pad(maps, around, mode="replicate") if any(around) else maps


def crop(maps: Tensor, height: int, width: int, arch: Architecture) -> Tensor:
    """Take the padding of `pad` away again: a view, N×C×height×width."""
    top, left = arch.margins(height, width)
    return maps[..., top : top + height, left : left + width]
