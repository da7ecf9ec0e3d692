"""How to train, in one place: the estimator's arguments and the command's options."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from caes.corruption import parse_corruption
from caes.errors import ArgumentError
from caes.notation import EXAMPLE, Architecture, parse

LossName = Literal["bce", "mse"]
DecayName = Literal["constant", "linear", "cosine"]
PrecisionName = Literal["32-true", "bf16-mixed", "16-mixed"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Network and training; each field's text is also the command line's help.

    Args:
        arch: The encoder: 16C3 is 16 feature maps of 3×3 kernels with ReLU, MP2 is
            max-pooling of 2×2 cells, 32N a dense layer of 32 units. The decoder is its
            mirror.
        loss: What is made small: bce (binary cross-entropy) or mse (mean squared
            error).
        epochs: Passes over the pictures.
        batch_size: Pictures a step.
        learning_rate: Learning rate of Adam at the start.
        decay: How the learning rate falls to the end: constant, linear or cosine.
        noise: Corruption of what comes in, while the target stays clean: masking:0.3,
            gaussian:0.1 or salt-and-pepper:0.1.
        validation: Share of the pictures kept apart to watch the validation loss; 0
            for none.
        patience: Stop after so many epochs without a better validation loss, and
            restore the best weights; needs --validation.
        random_state: Seed of weights, order and splits; a whole number makes a run
            repeatable.
        device: Where to compute.
        precision: Arithmetic: 32-true, or mixed with 16 bits where the device gains
            by it.
    """

    arch: str = EXAMPLE
    loss: LossName = "bce"
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    decay: DecayName = "constant"
    noise: str | None = None
    validation: float = 0.0
    patience: int | None = None
    random_state: Any = None
    device: DeviceName = "auto"
    precision: PrecisionName = "32-true"

    def check(self) -> Architecture:
        """Refuse values that cannot work, and read the network.

        Raises:
            NotationError: ``arch`` cannot be read.
            ArgumentError: Any other value that cannot work.
        """
        _whole("epochs", self.epochs, 1, "Try epochs=20.")
        _whole("batch_size", self.batch_size, 1, "Try batch_size=64.")
        if self.patience is not None:
            _whole("patience", self.patience, 1, "Try patience=5, or leave it out.")
        if isinstance(self.random_state, int):
            _whole("random_state (--seed)", self.random_state, 0, "Try 0.")
        _number("learning_rate", self.learning_rate, 0, math.inf, "Try 0.001.")
        _one_of("loss", self.loss, LossName)
        _one_of("decay", self.decay, DecayName)
        _one_of("device", self.device, DeviceName)
        _one_of("precision", self.precision, PrecisionName)
        parse_corruption(self.noise)
        if self.validation != 0:
            _number("validation", self.validation, 0, 1, "Try 0.1.")
        elif self.patience is not None:
            raise ArgumentError(
                "patience",
                f"{self.patience} without validation pictures",
                "patience together with validation",
                "Add validation=0.1.",
            )
        if not isinstance(self.arch, str):
            raise ArgumentError(
                "arch", repr(self.arch), "a network as text", f"Try {EXAMPLE!r}."
            )
        return parse(self.arch)


def _whole(name: str, value: Any, least: int, next_step: str) -> None:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        allowed = f"a whole number of at least {least}"
        raise ArgumentError(name, repr(value), allowed, next_step)


def _number(name: str, value: Any, low: float, high: float, next_step: str) -> None:
    """Refuse what is not a number strictly between ``low`` and ``high``."""
    numeric = isinstance(value, int | float) or hasattr(value, "__float__")
    if isinstance(value, str | bool) or not numeric or not low < value < high:
        allowed = f"a number above {low:g}" + (
            f" and below {high:g}" if high < math.inf else ""
        )
        raise ArgumentError(name, repr(value), allowed, next_step)


def _one_of(name: str, value: Any, literal: Any) -> None:
    choices = literal.__args__
    if value not in choices:
        allowed = " or ".join(map(repr, choices))
        raise ArgumentError(name, repr(value), allowed, f"Try {choices[0]!r}.")
