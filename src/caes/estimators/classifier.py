"""`CAEClassifier`: what an auto-encoder has learnt from pictures, and a few labels."""

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import KW_ONLY, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from caes.data import ImageSet, load
from caes.data.imageset import join
from caes.data.labels.targets import known_labels, numbered
from caes.data.scaling import Scaling, scaling_of
from caes.errors import ArgumentError, DataError, by_signs
from caes.estimators.base import (
    PictureEstimator,
    Pictures,
    enough_memory,
    is_table,
    seed_of,
)
from caes.estimators.cae import CAE
from caes.nn.architecture import Architecture
from caes.nn.classifier import Classifier
from caes.nn.model import Model
from caes.nn.readout import Answers
from caes.nn.stack import autoencoder
from caes.options import option, options
from caes.runs import checkpoint
from caes.runs.provenance import provenance
from caes.train.answers import Choice, Labelled, choose
from caes.train.finetune import Trained, self_train
from caes.train.loop import fabric_for
from caes.train.options import MINUTES
from caes.train.progress import telling
from caes.train.recipes import FineTuning, Recipe


@options
class CAEClassifier(ClassifierMixin, PictureEstimator, FineTuning):  # type: ignore[misc]
    """A classifier of pictures whose convolutions start from an auto-encoder.

    Pictures may come as for `CAE`. What is None is as the recipe says; by default the
    labels themselves say, by cross-validation, how long the network learns, which
    changes of the pictures keep their classes, and whether the network predicts, or a
    simpler answer.

    Attributes:
        model_: The network, `caes.nn.classifier.Classifier`.
        answers_: The simpler answers, `caes.nn.readout.Answers`; None without any.
        answer_: Which one predicts: "network", or a name among ``answers_.readouts``.
        judged_: By name the error, in [0, 1], and the cross-entropy on labelled
            pictures not learnt from; empty where nothing was cross-validated.
        chosen_: The arguments, what was chosen filled in.
        classes_: The classes, as in the labels.
        class_names_: Their names.
        stack_: The auto-encoder it started from; None after `load`, and with random
            weights.
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

    stack: "CAE | str | os.PathLike[str] | None" = option(
        None,
        """A fitted `CAE`, or the folder of its run; or one that is not fitted, or None
        for the default one: then it is trained first, on all pictures, with this seed
        unless it has its own.""",
    )
    _: KW_ONLY
    image_shape: tuple[int, ...] | None = option(
        None, "(H, W) or (H, W, C) of flattened pictures."
    )
    verbose: bool = option(False, "Whether to report progress on standard error.")

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
            y: N classes: whole numbers, of which -1 means "no label" (unless -1 and 1
                are all there is: then they are two classes), or text. None takes the
                labels of an `ImageSet`.
            unlabelled: More pictures, without labels, in the same form and units.

        Raises:
            ArgumentError: An argument that cannot work.
            DataError: Pictures or labels that cannot be used.
        """
        recipe = self.resolved()
        fabric = fabric_for(self.device, self.precision)
        images = self._open(X, reset=True)
        self.picture_shape_ = images.shape[1:]
        given = numbered(images, y)
        self.classes_: NDArray[Any] = given.classes
        self.class_names_: tuple[str, ...] = given.names
        labels = given.indices
        if unlabelled is not None:
            images, labels = self._with(unlabelled, images, labels)
        seed = seed_of(self.random_state)
        with telling(self.verbose) as tell:
            tell.expect(classifier=60 * recipe.minutes * recipe.automatic)
            arch, scaling, stack = self._beginning(images, seed)
            tell.expect(classifier=0)
            learnt = Labelled(images, labels, scaling, seed, fabric, tell)
            build = partial(self._network, recipe, arch, stack, seed)
            with enough_memory(arch):
                trained, choice, about = _taught(
                    build, learnt, recipe, self.rounds, stack
                )
        made = provenance(images, seed, f"torch on {fabric.device}")
        made["labelled pictures"] = str(int((labels >= 0).sum()))
        made["start"] = _origin(stack)
        made["rounds of self-training"] = str(trained.rounds)
        made["guessed labels"] = str(trained.guessed)
        params = self._plain_params()
        run = checkpoint.Run(trained.model, scaling, params, trained.history, made)
        run.answers, run.answer = about, choice.recipe.answer
        run.judged = {name: (*each,) for name, each in choice.judged.items()}
        names = "answer", "steps", "augment", "rounds"
        run.chosen = {name: getattr(choice.recipe, name) for name in names}
        self._adopt(run)
        self.stack_: CAE | None = stack
        return self

    def predict_proba(self, X: Pictures) -> NDArray[np.float32]:
        """Give each class's probability.

        Args:
            X: The pictures, in the training pictures' units.

        Returns:
            N×classes, float32, rows summing to 1, columns as in ``classes_``.
        """
        check_is_fitted(self)
        return self.probabilities_by(self.answer_, X)

    def probabilities_by(self, answer: str, X: Pictures) -> NDArray[np.float32]:
        """Do the same by another answer than the chosen one.

        Args:
            answer: "network", or a name among ``answers_.readouts``.
            X: The pictures, in the training pictures' units.
        """
        images = self._open(X)
        if answer == "network" or self.answers_ is None:
            told = self._infer(self.model_.probabilities, images)
        else:
            tell = partial(self.answers_.probabilities, name=answer)
            told = self._infer(tell, images, self.answers_)
        return np.concatenate([*told])

    def predict(self, X: Pictures) -> NDArray[Any]:
        """Give each picture's likeliest class, N, as in ``classes_``."""
        found = self.predict_proba(X).argmax(1)
        return self.classes_[found]  # type: ignore[no-any-return]

    def score(
        self, X: Pictures, y: ArrayLike | None = None, sample_weight: Any = None
    ) -> float:
        """Give the share of labelled pictures whose class is found.

        Args:
            X: The pictures.
            y: Their classes, as for `fit`; -1 does not count. None takes the labels of
                an `ImageSet`: by its classes' names, where these are known here.
            sample_weight: Weight of each picture.

        Raises:
            DataError: As for `fit`.
        """
        images = self._open(X)
        values, known = known_labels(images, y)
        classes = self.classes_
        if y is None and not {*self.class_names_}.isdisjoint(images.classes):
            classes = np.array(self.class_names_)
            values = np.array(images.classes)[values]
        found = classes[self.predict_proba(images).argmax(1)]
        weights = None if sample_weight is None else np.asarray(sample_weight)[known]
        right = accuracy_score(values[known], found[known], sample_weight=weights)
        return float(right)

    def set_params(self, **params: Any) -> Self:
        """Set arguments; one of the stack's own, ``stack__arch``, unfits the stack."""
        if "stack" in params:
            self.stack = params.pop("stack")
        if isinstance(self.stack, CAE) and any(
            name.startswith("stack__") for name in params
        ):
            self.stack = clone(self.stack)
        super().set_params(**params)
        return self

    def _network(
        self, recipe: Recipe, arch: Architecture, stack: CAE | None, seed: int
    ) -> Classifier:
        """Build the network, on the stack's weights or on random ones."""
        # What stays as it is needs no normalisation, and none would stay as it is.
        normalised = bool(recipe.normalise) and not self.freeze
        arch = replace(arch, normalised=normalised)
        trunk = autoencoder(arch, self.picture_shape_, seed)
        if stack is not None:
            trunk.load_state_dict(stack.model_.state_dict(), strict=False)
        head, count, dropout = recipe.units, len(self.classes_), float(recipe.dropout)
        return Classifier(trunk, head, count, dropout=dropout, seed=seed)

    def _with(
        self, unlabelled: Pictures, images: ImageSet, labels: NDArray[np.int64]
    ) -> tuple[ImageSet, NDArray[np.int64]]:
        """Put pictures without labels behind the others."""
        if is_table(unlabelled) and self._flat:
            table = validate_data(self, unlabelled, reset=False)
            if table.dtype.kind == images.dtype.kind == "f":
                table = table.astype(images.dtype, copy=False)
            more = self._unflatten(table, False)
        else:
            more = load(unlabelled)
        if (form := _form(more)) != _form(images):
            raise DataError(
                "unlabelled",
                f"pictures of {form}",
                f"pictures like the others, {_form(images)}",
                "Load both with the same size, channels and type.",
            )
        plain = (replace(each, labels=None, classes=()) for each in (images, more))
        behind = np.full(len(more), -1, np.int64)
        return join([*plain]), np.concatenate([labels, behind])

    def _beginning(
        self, images: ImageSet, seed: int
    ) -> tuple[Architecture, Scaling, CAE | None]:
        """Give the form of the encoder, its scaling, and where its weights are from."""
        stack = self._stack()
        random = self.start == "random"
        if hasattr(stack, "model_"):
            _check_stack(stack, images)
        elif random:  # only its form is used
            return stack.check(), scaling_of(images, stack.scale), None
        else:
            stack = clone(stack)
            if stack.random_state is None:
                stack.set_params(random_state=seed)
            stack.fit(images)
        return stack.architecture_, stack.scaling_, None if random else stack

    def _stack(self) -> CAE:
        """Give the stack, read from its folder where one is named."""
        if self.stack is None:
            return default_stack(self, verbose=self.verbose)
        if isinstance(self.stack, CAE):
            return self.stack
        if isinstance(self.stack, str | os.PathLike):
            return CAE.load(self.stack)
        allowed = "a CAE, or the folder of its run"
        raise ArgumentError("stack", repr(self.stack), allowed, "Try stack=CAE().")

    _model = Classifier
    _other_kind = (
        "an auto-encoder",
        "the run of a classifier",
        "Make one with: caes classify DATA --from {}.",
    )
    _below = "stack"
    _one_size = True  # the head has a weight for each place

    @property
    def _encoder(self) -> Model:
        return self.model_.trunk

    def _run(self) -> checkpoint.Run:
        classes = tuple(self.classes_.tolist())
        return replace(
            super()._run(),
            classes=classes,
            names=self.class_names_,
            answers=self.answers_,
            answer=self.answer_,
            judged=self.judged_,
        )

    def _adopt(self, run: checkpoint.Run) -> Self:
        super()._adopt(run)
        self.model_: Classifier
        self.stack_ = None
        self.answers_: Answers | None = run.answers
        self.answer_, self.judged_ = run.answer, run.judged
        if run.classes:
            self.classes_ = np.array(run.classes)
            self.class_names_ = run.names
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        return tags


def _check_stack(stack: CAE, images: ImageSet) -> None:
    (*needed, channels), (*size, given) = stack.picture_shape_, images.shape[1:]
    if given != channels:
        raise ArgumentError(
            "stack",
            f"one trained on pictures of {channels} channels, for pictures of {given}",
            "a stack for pictures with the same channels",
            "Train one on such pictures, or load them with channels=.",
        )
    if stack.architecture_.dense and size != needed:
        raise ArgumentError(
            "stack",
            f"one with dense layers for {by_signs(needed)}, and pictures of "
            f"{by_signs(size)}",
            "pictures of the size it was trained on",
            f"Load them with size={tuple(needed)}.",
        )


def default_stack(recipe: FineTuning, *, verbose: bool, seed: int | None = None) -> CAE:
    """Give the auto-encoder that is trained first where there is none yet."""
    return CAE(
        minutes=(recipe.minutes or MINUTES) / 2,
        device=recipe.device,
        precision=recipe.precision,
        random_state=seed,
        verbose=verbose,
    )


def _taught(
    build: Callable[[], Classifier],
    learnt: Labelled,
    recipe: Recipe,
    rounds: int | None,
    stack: CAE | None,
) -> tuple[Trained, Choice, Answers | None]:
    """Choose what is left open, and train; readouts of the codes stand beside."""
    choice, about = Choice(recipe), None
    if recipe.automatic or recipe.answer != "network":
        about = None if stack is None else Answers(deepcopy(stack.model_), {})
        choice = choose(build, about, learnt, recipe, rounds)
    if about is not None:
        readouts = choice.readouts
        about = Answers(about.encoder, readouts) if readouts else None
    if choice.partial is not None:
        return Trained(*choice.partial, rounds=0, guessed=0), choice, about
    trained = self_train(
        build,
        learnt.images,
        learnt.labels,
        learnt.scaling,
        choice.recipe,
        seed=learnt.seed,
        fabric=learnt.fabric,
        progress=learnt.progress,
    )
    return trained, choice, about


def _form(images: ImageSet) -> str:
    return f"{by_signs(images.shape[1:])} {images.dtype}"


def _origin(stack: CAE | None) -> str:
    if stack is None:
        return "random weights"
    data = stack.provenance_.get("data fingerprint", "unknown pictures")
    return f"{stack.architecture_}, trained on {data}"
