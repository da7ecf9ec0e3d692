"""Labels for a classifier: from where they come, what is kept apart, its controls."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from caes import CAE, CAEClassifier, ImageSet
from caes.data import Skipped
from caes.data.labels.draws import labels_of
from caes.errors import ArgumentError, DataError
from caes.tasks.classify import (
    CODES,
    CONTROL,
    PIXELS,
    answers,
    contenders,
    hold_out,
    only,
    same_classes,
    unknown_class,
    with_table,
)
from tests import stripes


def blank(labels: list[int], classes: tuple[str, ...] = ("a", "b", "c")) -> ImageSet:
    """Give black pictures with these labels."""
    pixels = np.zeros((len(labels), 2, 2), np.uint8)
    return ImageSet.from_pixels(
        pixels, labels=np.array(labels), classes=classes, source="blank"
    )


def silent(line: str) -> None:
    del line


def fitted(images: ImageSet, stack: CAE, **options: object) -> CAEClassifier:
    given = {"recipe": "paper", "head": "none", "epochs": 2, "random_state": 0}
    return CAEClassifier(stack, **{**given, **options}).fit(images)  # type: ignore[arg-type]


def test_a_table_labels_the_pictures_that_it_names_and_no_others(
    tmp_path: Path, images: ImageSet
) -> None:
    table = tmp_path / "labels.csv"
    names = [images.names[row] for row in (3, 8, 5)]
    table.write_text(f"name,label\n{names[0]},tall\n{names[1]},short\n{names[2]},\n")
    found = with_table(images, table)
    assert found.classes == ("short", "tall")
    assert {row: label for row, label in enumerate(labels_of(found)) if label >= 0} == {
        3: 1,
        8: 0,
    }
    assert found.pixels is images.pixels


def test_a_table_may_name_pictures_that_could_not_be_read(
    tmp_path: Path, images: ImageSet
) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(f"broken.png,tall\n{images.names[0]},short\n")
    skipped = replace(images, skipped=(Skipped("broken.png", "truncated"),))
    assert labels_of(with_table(skipped, table)).tolist() == [0] + [-1] * 29
    with pytest.raises(DataError, match=r"that do not exist \(broken\.png\)"):
        with_table(images, table)


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(2, 30), min_size=1, max_size=4),
    unlabelled=st.integers(0, 10),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_a_share_of_each_class_is_kept_apart_and_the_rest_stays(
    sizes: list[int], unlabelled: int, share: float, seed: int
) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    images = blank([*labels, *[-1] * unlabelled], ("a", "b", "c", "d"))
    rest, apart = hold_out(images, share, seed)
    assert sorted([*rest.names, *apart.names]) == list(images.names)
    assert (labels_of(rest) < 0).sum() == unlabelled
    for label, size in enumerate(sizes):
        tested = int((labels_of(apart) == label).sum())
        assert tested + (labels_of(rest) == label).sum() == size
        assert 1 <= tested <= size - 1
        assert abs(tested - size * share) <= 1
    assert list(hold_out(images, share, seed)[1].names) == list(apart.names)
    assert apart.split == "train (held out)"


def test_another_seed_keeps_others_apart() -> None:
    images = blank([0, 1] * 20)
    seen = {tuple(hold_out(images, 0.25, seed)[1].names) for seed in range(5)}
    assert len(seen) == 5


def test_a_rare_class_is_on_both_sides() -> None:
    rest, apart = hold_out(blank([0] * 3 + [1] * 300), 0.5, 0)
    assert np.bincount(labels_of(rest)).tolist() == [1, 150]
    assert np.bincount(labels_of(apart)).tolist() == [2, 150]


@pytest.mark.parametrize("share", [0, -0.5, 1, 2, float("nan"), float("inf")])
def test_a_share_that_leaves_one_side_empty_is_refused(share: float) -> None:
    with pytest.raises(ArgumentError) as caught:
        hold_out(blank([0, 1] * 5), share, 0)
    assert str(caught.value) == (
        f"--hold-out: received {share:g} where the source has no labelled test split; "
        "allowed: a share of the labelled pictures above 0 and below 1, to test on. "
        "Try --hold-out 0.2."
    )


def test_all_labels_are_forgotten_but_as_many_of_each_class() -> None:
    images = blank([0, 1, 2, -1] * 10)
    few = only(images, 9, 4)
    kept = labels_of(few) >= 0
    assert np.bincount(labels_of(few)[kept]).tolist() == [3, 3, 3]
    assert (labels_of(few)[kept] == labels_of(images)[kept]).all()
    assert few.pixels is images.pixels
    more = only(images, 12, 4)
    assert (labels_of(more)[kept] == labels_of(few)[kept]).all()


def test_more_labels_than_there_are_is_an_error() -> None:
    with pytest.raises(ArgumentError) as caught:
        only(blank([0, 1, 2, -1] * 10), 31, 0)
    assert str(caught.value) == (
        "labels: received 31; allowed: a whole number from 3 (one for each class) to 30 "
        "(all that have a label). Try labels=30."
    )


def test_test_classes_are_numbered_as_the_learned_ones() -> None:
    train = blank([0, 1, 2], ("a", "b", "c"))
    test = blank([0, 1, -1, 0], ("c", "a"))
    found = same_classes(train, test)
    assert found.classes == ("a", "b", "c")
    assert labels_of(found).tolist() == [2, 0, -1, 2]
    assert same_classes(train, train) is train


def test_a_test_class_that_was_not_learned_is_named() -> None:
    with pytest.raises(DataError) as caught:
        same_classes(blank([0, 1], ("a", "b")), blank([0, 1], ("a", "d")))
    assert str(caught.value) == (
        "blank: received the class 'd', which the classifier does not know; allowed: "
        "a, b. Train it on this class too, or leave its pictures out."
    )


def test_of_many_known_classes_ten_are_listed() -> None:
    error = unknown_class("x", "?", tuple("abcdefghijkl"))
    assert error.allowed == "a, b, c, d, e, f, g, h, i, j, …"
    assert unknown_class("x", "?", tuple("abcdefghij")).allowed.endswith("i, j")


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


def test_a_classifier_from_random_weights_is_its_own_control(
    images: ImageSet, stack: CAE, test_images: ImageSet
) -> None:
    classifier = fitted(images, stack, start="random")
    found = contenders(classifier, stack, 1, images, test_images, silent)
    assert [each.name for each in found] == ["the classifier", CODES, PIXELS]


def test_a_control_that_was_interrupted_says_so(
    images: ImageSet,
    stack: CAE,
    test_images: ImageSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    classifier = fitted(images, stack)
    fit: Callable[..., CAEClassifier] = CAEClassifier.fit

    def cut_short(self: CAEClassifier, few: ImageSet) -> CAEClassifier:
        fit(self, few).history_.ended = "interrupted"
        return self

    monkeypatch.setattr(CAEClassifier, "fit", cut_short)
    _, control, *_ = contenders(classifier, stack, 1, images, test_images, silent)
    assert control.name == f"{CONTROL}, interrupted"


def test_the_stripes_are_told_apart(stack: CAE, test_images: ImageSet) -> None:
    classifier = fitted(stripes.images(60), stack, epochs=12, learning_rate=0.01)
    found = answers(classifier, test_images, test_images.classes).argmax(1)
    assert (found == labels_of(test_images)).mean() >= 0.75
