"""Simple classifiers on codes and pixels, against scikit-learn itself."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from caes import CAE, ImageSet
from caes.data.labels.labelled import labels_of
from caes.tasks.probe import PROBES, fit_probe, pixels_of, probe
from tests import stripes


@pytest.fixture(scope="module")
def hard() -> tuple[ImageSet, ImageSet]:
    """Pictures whose classes are partly wrong, so that no probe is without error."""
    draw = np.random.default_rng(3)
    train, test = stripes.images(60), stripes.images(40, seed=500)
    wrong = (
        np.where(draw.random(n) < 0.3, 1, labels_of(each))
        for n, each in ((60, train), (40, test))
    )
    return tuple(  # type: ignore[return-value]
        replace(each, labels=labels)
        for each, labels in zip((train, test), wrong, strict=True)
    )


def test_every_probe_gives_what_scikit_learn_gives(
    stack: CAE, hard: tuple[ImageSet, ImageSet]
) -> None:
    train, test = hard
    found = {(each.features, each.probe): each for each in probe(stack, train, test)}
    assert len(found) == 6
    codes = stack.transform(train), stack.transform(test)
    pixels = tuple(each.pixels.reshape(len(each), -1) / 255 for each in hard)
    models = {
        "logistic regression": LogisticRegression(C=0.01, max_iter=300, tol=1e-3),
        "linear SVM": LinearSVC(C=0.001, dual="auto"),
        "5 nearest neighbours": KNeighborsClassifier(5),
    }
    assert models.keys() == PROBES.keys()
    for features, (inside, outside) in (("codes", codes), ("pixels", pixels)):
        for name, model in models.items():
            scaler = StandardScaler().fit(inside)
            by_distance = name == "5 nearest neighbours"
            seen, asked = (
                each if by_distance else scaler.transform(each)
                for each in (inside, outside)
            )
            wrong = model.fit(seen, labels_of(train)).predict(asked) != labels_of(test)
            result = found[features, name]
            # A picture may lie on the border of the same classifier in float32.
            assert result.error == pytest.approx(100 * wrong.mean(), abs=100 / 40)
            assert 0 < result.error < 100
            assert result.seconds > 0


def test_pictures_without_a_label_are_left_out(
    stack: CAE, images: ImageSet, test_images: ImageSet
) -> None:
    shown = np.where(np.arange(30) < 15, labels_of(images), -1)
    half = replace(images, labels=shown)
    with_rest = [each.error for each in probe(stack, half, test_images)]
    without = [each.error for each in probe(stack, images[:15], test_images)]
    assert with_rest == without


def test_the_auto_encoder_stays_as_it_is(
    stack: CAE, images: ImageSet, test_images: ImageSet
) -> None:
    before = stack.transform(test_images)
    list(probe(stack, images, test_images))
    np.testing.assert_array_equal(stack.transform(test_images), before)


@pytest.mark.parametrize("name", PROBES)
def test_a_label_of_each_class_is_enough(name: str) -> None:
    features = np.eye(3, dtype=np.float32)
    fitted = fit_probe(name, features, np.array([0, 1, 2]))
    assert set(fitted.predict(features)) <= {0, 1, 2}


def test_what_has_not_settled_is_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    model = LogisticRegression(max_iter=1)
    monkeypatch.setitem(PROBES, "hasty", lambda n: model)
    features = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    labels = np.arange(40) % 3
    assert fit_probe("hasty", features, labels) is model
    with pytest.warns(ConvergenceWarning):
        model.fit(features, labels)


def test_pixels_are_as_the_network_sees_them(images: ImageSet) -> None:
    deep = replace(
        images, pixels=images.pixels.astype(np.uint16) * 257, value_range=(0, 65_535)
    )
    seen = pixels_of(stripes.stack(deep))(deep[:4])
    assert seen.shape == (4, 144)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, deep.pixels[:4].reshape(4, -1) / 65_535, rtol=1e-6)
