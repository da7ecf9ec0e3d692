"""How to train a classifier: every option once, and the recipes that fill them in."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

from caes.errors import ArgumentError
from caes.train.augment import parse_augmentation
from caes.train.options import (
    DecayName,
    DeviceName,
    OptimizerName,
    PrecisionName,
    number,
    one_of,
    parse_head,
    watching,
    whole,
)

FEWEST_PASSES, FEWEST_STEPS = 10, 1_500
"""What training by the default recipe comes to at least."""
FEWEST_ROUND_PASSES = 4
"""What a round of self-training by the default recipe comes to at least."""

RecipeName = Literal["default", "paper"]
StartName = Literal["stack", "random"]


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """Training of a classifier; each field's text is also the command line's help.

    What is left out is as the recipe says.

    Args:
        recipe: default, or paper: as in Masci et al. 2011, without any of the modern
            options.
        start: Where the encoder's weights come from: the trained stack, or random ones
            as the control.
        head: Hidden dense layers between the encoder and the classes, such as 300N or
            500N-100N; none for nothing.
        freeze: Whether only the head learns, the encoder staying as it is, without
            batch normalisation.
        epochs: Passes over the labelled pictures; 0 for as many as make 1,500 steps,
            and at least 10.
        batch_size: Labelled pictures a step.
        optimizer: adam, or sgd: plain stochastic gradient descent.
        learning_rate: Learning rate at its highest; without it the recipe's, or 0.1
            with sgd.
        decay: How it falls to the end: constant, linear, cosine or one-cycle.
        weight_decay: Share of the weights taken off a step, times the learning rate.
        dropout: Share of what goes into each dense layer that is set to 0.
        normalise: Whether each convolution is followed by batch normalisation.
        smoothing: Share of each label spread evenly over all classes.
        augment: Random changes that keep the class: digits, photos, none, or such as
            shift:0.1+rotate:15+flip; auto is digits for grey pictures and photos for
            colour.
        average: Share of the running average of the weights that stays at each step, as
            long as it looks back over a twentieth of all steps at most; 0 for the last
            weights.
        pseudo_labels: Weight of what the network itself is sure of on unlabelled
            pictures; 0 for none.
        confidence: Least probability for a label that the network gives.
        unlabelled_ratio: Unlabelled pictures a step, for each labelled one.
        rounds: Rounds of self-training: what the trained network is sure of on
            unlabelled pictures becomes their label, and a new network learns from all
            of them; 0 for none.
        round_epochs: Passes of such a round over all pictures that then have a label; 0
            for as many as make twice the steps of the first training, and, where its
            epochs are not given either, at least 4.
        reconstruction: Weight of the reconstruction error as a second task; 0 for
            none.
        validation: Share of the labelled pictures kept apart to watch; 0 for none.
        patience: Stop after so many epochs without a better validation loss, and
            restore the best weights; needs validation.
        random_state: Seed of weights, order, noise and splits.
        device: Where to compute.
        precision: Arithmetic: 32-true, or mixed with 16 bits where the device gains
            by it.
    """

    recipe: RecipeName = "default"
    start: StartName = "stack"
    head: str | None = None
    freeze: bool = False
    epochs: int | None = None
    batch_size: int | None = None
    optimizer: OptimizerName | None = None
    learning_rate: float | None = None
    decay: DecayName | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    normalise: bool | None = None
    smoothing: float | None = None
    augment: str | None = None
    average: float | None = None
    pseudo_labels: float | None = None
    confidence: float = 0.7
    unlabelled_ratio: int = 2
    rounds: int | None = None
    round_epochs: int | None = None
    reconstruction: float | None = None
    validation: float = 0.0
    patience: int | None = None
    random_state: Any = None
    device: DeviceName = "auto"
    precision: PrecisionName = "32-true"

    def resolved(self) -> "Recipe":
        """Fill in what was left out, and refuse what cannot work.

        Raises:
            ArgumentError: A value that cannot work.
        """
        one_of("recipe", self.recipe, RecipeName)
        usual = RECIPES[self.recipe]
        if self.optimizer == "sgd":
            usual = usual | {"learning_rate": SGD_RATE}
        given = {each.name: getattr(self, each.name) for each in fields(Recipe)}
        chosen = {
            name: usual[name] if value is None else value
            for name, value in given.items()
        }
        recipe = Recipe(**chosen)
        recipe.check()
        self._check()
        self._check_second_task(recipe)
        return recipe

    def alone(self) -> "FineTuning":
        """Give these options without what a subclass adds."""
        names = FineTuning.__dataclass_fields__
        return FineTuning(**{name: getattr(self, name) for name in names})

    def _check(self) -> None:
        one_of("start", self.start, StartName)
        one_of("freeze", self.freeze, Literal[False, True])
        one_of("device", self.device, DeviceName)
        one_of("precision", self.precision, PrecisionName)
        _share("confidence", self.confidence, "Try 0.95.")
        whole("unlabelled_ratio", self.unlabelled_ratio, 1, "Try 2.")
        if isinstance(self.random_state, int):
            whole("random_state (--seed)", self.random_state, 0, "Try 0.")
        watching(self.validation, self.patience)
        if self.patience is not None:
            whole("patience", self.patience, 1, "Try patience=5, or leave it out.")

    def _check_second_task(self, recipe: "Recipe") -> None:
        if self.freeze and recipe.reconstruction:
            raise ArgumentError(
                "reconstruction",
                f"{recipe.reconstruction:g} with an encoder that stays as it is",
                "0 together with freeze",
                "Leave reconstruction or freeze out.",
            )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A recipe with nothing left out; the fields are those of `FineTuning`."""

    head: str
    epochs: int
    batch_size: int
    optimizer: OptimizerName
    learning_rate: float
    decay: DecayName
    weight_decay: float
    dropout: float
    normalise: bool
    smoothing: float
    augment: str
    average: float
    pseudo_labels: float
    rounds: int
    round_epochs: int
    reconstruction: float

    def passes(self, pictures: int) -> int:
        """Give the passes over so many labelled pictures."""
        enough = -(-FEWEST_STEPS // self.steps(pictures))
        return self.epochs or max(FEWEST_PASSES, enough)

    def round_passes(self, pictures: int, known: int) -> int:
        """Give the passes of a round over so many pictures, of which some are known."""
        first = self.passes(known) * self.steps(known)
        least = 1 if self.epochs else FEWEST_ROUND_PASSES
        return self.round_epochs or max(least, -(-2 * first // self.steps(pictures)))

    def steps(self, pictures: int) -> int:
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
        return parse_head(str(self.head))

    def check(self) -> None:
        """Refuse values that cannot work.

        Raises:
            ArgumentError: The first of them.
        """
        parse_head(str(self.head))
        if self.augment != "auto":
            parse_augmentation(self.augment)
        whole("epochs", self.epochs, 0, "Try epochs=40, or 0 for enough.")
        whole("batch_size", self.batch_size, 1, "Try batch_size=64.")
        number("learning_rate", self.learning_rate, 0, math.inf, "Try 0.001.")
        whole("rounds", self.rounds, 0, "Try rounds=1, or 0 for none.")
        whole("round_epochs", self.round_epochs, 0, "Try 4, or 0 for enough.")
        one_of("optimizer", self.optimizer, OptimizerName)
        one_of("decay", self.decay, DecayName)
        one_of("normalise", self.normalise, Literal[False, True])
        _share("dropout", self.dropout, "Try 0.4, or 0 for none.")
        _share("smoothing", self.smoothing, "Try 0.1, or 0 for none.")
        _share("average", self.average, "Try 0.99, or 0 for none.")
        for name in ("weight_decay", "pseudo_labels", "reconstruction"):
            if getattr(self, name) != 0:
                number(name, getattr(self, name), 0, math.inf, "Try 0 for none.")


SGD_RATE = 0.1
"""Learning rate of plain gradient descent; the recipes' own are Adam's."""

RECIPES: dict[str, dict[str, Any]] = {
    "paper": {
        "head": "300N",
        "epochs": 40,
        "batch_size": 64,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "decay": "cosine",
        "weight_decay": 0.0,
        "dropout": 0.0,
        "normalise": False,
        "smoothing": 0.0,
        "augment": "none",
        "average": 0.0,
        "pseudo_labels": 0.0,
        "rounds": 0,
        "round_epochs": 0,
        "reconstruction": 0.0,
    },
    "default": {
        "head": "none",
        "epochs": 0,
        "batch_size": 64,
        "optimizer": "adam",
        "learning_rate": 2e-3,
        "decay": "one-cycle",
        "weight_decay": 0.02,
        "dropout": 0.4,
        "normalise": True,
        "smoothing": 0.0,
        "augment": "auto",
        "average": 0.99,
        "pseudo_labels": 0.0,
        "rounds": 1,
        "round_epochs": 0,
        "reconstruction": 0.0,
    },
}


def _share(name: str, value: Any, next_step: str) -> None:
    """Refuse what is not a number from 0 to below 1."""
    if value != 0:
        number(name, value, 0, 1, next_step)
