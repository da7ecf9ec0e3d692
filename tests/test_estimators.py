import inspect
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import caes
from caes import CAE, ImageSet
from caes.errors import ArgumentError, DataError
from caes.options import Options


class OnFlattened(CAE):
    """CAE on scikit-learn's own test tables, each row laid out as a square picture.

    Its tables have any number of features; here the row is filled up with zeros to the
    next square. Everything else is CAE's own.
    """

    def _unflatten(self, table: NDArray[Any], reset: bool) -> ImageSet:
        side = max(4, int(np.ceil(table.shape[1] ** 0.5)))
        square = np.zeros((len(table), side * side), table.dtype)
        square[:, : table.shape[1]] = table
        return super()._unflatten(square, reset)


# Every check applies; none is left out.
@parametrize_with_checks([OnFlattened("2C3-MP2", epochs=1, random_state=0)])  # type: ignore[untyped-decorator]
def test_scikit_learn_s_own_check(estimator: CAE, check: Any) -> None:
    check(estimator)


def _blobs(n: int = 60, side: int = 12) -> NDArray[np.uint8]:
    """Bright squares at random places on black."""
    draw = np.random.default_rng(0)
    pixels = np.zeros((n, side, side), np.uint8)
    for picture, (y, x) in zip(pixels, draw.integers(0, side - 4, (n, 2)), strict=True):
        picture[y : y + 4, x : x + 4] = 255
    return pixels


def test_the_constructor_mirrors_the_options() -> None:
    given = {
        name: parameter.default
        for name, parameter in inspect.signature(CAE).parameters.items()
        if name not in ("start", "image_shape", "verbose")
    }
    wanted = {name: f.default for name, f in Options.__dataclass_fields__.items()}
    assert given == wanted


def test_pictures_are_encoded_and_come_back() -> None:
    images = ImageSet.from_pixels(_blobs())
    cae = CAE("4C3-MP2-2C3-MP2", epochs=2, random_state=1).fit(images)
    codes = cae.transform(images)
    assert codes.shape == (60, 18)
    assert codes.dtype == np.float32
    again = cae.inverse_transform(codes)
    assert again.shape == (60, 12, 12, 1)
    assert again.dtype == np.float32
    assert again.min() >= 0
    assert again.max() <= 1
    np.testing.assert_allclose(again, cae.reconstruct(images), atol=1e-6)
    square = (cae.to_unit(images) - again).astype(float) ** 2
    np.testing.assert_allclose(cae.errors(images), square.mean((1, 2, 3)), rtol=1e-5)
    assert cae.score(images) == pytest.approx(-square.mean(), rel=1e-5)
    assert list(cae.get_feature_names_out()[:2]) == ["cae0", "cae1"]


def test_training_learns() -> None:
    cae = CAE("8C3-MP2", epochs=40, learning_rate=1e-2, random_state=0).fit(_blobs(200))
    losses = [row.loss for row in cae.history_.rows]
    assert losses[-1] < losses[0] / 10
    assert cae.score(_blobs(200)) > -0.01


def test_a_denoising_auto_encoder_learns_to_take_the_noise_away() -> None:
    clean = _blobs(300)
    hit = np.random.default_rng(1).random(clean.shape) < 0.3
    noisy = np.where(hit, 0, clean)
    target = ImageSet.from_pixels(clean).pixels / 255
    errors = {}
    for noise in (None, "masking:0.3"):
        cae = CAE("8C3-MP2", epochs=30, learning_rate=0.01, noise=noise, random_state=0)
        again = cae.fit(clean).reconstruct(noisy)
        errors[noise] = float(((again - target) ** 2).mean())
    assert errors["masking:0.3"] < errors[None] / 2


def test_the_same_seed_gives_the_same_weights_to_the_bit() -> None:
    def weights(seed: int) -> torch.Tensor:
        cae = CAE("4C3-MP2", epochs=2, random_state=seed, validation=0.1).fit(_blobs())
        return torch.cat([p.flatten() for p in cae.model_.parameters()])

    assert torch.equal(weights(7), weights(7))
    assert not torch.equal(weights(7), weights(8))


def test_every_form_of_the_same_pictures_gives_the_same_codes() -> None:
    pixels = _blobs()
    cae = CAE("2C3-MP2", epochs=1, random_state=0).fit(pixels)
    codes = cae.transform(pixels)
    for form in (
        pixels[..., None],
        ImageSet.from_pixels(pixels),
        torch.from_numpy(pixels)[:, None],
        pixels.reshape(60, -1),
        list(pixels),
    ):
        np.testing.assert_array_equal(cae.transform(form), codes)


def test_flattened_pictures_come_back_flattened() -> None:
    table = _blobs().reshape(60, -1) / 255
    cae = CAE("2C3-MP2", epochs=1, random_state=0).fit(table)
    assert cae.picture_shape_ == (12, 12, 1)
    assert cae.inverse_transform(cae.transform(table)).shape == (60, 144)


def test_flattened_pictures_that_are_not_square_need_their_shape() -> None:
    table = np.random.default_rng(0).random((10, 24))
    with pytest.raises(DataError) as caught:
        CAE("2C3-MP2", epochs=1).fit(table)
    assert str(caught.value) == (
        "X: received rows of 24 features; allowed: a square number, or H·W·C as "
        "image_shape says. Give image_shape=(H, W, C), or pictures as N×H×W×C."
    )
    cae = CAE("2C3-MP2", epochs=1, image_shape=(2, 4, 3)).fit(table)
    assert cae.picture_shape_ == (2, 4, 3)


def test_a_pipeline_with_a_classifier_is_searched_over() -> None:
    pixels = _blobs(40)
    labels = pixels[:, :, :6].mean((1, 2)) > pixels[:, :, 6:].mean((1, 2))
    pipeline = make_pipeline(
        CAE(epochs=1, random_state=0), LogisticRegression(max_iter=500)
    )
    grid = {"cae__arch": ["2C3-MP2", "4C3-MP2-4C3"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(pixels, labels)
    assert search.best_score_ > 0.6
    assert set(search.predict(pixels)) <= {False, True}
    by_set = GridSearchCV(pipeline, grid, cv=2)
    by_set.fit(ImageSet.from_pixels(pixels), labels)
    assert by_set.best_score_ == search.best_score_


def test_clones_are_unfitted_and_pickles_are_fitted() -> None:
    cae = CAE("2C3-MP2", epochs=1, random_state=0).fit(_blobs())
    assert clone(cae).get_params() == cae.get_params()
    assert not hasattr(clone(cae), "model_")
    again = pickle.loads(pickle.dumps(cae))
    np.testing.assert_array_equal(again.transform(_blobs()), cae.transform(_blobs()))


def test_a_convolutional_auto_encoder_takes_other_sizes_but_not_other_channels() -> (
    None
):
    cae = CAE("2C3-MP2", epochs=1).fit(_blobs())
    assert cae.reconstruct(_blobs(3, side=17)).shape == (3, 17, 17, 1)
    with pytest.raises(DataError) as caught:
        cae.transform(np.zeros((2, 12, 12, 3)))
    assert str(caught.value) == (
        "X: received pictures of 12×12×3; allowed: pictures of 1 channels. "
        "Load them with size= and channels= as the model was trained."
    )
    dense = CAE("2C3-MP2-3N", epochs=1).fit(_blobs())
    with pytest.raises(DataError, match="allowed: pictures of 12×12×1"):
        dense.transform(_blobs(3, side=16))


def test_codes_of_another_length_are_refused() -> None:
    cae = CAE("2C3-MP2", epochs=1).fit(_blobs())
    with pytest.raises(ArgumentError) as caught:
        cae.inverse_transform(np.zeros((2, 5)))
    assert str(caught.value) == (
        "X: received codes of shape (2, 5); allowed: N×72. "
        "Pass what transform gave for pictures of the training size."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"epochs": -3},
            "epochs: received -3; allowed: a whole number of at least 1. Try epochs=20.",
        ),
        (
            {"epochs": 2.5},
            "epochs: received 2.5; allowed: a whole number of at least 1. Try epochs=20.",
        ),
        (
            {"batch_size": 0},
            "batch_size: received 0; allowed: a whole number of at least 1. "
            "Try batch_size=64.",
        ),
        (
            {"learning_rate": float("nan")},
            "learning_rate: received nan; allowed: a number above 0. Try 0.001.",
        ),
        (
            {"loss": "l1"},
            "loss: received 'l1'; allowed: 'bce' or 'mse'. Try 'bce'.",
        ),
        (
            {"validation": 1.5},
            "validation: received 1.5; allowed: a number above 0 and below 1. Try 0.1.",
        ),
        (
            {"validation": 0.001},
            "validation: received 0.001 of 60 pictures; allowed: a share that leaves at "
            "least one picture on each side. Give more pictures, or validation=0.",
        ),
        (
            {"patience": 3},
            "patience: received 3 without validation pictures; allowed: patience "
            "together with validation. Add validation=0.1.",
        ),
        (
            {"arch": 3},
            "arch: received 3; allowed: a network as text. Try '16C3-MP2-8C3-MP2'.",
        ),
    ],
)
def test_arguments_that_cannot_work_are_refused_in_fit(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        CAE(**arguments).fit(_blobs())
    assert str(caught.value) == message


def test_a_picture_smaller_than_the_poolings_is_refused() -> None:
    with pytest.raises(caes.CaesError, match="allowed: pictures of at least 16×16"):
        CAE("2C3-MP4-2C3-MP4").fit(_blobs())


def test_the_first_filters_are_the_first_kernels() -> None:
    cae = CAE("5C3-MP2", epochs=1).fit(np.zeros((4, 8, 8, 3), np.uint8))
    filters = cae.first_filters()
    assert filters is not None
    assert filters.shape == (5, 3, 3, 3)
    weight = next(cae.model_.parameters()).detach().numpy()
    np.testing.assert_array_equal(filters[4, 0, 2], weight[4, :, 0, 2])
    assert CAE("4N", epochs=1).fit(_blobs()).first_filters() is None
