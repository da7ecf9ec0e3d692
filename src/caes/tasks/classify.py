"""A few labels on top of a trained auto-encoder, and what they are worth."""

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from caes.data import ImageSet
from caes.data.labels.labelled import labelled_only, labels_of
from caes.estimators import CAE, CAEClassifier
from caes.report.comparison import Contender
from caes.tasks.probe import fit_probe, pixels_of

CONTROL = "the same network from random weights, on the labels alone"
PIXELS = "logistic regression on pixels"
CODES = "logistic regression on codes"


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
    """Give the classifier and its controls, each trained on the same labels."""
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
