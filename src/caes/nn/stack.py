"""The stack: levels that are auto-encoders themselves, one above the other.

A level is the CAE of Masci et al. 2011, section 3: its code is what the next one learns
from, pooled maps behind their activation, or units. Where only one winner a map may
reconstruct, a level computes with the winners' patches alone.

Inside, tensors are N×C×H×W in channels-last memory, or N×units.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caes.nn.architecture import ActivationName, Architecture, PaddingName, Shape, Stage
from caes.nn.autoencoder import Autoencoder
from caes.nn.layers import (
    Convolution,
    Dense,
    activate,
    convolve_back,
    crop,
    frame,
    initialise,
    inside,
    outside,
    pad,
)
from caes.nn.model import Model
from caes.nn.sparsity import Sparsity


class Code(NamedTuple):
    """What a level makes of its input."""

    maps: Tensor  # N×maps×h×w or N×units, float32
    # N×maps×h×w, int64: where in the unpooled map (flat, row by row) each value was the
    # largest of its cell; None without pooling.
    winners: Tensor | None = None


class StackLevel(nn.Module):
    """What a layer needs to be a level: a code of what goes in, and the way back.

    Args:
        stage: The encoder's step that it is; its activation is σ.
        tied: Whether the way back uses the same weights.
        output: σ', of what the way back gives.
    """

    weight: nn.Parameter
    bias: nn.Parameter
    stage: Stage

    def __init__(self, stage: Stage, *, tied: bool, output: ActivationName) -> None:
        super().__init__(stage)  # the layer's
        back = None if tied else nn.Parameter(torch.empty_like(self.weight))
        self.weight_back = back
        self.bias_back = nn.Parameter(torch.zeros(self.weight.shape[1]))
        self.output = output

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


class ConvolutionalLevel(StackLevel, Convolution):
    """Convolution, max-pooling that erases all but the largest, and the way back.

    Code: h = σ(x ∗ W + b), largest of each cell (equation 4 of the paper and section
    3.1). Way back: y = σ'(Σ h ∗ W̃ + c) (equation 5), W̃ the flipped kernels when tied,
    kernels of their own otherwise; the values stand where they were before pooling, and
    what was erased is 0.
    """

    def encode(self, maps: Tensor, *, winners: bool = False) -> Code:
        """Give the code of N×inputs×H×W, and on request the places of its winners."""
        if not winners or self.stage.pool == 1:
            return Code(self(maps))
        pooled = F.max_pool2d(
            self.convolved(maps), self.stage.pool, return_indices=True
        )
        return Code(self.finished(pooled[0]), pooled[1])

    def decode(self, code: Code) -> Tensor:
        """Give N×inputs×H×W back; without winners, their mean over where they may be.

        A value whose place in its cell of p×p is not known counts 1/p² in each.
        """
        maps, pool, padding = code.maps, self.stage.pool, self.stage.padding
        if pool > 1 and code.winners is not None:
            maps = F.max_unpool2d(maps, code.winners, [pool, pool])
        elif pool > 1:
            maps = F.interpolate(maps, scale_factor=pool) / pool**2
        back = convolve_back(maps, self._way_back, self.bias_back, padding)
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
        kernel, padding = self.stage.kernel, self.stage.padding
        seen = extract_patches(maps, places, kernel, padding)
        sums = (seen * self.weight.flatten(2).transpose(0, 1)).sum((1, 3)) + self.bias
        values = sparsity(activate(sums, self.stage.activation))
        patches = values[:, None, :, None] * self._way_back.flatten(2).transpose(0, 1)
        height, width = maps.shape[2:]
        back = fold_patches(patches, places, (height, width), padding)
        return activate(back + self.bias_back[:, None, None], self.output)


class DenseLevel(StackLevel, Dense):
    """The fully connected auto-encoder: h = σ(Wx + b), y = σ'(Wᵀh + c).

    Equations 1 and 2 of the paper; with noise on x it is the denoising one (Vincent et
    al. 2008).
    """

    def encode(self, maps: Tensor, *, winners: bool = False) -> Code:
        """Give the code, N×units, of N×C×H×W or N×features; it has no winners."""
        return Code(self(maps))

    def decode(self, code: Code) -> Tensor:
        """Give N×C×H×W or N×features back."""
        back = F.linear(code.maps, self._way_back.t(), self.bias_back)
        return inside(activate(back, self.output).view(-1, *self.stage.input))


class Stack(Model):
    """Stacked convolutional auto-encoders (Masci et al. 2011, section 3.2).

    Every level is an auto-encoder of the code below it. A reconstruction goes up
    through all of them and down again, each value back to where pooling found it.

    Args:
        arch: Its levels; their decoders are tied or untied.
        picture: (H, W, C) of the pictures it is trained on.
        seed: Of the weights: Glorot-uniform, biases zero.
        sparsity: Which values of a code may take part in reconstructing; None for all.
    """

    def __init__(
        self,
        arch: Architecture,
        picture: Shape,
        seed: int = 0,
        sparsity: Sparsity | None = None,
    ) -> None:
        super().__init__(arch, picture)
        self.sparsity = sparsity
        kinds = {"connect": DenseLevel, "convolve": ConvolutionalLevel}
        self.levels = nn.ModuleList(
            kinds[stage.operation](
                stage,
                tied=arch.decoder == "tied",
                # The lowest's way back ends before the output's activation.
                output=arch.activation if index else "linear",
            )
            for index, stage in enumerate(arch.encoder(picture))
        )
        initialise(self, torch.Generator().manual_seed(seed))

    def encode(self, pictures: Tensor) -> Tensor:
        """Encode N×H×W×C in [0, 1] to N×h×w×maps or N×units; never sparse."""
        maps = pad(inside(pictures), self.arch)
        for level in self.each:
            maps = level.encode(maps).maps
        return outside(maps)

    def decode(self, codes: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Decode codes, of which nobody knows where pooling found them.

        Each value counts in all the places of its cell alike; `forward` knows the
        places, and is sharper. Clipped to [0, 1] where pictures lie in it.
        """
        maps = inside(codes)
        for level in reversed(self.each):
            maps = level.decode(Code(maps))
        height, width = size or self.picture[:2]
        return self.finished(outside(crop(maps, height, width, self.arch)))

    def forward(self, pictures: Tensor) -> Tensor:
        """Reconstruct: N×H×W×C float32 in [0, 1] in, the same, clipped to it, out."""
        return self.finished(self.raw(pictures))

    @property
    def each(self) -> list[StackLevel]:
        """The levels, the lowest first."""
        return [*self.levels]

    def decoder_parameters(self) -> list[nn.Parameter]:
        """Give what only the way back needs."""
        named = self.named_parameters()
        return [each for name, each in named if name.endswith("_back")]

    def adopt(self, lower: "Stack") -> None:
        """Take over the levels of a stack that is as high or lower."""
        for mine, theirs in zip(self.levels, lower.levels, strict=False):
            mine.load_state_dict(theirs.state_dict())

    def raw(self, inputs: Tensor) -> Tensor:
        """Reconstruct, but for the last activation: N×H×W×C, in and out.

        With sparsity, what comes down to a level counts where its own code, on the way
        up, had its winners: nothing else is what its way back has learnt from.
        """
        height, width = inputs.shape[1:3]
        maps = pad(inside(inputs), self.arch)
        codes: list[Code] = []
        for level in self.each:
            codes.append(level.encode(maps, winners=True))
            maps = codes[-1].maps
        for level, code in zip(self.each[::-1], codes[::-1], strict=True):
            if self.sparsity is not None:
                maps = maps.where(self.sparsity.winners(code.maps), 0)
            maps = level.decode(code._replace(maps=maps))
        return outside(crop(maps, height, width, self.arch))


class OneLevel(Model):
    """One level of a stack, from 0, as greedy training trains it, with its weights."""

    def __init__(self, stack: Stack, index: int) -> None:
        super().__init__(stack.arch, stack.picture)
        self.level = stack.each[index]
        self.lowest = index == 0
        self.sparsity = stack.sparsity

    def encode(self, pictures: Tensor) -> Tensor:
        """Give the level's code, N×h×w×maps or N×units, of what goes into it."""
        return outside(self.level.encode(self._entering(pictures)).maps)

    def raw(self, inputs: Tensor) -> Tensor:
        """Reconstruct what goes into the level; the lowest's is not yet activated."""
        maps = self.level.reconstruct(self._entering(inputs), self.sparsity)
        if self.lowest:
            maps = crop(maps, inputs.shape[1], inputs.shape[2], self.arch)
        return outside(maps)

    def _entering(self, inputs: Tensor) -> Tensor:
        maps = inside(inputs)
        return pad(maps, self.arch) if self.lowest else maps

    def compare(self, inputs: Tensor, targets: Tensor, loss: str) -> Tensor:
        """Compare pictures, as every model does; codes by their squares, always."""
        if self.lowest:
            return super().compare(inputs, targets, loss)
        square = (self.raw(inputs) - targets).square().mean()
        nothing = torch.full_like(square.detach(), torch.nan)  # to count right
        return torch.stack([square, square.detach(), nothing])


def autoencoder(
    arch: Architecture,
    picture: Shape,
    seed: int = 0,
    sparsity: Sparsity | None = None,
) -> Autoencoder | Stack:
    """Build the network that an architecture describes, mirrored or a stack."""
    if arch.decoder == "mirror":
        return Autoencoder(arch, picture, seed)
    return Stack(arch, picture, seed, sparsity)


def extract_patches(
    maps: Tensor, places: Tensor, kernel: int, padding: PaddingName
) -> Tensor:
    """Take patches out of N×C×H×W, what is convolved: N×C×K×k².

    A place, of N×K int64, is that of a value in a map that the convolution gives, flat
    and row by row; its patch is the k×k values of every channel that it was made of.
    """
    whole = F.pad(maps, frame(kernel)) if padding == "same" else maps
    index = _index(places, whole.shape[3], kernel, maps.shape[1])
    found = whole.flatten(2).gather(2, index)
    return found.view(*found.shape[:2], places.shape[1], kernel**2)


def fold_patches(
    patches: Tensor, places: Tensor, size: tuple[int, int], padding: PaddingName
) -> Tensor:
    """Add patches up where they were: N×C×H×W, the adjoint of `extract_patches`."""
    n, channels, _, area = patches.shape
    kernel = round(area**0.5)
    left, right, top, below = frame(kernel) if padding == "same" else (0,) * 4
    tall, wide = size[0] + top + below, size[1] + left + right
    index = _index(places, wide, kernel, channels)
    flat = patches.new_zeros(n, channels, tall * wide)
    whole = flat.scatter_add(2, index, patches.flatten(2))
    whole = whole.view(n, channels, tall, wide)
    return whole[:, :, top : tall - below, left : wide - right]


def _index(places: Tensor, wide: int, kernel: int, channels: int) -> Tensor:
    """Give where patches lie in flat maps that are so wide: N×C×(K·k²)."""
    across = wide - kernel + 1
    first = places // across * wide + places % across
    steps = torch.arange(kernel, device=places.device)
    within = (steps[:, None] * wide + steps).flatten()
    flat = (first[..., None] + within).flatten(1)
    return flat[:, None].expand(-1, channels, -1)
