"""Training with labels: a classifier that starts from what pictures alone taught.

Self-training on top: a trained classifier labels the other pictures for its successor.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caes.data import ImageSet
from caes.data.labels.draws import split_rows
from caes.data.scaling import Scaling
from caes.nn.classifier import Classifier
from caes.nn.inference import AT_ONCE, infer
from caes.nn.runner import Compare, runner
from caes.train.augment import Augmentation
from caes.train.batches import Batches
from caes.train.history import History
from caes.train.loop import Machine, Plain, Settings, train
from caes.train.progress import Progress
from caes.train.readout import Fold
from caes.train.recipes import Recipe

STRETCH = 50
"""Fewest steps between two lines of a training that is counted in steps."""
PATIENCE, FALLS, AVERAGE = 6, 1, 0.98
"""In a trial on a fold: stretches without a better loss until the rate falls to a third
or the end comes, how often it falls, and the running average that is watched."""


class Classification(nn.Module):
    """The objective: every picture's class, of pictures changed at random.

    ``compare`` gives its figures: `Classifier.compare`, or a runner's; the seed is that
    of augmentation and dropout.
    """

    def __init__(
        self,
        model: Classifier,
        compare: Compare,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.compare = compare
        self.augmentation = augmentation
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """Give loss, NaN and accuracy, (3,), for N×H×W×C in [0, 1] and N classes.

        Without gradients, as in validation, nothing is changed and nothing dropped.
        """
        if not torch.is_grad_enabled():
            return self.compare(pictures, labels)
        if self.augmentation is not None:
            pictures = self.augmentation(pictures, self.generator)
        masks = self.model.draw_masks(len(labels), self.generator)
        dropped = () if masks is None else (masks.to(pictures.device),)
        return self.compare(pictures, labels, *dropped)


def finetune(
    model: Classifier,
    images: ImageSet,
    labels: NDArray[np.int64],
    scaling: Scaling,
    recipe: Recipe,
    *,
    seed: int,
    fabric: Machine,
    progress: Progress,
    guesses: NDArray[np.int64] | None = None,
    fold: Fold | None = None,
) -> History:
    """Train a classifier in place; on the CPU again afterwards.

    N labels are class indices, -1 for none; guesses, where there is no label, as well.
    With guesses, labelled pictures come again and again in a pass, so that they make a
    fifth of it, and the passes are those of a round. ``recipe.validation`` of the
    labelled ones is kept apart.

    On a fold of the pictures it is a trial: until those kept apart are not told any
    better, after ``recipe.steps`` at most, or ``recipe.minutes``.
    """
    order = np.random.default_rng(seed)
    known = np.flatnonzero(labels >= 0)
    learn, watch = fold or (
        known[rows] for rows in split_rows(len(known), recipe.validation, order)
    )
    epochs, steps = recipe.passes(len(learn)), recipe.steps
    if guesses is not None:
        given = len(learn)
        learn = _together(learn, np.flatnonzero(guesses >= 0))
        epochs = recipe.round_passes(len(learn), given)
        steps = steps and 2 * steps
        labels = np.where(labels < 0, guesses, labels)
    model.choose(encoder=not recipe.freeze)
    size = _batch_size(len(learn), recipe.batch_size)
    batches = Batches(images, scaling, size, shuffle=order, rows=learn, labels=labels)
    watched = Batches(images, scaling, 256, rows=watch, labels=labels)
    if steps is not None:
        batches.stretch = min(max(len(batches), STRETCH), steps)
        epochs = -(-steps // batches.stretch)
    changes = recipe.augmentation(images.shape[3])
    settings = _settings(recipe, epochs, epochs * len(batches), scaling.peak)
    if fold is not None:
        settings = _of_trial(settings, recipe.minutes)
    with runner(model, model.compare, plain=isinstance(fabric, Plain)) as compare:
        history = train(
            Classification(model, compare, changes, seed),
            batches,
            watched,
            settings,
            fabric=fabric,
            progress=progress,
        )
    model.to("cpu").eval()
    return history


def _settings(recipe: Recipe, epochs: int, steps: int, peak: float) -> Settings:
    """Say how a recipe trains for so many epochs, which are so many steps."""
    return Settings(
        epochs,
        recipe.learning_rate,
        recipe.decay,
        recipe.patience,
        recipe.weight_decay,
        recipe.kept(steps),
        peak=peak,
        optimizer=recipe.optimizer,
        counted=recipe.steps is not None,
    )


def _of_trial(settings: Settings, minutes: float) -> Settings:
    """Say how a trial on a fold trains: until it gets no better."""
    return replace(
        settings,
        decay="constant",
        patience=PATIENCE,
        falls=FALLS,
        average=AVERAGE,
        minutes=minutes,
    )


@dataclass(frozen=True)
class Trained:
    """The classifier of the last round that was finished, and how it came to be."""

    model: Classifier
    history: History  # of the training that it went through itself
    rounds: int  # 0 if it learned from the given labels only
    guessed: int  # pictures that it learned from with a label that was guessed


def self_train(
    build: Callable[[], Classifier],
    images: ImageSet,
    labels: NDArray[np.int64],
    scaling: Scaling,
    recipe: Recipe,
    *,
    seed: int,
    fabric: Machine,
    progress: Progress,
) -> Trained:
    """Train a classifier; in every further round a new one, from its answers too.

    What the classifier before is sure of becomes a label (Lee 2013, "Pseudo-Label"),
    and a new network from the same start learns from all labels as if they were given:
    it sees every picture changed at random, which its teacher did not (Xie et al. 2020,
    "Noisy Student", algorithm 1).

    ``build`` gives the network before its training, the same at every call. After
    Ctrl-C, or a loss that is not a number, within a round, the classifier is the one
    before it, with how the round ended in its history.
    """

    def trained(guesses: NDArray[np.int64] | None = None) -> Trained:
        model = build()
        history = finetune(
            model,
            images,
            labels,
            scaling,
            recipe,
            seed=seed,
            fabric=fabric,
            progress=progress,
            guesses=guesses,
        )
        found = 0 if guesses is None else int((guesses >= 0).sum())
        return Trained(model, history, 0, found)

    last = trained()
    rounds = recipe.rounds if (labels < 0).any() else 0
    for number in range(1, rounds + 1):
        if last.history.broken_off:
            break
        guesses = pseudo_label(
            last.model, images, labels, scaling, recipe.confidence, fabric.device
        )
        progress.note(f"round {number}: sure of {(guesses >= 0).sum():,} pictures more")
        took = sum(row.seconds for row in last.history.rows)
        progress.expect(rounds=took * (rounds - number))
        student = trained(guesses)
        if student.history.broken_off:
            last.history.ended = student.history.ended
            break
        last = replace(student, rounds=number)
    return last


def pseudo_label(
    model: Classifier,
    images: ImageSet,
    labels: NDArray[np.int64],
    scaling: Scaling,
    confidence: float,
    device: torch.device,
) -> NDArray[np.int64]:
    """Classify the pictures without a label: N classes, -1 where none is sure."""
    guesses = np.full(len(images), -1, np.int64)
    rows = np.flatnonzero(labels < 0)
    batches = Batches(images, scaling, AT_ONCE, rows=rows)
    parts = [*infer(model, model.probabilities, batches, device)]
    if parts:
        probabilities = np.concatenate(parts)  # N×classes
        sure = probabilities.max(1) >= confidence
        guesses[rows] = np.where(sure, probabilities.argmax(1), -1)
    return guesses


def _together(
    known: NDArray[np.int64], guessed: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Give the rows of a pass: those known to be right make a fifth of it at least."""
    times = max(1, round(len(guessed) / (4 * len(known))))
    return np.concatenate([np.tile(known, times), guessed])


def _batch_size(pictures: int, most: int) -> int:
    """Give the pictures of a step; one more where a single one would be left over.

    Its maps, if they are of one pixel, could not be normalised: they do not vary.
    """
    size = min(most, pictures)
    return -(-pictures // (pictures // size)) if pictures % size == 1 else size
