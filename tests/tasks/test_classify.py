"""A classifier from labels, and its controls."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from caes import CAE, CAEClassifier, ImageSet
from caes.data.labels.draws import only
from caes.data.labels.labelled import labels_of
from caes.tasks.classify import CODES, CONTROL, PIXELS, answers, contenders
from tests.tasks.conftest import Interrupt


def fitted(images: ImageSet, stack: CAE, **options: object) -> CAEClassifier:
    given = {"recipe": "paper", "head": "none", "epochs": 2, "random_state": 0}
    return CAEClassifier(stack, **{**given, **options}).fit(images)  # type: ignore[arg-type]


def test_a_class_that_was_never_met_gets_no_probability(
    images: ImageSet, stack: CAE, test_images: ImageSet
) -> None:
    without = images[labels_of(images) != 1]
    classifier = fitted(without, stack)
    found = answers(classifier, test_images, images.classes)
    assert found.shape == (12, 3)
    assert found.dtype == np.float32
    assert (found[:, 1] == 0).all()
    np.testing.assert_array_equal(
        found[:, [0, 2]], classifier.predict_proba(test_images)
    )


def test_the_controls_learn_from_the_same_labels_and_from_nothing_else(
    images: ImageSet, stack: CAE, test_images: ImageSet
) -> None:
    train = only(images, 12, 0)
    few = train[labels_of(train) >= 0]
    guessing = {"rounds": 1, "confidence": 0}
    classifier = fitted(train, stack, **guessing)
    told: list[str] = []
    found = [*contenders(classifier, stack, 3.5, train, test_images, told.append)]
    assert [each.name for each in found] == ["the classifier", CONTROL, CODES, PIXELS]
    assert found[0].seconds == 3.5
    assert told == [
        "training the control from random weights …",
        "fitting logistic regression on codes …",
        "fitting logistic regression on pixels …",
    ]
    alone = fitted(few, stack, **guessing, start="random")
    np.testing.assert_array_equal(
        found[1].probabilities, alone.predict_proba(test_images)
    )
    flat = few.pixels.reshape(12, -1) / 255, test_images.pixels.reshape(12, -1) / 255
    codes = stack.transform(few), stack.transform(test_images)
    for each, (seen, asked) in ((found[2], codes), (found[3], flat)):
        line = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.01, max_iter=300, tol=1e-3)
        )
        wanted = line.fit(seen, labels_of(few)).predict_proba(asked)
        np.testing.assert_allclose(each.probabilities, wanted, atol=1e-4)


def test_a_control_that_was_interrupted_says_so(
    images: ImageSet, stack: CAE, test_images: ImageSet, interrupt: Interrupt
) -> None:
    classifier = fitted(images, stack)
    interrupt(CAEClassifier)
    _, control, *_ = contenders(classifier, stack, 1, images, test_images, print)
    assert control.name == f"{CONTROL}, interrupted"
