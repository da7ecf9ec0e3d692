"""A classifier from labels, its own other answers, its control and plain means."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from caes import CAE, CAEClassifier, ImageSet
from caes.data.labels.draws import only
from caes.data.labels.labelled import labels_of
from caes.errors import RunError
from caes.tasks.classify import (
    CODES,
    CONTROL,
    CONTROLS,
    answers,
    keep,
    kept,
    own_answers,
    rivals,
)
from caes.tasks.plain_means import PLAIN_MEANS, statistics
from tests.refusals import refusing
from tests.tasks.conftest import Interrupt

PLAIN = [each.name for each in PLAIN_MEANS]


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


def test_control_and_plain_means_learn_from_the_same_labels(
    images: ImageSet, stack: CAE, test_images: ImageSet
) -> None:
    train = only(images, 12, 0)
    few = train[labels_of(train) >= 0]
    classifier = fitted(train, stack)
    told: list[str] = []
    found = [*rivals(classifier, train, test_images, told.append)]
    assert [each.name for each in found] == [CONTROL, CODES, *PLAIN]
    assert [each.role for each in found] == ["control"] * 2 + ["plain"] * 4
    assert told[0].startswith("training the control from random weights, about ")
    assert told[1] == "fitting plain means on 12 labels …"
    alone = fitted(few, stack, start="random")
    np.testing.assert_array_equal(
        found[0].probabilities, alone.predict_proba(test_images)
    )
    flat = few.pixels.reshape(12, -1) / 255, test_images.pixels.reshape(12, -1) / 255
    codes = stack.transform(few), stack.transform(test_images)
    for each, (seen, asked) in ((found[1], codes), (found[3], flat)):
        line = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.01, max_iter=300, tol=1e-3)
        )
        wanted = line.fit(seen, labels_of(few)).predict_proba(asked)
        np.testing.assert_allclose(each.probabilities, wanted, atol=1e-4)


def test_the_control_teaches_itself_where_the_classifier_does(
    images: ImageSet, stack: CAE, test_images: ImageSet
) -> None:
    train = only(images, 12, 0)
    guessing = {"rounds": 1, "confidence": 0}
    classifier = fitted(train, stack, **guessing)
    control, *_ = rivals(classifier, train, test_images, lambda _: None)
    alone = fitted(train, stack, **guessing, start="random")
    assert alone.provenance_["guessed labels"] != "0"
    np.testing.assert_array_equal(
        control.probabilities, alone.predict_proba(test_images)
    )


def test_the_answers_that_were_not_chosen_stand_beside(
    images: ImageSet, stack: CAE, test_images: ImageSet
) -> None:
    classifier = fitted(images, stack, answer="codes")
    found = [*own_answers(classifier, 3.5, test_images, images.classes)]
    assert [each.name for each in found] == [
        "the classifier",
        "the network",
        "logistic regression on codes and statistics",
        "a kernel machine on codes and statistics",
    ]
    assert found[0].seconds == 3.5
    network = classifier.probabilities_by("network", test_images)
    np.testing.assert_array_equal(found[1].probabilities, network)


def test_a_control_that_was_interrupted_says_so_and_is_the_last(
    images: ImageSet, stack: CAE, test_images: ImageSet, interrupt: Interrupt
) -> None:
    classifier = fitted(images, stack)
    interrupt(CAEClassifier)
    found = [*rivals(classifier, images, test_images, print)]
    assert [each.name for each in found] == [f"{CONTROL}, interrupted"]


def test_what_the_controls_answered_is_read_back(
    images: ImageSet, stack: CAE, test_images: ImageSet, tmp_path: Path
) -> None:
    classifier = fitted(images, stack, start="random")
    some = [*rivals(classifier, images, test_images, lambda _: None)]
    keep(tmp_path, test_images, 2.5, some)
    seconds, found = kept(tmp_path, test_images, 3)
    assert seconds == 2.5
    for one, other in zip(some, found, strict=True):
        assert (one.name, one.seconds, one.role) == (
            other.name,
            other.seconds,
            other.role,
        )
        np.testing.assert_array_equal(one.answers, other.answers)
    about = json.loads((tmp_path / CONTROLS).read_text())
    (tmp_path / CONTROLS).write_text(json.dumps(about | {"test": "others"}))
    message = f"{tmp_path}/controls.json: received no answers of the controls (answers about other pictures); allowed: the file as caes classify wrote it, and the pictures that it tested on. Train again: caes classify DATA --from RUN."
    with refusing(RunError, message):
        kept(tmp_path, test_images, 3)


@pytest.mark.parametrize("shape", [(3, 3, 1), (12, 12, 1), (9, 17, 3)])
def test_any_picture_has_finite_statistics(shape: tuple[int, ...]) -> None:
    pictures = np.random.default_rng(0).random((4, *shape)).astype(np.float32)
    flat = np.zeros((4, *shape), np.float32)
    found = statistics(np.concatenate([pictures, flat]))
    assert len(found) == 8
    assert np.isfinite(found).all()
    assert (found[:4] != found[4:]).any()
