"""How to train a classifier: every option once, and the recipes that fill them in."""

from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Literal

from caes.errors import ArgumentError, NotationError
from caes.nn.architecture import parse
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
from caes.train.augment import Augmentation, parse_augmentation
from caes.train.options import (
    MINUTES,
    DecayName,
    DeviceName,
    OptimizerName,
    PrecisionName,
    check_patience,
    patience_option,
    precision_option,
)

FEWEST_PASSES, FEWEST_STEPS = 10, 1_500
"""What training by the default recipe comes to at least."""
FEWEST_ROUND_PASSES = 4
"""What a round of self-training by the default recipe comes to at least."""

RecipeName = Literal["default", "paper"]
AnswerName = Literal["auto", "network", "codes", "statistics", "kernel"]
StartName = Literal["stack", "random"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A recipe with nothing left out; the fields are those of `FineTuning`."""

    head: str = "none"
    epochs: int | None = 0
    batch_size: int = 64
    optimizer: OptimizerName = "adam"
    learning_rate: float = 2e-3
    decay: DecayName = "one-cycle"
    weight_decay: float = 0.02
    dropout: float = 0.4
    normalise: bool = True
    augment: str = "auto"
    average: float = 0.99
    rounds: int = 1
    round_epochs: int = 0
    # What no recipe says:
    freeze: bool = False
    confidence: float = 0.7
    validation: float = 0.0
    patience: int | None = None
    answer: AnswerName = "network"
    steps: int | None = None
    minutes: float = MINUTES

    @property
    def automatic(self) -> bool:
        """Whether the length, and what goes with it, is found by cross-validation."""
        return self.epochs is None and self.steps is None

    def passes(self, pictures: int) -> int:
        """Give the passes over so many labelled pictures."""
        enough = -(-FEWEST_STEPS // self.per_pass(pictures))
        return self.epochs or max(FEWEST_PASSES, enough)

    def round_passes(self, pictures: int, known: int) -> int:
        """Give the passes of a round over so many pictures, of which some are known."""
        first = self.passes(known) * self.per_pass(known)
        least = 1 if self.epochs else FEWEST_ROUND_PASSES
        passes = max(least, -(-2 * first // self.per_pass(pictures)))
        return self.round_epochs or passes

    def per_pass(self, pictures: int) -> int:
        """Give the steps of a pass over so many pictures."""
        return -(-pictures // self.batch_size)

    def kept(self, steps: int) -> float:
        """Give the running average's share for a training of so many steps.

        It looks back over a twentieth of them at most: the average of a short training
        would else be one of weights that had hardly learnt.
        """
        return max(0.0, min(float(self.average), 1 - 20 / steps))

    @property
    def units(self) -> tuple[int, ...]:
        """The head's hidden dense layers."""
        return parse_head(self.head)

    def augmentation(self, channels: int) -> Augmentation | None:
        """Give the random changes of pictures with so many channels."""
        auto = "digits" if channels == 1 else "photos"
        return parse_augmentation(auto if self.augment == "auto" else self.augment)

    def found(self, **chosen: Any) -> "Recipe":
        """Give it with what cross-validation has chosen."""
        return replace(self, **chosen)


SGD_RATE = 0.1
"""Learning rate of plain gradient descent; the recipes' own are Adam's."""

RECIPES: dict[RecipeName, Recipe] = {
    "default": Recipe(epochs=None, answer="auto"),
    "paper": Recipe(
        head="300N",
        epochs=40,
        learning_rate=1e-3,
        decay="cosine",
        weight_decay=0.0,
        dropout=0.0,
        normalise=False,
        augment="none",
        average=0.0,
        rounds=0,
    ),
}


def parse_head(text: object) -> tuple[int, ...]:
    """Read a head such as ``300N`` or ``500N-100N``; "none" is no hidden layer."""
    if text in (None, "none"):
        return ()
    with suppress(NotationError):
        arch = parse(str(text))
        if not arch.levels:
            return arch.dense
    allowed = "dense layers such as 300N or 500N-100N, or none"
    raise ArgumentError("head", repr(str(text)), allowed, "Try '300N'.")


@options
class FineTuning:
    """Training of a classifier; what is None is as the recipe says."""

    _: KW_ONLY
    recipe: RecipeName = option(
        "default",
        """default, or paper: as in Masci et al. 2011, without any of the modern
        options.""",
    )
    start: StartName = option(
        "stack",
        """Where the encoder's weights come from: the trained stack, or random ones as
        the control.""",
    )
    head: str | None = option(
        None,
        """Hidden dense layers between the encoder and the classes, such as 300N or
        500N-100N; none for nothing.""",
        read_by(parse_head),
    )
    freeze: bool = option(
        False,
        """Whether only the head learns, the encoder staying as it is, without batch
        normalisation.""",
    )
    answer: AnswerName | None = option(
        None,
        """What predicts: the network; codes, logistic regression on the auto-encoder's
        codes; statistics, the same on codes and texture statistics; kernel, a kernel
        machine on these; or auto: what is best by cross-validation on the labels.
        Without it auto, or the network where its length is given.""",
    )
    epochs: int | None = option(
        None,
        """Passes over the labelled pictures; 0 for as many as make 1,500 steps, and at
        least 10. Without it, or steps, cross-validation says when nothing gets
        better.""",
        whole(0),
        hint="Try epochs=40, or 0 for enough.",
    )
    steps: int | None = option(
        None,
        """Steps of the training, in place of epochs; those that a run took give the
        same weights again.""",
        whole(1),
        hint="Try steps=500.",
    )
    minutes: float | None = option(
        None,
        "About how many minutes cross-validation and training may take; 5 if not said.",
        number(0),
        hint="Try minutes=5.",
    )
    batch_size: int | None = option(
        None, "Labelled pictures a step.", whole(1), hint="Try batch_size=64."
    )
    optimizer: OptimizerName | None = option(
        None, "adam, or sgd: plain stochastic gradient descent."
    )
    learning_rate: float | None = option(
        None,
        """Learning rate at its highest; without it the recipe's, or 0.1 with sgd.""",
        number(0),
        hint="Try 0.001.",
    )
    decay: DecayName | None = option(
        None, "How it falls to the end: constant, linear, cosine or one-cycle."
    )
    weight_decay: float | None = option(
        None,
        "Share of the weights taken off a step, times the learning rate.",
        number(0, or_zero=True),
        hint="Try 0 for none.",
    )
    dropout: float | None = option(
        None,
        "Share of what goes into each dense layer that is set to 0.",
        share,
        hint="Try 0.4, or 0 for none.",
    )
    normalise: bool | None = option(
        None, "Whether each convolution is followed by batch normalisation."
    )
    augment: str | None = option(
        None,
        """Random changes that keep the class: digits, photos, none, or such as
        shift:0.1+rotate:15+flip+turn; auto is what helps by cross-validation on the
        labels, or, where the length is given, digits for grey pictures and photos for
        colour.""",
        read_by(lambda text: text == "auto" or parse_augmentation(text)),
    )
    average: float | None = option(
        None,
        """Share of the running average of the weights that stays at each step, as long
        as it looks back over a twentieth of all steps at most; 0 for the last
        weights.""",
        share,
        hint="Try 0.99, or 0 for none.",
    )
    confidence: float = option(
        0.7,
        "Least probability for a label that the network gives.",
        share,
        hint="Try 0.95.",
    )
    rounds: int | None = option(
        None,
        """Rounds of self-training: what the trained network is sure of on unlabelled
        pictures becomes their label, and a new network learns from all of them; 0 for
        none.""",
        whole(0),
        hint="Try rounds=1, or 0 for none.",
    )
    round_epochs: int | None = option(
        None,
        """Passes of such a round over all pictures that then have a label; 0 for as
        many as make twice the steps of the first training, and, where its epochs are
        not given either, at least 4.""",
        whole(0),
        hint="Try 4, or 0 for enough.",
    )
    validation: float = option(
        0.0,
        "Share of the labelled pictures kept apart to watch; 0 for none.",
        share,
        hint="Try 0.1.",
    )
    patience: int | None = patience_option()
    random_state: Any = option(
        None, "Seed of weights, order, noise and splits.", seed, hint="Try 0."
    )
    device: DeviceName = option("auto", "Where to compute.")
    precision: PrecisionName = precision_option()

    def resolved(self) -> Recipe:
        """Fill in what was left out, and refuse what cannot work."""
        check(self, FineTuning)
        check_patience(self.validation, self.patience)
        if self.epochs is not None and self.steps is not None:
            raise ArgumentError(
                "steps",
                f"{self.steps} beside epochs={self.epochs}",
                "steps or epochs",
                "Leave one of them out.",
            )
        usual = RECIPES[self.recipe]
        if self.optimizer == "sgd":
            usual = replace(usual, learning_rate=SGD_RATE)
        if (self.epochs, self.steps) != (None, None) or self.start == "random":
            usual = replace(usual, answer="network")
        given = values(self, Recipe).items()
        return replace(usual, **{k: v for k, v in given if v is not None})
