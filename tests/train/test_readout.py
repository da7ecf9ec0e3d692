"""Readouts: what is fitted is what scikit-learn fits, and folds are fair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel

from caes.train.readout import (
    GRIDS,
    LANDMARKS,
    Strength,
    answers,
    best_strength,
    fit,
    folds_of,
    judged,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def _clouds(n: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    features = random.normal(size=(n, 12))
    features[np.arange(n), labels] += 2
    return features.astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 4])
def test_a_linear_readout_is_logistic_regression_on_standardised_features(
    classes: int,
) -> None:
    features, labels = _clouds(60, classes)
    unit = np.clip((features - features.mean(0)) / features.std(0), -6, 6)
    theirs = LogisticRegression(C=0.1, max_iter=500, tol=1e-3).fit(unit, labels)
    found = answers(fit(features, 12, labels, Strength(0.1, evened=1.0)), features)
    np.testing.assert_allclose(found, theirs.predict_proba(unit), atol=1e-4)
    assert found.dtype == np.float32


@pytest.mark.parametrize("classes", [2, 3])
def test_a_kernel_machine_is_logistic_regression_in_the_landmarks_span(
    classes: int,
) -> None:
    features, labels = _clouds(50, classes)
    made = fit(features, 12, labels, Strength(30.0, 1.0, evened=1.0))
    unit = np.clip((features - features.mean(0)) / features.std(0), -6, 6)
    kernel = rbf_kernel(unit.astype(np.float64), gamma=1 / 12)
    values, vectors = np.linalg.eigh(kernel)
    root = vectors * np.sqrt(np.clip(values, 1e-12, None)) @ vectors.T
    theirs = LogisticRegression(C=30.0, max_iter=500, tol=1e-3).fit(root, labels)
    found = answers(made, features)
    np.testing.assert_allclose(found, theirs.predict_proba(root), atol=0.02)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


def test_codes_keep_their_distances_unless_they_are_evened() -> None:
    features, labels = _clouds(40, 2)
    features[:, 0] *= 100
    plain = fit(features, 12, labels, Strength(1.0, evened=0.0)).scale.numpy()
    even = fit(features, 12, labels, Strength(1.0, evened=1.0)).scale.numpy()
    np.testing.assert_allclose(plain, features.std(0).max(), rtol=1e-5)
    np.testing.assert_allclose(even, features.std(0), rtol=1e-5)


def test_there_are_no_more_landmarks_than_are_taken() -> None:
    features, labels = _clouds(LANDMARKS + 20, 2)
    made = fit(features, 12, labels, Strength(3.0, 0.3))
    assert made.landmarks.shape == (LANDMARKS, 12)


@given(st.lists(st.integers(2, 9), min_size=2, max_size=5), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_folds_test_every_picture_once_and_learn_from_every_class(
    counts: list[int], seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    folds = folds_of(labels, seed)
    tested = np.concatenate([fold.test for fold in folds])
    assert sorted(tested.tolist()) == [*range(len(labels))]
    for fold in folds:
        assert not {*fold.learn.tolist()} & {*fold.test.tolist()}
        assert {*labels[fold.learn].tolist()} == {*range(len(counts))}


def test_a_class_with_a_single_picture_has_no_folds_and_many_labels_have_one() -> None:
    assert folds_of(np.array([0, 0, 0, 1]), 0) == []
    (fold,) = folds_of(np.arange(2000) % 4, 0)
    assert (len(fold.learn), len(fold.test)) == (1600, 400)


@pytest.mark.parametrize("name", GRIDS)
def test_the_strength_that_is_chosen_has_the_least_cross_entropy(name: str) -> None:
    features, labels = _clouds(45, 3)
    folds = folds_of(labels, 0)
    rows = np.concatenate([fold.test for fold in folds])
    best, told = best_strength(name, features, 12, labels, folds)
    losses = {}
    for strength in GRIDS[name]:
        parts = [
            answers(
                fit(features[f.learn], 12, labels[f.learn], strength), features[f.test]
            )
            for f in folds
        ]
        losses[strength] = judged(np.concatenate(parts), labels[rows]).loss
    assert losses[best] == min(losses.values())
    assert judged(told, labels[rows]).loss == pytest.approx(losses[best])
