"""How to train, in one place: the estimator's arguments and the command's options."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from caes.data.scales import Scale, parse_scale
from caes.errors import ArgumentError, NotationError
from caes.nn.architecture import (
    EXAMPLE,
    ActivationName,
    Architecture,
    DecoderName,
    PaddingName,
    parse,
)
from caes.nn.sparsity import parse_sparsity
from caes.train.noise import Corruption, parse_corruption

LossName = Literal["bce", "mse"]
OptimizerName = Literal["adam", "sgd"]
DecayName = Literal["constant", "linear", "cosine", "one-cycle"]
ScheduleName = Literal["joint", "greedy"]
PrecisionName = Literal["32-true", "bf16-mixed", "16-mixed"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Network and training; each field's text is also the command line's help.

    Args:
        arch: The encoder: 16C3 is 16 feature maps of 3×3 kernels with ReLU, MP2 is
            max-pooling of 2×2 cells, 32N a dense layer of 32 units.
        decoder: The way back: mirror (convolutions and up-sampling in the encoder's
            reverse), or each level's own transpose, with tied weights or untied ones.
        schedule: Train all levels at once (joint), or one after the other, the lower
            ones fixed (greedy; with a tied or untied decoder).
        padding: same (sizes stay) or valid (they shrink, and return exactly; with a
            tied or untied decoder).
        activation: Of the hidden levels.
        loss: What is made small: bce (binary cross-entropy) or mse (mean squared
            error). Above the lowest level of a greedy stack it is always mse.
        epochs: Passes over the pictures; in a greedy schedule one number, or one a
            level, as in 3,2,1.
        refine: Passes with all levels at once, after the greedy ones.
        batch_size: Pictures a step.
        optimizer: adam, or sgd: plain stochastic gradient descent, which needs far
            higher rates, such as 1 with mse.
        learning_rate: Learning rate at the start; in a greedy schedule one number, or
            one a level.
        decay: How the learning rate falls to the end: constant, linear, cosine, or
            one-cycle, which first rises for a tenth of the time.
        noise: Corruption of what comes in, while the target stays clean: masking:0.3,
            gaussian:0.1 or salt-and-pepper:0.1; in a greedy schedule of what comes into
            each level, alike for all or one a level: masking:0.5,masking:0.3,none.
        sparsity: Winner-take-all: wta lets only the largest value of each map
            reconstruct, wta:0.05 that only for 5 % of a batch's pictures.
        scale: How values come to the network: auto (the range of 8 or 16 bits without
            sign, [0, 1] for fractions in it, else the pictures' extremes), dtype (the
            type's range), or each channel by its own minmax, percentiles:1,99 or
            standard (mean and deviation). The last two clip nothing, reach beyond
            [0, 1] and need --loss mse.
        validation: Share of the pictures kept apart to watch the validation loss; 0
            for none.
        patience: Stop after so many epochs without a better validation loss, and
            restore the best weights; needs --validation.
        random_state: Seed of weights, order and splits; a whole number makes a run
            repeatable.
        device: Where to compute.
        precision: Arithmetic: 32-true, or mixed with 16 bits where the device gains
            by it.
        tile: Side in pixels of the tiles that pictures of any size are cut into to
            learn from; later commands work on large pictures by tiles as well.
        overlap: Pixels that neighbouring tiles share, at least; without it an eighth
            of the tile.
    """

    arch: str = EXAMPLE
    decoder: DecoderName = "mirror"
    schedule: ScheduleName = "joint"
    padding: PaddingName = "same"
    activation: ActivationName = "relu"
    loss: LossName = "bce"
    epochs: int | tuple[int, ...] = 20
    refine: int = 0
    batch_size: int = 64
    optimizer: OptimizerName = "adam"
    learning_rate: float | tuple[float, ...] = 1e-3
    decay: DecayName = "constant"
    noise: str | None = None
    sparsity: str | None = None
    scale: str = "auto"
    validation: float = 0.0
    patience: int | None = None
    random_state: Any = None
    device: DeviceName = "auto"
    precision: PrecisionName = "32-true"
    tile: int | None = None
    overlap: int | None = None

    def check(self) -> Architecture:
        """Refuse values that cannot work, and read the network.

        Raises:
            NotationError: ``arch`` cannot be read.
            ArgumentError: Any other value that cannot work.
        """
        arch = self._architecture()
        for epochs in self.per_level("epochs", arch):
            whole("epochs", epochs, 1, "Try epochs=20.")
        for rate in self.per_level("learning_rate", arch):
            number("learning_rate", rate, 0, math.inf, "Try 0.001.")
        self.noises(arch)
        parse_sparsity(self.sparsity)
        whole("batch_size", self.batch_size, 1, "Try batch_size=64.")
        whole("refine", self.refine, 0, "Try refine=5, or leave it out.")
        if self.patience is not None:
            whole("patience", self.patience, 1, "Try patience=5, or leave it out.")
        if isinstance(self.random_state, int):
            whole("random_state (--seed)", self.random_state, 0, "Try 0.")
        for name, allowed in _CHOICES.items():
            one_of(name, getattr(self, name), allowed)
        watching(self.validation, self.patience)
        self._check_decoder()
        self._check_scale(parse_scale(self.scale))
        tiling(self.tile, self.overlap, arch)
        return arch

    def per_level(self, name: str, arch: Architecture) -> Sequence[Any]:
        """Give an option's value for each training: one a level, or one for all.

        Raises:
            ArgumentError: Several values that are not one a level of a greedy stack.
        """
        value = getattr(self, name)
        if name == "noise" and isinstance(value, str) and "," in value:
            value = tuple(value.split(","))
        count = arch.depth if self.schedule == "greedy" else 1
        if not isinstance(value, tuple | list):
            return [value] * count
        if len(value) != count:
            raise ArgumentError(
                name,
                f"{len(value)} values for {count} {'level' if count == 1 else 'levels'}"
                + ("" if self.schedule == "greedy" else " trained at once"),
                "one value, or in a greedy schedule one a level",
                "Give a single value.",
            )
        return value

    def noises(self, arch: Architecture) -> list[Corruption | None]:
        """Give the corruption of what comes into each level.

        Raises:
            ArgumentError: A text that is no corruption, or not one a level.
        """
        texts = self.per_level("noise", arch)
        return [parse_corruption(None if text == "none" else text) for text in texts]

    def _architecture(self) -> Architecture:
        if not isinstance(self.arch, str):
            raise ArgumentError(
                "arch", repr(self.arch), "a network as text", f"Try {EXAMPLE!r}."
            )
        return replace(
            parse(self.arch),
            decoder=self.decoder,
            padding=self.padding,
            activation=self.activation,
            output=self._output(),
            bounded=parse_scale(self.scale).bounded,
        )

    def _output(self) -> ActivationName:
        """Choose the picture's activation.

        Sigmoid where the loss or the mirrored decoder wants it; else the level's own,
        as in the paper, but for those that cannot descend everywhere in [0, 1]. Linear
        for pictures that reach beyond it.
        """
        if not parse_scale(self.scale).bounded:
            return "linear"
        if self.decoder == "mirror" or self.loss == "bce":
            return "sigmoid"
        return "linear" if self.activation in ("relu", "elu") else self.activation

    def _check_scale(self, scale: Scale) -> None:
        """Refuse what only makes sense for pictures in [0, 1] where they are not."""
        if not scale.bounded and self.loss == "bce":
            raise ArgumentError(
                "loss",
                f"'bce' with scale={str(scale)!r}",
                "'mse' for pictures that reach beyond [0, 1]",
                "Add loss='mse'.",
            )
        if scale.kind == "standard" and "salt" in str(self.noise):
            raise ArgumentError(
                "noise",
                f"{self.noise!r} with scale='standard'",
                "masking or gaussian for pictures without black and white",
                "Try gaussian:0.1.",
            )

    def _check_decoder(self) -> None:
        if self.decoder != "mirror":
            return
        needed = {
            "schedule": ("greedy", self.schedule == "greedy"),
            "padding": ("valid", self.padding == "valid"),
            "sparsity": (str(self.sparsity), self.sparsity is not None),
        }
        for name, (value, asked) in needed.items():
            if asked:
                raise ArgumentError(
                    name,
                    f"{value!r} with the mirrored decoder",
                    "a decoder of each level's own for it",
                    "Add decoder='tied'.",
                )


_CHOICES: dict[str, Any] = {
    "loss": LossName,
    "optimizer": OptimizerName,
    "decay": DecayName,
    "device": DeviceName,
    "precision": PrecisionName,
    "decoder": DecoderName,
    "schedule": ScheduleName,
    "padding": PaddingName,
    "activation": ActivationName,
}


def tiling(
    tile: Any, overlap: Any, arch: Architecture
) -> tuple[tuple[int, int], int] | None:
    """Read (H, W) of tiles and their overlap, in pixels; None where there are none.

    Raises:
        ArgumentError: They cannot be, or the network needs larger ones.
    """
    from caes.data.tiles import overlap_of, side_of

    if tile is None:
        if overlap is not None:
            raise ArgumentError(
                "overlap",
                f"{overlap!r} without a tile",
                "an overlap of tiles",
                "Add tile=128 (--tile 128), or leave it out.",
            )
        return None
    side = side_of(tile)
    if min(side) < arch.smallest:
        raise ArgumentError(
            "tile",
            f"{side[0]}×{side[1]} for {str(arch)!r}",
            f"at least {arch.smallest}×{arch.smallest}, which its poolings need",
            "Try 128, or take MP parts away.",
        )
    return side, overlap_of(overlap, side)


def whole(name: str, value: Any, least: int, next_step: str) -> None:
    """Refuse what is not a whole number of at least ``least``."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        allowed = f"a whole number of at least {least}"
        raise ArgumentError(name, repr(value), allowed, next_step)


def number(name: str, value: Any, low: float, high: float, next_step: str) -> None:
    """Refuse what is not a number strictly between ``low`` and ``high``."""
    numeric = isinstance(value, int | float) or hasattr(value, "__float__")
    if isinstance(value, str | bool) or not numeric or not low < value < high:
        allowed = f"a number above {low:g}" + (
            f" and below {high:g}" if high < math.inf else ""
        )
        raise ArgumentError(name, repr(value), allowed, next_step)


def watching(validation: Any, patience: Any) -> None:
    """Refuse a share of pictures that cannot be, and patience without any of them."""
    if validation != 0:
        number("validation", validation, 0, 1, "Try 0.1.")
    elif patience is not None:
        raise ArgumentError(
            "patience",
            f"{patience} without validation pictures",
            "patience together with validation",
            "Add validation=0.1.",
        )


def one_of(name: str, value: Any, literal: Any) -> None:
    """Refuse what is not one of a Literal's values."""
    choices = literal.__args__
    if value not in choices:
        allowed = " or ".join(map(repr, choices))
        raise ArgumentError(name, repr(value), allowed, f"Try {choices[0]!r}.")


def parse_head(text: str | None) -> tuple[int, ...]:
    """Read a head such as ``300N`` or ``500N-100N``; "none" is no hidden layer.

    Raises:
        ArgumentError: The text is not of that form.
    """
    if text in (None, "none"):
        return ()
    try:
        arch = parse(text)
    except NotationError:
        arch = None
    if arch is None or arch.levels:
        raise ArgumentError(
            "head",
            repr(text),
            "dense layers such as 300N or 500N-100N, or none",
            "Try '300N'.",
        )
    return arch.dense
