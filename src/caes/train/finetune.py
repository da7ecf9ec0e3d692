"""Training with labels: a classifier that starts from what pictures alone taught."""

from collections.abc import Iterator

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from caes.data import ImageSet
from caes.data.scaling import Scaling
from caes.nn.classifier import Classifier
from caes.train.augment import Augmentation, parse_augmentation
from caes.train.batches import Batches
from caes.train.history import History
from caes.train.loop import Settings, train
from caes.train.pretrain import sharing, split_rows
from caes.train.progress import Progress
from caes.train.recipes import FineTuning, Recipe


class Recognition(nn.Module):
    """The objective: every labelled picture's class, and what follows from it.

    Unlabelled pictures count with the class that the network is sure of when they are
    changed little, while they are changed much (Sohn et al. 2020, "FixMatch", equation
    4).

    Args:
        model: The classifier.
        recipe: How it is trained.
        augmentation: Random changes of labelled pictures; None for none.
        confidence: Least probability for a pseudo-label.
        seed: Of augmentation and dropout.
    """

    def __init__(
        self,
        model: Classifier,
        recipe: Recipe,
        augmentation: Augmentation | None,
        confidence: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe
        self.augmentation = augmentation
        self.confidence = confidence
        self.generator = torch.Generator().manual_seed(seed)

    def forward(
        self, pictures: Tensor, labels: Tensor, others: Tensor | None = None
    ) -> Tensor:
        """Give loss, squared error and accuracy, (3,).

        Args:
            pictures: N×H×W×C float32 in [0, 1].
            labels: N class indices, int64.
            others: M×H×W×C, unlabelled; None without.
        """
        if not torch.is_grad_enabled():
            weights = torch.ones(len(labels), 2, device=labels.device)
            return self.model.compare(pictures, labels, weights)
        seen = self._changed(pictures)
        n = len(labels)
        weights = torch.ones(n, 2, device=labels.device)
        if others is not None:
            guessed, sure = self._guess(others)
            m = len(others)
            seen = torch.cat([seen, self._changed(others)])
            labels = torch.cat([labels, guessed])
            # Means over both kinds apart, written as one mean over all rows.
            weights = torch.cat([weights * (n + m) / n, weights.new_zeros(m, 2)])
            weights[n:, 0] = sure * self.recipe.pseudo_labels * (n + m) / m
        masks = self.model.draw_masks(len(seen), self.generator)
        return self.model.compare(
            seen,
            labels,
            weights,
            None if masks is None else masks.to(seen.device),
            smoothing=self.recipe.smoothing,
            reconstruction=self.recipe.reconstruction,
        )

    def _changed(self, pictures: Tensor) -> Tensor:
        if self.augmentation is None:
            return pictures
        return self.augmentation(pictures, self.generator)

    def _guess(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Give the likeliest class of each picture, and 1 where it is sure enough."""
        self.model.eval()
        with torch.no_grad():
            best, guessed = self.model.probabilities(pictures).max(1)
        self.model.train()
        return guessed, (best >= self.confidence).float()


class Together:
    """Labelled batches, each with unlabelled pictures beside it.

    Args:
        labelled: Gone through once a pass.
        others: Gone through again and again, as long as the labelled ones last.
    """

    def __init__(self, labelled: Batches, others: Batches) -> None:
        self.labelled = labelled
        self.others = others
        self._endless = self._again()

    @property
    def pictures(self) -> int:
        """Pictures in one pass, those without labels included."""
        return self.labelled.pictures + len(self) * self.others.size

    def __len__(self) -> int:
        return len(self.labelled)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Give batches: pictures, labels, unlabelled pictures."""
        for (pictures, labels), (others,) in zip(
            self.labelled, self._endless, strict=False
        ):
            yield pictures, labels, others

    def _again(self) -> Iterator[tuple[Tensor, ...]]:
        while True:
            yield from self.others


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
    model.choose(encoder=not options.freeze, decoder=recipe.reconstruction > 0)
    size = _batch_size(len(learn), recipe.batch_size)
    labelled = Batches(images, scaling, size, shuffle=order, rows=learn, labels=labels)
    batches: Batches | Together = labelled
    rest = np.flatnonzero(labels < 0)
    if recipe.pseudo_labels and len(rest):
        beside = min(options.unlabelled_ratio * size, len(rest))
        batches = Together(
            labelled, Batches(images, scaling, beside, shuffle=order, rows=rest)
        )
    watched = Batches(images, scaling, 256, rows=watch, labels=labels)
    objective = Recognition(
        model, recipe, _augmentation(recipe, images), options.confidence, seed
    )
    settings = Settings(
        epochs,
        recipe.learning_rate,
        recipe.decay,
        options.patience,
        recipe.weight_decay,
        recipe.kept(epochs * len(labelled)),
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


def _augmentation(recipe: Recipe, images: ImageSet) -> Augmentation | None:
    if recipe.augment == "auto":
        return parse_augmentation("digits" if images.shape[3] == 1 else "photos")
    return parse_augmentation(recipe.augment)
