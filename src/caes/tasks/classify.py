"""A few labels on top of a trained auto-encoder, and what they are worth."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caes.data import ImageSet
from caes.data.labels.draws import (
    labelled,
    labelled_only,
    labels_of,
    read_labels,
    renumbered,
    stratified,
)
from caes.errors import ArgumentError, DataError
from caes.estimators import CAE, CAEClassifier
from caes.report.contender import Contender
from caes.tasks.probe import fit_probe, pixels_of

CONTROL = "the same network from random weights, on the labels alone"
PIXELS = "logistic regression on pixels"
CODES = "logistic regression on codes"


def with_table(images: ImageSet, path: Path) -> ImageSet:
    """Take the labels of a table instead of the pictures' own.

    Its rows may also name pictures that were skipped.

    Raises:
        DataError: The table cannot be used for these pictures.
    """
    skipped = [each.name for each in images.skipped]
    labels, classes = read_labels(path, [*images.names, *skipped])
    return labelled(images, labels[: len(images)], classes)


def hold_out(images: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """Keep a share of each class's labelled pictures apart to test on.

    Args:
        images: Pictures of which some are labelled, at least two of each class.
        share: Of a class's pictures, between 0 and 1; at least one goes to each side.
        seed: Draws them.

    Returns:
        The rest, and those kept apart.

    Raises:
        ArgumentError: The share is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ArgumentError(
            "--hold-out",
            f"{share:g} where the source has no labelled test split",
            "a share of the labelled pictures above 0 and below 1, to test on",
            "Try --hold-out 0.2.",
        )
    labels = labels_of(images)
    apart = np.zeros(len(images), bool)
    for label in np.unique(labels[labels >= 0]):
        own = np.where(labels == label, label, -1)
        number = int((own >= 0).sum())
        count = min(max(round(number * share), 1), number - 1)
        apart[stratified(own, count, seed)] = True
    test = replace(images[apart], split=f"{images.split} (held out)")
    return images[~apart], test


def only(images: ImageSet, count: int, seed: int) -> ImageSet:
    """Forget all labels but ``count``, drawn from the seed, of every class alike.

    Raises:
        ArgumentError: Fewer than the classes, or more than there are.
    """
    labels = labels_of(images)
    kept = np.full(len(images), -1, np.int64)
    rows = stratified(labels, count, seed)
    kept[rows] = labels[rows]
    return replace(images, labels=kept)


def answers(
    classifier: CAEClassifier, images: ImageSet, classes: tuple[str, ...]
) -> NDArray[np.float32]:
    """Give probabilities for all classes, also those that it never met: N×K."""
    spread = np.zeros((len(images), len(classes)), np.float32)
    spread[:, classifier.classes_] = classifier.predict_proba(images)
    return spread


def contenders(
    classifier: CAEClassifier,
    stack: CAE,
    seconds: float,
    train: ImageSet,
    test: ImageSet,
    say: Callable[[str], None],
) -> Iterator[Contender]:
    """Give the classifier and its controls, each trained on the same labels.

    Args:
        classifier: The trained one; from random weights it is its own control.
        stack: The auto-encoder behind it.
        seconds: That its training took.
        train: What it learned from.
        test: What all answer for.
        say: Told which control is trained.
    """
    yield Contender("the classifier", answers(classifier, test, train.classes), seconds)
    few = labelled_only(train)
    if classifier.start != "random":
        say("training the control from random weights …")
        yield _control(classifier, few, test)
    for name, features in ((CODES, stack.transform), (PIXELS, pixels_of(stack))):
        say(f"fitting {name} …")
        yield _regression(name, features, few, test)


def _control(classifier: CAEClassifier, few: ImageSet, test: ImageSet) -> Contender:
    """Train the same network from random weights, on labelled pictures."""
    start = time.perf_counter()
    control = CAEClassifier(**classifier.get_params(deep=False))
    control.set_params(start="random", verbose=False).fit(few)
    took = time.perf_counter() - start
    cut_short = ", interrupted" if control.history_.interrupted else ""
    return Contender(CONTROL + cut_short, answers(control, test, few.classes), took)


def _regression(
    name: str,
    features: Callable[[ImageSet], NDArray[np.float32]],
    few: ImageSet,
    test: ImageSet,
) -> Contender:
    """Fit logistic regression on features of labelled pictures."""
    start = time.perf_counter()
    fitted = fit_probe("logistic regression", features(few), labels_of(few))
    took = time.perf_counter() - start
    found = np.zeros((len(test), len(few.classes)), np.float32)
    found[:, fitted.classes_] = fitted.predict_proba(features(test))
    return Contender(name, found, took)


def same_classes(train: ImageSet, test: ImageSet) -> ImageSet:
    """Number the test pictures' classes as the training pictures'.

    Raises:
        DataError: A class that was not learned.
    """
    if test.classes == train.classes:
        return test
    strange = [name for name in test.classes if name not in train.classes]
    if strange:
        raise unknown_class(test.source, strange[0], train.classes)
    moved = renumbered(test, train.classes)
    return replace(test, labels=moved, classes=train.classes)


def unknown_class(source: str, name: str, known: tuple[str, ...]) -> DataError:
    """The error for labels that the classifier cannot give."""
    listed = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
    return DataError(
        source,
        f"the class {name!r}, which the classifier does not know",
        listed,
        "Train it on this class too, or leave its pictures out.",
    )
