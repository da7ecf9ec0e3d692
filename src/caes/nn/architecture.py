"""The authors' own way to write a network: ``16C3-MP2-8C3-MP2`` and its figures.

``16C3`` is a convolution to 16 maps with 3×3 kernels, ``MP2`` a max-pooling of 2×2
cells, ``32N`` a dense layer of 32 units (Cireşan et al. 2011; Masci et al. 2011).
Everything here is arithmetic on numbers: no network is built and no torch imported.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
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
    """One level of a stack: a convolution with k×k kernels, and a pooling."""

    maps: int
    kernel: int
    pool: int = 1  # side of the cells; 1 for none

    def __str__(self) -> str:
        pooling = f"-MP{self.pool}" if self.pool > 1 else ""
        return f"{self.maps}C{self.kernel}{pooling}"


@dataclass(frozen=True)
class Row:
    """One row of a network's summary: what is done, and what comes out."""

    part: str
    title: str
    output: Shape
    parameters: int = 0
    tied: bool = False


@dataclass(frozen=True)
class Stage:
    """One complete step of a network: all that a walk over its geometry needs to know.

    What is done stands in this order: up-sampling or un-pooling, the operation,
    max-pooling, batch normalisation, activation.
    """

    part: str  # "encoder", "decoder", or a classifier's "head"
    operation: Literal["convolve", "back", "connect"]  # back: a level's own transpose
    input: Shape
    output: Shape
    kernel: int = 0  # side in pixels; 0 without
    up: int = 1  # factor of nearest up-sampling, or before "back" of un-pooling
    pool: int = 1  # side of the pooling cells; 1 for none
    padding: PaddingName = "same"  # after "valid" the way back is the full convolution
    activation: ActivationName = "linear"
    normalised: bool = False
    tied: bool = False  # the weights are the encoder's, only biases are learned here

    @property
    def parameters(self) -> int:
        """Weights and biases that are learned here, normalisation's included."""
        return self._weights + 2 * self.output[-1] * self.normalised

    @property
    def _weights(self) -> int:
        if self.operation == "connect":
            inputs, outputs = math.prod(self.input), math.prod(self.output)
        else:
            inputs, outputs = self.input[-1] * self.kernel**2, self.output[-1]
        return outputs if self.tied else (inputs + 1) * outputs

    def rows(self) -> Iterator[Row]:
        """Give the rows of the summary, one for each thing that is done."""
        used = "" if self.activation == "linear" else f", {self.activation}"
        here, normalised = partial(Row, self.part), self.normalised
        last = "" if normalised else used
        if self.operation == "connect":
            units = math.prod(self.output)
            if len(self.input) == 3 and self.part == "encoder":
                yield here("flatten", (math.prod(self.input),))
            title = "tied " * self.tied + f"dense {units}{last}"
            yield here(title, (units,), self._weights, self.tied)
            if len(self.output) == 3:
                yield here("unflatten", self.output)
            return
        height, width, channels = self.input
        back, maps, side = self.operation == "back", self.output[2], self.kernel
        if self.up > 1:
            cells = f"{self.up}×{self.up}"
            unpooled = f"un-pooling {cells}, to where the largest were"
            name = unpooled if back else f"up-sampling {cells}"
            yield here(name, (height * self.up, width * self.up, channels))
        name = "tied " * self.tied + "transposed " * back + "convolution"
        whole = (self.output[0] * self.pool, self.output[1] * self.pool, maps)
        title = f"{name} {maps}@{side}×{side}{last}"
        yield here(title, whole, self._weights, self.tied)
        if self.pool > 1:
            yield here(f"max-pooling {self.pool}×{self.pool}", self.output)
        if normalised:
            yield here(f"batch normalisation{used}", self.output, 2 * maps)


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
        linear: Whether a linear path, from the whole picture to the code and back,
            leads beside the network; for a mirrored one with a dense code.
    """

    levels: tuple[Level, ...]
    dense: tuple[int, ...] = ()
    decoder: DecoderName = "mirror"
    padding: PaddingName = "same"
    activation: ActivationName = "relu"
    output: ActivationName = "sigmoid"
    normalised: bool = False
    bounded: bool = True
    linear: bool = False

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
        stride, lost = self.stride, self.shrinkage
        cells = [max(-(-(side - lost) // stride), 1) for side in (height, width)]
        return cells[0] * stride + lost, cells[1] * stride + lost

    def margins(self, height: int, width: int) -> tuple[int, int]:
        """Give the rows above and the columns left of the picture once padded."""
        left, _, top, _ = self.frame(height, width)
        return top, left

    def frame(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Give the pixels left, right, above and below that padding puts around."""
        tall, wide = self.padded(height, width)
        top, left = (tall - height) // 2, (wide - width) // 2
        return left, wide - width - left, top, tall - height - top

    def check(self, picture: Shape) -> None:
        """Refuse pictures (H, W, C) that are too small.

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
        """Give the code's shape, (H, W, maps) or (units,), for a picture (H, W, C)."""
        return self.encoder(picture)[-1].output

    def parameters(self, picture: Shape) -> int:
        """Count weights and biases of encoder and decoder for a picture (H, W, C)."""
        return sum(row.parameters for row in self.rows(picture))

    def rows(self, picture: Shape, part: str | None = None) -> tuple[Row, ...]:
        """Give the summary for a picture (H, W, C), of one part or of both."""
        rows = [row for stage in self.stages(picture) for row in stage.rows()]
        if self.linear:
            values, code = math.prod(picture), self.dense[-1]
            title = f"linear path {values:,} → {code}, added to it"
            rows.append(Row("encoder", title, (code,), code * (values + 1)))
            title = f"linear path {code} → {values:,}, added to it"
            rows.append(Row("decoder", title, tuple(picture), (code + 1) * values))
        if (padded := self.padded(*picture[:2])) != tuple(picture[:2]):
            rows.insert(0, Row("encoder", "pad", (*padded, picture[2])))
            rows.append(Row("decoder", "crop", tuple(picture)))
        return tuple(row for row in rows if part in (None, row.part))

    def stages(self, picture: Shape) -> tuple[Stage, ...]:
        """Give every step of the auto-encoder for a picture (H, W, C).

        This is the only walk over the geometry: modules, the compiled loop, summaries,
        counts and receptive fields read it.

        Raises:
            NotationError: The picture is too small, here as in all that reads it.
        """
        encoder = self.encoder(picture)
        mirrored = self.decoder == "mirror"
        back = self._mirrored(encoder) if mirrored else self._transposed(encoder)
        return (*encoder, *back)

    def encoder(self, picture: Shape) -> tuple[Stage, ...]:
        """Give the encoder's steps for a picture (H, W, C), one a level."""
        self.check(picture)
        return tuple(self._encoder((*self.padded(*picture[:2]), picture[2])))

    def _encoder(self, here: Shape) -> Iterator[Stage]:
        form = {"padding": self.padding, "normalised": self.normalised}
        for level in self.levels:
            lost = 0 if self.padding == "same" else level.kernel - 1
            height, width = ((side - lost) // level.pool for side in here[:2])
            output, sizes = (height, width, level.maps), (level.kernel, 1, level.pool)
            stage = Stage("encoder", "convolve", here, output, *sizes, **form)  # type: ignore[arg-type]
            yield replace(stage, activation=self.activation)
            here = output
        for index, units in enumerate(self.dense, start=1):
            plain = self.decoder == "mirror" and index == len(self.dense)
            used: ActivationName = "linear" if plain else self.activation
            yield Stage("encoder", "connect", here, (units,), activation=used)
            here = (units,)

    def _mirrored(self, encoder: tuple[Stage, ...]) -> Iterator[Stage]:
        """Give the mirrored decoder's steps.

        Each level becomes a convolution to its own maps and an up-sampling by its
        pooling; one more convolution leads to the picture's channels.
        """
        levels, dense = encoder[: len(self.levels)], encoder[len(self.levels) :]
        for stage in reversed(dense):
            used = self.output if stage is encoder[0] else self.activation
            yield Stage(
                "decoder", "connect", stage.output, stage.input, activation=used
            )
        if not levels:
            return
        here, up = levels[-1].output, 1
        ends = [*((s.output[2], s.kernel, s.pool) for s in reversed(levels))]
        for maps, kernel, pool in [*ends, (levels[0].input[2], levels[0].kernel, 0)]:
            output = (here[0] * up, here[1] * up, maps)
            used = self.activation if pool else self.output
            yield Stage(
                "decoder", "convolve", here, output, kernel, up, activation=used
            )
            here, up = output, pool

    def _transposed(self, encoder: tuple[Stage, ...]) -> Iterator[Stage]:
        """Give the steps of a tied or untied decoder: every level's own way back."""
        for stage in reversed(encoder):
            yield Stage(
                "decoder",
                "connect" if stage.operation == "connect" else "back",
                stage.output,
                stage.input,
                stage.kernel,
                stage.pool,
                padding=self.padding,
                activation=self.output if stage is encoder[0] else self.activation,
                tied=self.decoder == "tied",
            )

    @property
    def code_context(self) -> int:
        """Cells of code, on each side of one, whose pixels take part in it.

        Counted along one side and on the safe side: with as much context around it, a
        part of a large picture is encoded exactly as within the whole. 0 for valid
        convolutions, whose windows bring their own context. Without dense layers only.
        """
        if self.padding == "valid":
            return 0
        low, high = _seen(self._any("encoder"), 0, 0)
        pixels = max(-low, high - (self.stride - 1), 0)
        return -(-pixels // self.stride)

    @property
    def context(self) -> int:
        """Cells of code, on each side of one, whose pixels take part in its own pixels.

        A reconstructed pixel looks at code around it, and that at pixels around itself.
        The places of winners, which a stack's way back needs, lie in between. Without
        dense layers only.
        """
        low, high = _seen(self._any("decoder"), 0, self.stride - 1)
        return max(-low, high) + self.code_context

    def _any(self, part: str) -> list[Stage]:
        """A part's steps for a picture of any size, where sizes do not matter."""
        stages = self.stages((self.smallest, self.smallest, 1))
        return [stage for stage in stages if stage.part == part]


def _seen(stages: list[Stage], low: int, high: int) -> tuple[int, int]:
    """Follow an interval of what comes out back to all of what came in that it sees.

    A full convolution's kernel, the way back of a valid one, reaches twice as far.
    """
    for stage in reversed(stages):
        low, high = low * stage.pool, (high + 1) * stage.pool - 1
        full = stage.operation == "back" and stage.padding == "valid"
        more = stage.kernel - 1 if full else stage.kernel // 2
        low, high = (low - more) // stage.up, (high + more) // stage.up
    return low, high


MAPS = 16, 32, 64, 64, 64
"""Feature maps of the first levels."""
HIDDEN = 256
"""Units between the uppermost maps and the code."""
COARSE = 8
"""Sides of maps, at most, that go into the dense layers."""


def network_for(picture: Shape, code: int) -> str:
    """Choose an encoder for pictures (H, W, C): convolutions under a dense code.

    Levels of 3×3 kernels with poolings follow until the maps are small; the first pools
    more strongly where pictures are large, since most of the time is spent there.
    """
    side, least = max(picture[:2]), min(picture[:2])
    parts = []
    for maps in MAPS:
        pool = 1 if side <= COARSE or least < 4 else 4 if side > 128 else 2
        parts.append(str(Level(maps, 3, pool)))
        side, least = -(-side // pool), -(-least // pool)
        if side <= COARSE or least < 4:
            break
    return "-".join([*parts, f"{HIDDEN}N", f"{code}N"])


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
            pool = self._number("the cell's side, as in MP2", least=2)
            if self.dense or not self.levels or self.levels[-1].pool > 1:
                raise self._error(start, "a pooling only straight after a convolution")
            self.levels[-1] = replace(self.levels[-1], pool=pool)
        else:
            count = self._number("a number, as in 16C3 or 32N, or a pooling, as in MP2")
            if self._next("N"):
                self.dense.append(count)
                return
            self._expect("C", "'C' (convolution) or 'N' (dense) after the number")
            kernel = self._number("the kernel's side, as in 16C3")
            if self.dense:
                allowed = "only dense layers, as in 32N, after a dense layer"
                raise self._error(start, allowed)
            self.levels.append(Level(count, kernel))

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
