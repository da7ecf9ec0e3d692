"""How to train, in one place: the estimator's arguments and the command's options."""

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, replace
from typing import Any, Literal

from caes.data.scales import parse_scale
from caes.errors import ArgumentError
from caes.nn.architecture import (
    EXAMPLE,
    ActivationName,
    Architecture,
    DecoderName,
    PaddingName,
    Shape,
    network_for,
    parse,
)
from caes.nn.sparsity import parse_sparsity
from caes.options import (
    check,
    number,
    option,
    options,
    read_by,
    seed,
    share,
    values,
    whole,
)
from caes.train.noise import Corruption, parse_corruption

LossName = Literal["bce", "mse"]
OptimizerName = Literal["adam", "sgd"]
RecipeName = Literal["auto", "example"]
DecayName = Literal["constant", "linear", "cosine", "one-cycle"]
ScheduleName = Literal["joint", "greedy"]
PrecisionName = Literal["32-true", "bf16-mixed", "16-mixed"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]


CODE, ROOM = 64, 4
"""Values that are kept of a picture if nothing is said, and how many of its own come at
least on each."""
MINUTES = 5
"""Minutes of training if nothing is said."""


def passes(name: str, value: Any, hint: str) -> None:
    """Ask for a number of epochs, or "auto"."""
    if value != "auto":
        whole(1, " or 'auto'")(name, value, "Try epochs=20.")


def patience_option() -> int | None:
    """Declare what every training that is watched takes."""
    return option(
        None,
        """Stop after so many epochs without a better validation loss, and restore the
        best weights; needs validation.""",
        whole(1),
        hint="Try patience=5, or leave it out.",
    )


def precision_option() -> PrecisionName:
    """Declare what every training takes."""
    return option(
        "32-true",
        """Arithmetic: 32-true, or mixed with 16 bits where the device gains by it.""",
    )


@options
class Options:
    """Network and training."""

    arch: str = option(
        "auto",
        """The encoder: 16C3 is 16 feature maps of 3×3 kernels with ReLU, MP2 is
        max-pooling of 2×2 cells, 32N a dense layer of 32 units; auto chooses it from
        the pictures' size.""",
    )
    _: KW_ONLY
    recipe: RecipeName = option(
        "auto",
        """What is chosen where nothing is said: auto (what suits the pictures), or
        example: the network and training of the well-known Keras example,
        16C3-MP2-8C3-MP2, 20 epochs. With an arch of one's own, the example's training
        is what is not said.""",
    )
    code: int | None = option(
        None,
        """Values that arch auto keeps of a picture, or of a tile; if not said 64, or a
        quarter of what a very small one has.""",
        whole(1),
        hint="Try code=64.",
    )
    compression: float | None = option(
        None,
        "The same as a share: how many values of a picture go into one of its code.",
        number(1),
        hint="Try compression=16.",
    )
    linear: bool | None = option(
        None,
        """Whether a linear path leads beside the network to a dense code and back, and
        training begins at PCA's answer; with arch auto it does.""",
    )
    decoder: DecoderName = option(
        "mirror",
        """The way back: mirror (convolutions and up-sampling in the encoder's
        reverse), or each level's own transpose, with tied weights or untied ones.""",
    )
    schedule: ScheduleName = option(
        "joint",
        """Train all levels at once (joint), or one after the other, the lower ones
        fixed (greedy; with a tied or untied decoder).""",
    )
    padding: PaddingName = option(
        "same",
        """same (sizes stay) or valid (they shrink, and return exactly; with a tied or
        untied decoder).""",
    )
    activation: ActivationName = option("relu", "Of the hidden levels.")
    loss: LossName | None = option(
        None,
        """What is made small: bce (binary cross-entropy) or mse (mean squared error).
        Above the lowest level of a greedy stack it is always mse. Without it mse with
        a linear path, else bce.""",
    )
    epochs: int | tuple[int, ...] | Literal["auto"] | None = option(
        None,
        """Passes over the pictures; in a greedy schedule one number, or one a level,
        as in 3,2,1. auto, as with arch auto, goes on until pictures kept apart are not
        reconstructed any better; without it 20 with an arch of one's own.""",
        passes,
    )
    steps: int | tuple[int, ...] | None = option(
        None,
        """With epochs auto: steps to take at most, one number or one a level, whatever
        the clock says; those that a run took give the same weights again. Counted in
        whole stretches.""",
        whole(1),
        hint="Try steps=2000.",
    )
    minutes: float | None = option(
        None,
        "With epochs auto: minutes after which the training ends; 5 if not said.",
        number(0),
        hint="Try minutes=5.",
    )
    refine: int = option(
        0,
        "Passes with all levels at once, after the greedy ones.",
        whole(0),
        hint="Try refine=5, or leave it out.",
    )
    batch_size: int | None = option(
        None, "Pictures a step; 64 if not said.", whole(1), hint="Try batch_size=64."
    )
    optimizer: OptimizerName = option(
        "adam",
        """adam, or sgd: plain stochastic gradient descent, which needs far higher
        rates, such as 1 with mse.""",
    )
    learning_rate: float | tuple[float, ...] | None = option(
        None,
        """Learning rate at the start; in a greedy schedule one number, or one a level;
        0.001 if not said.""",
        number(0),
        hint="Try 0.001.",
    )
    decay: DecayName = option(
        "constant",
        """How the learning rate falls to the end: constant, linear, cosine, or
        one-cycle, which first rises for a tenth of the time.""",
    )
    noise: str | None = option(
        None,
        """Corruption of what comes in, while the target stays clean: masking:0.3,
        gaussian:0.1 or salt-and-pepper:0.1; in a greedy schedule of what comes into
        each level, alike for all or one a level: masking:0.5,masking:0.3,none.""",
    )
    sparsity: str | None = option(
        None,
        """Winner-take-all: wta lets only the largest value of each map reconstruct,
        wta:0.05 that only for 5 % of a batch's pictures.""",
        read_by(parse_sparsity),
    )
    scale: str = option(
        "auto",
        """How values come to the network: auto (the range of 8 or 16 bits without
        sign, or, where less than half of it is in use, the pictures' extremes with a
        margin; [0, 1] for fractions in it, else the extremes), dtype (the type's
        range), or each channel by its own minmax, percentiles:1,99 or standard (mean
        and deviation). The last two clip nothing, reach beyond [0, 1] and need loss
        mse.""",
        read_by(parse_scale),
    )
    validation: float | None = option(
        None,
        """Share of the pictures kept apart to watch the validation loss; 0 for none;
        without it a tenth with epochs auto, else none.""",
        share,
        hint="Try 0.1.",
    )
    patience: int | None = patience_option()
    random_state: Any = option(
        None,
        """Seed of weights, order and splits; a whole number makes a run repeatable:
        the same one gives, on the same machine with the same threads, the same weights
        to the bit.""",
        seed,
        hint="Try 0.",
    )
    device: DeviceName = option("auto", "Where to compute.")
    precision: PrecisionName = precision_option()
    tile: int | None = option(
        None,
        """Side in pixels of the tiles that pictures of any size are cut into to learn
        from; later commands work on large pictures by tiles as well.""",
    )
    overlap: int | None = option(
        None,
        """Pixels that neighbouring tiles share, at least; without it an eighth of the
        tile.""",
    )

    def check(self) -> Architecture:
        """Refuse values that cannot work, and read the network.

        What is to be chosen from the pictures is chosen for tiles, or 28×28 ones, here.

        Raises:
            NotationError: ``arch`` cannot be read.
            ArgumentError: Any other value that cannot work.
        """
        check(self, Options)
        _check_choices(self)
        side = self.tile if isinstance(self.tile, int) and self.tile > 0 else 28
        chosen = self.resolved((side, side, 1))
        arch = _architecture(chosen)
        for name in ("epochs", "steps", "learning_rate"):
            per_level(chosen, name, arch)
        noises(chosen, arch)
        check_patience(chosen.validation, chosen.patience)
        _check_decoder(chosen)
        _check_scale(chosen)
        _check_linear(chosen, arch)
        tiling(chosen.tile, chosen.overlap, arch)
        return arch

    @property
    def automatic(self) -> bool:
        """Whether the network is chosen from the pictures: a mirrored one, joint."""
        said = (self.arch, self.recipe, self.decoder, self.schedule, self.padding)
        usual = ("auto", "auto", "mirror", "joint", "same")
        return said == usual and self.sparsity is None

    def resolved(self, picture: Shape) -> "Resolved":
        """Fill in what was not said, for pictures (H, W, C)."""
        filled: dict[str, Any] = {"arch": EXAMPLE, "linear": False, "epochs": 20}
        if self.automatic:
            code, compression = self.code, self.compression
            if code is None:
                code = round(math.prod(picture) / (compression or ROOM))
                code = max(1, code if compression else min(code, CODE))
            filled = {"arch": network_for(picture, code), "linear": True}
            filled["epochs"] = "auto"
        if self.steps is not None:
            filled["epochs"] = "auto"
        said = {k: v for k, v in values(self, Options).items() if v is not None}
        if self.arch == "auto":
            said.pop("arch")
        for name in ("code", "compression"):  # they are in the network now
            said.pop(name, None)
        known = filled | said
        unbounded = not parse_scale(self.scale).bounded
        usual = {
            "loss": "mse" if known["linear"] or unbounded else "bce",
            "batch_size": 64,
            "learning_rate": 1e-3,
            "validation": 0.1 if known["epochs"] == "auto" else 0.0,
        }
        return Resolved(**usual | known)


class Resolved(Options):
    """Options of which nothing is left to be chosen."""

    linear: bool
    loss: LossName
    epochs: int | tuple[int, ...] | Literal["auto"]
    batch_size: int
    learning_rate: float | tuple[float, ...]
    validation: float


def per_level(chosen: Options, name: str, arch: Architecture) -> Sequence[Any]:
    """Give an option's value for each training: one a level, or one for all."""
    value, greedy = getattr(chosen, name), chosen.schedule == "greedy"
    if name == "noise" and isinstance(value, str) and "," in value:
        value = tuple(value.split(","))
    count = arch.depth if greedy else 1
    if not isinstance(value, tuple | list):
        return [value] * count
    if len(value) != count:
        raise ArgumentError(
            name,
            f"{len(value)} values for {count} {'level' if count == 1 else 'levels'}"
            + ("" if greedy else " trained at once"),
            "one value, or in a greedy schedule one a level",
            "Give a single value.",
        )
    return value


def noises(chosen: Options, arch: Architecture) -> list[Corruption | None]:
    """Give the corruption of what comes into each level."""
    texts = per_level(chosen, "noise", arch)
    return [parse_corruption(None if text == "none" else text) for text in texts]


def tiling(
    tile: Any, overlap: Any, arch: Architecture
) -> tuple[tuple[int, int], int] | None:
    """Read (H, W) of tiles and their overlap, in pixels; None where there are none."""
    from caes.data.reading import overlap_of, side_of

    if tile is None:
        if overlap is not None:
            raise ArgumentError(
                "overlap",
                f"{overlap!r} without a tile",
                "an overlap of tiles",
                "Add tile=128, or leave it out.",
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


def check_patience(validation: float, patience: int | None) -> None:
    """Refuse patience without pictures to watch."""
    if patience is not None and validation == 0:
        raise ArgumentError(
            "patience",
            f"{patience} without validation pictures",
            "patience together with validation",
            "Add validation=0.1.",
        )


def _architecture(chosen: Options) -> Architecture:
    if not isinstance(chosen.arch, str):
        raise ArgumentError(
            "arch", repr(chosen.arch), "a network as text", f"Try {EXAMPLE!r}."
        )
    return replace(
        parse(chosen.arch),
        decoder=chosen.decoder,
        padding=chosen.padding,
        activation=chosen.activation,
        output=_output(chosen),
        bounded=parse_scale(chosen.scale).bounded,
        linear=bool(chosen.linear),
    )


def _output(chosen: Options) -> ActivationName:
    """Choose the picture's activation.

    Sigmoid where the loss or the mirrored decoder wants it; else the level's own,
    as in the paper, but for those that cannot descend everywhere in [0, 1]. Linear
    for pictures that reach beyond it.
    """
    if chosen.linear or not parse_scale(chosen.scale).bounded:
        return "linear"
    if chosen.decoder == "mirror" or chosen.loss == "bce":
        return "sigmoid"
    return "linear" if chosen.activation in ("relu", "elu") else chosen.activation


def _check_choices(given: Options) -> None:
    """Refuse options of a choice that is not made."""
    automatic = given.automatic
    for name in ("code", "compression"):
        value = getattr(given, name)
        if value is not None and not automatic:
            network = given.arch if given.arch != "auto" else EXAMPLE
            raise ArgumentError(
                name,
                f"{value} with the network {network}",
                "a size of the code that arch auto chooses the network for",
                "Leave arch and recipe out.",
            )
    if given.code is not None and given.compression is not None:
        raise ArgumentError(
            "compression",
            f"{given.compression:g} together with a code of {given.code}",
            "one of the two",
            "Leave one out.",
        )
    fixed = given.epochs not in (None, "auto") or not automatic
    if given.minutes is not None and given.epochs != "auto" and fixed:
        raise ArgumentError(
            "minutes",
            f"{given.minutes:g} for a fixed number of epochs",
            "minutes together with epochs auto",
            "Add epochs='auto'.",
        )
    if given.steps is not None and given.epochs not in (None, "auto"):
        raise ArgumentError(
            "steps",
            f"{given.steps} together with {given.epochs} epochs",
            "one of the two",
            "Leave one out.",
        )


def _check_linear(chosen: Options, arch: Architecture) -> None:
    """Refuse a linear path where it has no beginning or no end."""
    if not chosen.linear:
        return
    if chosen.decoder != "mirror" or not arch.dense:
        raise ArgumentError(
            "linear",
            f"True beside {str(arch)!r} with a decoder {chosen.decoder!r}",
            "a linear path beside a mirrored network with a dense code",
            "Try arch='16C3-MP2-64N', or arch='auto'.",
        )
    if chosen.loss == "bce":
        raise ArgumentError(
            "loss",
            "'bce' with a linear path",
            "'mse', since what comes out is not held between 0 and 1",
            "Leave loss out, or add linear=False.",
        )


def _check_scale(chosen: Options) -> None:
    """Refuse what only makes sense for pictures in [0, 1] where they are not."""
    scale = parse_scale(chosen.scale)
    if not scale.bounded and chosen.loss == "bce":
        raise ArgumentError(
            "loss",
            f"'bce' with scale={str(scale)!r}",
            "'mse' for pictures that reach beyond [0, 1]",
            "Add loss='mse'.",
        )
    if scale.kind == "standard" and "salt" in str(chosen.noise):
        raise ArgumentError(
            "noise",
            f"{chosen.noise!r} with scale='standard'",
            "masking or gaussian for pictures without black and white",
            "Try gaussian:0.1.",
        )


def _check_decoder(chosen: Options) -> None:
    if chosen.decoder != "mirror":
        return
    needed = {
        "schedule": ("greedy", chosen.schedule == "greedy"),
        "padding": ("valid", chosen.padding == "valid"),
        "sparsity": (str(chosen.sparsity), chosen.sparsity is not None),
    }
    for name, (value, asked) in needed.items():
        if asked:
            raise ArgumentError(
                name,
                f"{value!r} with the mirrored decoder",
                "a decoder of each level's own for it",
                "Add decoder='tied'.",
            )
