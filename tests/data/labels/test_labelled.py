import numpy as np
import pytest

from caes.data import load, survey
from caes.data.imageset import ImageSet, join
from caes.data.labels.labelled import (
    check_classes,
    labelled,
    labels_of,
    same_classes,
    unknown_class,
)
from tests.blank import blank
from tests.refusals import refused


def some() -> ImageSet:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    return ImageSet.from_pixels(pixels, split="test")


def test_labels_are_given_without_copying_pictures() -> None:
    images = some()
    with_some = labelled(images, np.array([-1, 1, -1, 0]), ("cat", "dog"))
    assert labels_of(with_some).tolist() == [-1, 1, -1, 0]
    assert (with_some.classes, with_some.split) == (("cat", "dog"), "test")
    assert with_some.pixels is images.pixels
    assert images.labels is None


def test_fingerprints_joins_slices_and_surveys_take_missing_labels() -> None:
    classes = ("cat", "dog", "cow")
    part = labelled(some(), np.array([-1, 1, -1, 0]), classes)
    other = labelled(some(), np.array([0, 1, -1, 0]), classes)
    assert part.fingerprint != other.fingerprint
    both = join([part, other])
    assert labels_of(both).tolist() == [-1, 1, -1, 0, 0, 1, -1, 0]
    assert both.classes == classes
    assert load(part, "train[2:]").labels.tolist() == [-1, 0]  # type: ignore[union-attr]
    assert survey(both).classes == {"cat": 3, "dog": 2, "cow": 0}
    assert survey(part[[0, 2]]).classes == {"cat": 0, "dog": 0, "cow": 0}


SHAPE = (
    "an array of shape (2,) for 4 pictures; allowed: one class index, or -1, for each "
    "picture. Check how the two were selected."
)
VALUES = (
    "values from {} for 2 classes; allowed: indices of the classes, or -1 for none. "
    "Number the classes from 0."
)


@pytest.mark.parametrize(
    ("labels", "received"),
    [
        ([0, 1], SHAPE),
        ([0, 2, -1, 0], VALUES.format("-1 to 2")),
        ([0, -2, -1, 0], VALUES.format("-2 to 0")),
    ],
)
def test_labels_that_do_not_belong_to_the_pictures_are_refused(
    labels: list[int], received: str
) -> None:
    said = refused(labelled, some(), np.array(labels), ("cat", "dog"))
    assert said == f"labels: received {received}"


TWO_CLASSES = (
    "; allowed: labels of at least two classes. Label some pictures of each class."
)
TWO_EACH = (
    "; allowed: at least two labelled pictures of each class. Label more of them, or "
    "leave the class out."
)


@pytest.mark.parametrize(
    ("labels", "received"),
    [
        ([-1, -1], f"no labels{TWO_CLASSES}"),
        ([-1, 1, 1], f"labels of one class only (dog){TWO_CLASSES}"),
        ([-1, 1, 1, 0], f"a single labelled picture of cat{TWO_EACH}"),
        (
            [0, 1, 2, 3, 4, 4],
            f"a single labelled picture of cat, dog, cow and 1 more{TWO_EACH}",
        ),
    ],
)
def test_classes_that_cannot_be_learned_are_named(
    labels: list[int], received: str
) -> None:
    said = refused(check_classes, np.array(labels), ("cat", "dog", "cow", "hen", "pig"))
    assert said == f"labels: received {received}"


def test_two_labelled_pictures_of_two_classes_are_enough() -> None:
    check_classes(np.array([-1, 0, 2, 2, 0]), ("cat", "dog", "cow"))


def test_test_classes_are_numbered_as_the_learned_ones() -> None:
    train = blank([0, 1, 2], ("a", "b", "c"))
    test = blank([0, 1, -1, 0], ("c", "a"))
    found = same_classes(train, test)
    assert found.classes == ("a", "b", "c")
    assert labels_of(found).tolist() == [2, 0, -1, 2]
    assert same_classes(train, train) is train


def test_a_test_class_that_was_not_learned_is_named() -> None:
    learned, other = blank([0, 1], ("a", "b")), blank([0, 1], ("a", "d"))
    assert refused(same_classes, learned, other) == (
        "blank: received the class 'd', which the classifier does not know; allowed: "
        "a, b. Train it on this class too, or leave its pictures out."
    )


def test_of_many_known_classes_ten_are_listed() -> None:
    error = unknown_class("x", "?", tuple("abcdefghijkl"))
    assert error.allowed == "a, b, c, d, e, f, g, h, i, j, …"
    assert unknown_class("x", "?", tuple("abcdefghij")).allowed.endswith("i, j")
