"""Training with labels: a classifier that starts from what pictures alone taught.

Self-training on top: a trained classifier labels the other pictures for its successor.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from caes.data import ImageSet
from caes.data.labels.draws import split_rows
from caes.data.scaling import Scaling
from caes.nn.classifier import Classifier
from caes.nn.inference import AT_ONCE, infer
from caes.train.augment import Augmentation
from caes.train.batches import Batches
from caes.train.history import History
from caes.train.loop import Settings, train
from caes.train.pretrain import sharing
from caes.train.progress import Progress
from caes.train.recipes import FineTuning


class Classification(nn.Module):
    """The objective: every picture's class, of pictures changed at random.

    Args:
        model: The classifier.
        augmentation: Random changes of the pictures; None for none.
        seed: Of augmentation and dropout.
    """

    def __init__(
        self, model: Classifier, augmentation: Augmentation | None, seed: int
    ) -> None:
        super().__init__()
        self.model = model
        self.augmentation = augmentation
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """Give loss, NaN and accuracy, (3,), for N×H×W×C in [0, 1] and N classes.

        Without gradients, as in validation, nothing is changed and nothing dropped.
        """
        if not torch.is_grad_enabled():
            return self.model.compare(pictures, labels)
        if self.augmentation is not None:
            pictures = self.augmentation(pictures, self.generator)
        masks = self.model.draw_masks(len(labels), self.generator)
        if masks is not None:
            masks = masks.to(pictures.device)
        return self.model.compare(pictures, labels, masks)


def finetune(
    model: Classifier,
    images: ImageSet,
    labels: NDArray[np.int64],
    scaling: Scaling,
    options: FineTuning,
    *,
    seed: int,
    fabric: Fabric,
    progress: Progress,
    guesses: NDArray[np.int64] | None = None,
) -> History:
    """Train a classifier.

    Args:
        model: Trained in place; on the CPU again afterwards.
        images: Pictures, labelled and unlabelled.
        labels: N class indices, -1 where there is no label.
        scaling: From the pictures' units to [0, 1].
        options: How to train; ``options.validation`` of the labelled ones is kept
            apart.
        seed: Of order, augmentation, dropout and split.
        fabric: Device and precision.
        progress: Is told of every batch and epoch.
        guesses: N class indices to learn from as well, -1 for none; never where there
            is a label. Labelled pictures then come again and again in a pass, so that
            they make a fifth of it, and the passes are those of a round.

    Raises:
        ArgumentError: An option that cannot work.
    """
    recipe = options.resolved()
    order = np.random.default_rng(seed)
    known = np.flatnonzero(labels >= 0)
    learn, watch = (
        known[rows] for rows in split_rows(len(known), options.validation, order)
    )
    epochs = recipe.passes(len(learn))
    if guesses is not None:
        given = len(learn)
        learn = _together(learn, np.flatnonzero(guesses >= 0))
        epochs = recipe.round_passes(len(learn), given)
        labels = np.where(labels < 0, guesses, labels)
    model.choose(encoder=not options.freeze)
    size = _batch_size(len(learn), recipe.batch_size)
    batches = Batches(images, scaling, size, shuffle=order, rows=learn, labels=labels)
    watched = Batches(images, scaling, 256, rows=watch, labels=labels)
    objective = Classification(model, recipe.augmentation(images.shape[3]), seed)
    settings = Settings(
        epochs,
        recipe.learning_rate,
        recipe.decay,
        options.patience,
        recipe.weight_decay,
        recipe.kept(epochs * len(batches)),
        peak=scaling.peak,
        optimizer=recipe.optimizer,
    )
    with sharing(fabric, model.trunk):
        history = train(
            objective,
            batches,
            watched if len(watch) else None,
            settings,
            fabric=fabric,
            progress=progress,
        )
    model.to("cpu").eval()
    return history


@dataclass(frozen=True)
class Trained:
    """A classifier, and how it came to be.

    Args:
        model: The classifier of the last round that was finished.
        history: Of the training that it went through itself.
        rounds: Rounds of self-training before and with it; 0 if it learned from the
            given labels only.
        guessed: Pictures that it learned from with a label that was guessed.
    """

    model: Classifier
    history: History
    rounds: int
    guessed: int


def self_train(
    build: Callable[[], Classifier],
    images: ImageSet,
    labels: NDArray[np.int64],
    scaling: Scaling,
    options: FineTuning,
    *,
    seed: int,
    fabric: Fabric,
    progress: Progress,
) -> Trained:
    """Train a classifier; in every further round a new one, from its answers too.

    What the classifier before is sure of becomes a label (Lee 2013, "Pseudo-Label"),
    and a new network from the same start learns from all labels as if they were given:
    it sees every picture changed at random, which its teacher did not (Xie et al. 2020,
    "Noisy Student", algorithm 1).

    Args:
        build: Gives the network before its training, the same at every call.
        images: Pictures, labelled and unlabelled.
        labels: N class indices, -1 where there is no label.
        scaling: From the pictures' units to [0, 1].
        options: How to train, with ``options.rounds``.
        seed: Of order, augmentation, dropout and split.
        fabric: Device and precision.
        progress: Is told of every batch and epoch.

    Returns:
        The last classifier. After Ctrl-C, or a loss that is not a number, within a
        round: the one before it, with how the round ended in its history.

    Raises:
        ArgumentError: An option that cannot work.
    """

    def trained(guesses: NDArray[np.int64] | None = None) -> Trained:
        model = build()
        history = finetune(
            model,
            images,
            labels,
            scaling,
            options,
            seed=seed,
            fabric=fabric,
            progress=progress,
            guesses=guesses,
        )
        found = 0 if guesses is None else int((guesses >= 0).sum())
        return Trained(model, history, 0, found)

    last = trained()
    rounds = options.resolved().rounds if (labels < 0).any() else 0
    for number in range(1, rounds + 1):
        if last.history.broken_off:
            break
        guesses = pseudo_label(
            last.model, images, labels, scaling, options.confidence, fabric.device
        )
        progress.note(f"round {number}: sure of {(guesses >= 0).sum():,} pictures more")
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
    """Classify the pictures without a label.

    Args:
        model: A trained classifier.
        images: N pictures.
        labels: N class indices, -1 where there is no label.
        scaling: From the pictures' units to [0, 1].
        confidence: Least probability of an answer that counts.
        device: Where to compute.

    Returns:
        N class indices, int64; -1 where there is a label already, or no sure answer.
    """
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
