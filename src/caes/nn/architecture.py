"""The authors' own way to write a network: ``16C3-MP2-8C3-MP2`` and its figures.

``16C3`` is a convolution to 16 maps with 3×3 kernels, ``MP2`` a max-pooling of 2×2
cells, ``32N`` a dense layer of 32 units (Cireşan et al. 2011; Masci et al. 2011).
Everything here is arithmetic on numbers: no network is built and no torch imported.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from caes.errors import NotationError

Shape = tuple[int, ...]
"""(H, W, C) of a picture or of feature maps, or (units,)."""

EXAMPLE = "16C3-MP2-8C3-MP2"
DecoderName = Literal["mirror", "tied", "untied"]
PaddingName = Literal["same", "valid"]
ActivationName = Literal["relu", "tanh", "sigmoid", "elu", "linear"]

LARGEST = 65_536
"""No number in the notation may pass this: a slip of the finger, not a network."""


@dataclass(frozen=True)
class Level:
    """One level of a stack: a convolution and the max-pooling that follows it.

    Args:
        maps: Feature maps the convolution makes.
        kernel: Side of its square kernels, in pixels.
        pool: Side of the square pooling cells; 1 where there is no pooling.
    """

    maps: int
    kernel: int
    pool: int = 1

    def __str__(self) -> str:
        pooling = f"-MP{self.pool}" if self.pool > 1 else ""
        return f"{self.maps}C{self.kernel}{pooling}"


@dataclass(frozen=True)
class Stage:
    """One row of a network's summary: what is done, and what comes out.

    Args:
        part: "encoder" or "decoder".
        action: "pad", "convolve", "normalise", "pool", "upsample", "unpool", "back"
            (the convolution's transpose), "crop", "flatten", "connect" (dense) or
            "unflatten".
        output: Shape that comes out, (H, W, C) or (units,).
        size: Kernel, pooling cell or up-sampling factor, in pixels; else 0.
        parameters: Weights and biases that are learned here.
        activation: "relu", "tanh", "sigmoid", "elu" or "" (none).
        tied: Whether the weights are the encoder's, and only biases are counted.
    """

    part: str
    action: str
    output: Shape
    size: int = 0
    parameters: int = 0
    activation: str = ""
    tied: bool = False

    @property
    def title(self) -> str:
        """The row's name for a reader, such as "convolution 16@3×3, relu"."""
        side = f"{self.size}×{self.size}"
        names = {
            "convolve": f"convolution {self.output[-1]}@{side}",
            "normalise": "batch normalisation",
            "pool": f"max-pooling {side}",
            "upsample": f"up-sampling {side}",
            "unpool": f"un-pooling {side}, to where the largest were",
            "back": f"transposed convolution {self.output[-1]}@{side}",
            "connect": f"dense {self.output[-1]}",
        }
        name = "tied " * self.tied + names.get(self.action, self.action)
        return f"{name}, {self.activation}" if self.activation else name


@dataclass(frozen=True)
class Architecture:
    """An encoder as it was written, and how its decoder leads back.

    Args:
        levels: The convolutional levels, the lowest first.
        dense: Units of the dense layers above them; the last one is the code.
        decoder: "mirror": convolutions and nearest up-sampling in the encoder's
            reverse; "tied": each level's own transpose; "untied": the same with
            weights of its own.
        padding: "same" (zeros around, sizes stay) or "valid" (none, sizes shrink).
        activation: Of every hidden level.
        output: Activation of the reconstructed picture.
        normalised: Whether each convolution is followed by batch normalisation.
        bounded: Whether pictures, and with them reconstructions, lie in [0, 1].
    """

    levels: tuple[Level, ...]
    dense: tuple[int, ...] = ()
    decoder: DecoderName = "mirror"
    padding: PaddingName = "same"
    activation: ActivationName = "relu"
    output: ActivationName = "sigmoid"
    normalised: bool = False
    bounded: bool = True

    def __str__(self) -> str:
        return "-".join([*map(str, self.levels), *(f"{n}N" for n in self.dense)])

    @property
    def depth(self) -> int:
        """Levels, dense ones included."""
        return len(self.levels) + len(self.dense)

    @property
    def stride(self) -> int:
        """Pixels of the picture, along one side, from one code cell to the next."""
        return math.prod(level.pool for level in self.levels)

    @property
    def shrinkage(self) -> int:
        """Pixels of the picture, along one side, that valid convolutions eat up."""
        if self.padding == "same":
            return 0
        eaten, stride = 0, 1
        for level in self.levels:
            eaten += (level.kernel - 1) * stride
            stride *= level.pool
        return eaten

    @property
    def smallest(self) -> int:
        """Side of the smallest picture that the network can take."""
        return self.stride + self.shrinkage

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """Give the size inside the network: the next one that gives whole cells."""
        return self._padded(height), self._padded(width)

    def _padded(self, side: int) -> int:
        cells = -(-(side - self.shrinkage) // self.stride)
        return max(cells, 1) * self.stride + self.shrinkage

    def margins(self, height: int, width: int) -> tuple[int, int]:
        """Give the rows above and the columns left of the picture once padded."""
        tall, wide = self.padded(height, width)
        return (tall - height) // 2, (wide - width) // 2

    def check(self, picture: Shape) -> None:
        """Refuse pictures that are too small for the poolings.

        Args:
            picture: (H, W, C).

        Raises:
            NotationError: The picture is smaller than one cell of the code sees.
        """
        height, width, _ = picture
        if min(height, width) < (least := self.smallest):
            valid = self.padding == "valid"
            reason = "valid convolutions and poolings" if valid else "poolings"
            raise NotationError(
                "arch",
                f"{str(self)!r} for pictures of {height}×{width}",
                f"pictures of at least {least}×{least} for its {reason}",
                "Take MP parts away, or give larger pictures.",
            )

    def code_shape(self, picture: Shape) -> Shape:
        """Give the code's shape, (H, W, maps) or (units,), for a picture (H, W, C).

        Raises:
            NotationError: The picture is too small.
        """
        *_, last = self.encoder(picture)
        return last.output

    def parameters(self, picture: Shape) -> int:
        """Count weights and biases of encoder and decoder for a picture (H, W, C).

        Raises:
            NotationError: The picture is too small.
        """
        return sum(stage.parameters for stage in self.stages(picture))

    def stages(self, picture: Shape) -> tuple[Stage, ...]:
        """List every step of the auto-encoder for a picture (H, W, C).

        Raises:
            NotationError: The picture is too small.
        """
        mirrored = self.decoder == "mirror"
        back = self._mirrored(picture) if mirrored else self._transposed(picture)
        return (*self.encoder(picture), *back)

    def encoder(self, picture: Shape) -> Iterator[Stage]:
        """List the encoder's steps for a picture (H, W, C).

        Raises:
            NotationError: The picture is too small.
        """
        self.check(picture)
        height, width, channels = picture
        if (height, width) != (padded := self.padded(height, width)):
            height, width = padded
            yield Stage("encoder", "pad", (height, width, channels))
        for level in self.levels:
            height, width = self._convolved(level, height, width)
            output = (height, width, level.maps)
            used = "" if self.normalised else self._shown(self.activation)
            yield _convolve("encoder", channels, output, level.kernel, used)
            channels = level.maps
            if level.pool > 1:
                height, width = height // level.pool, width // level.pool
                yield Stage("encoder", "pool", (height, width, channels), level.pool)
            if self.normalised:
                output, used = (height, width, channels), self._shown(self.activation)
                yield Stage("encoder", "normalise", output, 0, 2 * channels, used)
        if self.dense:
            units = height * width * channels
            yield Stage("encoder", "flatten", (units,))
            hidden = self._shown(self.activation)
            last = "" if self.decoder == "mirror" else hidden
            yield from _connect("encoder", units, self.dense, hidden, last)

    def _convolved(self, level: Level, height: int, width: int) -> tuple[int, int]:
        lost = 0 if self.padding == "same" else level.kernel - 1
        return height - lost, width - lost

    @staticmethod
    def _shown(activation: str) -> str:
        return "" if activation == "linear" else activation

    def _mirrored(self, picture: Shape) -> Iterator[Stage]:
        """List the steps of the mirrored decoder for a picture (H, W, C).

        Each level becomes a convolution to its own maps and an up-sampling by its
        pooling; one more convolution leads to the picture's channels.
        """
        (height, width), channels = self.padded(*picture[:2]), picture[2]
        inner = [channels, *(level.maps for level in self.levels)][-1]
        h, w = height // self.stride, width // self.stride
        hidden, output = self._shown(self.activation), self._shown(self.output)
        if self.dense:
            last = hidden if self.levels else output
            units = (*reversed(self.dense[:-1]), h * w * inner)
            yield from _connect("decoder", self.dense[-1], units, hidden, last)
            yield Stage("decoder", "unflatten", (h, w, inner))
        for level in reversed(self.levels):
            size = (h, w, level.maps)
            yield _convolve("decoder", inner, size, level.kernel, hidden)
            inner = level.maps
            if level.pool > 1:
                h, w = h * level.pool, w * level.pool
                yield Stage("decoder", "upsample", (h, w, inner), level.pool)
        if self.levels:
            kernel = self.levels[0].kernel
            size = (height, width, channels)
            yield _convolve("decoder", inner, size, kernel, output)
        if (height, width) != tuple(picture[:2]):
            yield Stage("decoder", "crop", tuple(picture))

    def _transposed(self, picture: Shape) -> Iterator[Stage]:
        """List the steps of a tied or untied decoder: every level's own way back."""
        tied = self.decoder == "tied"
        shapes = self.inputs(picture)
        for index in reversed(range(self.depth)):
            shape = shapes[index]
            used = self._shown(self.activation if index else self.output)
            if index >= len(self.levels):
                units, below = self.dense[index - len(self.levels)], math.prod(shape)
                count = below * (1 if tied else units + 1)
                yield Stage("decoder", "connect", (below,), 0, count, used, tied)
                if index == len(self.levels):
                    yield Stage("decoder", "unflatten", shape)
                continue
            level = self.levels[index]
            height, width = self._convolved(level, *shape[:2])
            if level.pool > 1:
                output = (height, width, level.maps)
                yield Stage("decoder", "unpool", output, level.pool)
            weights = 0 if tied else level.maps * level.kernel**2 * shape[2]
            count = weights + shape[2]
            yield Stage("decoder", "back", shape, level.kernel, count, used, tied)
        if shapes[0][:2] != tuple(picture[:2]):
            yield Stage("decoder", "crop", tuple(picture))

    def inputs(self, picture: Shape) -> list[Shape]:
        """Give the shape that goes into each level: (H, W, C), or (units,)."""
        (height, width), channels = self.padded(*picture[:2]), picture[2]
        shapes: list[Shape] = []
        for level in self.levels:
            shapes.append((height, width, channels))
            height, width = self._convolved(level, height, width)
            height, width = height // level.pool, width // level.pool
            channels = level.maps
        shapes.append((height, width, channels))
        return [*shapes, *((units,) for units in self.dense[:-1])][: self.depth]


def _convolve(
    part: str, channels: int, output: Shape, kernel: int, activation: str
) -> Stage:
    parameters = (channels * kernel * kernel + 1) * output[-1]
    return Stage(part, "convolve", output, kernel, parameters, activation)


def _connect(
    part: str, inputs: int, units: tuple[int, ...], hidden: str, last: str
) -> Iterator[Stage]:
    for index, outputs in enumerate(units):
        activation = last if index == len(units) - 1 else hidden
        yield Stage(part, "connect", (outputs,), 0, (inputs + 1) * outputs, activation)
        inputs = outputs


def parse(text: str) -> Architecture:
    """Read a network such as ``16C3-MP2-8C3-MP2-32N``.

    Upper and lower case are the same. A pooling follows a convolution; dense layers
    stand at the end.

    Raises:
        NotationError: The text is not a network; the message points at the character.
    """
    return _Reader(text).architecture()


class _Reader:
    """Reads the notation from left to right, and knows where it stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.levels: list[Level] = []
        self.dense: list[int] = []

    def architecture(self) -> Architecture:
        self._part()
        while self.at < len(self.text):
            self._expect("-", "'-' between parts")
            self._part()
        return Architecture(tuple(self.levels), tuple(self.dense))

    def _part(self) -> None:
        start = self.at
        if self._next("M"):
            self._expect("P", "'P', as in MP2")
            self._pooling(start)
        else:
            count = self._number("a number, as in 16C3 or 32N, or a pooling, as in MP2")
            if self._next("N"):
                self.dense.append(count)
            else:
                self._expect("C", "'C' (convolution) or 'N' (dense) after the number")
                self._convolution(count, start)

    def _convolution(self, maps: int, start: int) -> None:
        kernel = self._number("the kernel's side, as in 16C3")
        if self.dense:
            raise self._error(
                start, "only dense layers, as in 32N, after a dense layer"
            )
        self.levels.append(Level(maps, kernel))

    def _pooling(self, start: int) -> None:
        size = self._number("the cell's side, as in MP2", least=2)
        if self.dense or not self.levels or self.levels[-1].pool > 1:
            raise self._error(start, "a pooling only straight after a convolution")
        maps, kernel = self.levels[-1].maps, self.levels[-1].kernel
        self.levels[-1] = Level(maps, kernel, size)

    def _next(self, letter: str) -> bool:
        found = self.text[self.at : self.at + 1].upper() == letter
        self.at += found
        return found

    def _expect(self, letter: str, allowed: str) -> None:
        if not self._next(letter):
            raise self._error(self.at, allowed)

    def _number(self, allowed: str, least: int = 1) -> int:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in "0123456789":
            self.at += 1
        digits = self.text[start : self.at]
        if not digits:
            raise self._error(start, allowed)
        # The length first: int() refuses numbers of thousands of digits.
        if len(digits) > 9 or not least <= int(digits) <= LARGEST:
            raise self._error(start, f"a number from {least} to {LARGEST}")
        return int(digits)

    def _error(self, at: int, allowed: str) -> NotationError:
        found = repr(self.text[at]) if at < len(self.text) else "the end"
        return NotationError(
            "arch",
            f"{self.text!r}, wrong at character {at + 1} ({found})",
            allowed,
            f"A network reads like {EXAMPLE}.",
        )
