"""What a classifier says of pictures, and its table."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from caes import CAE, CAEClassifier, ImageSet
from caes.tasks.predict import Predictions, predict, write_predictions
from tests.cli.conftest import table

PROBABILITIES = np.array([[0.75, 0.25], [0.125, 0.875], [0.5, 0.5]], np.float32)


@pytest.fixture(scope="module")
def classifier(images: ImageSet, stack: CAE) -> CAEClassifier:
    options = {"recipe": "paper", "head": "none", "epochs": 2, "random_state": 0}
    return CAEClassifier(stack, **options).fit(images)  # type: ignore[arg-type]


def some(truth: list[int] | None) -> Predictions:
    names = ["a.png", "b, with a comma.png", "c.png"]
    known = None if truth is None else np.array(truth)
    return Predictions(names, ("cat", "dog"), PROBABILITIES, known)


def test_without_known_classes_there_is_no_column_for_them(tmp_path: Path) -> None:
    write_predictions(some(None), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == (
        "name,class,probability,p(cat),p(dog)\n"
        "a.png,cat,0.750000,0.750000,0.250000\n"
        '"b, with a comma.png",dog,0.875000,0.125000,0.875000\n'
        "c.png,cat,0.500000,0.500000,0.500000\n"
    )


def test_known_classes_stand_beside_and_unknown_ones_are_empty(tmp_path: Path) -> None:
    write_predictions(some([1, 1, -1]), tmp_path / "t.csv")
    found = table(tmp_path / "t.csv")
    columns = ["name", "class", "probability", "label", "p(cat)", "p(dog)"]
    assert list(found[0]) == columns
    assert [row["label"] for row in found] == ["dog", "dog", ""]


@pytest.mark.parametrize(
    ("truth", "accuracy"),
    [(None, None), ([-1, -1, -1], None), ([1, 1, -1], 0.5), ([0, 1, 1], 2 / 3)],
)
def test_accuracy_counts_what_is_labelled(
    truth: list[int] | None, accuracy: float | None
) -> None:
    assert some(truth).accuracy == accuracy


def test_every_picture_gets_a_class_and_probabilities_that_sum_to_1(
    classifier: CAEClassifier, test_images: ImageSet, tmp_path: Path
) -> None:
    found = predict(classifier, test_images)
    write_predictions(found, tmp_path / "t.csv")
    rows = table(tmp_path / "t.csv")
    assert [row["name"] for row in rows] == list(test_images.names)
    for row, chances in zip(rows, classifier.predict_proba(test_images), strict=True):
        each = {name: float(row[f"p({name})"]) for name in test_images.classes}
        np.testing.assert_allclose([*each.values()], chances, atol=1e-6)
        assert sum(each.values()) == pytest.approx(1, abs=1e-5)
        assert row["class"] == max(each, key=lambda name: each[name])
        assert float(row["probability"]) == max(each.values())
    assert found.accuracy == classifier.score(test_images)


def test_classes_in_another_order_are_told_by_their_names(
    classifier: CAEClassifier, test_images: ImageSet
) -> None:
    assert test_images.labels is not None
    moved = replace(
        test_images,
        labels=np.array([1, 0])[np.minimum(test_images.labels, 1)],
        classes=(test_images.classes[1], test_images.classes[0]),
    )
    found = predict(classifier, moved)
    assert found.truth is not None
    assert found.truth.tolist() == np.minimum(test_images.labels, 1).tolist()
    assert found.classes == test_images.classes
    found = predict(classifier, replace(test_images, labels=np.array([0, -1] * 6)))
    assert found.truth is not None
    assert found.truth.tolist() == [0, -1] * 6


def test_folders_that_are_none_of_the_classes_are_no_labels(
    classifier: CAEClassifier, test_images: ImageSet
) -> None:
    months = replace(test_images, classes=("May", "June", "July"))
    for images in (months, replace(test_images, labels=None, classes=())):
        assert predict(classifier, images).truth is None
