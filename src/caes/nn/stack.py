"""The stack: levels that each encode and decode, one above the other."""

import torch
from torch import Tensor, nn

from caes.nn.architecture import ActivationName, Architecture, Shape
from caes.nn.autoencoder import Autoencoder
from caes.nn.layers import activate, crop, initialise, inside, outside, pad
from caes.nn.levels import Code, ConvolutionalLevel, DenseLevel, StackLevel
from caes.nn.model import Model
from caes.nn.sparsity import Sparsity


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
        self.levels = nn.ModuleList(_levels(arch, picture))
        initialise(self, torch.Generator().manual_seed(seed))

    def encode(self, pictures: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            pictures: N×H×W×C float32 in [0, 1].

        Returns:
            N×h×w×maps, or N×units with dense layers, float32; without sparsity, which
            is for learning only.
        """
        maps = pad(inside(pictures), self.arch)
        for level in self.each:
            maps = level.encode(maps).maps
        return outside(maps)

    def decode(self, codes: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Decode codes, of which nobody knows where pooling found them.

        Args:
            codes: As `encode` gives them.
            size: (H, W) of the pictures; without it, the training pictures' size.

        Returns:
            N×H×W×C float32, clipped to [0, 1] where pictures lie in it: each value
            counts in all the places of its cell alike. `forward` knows the places, and
            is sharper.
        """
        maps = inside(codes)
        for level in reversed(self.each):
            maps = level.decode(Code(maps))
        height, width, _ = self.picture
        return self._finished(maps, size or (height, width))

    def forward(self, pictures: Tensor) -> Tensor:
        """Reconstruct: N×H×W×C float32 in [0, 1] in, the same, clipped to it, out."""
        height, width = pictures.shape[1:3]
        return self._finished(self._there_and_back(pictures)[1], (height, width))

    def both(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Give codes, as `encode` does, and reconstructions, as `raw` does."""
        height, width = inputs.shape[1:3]
        codes, maps = self._there_and_back(inputs)
        return outside(codes), outside(crop(maps, height, width, self.arch))

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

    @property
    def splits_batches(self) -> bool:
        """Whether pictures can be compared in parts: none looks at the others."""
        alone = self.sparsity is None or self.sparsity.lifetime == 1
        return alone and super().splits_batches

    @property
    def is_local(self) -> bool:
        """Whether each reconstructed pixel depends on a neighbourhood only.

        Winners are chosen over a whole map.
        """
        return self.sparsity is None and super().is_local

    def _there_and_back(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Give the top code, and what the levels make of it on the way down.

        With sparsity, what comes down to a level counts where its own code, on the way
        up, had its winners: nothing else is what its way back has learnt from.
        """
        maps = pad(inside(pictures), self.arch)
        codes: list[Code] = []
        for level in self.each:
            codes.append(level.encode(maps, winners=True))
            maps = codes[-1].maps
        top = maps
        for level, code in zip(self.each[::-1], codes[::-1], strict=True):
            if self.sparsity is not None:
                maps = maps.where(self.sparsity.winners(code.maps), 0)
            maps = level.decode(code._replace(maps=maps))
        return top, maps

    def _finished(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        pictures = activate(crop(maps, *size, self.arch), self.arch.output)
        return outside(pictures.clamp(0, 1) if self.arch.bounded else pictures)


class OneLevel(Model):
    """One level of a stack, as the auto-encoder that greedy training trains.

    Args:
        stack: Whose level it is; the weights are shared with it.
        index: Which, counted from 0. The lowest learns from pictures, the others from
            the code below.
    """

    def __init__(self, stack: Stack, index: int) -> None:
        super().__init__(stack.arch, stack.picture)
        self.level = stack.each[index]
        self.lowest = index == 0
        self.sparsity = stack.sparsity
        self.alone = stack.splits_batches

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

    @property
    def splits_batches(self) -> bool:
        """Whether pictures can be compared in parts."""
        return self.alone

    def _figures(self, inputs: Tensor, targets: Tensor, loss: str) -> Tensor:
        if self.lowest:
            return super()._figures(inputs, targets, loss)
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


def _levels(arch: Architecture, picture: Shape) -> list[StackLevel]:
    """Build the levels; the lowest's way back ends before the output's activation."""
    tied, used = arch.decoder == "tied", arch.activation
    levels: list[StackLevel] = []
    for index, stage in enumerate(arch.encoder(picture)):
        shape = stage.input
        output: ActivationName = used if index else "linear"
        if index < len(arch.levels):
            level = ConvolutionalLevel(
                shape[2],
                arch.levels[index],
                tied=tied,
                padding=arch.padding,
                activation=used,
                output=output,
                normalised=arch.normalised,
            )
            levels.append(level)
            continue
        units = stage.output[0]
        inner = (shape[2], *shape[:2]) if len(shape) == 3 else shape
        levels.append(
            DenseLevel(inner, units, tied=tied, activation=used, output=output)
        )
    return levels
