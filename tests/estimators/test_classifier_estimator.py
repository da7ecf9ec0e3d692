"""`CAEClassifier` as scikit-learn and people use it."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import caes
from caes import CAE, CAEClassifier, ImageSet
from caes.data.labels.draws import stratified
from caes.errors import CaesError, DataError
from tests import stripes
from tests.flattened import Flattened
from tests.refusals import refusing


class OnFlattened(Flattened, CAEClassifier):
    """CAEClassifier on scikit-learn's own test tables."""


# Every check applies; none is left out.
@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [
        OnFlattened(
            CAE("2C3-MP2", epochs=1, random_state=0),
            recipe="paper",
            epochs=8,
            batch_size=16,
            learning_rate=0.01,
            random_state=0,
        )
    ]
)
def test_scikit_learn_s_own_check(estimator: CAEClassifier, check: Any) -> None:
    check(estimator)


pytestmark = pytest.mark.usefixtures("one_thread")


CLASSES = 3


def _truth(n: int = 60) -> NDArray[np.int64]:
    return np.arange(n) % CLASSES


def _pixels(n: int = 60, seed: int = 0) -> NDArray[Any]:
    return stripes.images(n, seed).pixels[..., 0]


def _partly(labels: NDArray[np.int64], every: int = 2) -> NDArray[np.int64]:
    """Take every other picture's label away, and keep all classes."""
    return np.where(np.arange(len(labels)) // CLASSES % every == 0, labels, -1)


@pytest.fixture(scope="module")
def stack() -> CAE:
    return CAE("4C3-MP2", epochs=1, random_state=0).fit(_pixels())


def _fast(stack: Any, **options: Any) -> CAEClassifier:
    quick: dict[str, Any] = {"recipe": "paper", "head": "none", "epochs": 2}
    return CAEClassifier(stack, **quick | {"random_state": 0} | options)


def _learnt(stack: Any, **options: Any) -> CAEClassifier:
    """Set up one that learns to tell these pictures."""
    enough = {"epochs": 25, "learning_rate": 0.02, "batch_size": 16}
    return _fast(stack, **enough | options)


def _weights(fitted: CAEClassifier | CAE | None) -> dict[str, torch.Tensor]:
    assert fitted is not None
    return {name: each.clone() for name, each in fitted.model_.state_dict().items()}


def _same(one: CAEClassifier | CAE | None, other: CAEClassifier | CAE | None) -> bool:
    theirs = _weights(other)
    return all(torch.equal(v, theirs[name]) for name, v in _weights(one).items())


# Labels


def test_it_learns_and_says_how_sure_it_is(stack: CAE) -> None:
    classifier = _learnt(stack).fit(_pixels(), _truth())
    others = _pixels(90, seed=1)
    np.testing.assert_array_equal(classifier.predict(others), _truth(90))
    assert classifier.score(others, _truth(90)) == 1
    sure = classifier.predict_proba(others)
    assert sure.shape == (90, CLASSES)
    assert sure.dtype == np.float32
    np.testing.assert_allclose(sure.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(sure.argmax(1), _truth(90))
    assert classifier.n_features_in_ == 144
    assert classifier.picture_shape_ == (12, 12, 1)
    assert classifier.history_.rows[-1].accuracy == 1


@pytest.mark.parametrize(
    "names",
    [
        np.array([7, 3, 40]),
        np.array(["cat", "ant", "zebra"]),
        np.array(["cat", "ant", "zebra"], object),
        np.array([0.0, 2.0, 1.0]),
        np.array([7, 3, 40], object),
        np.array([True, False, True]),
    ],
    ids=lambda names: str(names.dtype),
)
def test_classes_may_be_any_numbers_or_text(stack: CAE, names: NDArray[Any]) -> None:
    y = names[_truth()]
    classifier = _learnt(stack).fit(_pixels(), y)
    np.testing.assert_array_equal(classifier.classes_, np.unique(names))
    assert classifier.class_names_ == tuple(map(str, np.unique(names).tolist()))
    np.testing.assert_array_equal(classifier.predict(_pixels()), y)
    assert classifier.score(_pixels(), y) == 1
    assert classifier.score(_pixels(), list(y)) == 1
    _, indices = np.unique(y, return_inverse=True)
    by_index = _learnt(stack).fit(_pixels(), indices)
    assert _same(classifier, by_index)


def test_an_image_set_brings_its_labels_and_names(stack: CAE) -> None:
    labels = _partly(_truth())
    images = ImageSet.from_pixels(
        _pixels(), labels=labels, classes=("top", "middle", "bottom", "unseen")
    )
    classifier = _learnt(stack).fit(images)
    assert classifier.classes_.tolist() == [0, 1, 2]
    assert classifier.class_names_ == ("top", "middle", "bottom")
    assert classifier.provenance_["labelled pictures"] == "30"
    assert _same(classifier, _learnt(stack).fit(_pixels(), labels))
    named = np.array([*images.classes])[_truth()]
    by_name = _learnt(stack).fit(images, named)
    assert by_name.class_names_ == ("bottom", "middle", "top")
    assert by_name.provenance_["labelled pictures"] == "60"


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.float64, object])
def test_minus_one_means_no_label(stack: CAE, dtype: Any) -> None:
    y = _partly(_truth()).astype(dtype)
    classifier = _fast(stack).fit(_pixels(), y)
    assert classifier.classes_.tolist() == [0, 1, 2]
    assert classifier.provenance_["labelled pictures"] == "30"
    with_labels = np.flatnonzero(y != -1)
    alone = _fast(stack).fit(_pixels()[with_labels], y[with_labels])
    assert _same(classifier, alone)  # the paper's recipe does not look at the others


def test_minus_one_and_one_alone_are_two_classes_as_elsewhere(stack: CAE) -> None:
    y = np.where(_truth() == 1, 1, -1)
    classifier = _learnt(stack).fit(_pixels(), y)
    assert classifier.classes_.tolist() == [-1, 1]
    assert classifier.score(_pixels(), y) == 1


CLASSES_AS = "allowed: classes as whole numbers, of which -1 means that it is not known, or as text. Pictures whose class is not known can also go into unlabelled."


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "y: received no labels: a classifier requires y to be passed, but the target y is None; allowed: a class for each picture, or -1 where it is not known. Pass y, or an ImageSet with labels."),
        ([0, 1, 2], "y: received 3 labels for 60 pictures; allowed: as many labels as pictures. Check how the two were selected."),
        (["ant"] * 60, "y: received labels of one class only (ant); allowed: labels of at least two classes. Label pictures of another class too."),
        ([-1] * 60, "y: received no labels, only -1; allowed: a class for some of the pictures. Label some pictures of each class."),
        ([0, 1, float("nan")] * 20, f"y: received NaN or infinity; {CLASSES_AS}"),
        ([0, 1, float("inf")] * 20, f"y: received NaN or infinity; {CLASSES_AS}"),
        ([0.5, 1, 2] * 20, f"y: received measured values (Unknown label type: continuous); {CLASSES_AS}"),
        (np.array(["a", "b", None] * 20, object), f"y: received values of type NoneType; {CLASSES_AS}"),
        (np.array(["a", 2, None] * 20, object), f"y: received values of type NoneType and int; {CLASSES_AS}"),
        ([b"a", b"b", b"c"] * 20, f"y: received values of type |S1; {CLASSES_AS}"),
        (np.arange(60).astype("datetime64[D]"), f"y: received values of type datetime64[D]; {CLASSES_AS}"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_learnt_are_refused(
    stack: CAE, y: Any, message: str
) -> None:
    with refusing(DataError, message):
        _fast(stack).fit(_pixels(), y)


def test_in_an_image_set_minus_one_is_never_a_class(stack: CAE) -> None:
    labels = np.where(_truth() == 1, 1, -1)
    images = ImageSet.from_pixels(_pixels(), labels=labels, classes=("other", "one"))
    with pytest.raises(DataError, match=r"labels of one class only \(1\); allowed"):
        _fast(stack).fit(images)


# Scores


def test_what_has_no_label_does_not_count_in_a_score(stack: CAE) -> None:
    classifier = _learnt(stack).fit(_pixels(), _truth())
    wrong = (_truth() + 1) % CLASSES
    half = np.where(np.arange(60) < 15, wrong, _truth())
    half[30:] = -1
    assert classifier.score(_pixels(), half) == 0.5
    weights = np.where(np.arange(60) < 15, 1.0, 3.0)
    assert classifier.score(_pixels(), half, weights) == 0.75
    images = ImageSet.from_pixels(_pixels(), labels=half)
    assert classifier.score(images) == 0.5
    message = "y: received no labels, only -1; allowed: a class for some of the pictures. Label some pictures of each class."
    with refusing(DataError, message):
        classifier.score(images[30:])
    with pytest.raises(DataError, match="received no labels: a classifier requires y"):
        classifier.score(_pixels())


def test_classes_of_image_sets_are_compared_by_name(stack: CAE) -> None:
    names = ("top", "middle", "bottom")
    images = ImageSet.from_pixels(_pixels(), labels=_truth(), classes=names)
    classifier = _learnt(stack).fit(images)
    fewer = replace(
        images[_truth() > 0],
        labels=2 - _truth()[_truth() > 0],
        classes=("bottom", "middle"),
    )
    assert classifier.score(fewer) == 1
    by_text = _learnt(stack).fit(_pixels(), np.array(names)[_truth()])
    assert by_text.score(images) == 1
    stranger = replace(images, classes=("top", "cellar", "bottom"))
    assert classifier.score(stranger) == pytest.approx(2 / 3)


# Pictures


def test_pictures_of_another_size_are_refused(stack: CAE) -> None:
    classifier = _fast(stack).fit(_pixels(), _truth())
    message = "X: received pictures of 11×14×1; allowed: pictures of 12×12×1. Load them with size= and channels= as the model was trained."
    with refusing(DataError, message):
        classifier.predict(np.zeros((2, 11, 14), np.uint8))


def test_a_stack_of_convolutions_serves_pictures_of_another_size(stack: CAE) -> None:
    large = np.kron(_pixels(), np.ones((1, 2, 2), np.uint8))
    classifier = _learnt(stack).fit(large, _truth())
    assert classifier.picture_shape_ == (24, 24, 1)
    assert classifier.score(large, _truth()) == 1


# More pictures, without labels


MODERN: dict[str, Any] = {"recipe": "default", "rounds": 1, "confidence": 0}


@pytest.fixture(scope="module")
def beside(stack: CAE) -> CAEClassifier:
    """Learn from 30 pictures with labels, beside 30 without."""
    first, more = _pixels()[:30], _pixels()[30:]
    return _fast(stack, **MODERN).fit(first, _truth(30), unlabelled=more)


def test_more_pictures_count_like_pictures_whose_label_is_not_known(
    stack: CAE, beside: CAEClassifier
) -> None:
    y = np.where(np.arange(60) < 30, _truth(), -1)
    assert _same(_fast(stack, **MODERN).fit(_pixels(), y), beside)
    without = _fast(stack, **MODERN).fit(_pixels()[:30], _truth(30))
    assert not _same(without, beside)
    assert beside.provenance_["labelled pictures"] == "30"
    assert beside.provenance_["pictures"] == "60 × 12×12×1 uint8"


@pytest.mark.parametrize("labels", [None, _truth(30), 2 - _truth(30)])
def test_labels_of_the_pictures_without_labels_are_not_looked_at(
    stack: CAE, beside: CAEClassifier, labels: NDArray[np.int64] | None
) -> None:
    classes = () if labels is None else ("a", "b", "c")
    more = ImageSet.from_pixels(_pixels()[30:], labels=labels, classes=classes)
    found = _fast(stack, **MODERN).fit(_pixels()[:30], _truth(30), unlabelled=more)
    assert _same(found, beside)
    assert found.classes_.tolist() == [0, 1, 2]


def test_more_pictures_come_in_the_forms_that_pictures_come_in(
    stack: CAE, beside: CAEClassifier
) -> None:
    first, more = _pixels()[:30], _pixels()[30:]
    flat = first.reshape(30, -1)
    for pictures, form in (
        (first, torch.from_numpy(more)[:, None]),
        (flat, more.reshape(30, -1)),
        (flat, more),
    ):
        found = _fast(stack, **MODERN).fit(pictures, _truth(30), unlabelled=form)
        assert _same(found, beside)
    halves = flat / 255, (more / 255).astype(np.float32).reshape(30, -1)
    floats = _fast(stack, **MODERN).fit(halves[0], _truth(30), unlabelled=halves[1])
    assert floats.provenance_["pictures"] == "60 × 12×12×1 float64"


@pytest.mark.parametrize(
    ("more", "received"),
    [
        (np.zeros((5, 10, 10), np.uint8), "10×10×1 uint8"),
        (np.zeros((5, 12, 12, 3), np.uint8), "12×12×3 uint8"),
        (np.zeros((5, 12, 12)), "12×12×1 float64"),
    ],
)
def test_more_pictures_of_another_form_are_refused(
    stack: CAE, more: NDArray[Any], received: str
) -> None:
    message = f"unlabelled: received pictures of {received}; allowed: pictures like the others, 12×12×1 uint8. Load both with the same size, channels and type."
    with refusing(DataError, message):
        _fast(stack).fit(_pixels(), _truth(), unlabelled=more)


def test_a_table_of_more_pictures_must_have_the_features_of_the_first(
    stack: CAE,
) -> None:
    table = _pixels().reshape(60, -1)
    with pytest.raises(ValueError, match="X has 288 features, but CAEClassifier is"):
        _fast(stack).fit(table, _truth(), unlabelled=table.reshape(30, -1))


# The stack


def test_the_control_starts_from_other_weights_with_the_same_head(stack: CAE) -> None:
    still: dict[str, Any] = {"freeze": True}
    trained = _fast(stack, **still).fit(_pixels(), _truth())
    control = _fast(stack, start="random", **still).fit(_pixels(), _truth())
    for name, value in stack.model_.state_dict().items():
        assert torch.equal(_weights(trained)[f"trunk.{name}"], value)
        if name.endswith("weight"):
            assert not torch.equal(_weights(control)[f"trunk.{name}"], value)
    assert trained.stack_ is stack
    assert control.stack_ is None
    assert control.architecture_ == trained.architecture_
    assert control.scaling_ == trained.scaling_
    assert control.provenance_["start"] == "random weights"
    assert trained.provenance_["start"] == (
        f"4C3-MP2, trained on {stack.provenance_['data fingerprint']}"
    )


def test_the_control_never_trains_a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[CAE] = []
    fit = CAE.fit

    def noted(self: CAE, X: Any, y: object = None) -> CAE:
        fitted.append(self)
        return fit(self, X, y)

    monkeypatch.setattr(CAE, "fit", noted)
    form = CAE("4C3-MP2-5N", decoder="tied", validation=0.1, patience=2)
    control = _fast(form, start="random").fit(_pixels(), _truth())
    assert not fitted
    assert str(control.architecture_) == "4C3-MP2-5N"
    assert control.architecture_.decoder == "tied"
    again = _fast(form, start="random").fit(_pixels(), _truth())
    assert _same(control, again)
    assert not hasattr(form, "model_")


def test_an_untrained_stack_is_trained_first_on_all_pictures() -> None:
    form = CAE("4C3-MP2", epochs=1)
    y = _partly(_truth())
    classifier = _fast(form).fit(_pixels(), y, unlabelled=_pixels(30, seed=1))
    assert not hasattr(form, "model_")
    assert classifier.stack_ is not None
    assert classifier.stack_.provenance_["pictures"] == "90 × 12×12×1 uint8"
    every = np.concatenate([_pixels(), _pixels(30, seed=1)])
    first = CAE("4C3-MP2", epochs=1, random_state=0).fit(every)
    assert _same(classifier.stack_, first)


def test_a_seed_makes_the_stack_repeatable_too_unless_it_has_its_own() -> None:
    def fitted(seed: int, own: int | None) -> CAEClassifier:
        stack = CAE("4C3-MP2", epochs=1, random_state=own)
        return _fast(stack, random_state=seed).fit(_pixels(), _truth())

    assert _same(fitted(3, None), fitted(3, None))
    with_own = fitted(3, 5).stack_, fitted(4, 5).stack_
    assert all(each is not None and each.seed_ == 5 for each in with_own)


def test_without_a_stack_the_default_one_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    defaults = {**(CAE.__init__.__kwdefaults__ or {}), "steps": 10}
    monkeypatch.setattr(CAE.__init__, "__kwdefaults__", defaults)
    classifier = CAEClassifier(recipe="paper", epochs=1, random_state=0)
    classifier.fit(_pixels(), _truth())
    assert classifier.stack_ is not None
    assert classifier.stack_.arch == "auto"
    assert classifier.architecture_.linear


def test_the_folder_of_a_run_is_as_good_as_the_stack(
    stack: CAE, tmp_path: Path
) -> None:
    stack.save(tmp_path / "run")
    wanted = _fast(stack).fit(_pixels(), _truth())
    for folder in (tmp_path / "run", str(tmp_path / "run")):
        assert _same(_fast(folder).fit(_pixels(), _truth()), wanted)


def test_what_is_no_stack_for_the_pictures_is_refused(
    stack: CAE, tmp_path: Path
) -> None:
    colours, other = np.zeros((6, 12, 12, 3)), np.zeros((6, 16, 14))
    dense = CAE("4C3-MP2-5N", epochs=1).fit(_pixels())
    where = tmp_path / "nothing"
    cases: list[tuple[Any, Any, str]] = [
        (PCA(), other, "stack: received PCA(); allowed: a CAE, or the folder of its run. Try stack=CAE()."),
        (where, other, f"{where}: received no model.json in it; allowed: the folder of a run. Make one with: caes fit DATA --out FOLDER."),
        (stack, colours, "stack: received one trained on pictures of 1 channels, for pictures of 3; allowed: a stack for pictures with the same channels. Train one on such pictures, or load them with channels=."),
        (dense, other, "stack: received one with dense layers for 12×12, and pictures of 16×14; allowed: pictures of the size it was trained on. Load them with size=(12, 12)."),
    ]  # fmt: skip
    for given, pictures, message in cases:
        with refusing(CaesError, message):
            _fast(given).fit(pictures, _truth(6))


@pytest.mark.parametrize("normalise", [False, True])
def test_the_stack_stays_as_it_was(stack: CAE, normalise: bool) -> None:
    before = pickle.loads(pickle.dumps(stack))
    _fast(stack, normalise=normalise).fit(_pixels(), _truth())
    assert _same(stack, before)
    assert all(each.requires_grad for each in stack.model_.parameters())


def test_a_frozen_encoder_gives_the_stack_s_codes_whatever_the_recipe(
    stack: CAE,
) -> None:
    classifier = _fast(stack, recipe="default", freeze=True, epochs=1)
    classifier.fit(_pixels(), _truth())
    assert not classifier.architecture_.normalised
    images = torch.from_numpy(classifier.to_unit(_pixels()))
    with torch.no_grad():
        codes = classifier.model_.trunk.encode(images).flatten(1).numpy()
    np.testing.assert_array_equal(codes, stack.transform(_pixels()))


# Seeds, copies, searches


@pytest.mark.parametrize("recipe", ["paper", "default"])
def test_the_same_seed_gives_the_same_weights_to_the_bit(
    stack: CAE, recipe: str
) -> None:
    def fitted(seed: int) -> CAEClassifier:
        classifier = _fast(stack, recipe=recipe, random_state=seed)
        return classifier.fit(_pixels(), _partly(_truth()))

    assert _same(fitted(7), fitted(7))
    assert not _same(fitted(7), fitted(8))
    assert fitted(7).seed_ == 7


def test_a_clone_keeps_a_fitted_stack_and_nothing_else_that_was_learnt(
    stack: CAE,
) -> None:
    classifier = _fast(stack).fit(_pixels(), _truth())
    twin = clone(classifier)
    assert twin.stack is stack
    assert twin.get_params() == classifier.get_params()
    assert not hasattr(twin, "model_")
    form = CAE("4C3-MP2")
    unfitted = clone(_fast(form))
    assert unfitted.stack is not form
    assert unfitted.stack.get_params() == form.get_params()
    assert clone(CAEClassifier("some/folder")).stack == "some/folder"


def test_a_clone_keeps_what_was_asked_of_the_metadata(stack: CAE) -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        asked = _fast(stack).set_fit_request(unlabelled=True)
        for twin in (asked, clone(asked)):
            routing = twin.get_metadata_routing()
            assert routing.fit.requests == {"unlabelled": True}


def test_a_search_over_options_trains_no_stack(
    stack: CAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: CAE, X: Any, y: object = None) -> CAE:
        raise AssertionError("the stack is trained already")

    monkeypatch.setattr(CAE, "fit", refuse)
    grid = {"dropout": [0.0, 0.5], "head": ["none", "8N"]}
    search = GridSearchCV(_learnt(stack), grid, cv=2, error_score="raise")
    search.fit(_pixels(), _truth())
    assert search.best_score_ == 1
    assert search.best_estimator_.stack is stack
    assert search.predict(_pixels(9, seed=3)).tolist() == _truth(9).tolist()


def test_a_search_over_the_stack_trains_new_ones_and_leaves_the_old(stack: CAE) -> None:
    grid = {"stack__arch": ["2C3-MP2", "3C3-MP4"]}
    search = GridSearchCV(_fast(stack), grid, cv=2, error_score="raise")
    search.fit(_pixels(), _truth())
    best = search.best_estimator_
    assert str(best.architecture_) == search.best_params_["stack__arch"]
    assert (stack.arch, str(stack.architecture_)) == ("4C3-MP2", "4C3-MP2")
    other = _fast(stack).set_params(dropout=0.5)
    assert other.stack is stack
    replaced = other.set_params(stack=CAE("2C3"), stack__epochs=3).stack
    assert isinstance(replaced, CAE)
    assert (replaced.arch, replaced.epochs) == ("2C3", 3)


def test_pictures_without_labels_do_not_spoil_a_cross_validation(stack: CAE) -> None:
    y = _partly(_truth(), every=3)
    scores = cross_val_score(_learnt(stack, epochs=60), _pixels(), y, cv=2)
    assert scores.tolist() == [1, 1]


# Real digits


def _digits(labelled: int) -> tuple[ImageSet, ImageSet]:
    """Take 2,000 real digits, of which some have a label, and 1,000 others."""
    train = caes.load("digits", "train[:2000]")
    assert train.labels is not None
    kept = stratified(train.labels, labelled, seed=0)
    labels = np.full(len(train), -1)
    labels[kept] = train.labels[kept]
    return replace(train, labels=labels), caes.load("digits", "test")


@pytest.mark.parametrize(
    ("labelled", "options", "least"),
    [
        (300, {"recipe": "paper"}, 0.84),
        pytest.param(100, {"epochs": 250}, 0.92, marks=pytest.mark.slow),
    ],
)
def test_some_labels_of_real_digits_tell_them_apart(
    labelled: int, options: dict[str, Any], least: float
) -> None:
    train, test = _digits(labelled)
    stack = CAE("16C3-MP2-16C3-MP2", epochs=3, random_state=0)
    classifier = CAEClassifier(stack, **options, random_state=0).fit(train)
    assert classifier.class_names_ == tuple("0123456789")
    assert classifier.score(test) > least
