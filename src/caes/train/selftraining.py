"""Self-training: a trained classifier labels the other pictures for its successor."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from caes.data import ImageSet
from caes.data.scaling import Scaling
from caes.nn.classifier import Classifier
from caes.train.batches import Batches
from caes.train.finetune import finetune
from caes.train.history import History
from caes.train.progress import Progress
from caes.train.recipes import FineTuning

AT_ONCE = 256
"""Pictures that are classified together."""


@dataclass(frozen=True)
class Taught:
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


def teach(
    build: Callable[[], Classifier],
    images: ImageSet,
    labels: NDArray[np.int64],
    scaling: Scaling,
    options: FineTuning,
    *,
    seed: int,
    fabric: Fabric,
    progress: Progress,
) -> Taught:
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

    def trained(guesses: NDArray[np.int64] | None = None) -> Taught:
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
        return Taught(model, history, 0, found)

    last = trained()
    rounds = options.resolved().rounds if (labels < 0).any() else 0
    for number in range(1, rounds + 1):
        if last.history.broken_off:
            break
        guesses = sure_of(last.model, images, labels, scaling, options.confidence)
        progress.note(f"round {number}: sure of {(guesses >= 0).sum():,} pictures more")
        student = trained(guesses)
        if student.history.broken_off:
            last.history.ended = student.history.ended
            break
        last = replace(student, rounds=number)
    return last


def sure_of(
    model: Classifier,
    images: ImageSet,
    labels: NDArray[np.int64],
    scaling: Scaling,
    confidence: float,
) -> NDArray[np.int64]:
    """Classify the pictures without a label.

    Args:
        model: A trained classifier.
        images: N pictures.
        labels: N class indices, -1 where there is no label.
        scaling: From the pictures' units to [0, 1].
        confidence: Least probability of an answer that counts.

    Returns:
        N class indices, int64; -1 where there is a label already, or no sure answer.
    """
    guesses = np.full(len(images), -1, np.int64)
    rows = np.flatnonzero(labels < 0)
    with torch.inference_mode():
        for start, (pictures,) in enumerate(
            Batches(images, scaling, AT_ONCE, rows=rows)
        ):
            best, found = model.probabilities(pictures).max(1)
            here = rows[start * AT_ONCE : start * AT_ONCE + len(found)]
            guesses[here] = torch.where(best >= confidence, found, -1).numpy()
    return guesses
