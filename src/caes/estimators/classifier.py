"""`CAEClassifier`: what an auto-encoder has learnt from pictures, and a few labels."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from caes import checkpoint
from caes.classifier import Classifier
from caes.data import ImageSet
from caes.data.imageset import join
from caes.errors import ArgumentError, DataError, RunError
from caes.estimators.cae import CAE
from caes.estimators.pictures import (
    PictureEstimator,
    Pictures,
    enough_memory,
    seed_of,
)
from caes.finetune import finetune
from caes.loop import fabric_for
from caes.options import DecayName, DeviceName, PrecisionName
from caes.progress import progress
from caes.provenance import provenance
from caes.recipes import FineTuning, RecipeName, StartName
from caes.stack import autoencoder


class CAEClassifier(ClassifierMixin, PictureEstimator):  # type: ignore[misc]
    """A classifier of pictures whose convolutions start from an auto-encoder.

    Pictures may come as for `CAE`. What is None is as the recipe says.

    Args:
        stack: A fitted `CAE`, or the folder of its run; or one that is not fitted, or
            None for the default one: then it is trained first, on all pictures.
        recipe: "default", or "paper": as in Masci et al. 2011.
        start: "stack", or "random": the same network from random weights, the control.
        head: Hidden dense layers, as in "300N"; "none" for nothing.
        freeze: Whether only the head learns.
        epochs: Passes over the labelled pictures.
        batch_size: Labelled pictures a step.
        learning_rate: Of Adam, at its highest.
        decay: How it falls: "constant", "linear", "cosine" or "one-cycle".
        weight_decay: Share of the weights taken off a step, times the learning rate.
        dropout: Share of what goes into each dense layer that is set to 0.
        normalise: Whether each convolution is followed by batch normalisation.
        smoothing: Share of each label spread evenly over all classes.
        augment: Random changes that keep the class: "digits", "photos", "none", "auto",
            or such as "shift:0.1+rotate:15".
        average: Share of the running average of the weights that stays at each step.
        pseudo_labels: Weight of what the network is sure of on unlabelled pictures.
        confidence: Least probability for such a label.
        unlabelled_ratio: Unlabelled pictures a step, for each labelled one.
        reconstruction: Weight of the reconstruction error as a second task.
        validation: Share of the labelled pictures kept apart to watch; 0 for none.
        patience: Stop after so many epochs without a better validation loss, and
            restore the best weights; None never stops.
        random_state: Seed of weights, order, noise and splits.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "32-true", "bf16-mixed" or "16-mixed".
        image_shape: (H, W) or (H, W, C) of flattened pictures.
        verbose: Whether to report progress on standard error.

    Attributes:
        model_: The network, `caes.classifier.Classifier`.
        classes_: The classes, as in the labels.
        class_names_: Their names.
        stack_: The auto-encoder it started from; after `load`, None.
        history_: Losses and accuracies, epoch by epoch.
        seed_: The seed that was used.
        n_features_in_: H·W·C.

    Example:
        >>> import numpy as np
        >>> from caes import CAE, CAEClassifier
        >>> pictures = np.random.default_rng(0).random((64, 8, 8))
        >>> labels = np.arange(64) % 2
        >>> stack = CAE("4C3-MP2", epochs=1, random_state=0).fit(pictures)
        >>> CAEClassifier(stack, epochs=1, random_state=0).fit(
        ...     pictures, labels
        ... ).predict(pictures).shape
        (64,)
    """

    model_: Classifier
    classes_: NDArray[Any]
    class_names_: tuple[str, ...]
    stack_: CAE | None

    def __init__(
        self,
        stack: CAE | str | os.PathLike[str] | None = None,
        *,
        recipe: RecipeName = "default",
        start: StartName = "stack",
        head: str | None = None,
        freeze: bool = False,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        decay: DecayName | None = None,
        weight_decay: float | None = None,
        dropout: float | None = None,
        normalise: bool | None = None,
        smoothing: float | None = None,
        augment: str | None = None,
        average: float | None = None,
        pseudo_labels: float | None = None,
        confidence: float = 0.95,
        unlabelled_ratio: int = 2,
        reconstruction: float | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        random_state: Any = None,
        device: DeviceName = "auto",
        precision: PrecisionName = "32-true",
        image_shape: tuple[int, ...] | None = None,
        verbose: bool = False,
    ) -> None:
        self.stack = stack
        self.recipe = recipe
        self.start = start
        self.head = head
        self.freeze = freeze
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.decay = decay
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.normalise = normalise
        self.smoothing = smoothing
        self.augment = augment
        self.average = average
        self.pseudo_labels = pseudo_labels
        self.confidence = confidence
        self.unlabelled_ratio = unlabelled_ratio
        self.reconstruction = reconstruction
        self.validation = validation
        self.patience = patience
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.image_shape = image_shape
        self.verbose = verbose

    def fit(
        self,
        X: Pictures,
        y: ArrayLike | None = None,
        *,
        unlabelled: Pictures | None = None,
    ) -> Self:
        """Train on pictures of which some, or all, are labelled.

        Args:
            X: The pictures.
            y: N classes: whole numbers, of which -1 means "no label", or text. None
                takes the labels of an `ImageSet`.
            unlabelled: More pictures, without labels.

        Raises:
            ArgumentError: An argument that cannot work.
            DataError: Pictures or labels that cannot be used.
        """
        options = self._options()
        recipe = options.resolved()
        fabric = fabric_for(options.device, options.precision)
        images = self._open(X, reset=True)
        labels = self._labels(images, y)
        if unlabelled is not None:
            images, labels = self._with(unlabelled, images, labels)
        seed = seed_of(self.random_state)
        stack = self._pretrained(images)
        with enough_memory(stack.architecture_):
            arch = replace(stack.architecture_, normalised=recipe.normalise)
            trunk = autoencoder(arch, self.picture_shape_, seed)
            if options.start == "stack":
                trunk.load_state_dict(stack.model_.state_dict(), strict=False)
            count = len(self.classes_)
            model = Classifier(
                trunk, recipe.units, count, dropout=recipe.dropout, seed=seed
            )
            history = finetune(
                model,
                images,
                labels,
                stack.scaling_,
                options,
                seed=seed,
                fabric=fabric,
                progress=progress(self.verbose),
            )
        made = provenance(images, seed, f"torch on {fabric.device}")
        made["labelled pictures"] = str(int((labels >= 0).sum()))
        made["start"] = self._origin(stack)
        run = checkpoint.Run(model, stack.scaling_, self._plain_params(), history, made)
        self._adopt(run)
        self.stack_ = stack
        return self

    def predict_proba(self, X: Pictures) -> NDArray[np.float32]:
        """Give each class's probability.

        Args:
            X: The pictures, in the training pictures' units.

        Returns:
            N×classes, float32, rows summing to 1, columns as in ``classes_``.
        """
        images = self._open(X)
        with torch.inference_mode():
            parts = [
                self.model_.probabilities(batch).numpy()
                for (batch,) in self._batches(images)
            ]
        return np.concatenate(parts)

    def predict(self, X: Pictures) -> NDArray[Any]:
        """Give each picture's likeliest class, N, as in ``classes_``."""
        found: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(1)]
        return found

    def score(
        self, X: Pictures, y: ArrayLike | None = None, sample_weight: Any = None
    ) -> float:
        """Give the share of pictures whose class is found.

        Args:
            X: The pictures.
            y: Their classes; None takes the labels of an `ImageSet`.
            sample_weight: Weight of each picture.
        """
        if y is None and isinstance(X, ImageSet):
            y = X.labels
        return float(super().score(X, y, sample_weight))

    def _options(self) -> FineTuning:
        names = FineTuning.__dataclass_fields__
        return FineTuning(**{name: getattr(self, name) for name in names})

    def _labels(self, images: ImageSet, y: ArrayLike | None) -> NDArray[np.int64]:
        """Number the classes; -1 stays."""
        given = images.labels if y is None else y
        if given is None:
            raise DataError(
                "y",
                "no labels",
                "a class for each picture, or -1 where it is not known",
                "Pass y, or an ImageSet with labels.",
            )
        values = column_or_1d(given, warn=True)
        if len(values) != len(images):
            raise DataError(
                "y",
                f"{len(values)} labels for {len(images)} pictures",
                "as many labels as pictures",
                "Check how the two were selected.",
            )
        check_classification_targets(values)
        known = np.ones(len(values), bool)
        if values.dtype.kind in "if" and set(np.unique(values)) != {-1, 1}:
            known = values != -1
        self.classes_, numbered = np.unique(values[known], return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(
                "y",
                f"{len(self.classes_)} class",
                "at least two classes",
                "Label pictures of another class too.",
            )
        from_set = y is None and len(images.classes) > int(self.classes_.max())
        self.class_names_ = tuple(
            images.classes[value] if from_set else str(value)
            for value in self.classes_.tolist()
        )
        labels = np.full(len(values), -1, np.int64)
        labels[known] = numbered
        return labels

    def _with(
        self, unlabelled: Pictures, images: ImageSet, labels: NDArray[np.int64]
    ) -> tuple[ImageSet, NDArray[np.int64]]:
        """Put pictures without labels behind the others."""
        if isinstance(unlabelled, ImageSet):
            more = unlabelled
        else:
            more = ImageSet.from_pixels(np.asarray(unlabelled))
        if self._flat:
            more = ImageSet.from_pixels(
                np.asarray(unlabelled).reshape(-1, *images.shape[1:])
            )
        plain = (replace(each, labels=None, classes=()) for each in (images, more))
        behind = np.full(len(more), -1, np.int64)
        return join([*plain]), np.concatenate([labels, behind])

    def _pretrained(self, images: ImageSet) -> CAE:
        """Give the fitted stack, training it first where it is not."""
        self.picture_shape_ = images.shape[1:]
        stack = CAE() if self.stack is None else self.stack
        if not isinstance(stack, CAE):
            stack = CAE.load(stack)
        if hasattr(stack, "model_"):
            self._check_stack(stack, images)
            return stack
        fresh: CAE = clone(stack)
        if self.start == "random":  # only its form is used
            fresh.set_params(epochs=1, validation=0)
            return fresh.fit(images[:1])
        return fresh.fit(images)

    def _check_stack(self, stack: CAE, images: ImageSet) -> None:
        if images.shape[3] != stack.picture_shape_[2]:
            raise ArgumentError(
                "stack",
                f"one trained on pictures of {stack.picture_shape_[2]} channels, "
                f"for pictures of {images.shape[3]}",
                "a stack for pictures with the same channels",
                "Train one on such pictures, or load them with channels=.",
            )
        if stack.architecture_.dense and images.shape[1:] != stack.picture_shape_:
            height, width, _ = stack.picture_shape_
            raise ArgumentError(
                "stack",
                f"one with dense layers for {height}×{width}, and pictures of "
                f"{images.shape[1]}×{images.shape[2]}",
                "pictures of the size it was trained on",
                f"Load them with size=({height}, {width}).",
            )

    def _origin(self, stack: CAE) -> str:
        if self.start == "random":
            return "random weights"
        data = stack.provenance_["data fingerprint"]
        return f"{stack.architecture_}, trained on {data}"

    @classmethod
    def _check_kind(cls, run: checkpoint.Run, folder: Path) -> None:
        if not isinstance(run.model, Classifier):
            raise RunError(
                str(folder),
                "an auto-encoder",
                "the run of a classifier",
                f"Make one with: caes classify DATA --from {folder}.",
            )

    def _run(self) -> checkpoint.Run:
        return checkpoint.Run(
            self.model_,
            self.scaling_,
            self._plain_params(),
            self.history_,
            self.provenance_,
            tuple(self.classes_.tolist()),
            self.class_names_,
        )

    def _adopt(self, run: checkpoint.Run) -> Self:
        super()._adopt(run)
        self.model_ = run.model  # type: ignore[assignment]
        self.stack_ = None
        if run.classes:
            self.classes_ = np.array(run.classes)
            self.class_names_ = run.names
        return self

    def _plain_params(self) -> dict[str, Any]:
        # What was taken from the stack is part of the model by now.
        return super()._plain_params() | {"stack": None}

    def __sklearn_clone__(self) -> "CAEClassifier":
        """Keep a fitted stack fitted, as its labels are not what it learnt from."""
        params = self.get_params(deep=False)
        stack = params.pop("stack")
        fitted = isinstance(stack, CAE) and hasattr(stack, "model_")
        kept = stack if fitted or not isinstance(stack, CAE) else clone(stack)
        return type(self)(kept, **{k: clone(v, safe=False) for k, v in params.items()})

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        return tags
