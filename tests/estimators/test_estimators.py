import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import caes
from caes import CAE, ImageSet
from caes.errors import ArgumentError, DataError
from caes.nn.stack import Stack, StackLevel
from tests.flattened import Flattened
from tests.refusals import refusing


class OnFlattened(Flattened, CAE):
    """CAE on scikit-learn's own test tables."""


# Every check applies; none is left out.
@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [
        OnFlattened(code=2, steps=50, random_state=0),
        OnFlattened("2C3-MP2", epochs=1, random_state=0),
        OnFlattened(
            "2C3-MP2-2N", decoder="tied", schedule="greedy", epochs=1, random_state=0
        ),
    ]
)
def test_scikit_learn_s_own_check(estimator: CAE, check: Any) -> None:
    check(estimator)


def _blobs(n: int = 60, side: int = 12) -> NDArray[np.uint8]:
    """Bright squares at random places on black."""
    draw = np.random.default_rng(0)
    pixels = np.zeros((n, side, side), np.uint8)
    for picture, (y, x) in zip(pixels, draw.integers(0, side - 4, (n, 2)), strict=True):
        picture[y : y + 4, x : x + 4] = 255
    return pixels


GREEDY: dict[str, Any] = {"decoder": "tied", "schedule": "greedy"}


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


@pytest.mark.parametrize("scale", ["auto", "minmax", "percentiles:10,90", "standard"])
@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_give_the_codes_of_what_they_are_scaled_to(
    scale: str, channels: int
) -> None:
    pictures = np.random.default_rng(0).integers(9, 200, (40, 8, 8, channels), np.uint8)
    cae = CAE("4C3-MP2", epochs=1, scale=scale, random_state=0).fit(pictures)
    with torch.no_grad():
        wanted = cae.model_.encode(torch.from_numpy(cae.to_unit(pictures)))
    np.testing.assert_array_equal(cae.transform(pictures), wanted.flatten(1))


def test_a_pipeline_with_a_classifier_is_searched_over() -> None:
    pixels = _blobs(40)
    labels = pixels[:, :, :6].mean((1, 2)) > pixels[:, :, 6:].mean((1, 2))
    logistic = LogisticRegression(max_iter=500)
    pipeline = make_pipeline(CAE(epochs=1, random_state=0), logistic)
    grid = {"cae__arch": ["2C3-MP2", "4C3-MP2-4C3"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(pixels, labels)
    assert search.best_score_ > 0.6
    assert set(search.predict(pixels)) <= {False, True}
    by_set = GridSearchCV(pipeline, grid, cv=2)
    by_set.fit(ImageSet.from_pixels(pixels), labels)
    assert by_set.best_score_ == search.best_score_


def test_only_a_convolutional_auto_encoder_takes_other_sizes() -> None:
    cae = CAE("2C3-MP2", epochs=1).fit(_blobs())
    assert cae.reconstruct(_blobs(3, side=17)).shape == (3, 17, 17, 1)
    dense = CAE("2C3-MP2-3N", epochs=1).fit(_blobs())
    with pytest.raises(DataError, match="allowed: pictures of 12×12×1"):
        dense.transform(_blobs(3, side=16))


def test_what_is_no_picture_or_code_of_the_network_is_refused() -> None:
    cae = CAE("2C3-MP2", epochs=1).fit(_blobs())
    message = "X: received pictures of 12×12×3; allowed: pictures of 1 channels. Load them with size= and channels= as the model was trained."
    with refusing(DataError, message):
        cae.transform(np.zeros((2, 12, 12, 3)))
    message = "X: received codes of shape (2, 5); allowed: N×72. Pass what transform gave for pictures of the training size."
    with refusing(ArgumentError, message):
        cae.inverse_transform(np.zeros((2, 5)))
    table = np.random.default_rng(0).random((10, 24))
    message = "X: received rows of 24 features; allowed: a square number, or H·W·C as image_shape says. Give image_shape=(H, W, C), or pictures as N×H×W×C."
    with refusing(DataError, message):
        CAE("2C3-MP2", epochs=1).fit(table)
    cae = CAE("2C3-MP2", epochs=1, image_shape=(2, 4, 3)).fit(table)
    assert cae.picture_shape_ == (2, 4, 3)
    with pytest.raises(caes.CaesError, match="allowed: pictures of at least 16×16"):
        CAE("2C3-MP4-2C3-MP4").fit(_blobs())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": -3}, "epochs: received -3; allowed: a whole number of at least 1 or 'auto'. Try epochs=20."),
        ({"validation": 0.001, "recipe": "example"}, "validation: received 0.001 of 60 pictures; allowed: a share that leaves at least one picture on each side. Give more pictures, or validation=0."),
        ({"start": 3}, "start: received an object of type int; allowed: a fitted CAE, or the folder of its run. Try cae.grow('300C3-MP2')."),
    ],
)  # fmt: skip
def test_arguments_that_cannot_work_are_refused_in_fit(
    arguments: dict[str, Any], message: str
) -> None:
    with refusing(ArgumentError, message):
        CAE(**arguments).fit(_blobs())


def test_the_first_filters_are_the_first_kernels() -> None:
    cae = CAE("5C3-MP2", epochs=1).fit(np.zeros((4, 8, 8, 3), np.uint8))
    filters = cae.first_filters()
    assert filters is not None
    assert filters.shape == (5, 3, 3, 3)
    weight = next(cae.model_.parameters()).detach().numpy()
    np.testing.assert_array_equal(filters[4, 0, 2], weight[4, :, 0, 2])
    assert CAE("4N", epochs=1).fit(_blobs()).first_filters() is None


def _levels(cae: CAE) -> list[StackLevel]:
    assert isinstance(cae.model_, Stack)
    return cae.model_.each


def _weights(cae: CAE, levels: slice = slice(None)) -> torch.Tensor:
    """All weights of a stack's levels, flat."""
    each = (p for level in _levels(cae)[levels] for p in level.parameters())
    return torch.cat([p.detach().flatten() for p in each])


@pytest.mark.parametrize(
    "options",
    [
        {"decoder": "tied"},
        GREEDY | {"epochs": (2, 1), "learning_rate": (0.01, 0.001), "refine": 1},
        GREEDY | {"padding": "valid", "activation": "tanh", "loss": "mse"},
        GREEDY | {"decoder": "untied", "noise": "masking:0.3,none"},
        GREEDY | {"sparsity": "wta:0.5", "activation": "elu", "validation": 0.2},
        {"decoder": "untied", "sparsity": "wta", "decay": "one-cycle"},
    ],
)
def test_a_stack_encodes_decodes_and_reconstructs(options: dict[str, Any]) -> None:
    pixels = _blobs(side=11)  # padded inside
    arguments: dict[str, Any] = {"epochs": 1, "random_state": 0} | options
    cae = CAE("4C3-MP2-3C3", **arguments).fit(pixels)
    code = cae.architecture_.code_shape((11, 11, 1))
    codes = cae.transform(pixels)
    assert codes.shape == (60, np.prod(code))
    again, sharper = cae.inverse_transform(codes), cae.reconstruct(pixels)
    for found in (again, sharper):
        assert found.shape == (60, 11, 11, 1)
        assert found.min() >= 0
        assert found.max() <= 1
    square = (cae.to_unit(pixels) - sharper).astype(float) ** 2
    np.testing.assert_allclose(cae.errors(pixels), square.mean((1, 2, 3)), rtol=1e-4)
    filters = cae.first_filters()
    assert filters is not None
    assert filters.shape == (4, 3, 3, 1)


def test_reconstructing_knows_where_the_largest_were_and_decoding_does_not() -> None:
    options = GREEDY | {"epochs": 20, "learning_rate": 0.01, "random_state": 0}
    cae = CAE("8C3-MP2", **options).fit(_blobs(200))
    unit = cae.to_unit(_blobs(200))
    decoded = cae.inverse_transform(cae.transform(_blobs(200)))
    blurred = float(((decoded - unit) ** 2).mean())
    assert -cae.score(_blobs(200)) < blurred / 2


def _lower(**changes: Any) -> CAE:
    options = GREEDY | {"epochs": 1, "random_state": 0} | changes
    return CAE("4C3-MP2", **options).fit(_blobs())


def test_growing_trains_only_the_new_level() -> None:
    lower = _lower()
    before, params = _weights(lower), lower.get_params(deep=False)
    taller = lower.grow("3C3-MP2", _blobs(), epochs=2)
    assert str(taller.architecture_) == "4C3-MP2-3C3-MP2"
    assert torch.equal(_weights(taller, slice(1)), before)
    assert [row.level for row in taller.history_.rows] == [2, 2]
    # The one below is as it was.
    assert torch.equal(_weights(lower), before)
    assert lower.get_params(deep=False) == params
    assert str(lower.architecture_) == "4C3-MP2"
    # A code of the taller one is a code of the lower one, encoded once more.
    maps = torch.from_numpy(lower.transform(_blobs())).view(60, 6, 6, 4)
    with torch.no_grad():
        second = _levels(taller)[1].encode(maps.permute(0, 3, 1, 2)).maps
    codes = second.permute(0, 2, 3, 1).reshape(60, -1)
    np.testing.assert_allclose(taller.transform(_blobs()), codes, rtol=1e-5, atol=1e-6)
    # And so on upwards.
    dense = taller.grow("5N", _blobs())
    assert torch.equal(_weights(dense, slice(2)), _weights(taller))
    assert [row.level for row in dense.history_.rows] == [3, 3]
    assert dense.transform(_blobs()).shape == (60, 5)


def test_growing_without_pictures_waits_for_fit_and_keeps_the_scale() -> None:
    lower = _lower()
    taller = lower.grow("3C3")
    with pytest.raises(NotFittedError):
        taller.transform(_blobs())
    again = lower.grow("3C3", _blobs())
    assert torch.equal(_weights(taller.fit(_blobs())), _weights(again))
    assert lower.grow("3C3", _blobs() / 1000).scaling_ == lower.scaling_


def test_what_was_given_level_by_level_grows_by_its_last_value() -> None:
    lower = CAE(
        "4C3-MP2-4C3",
        decoder="untied",
        schedule="greedy",
        epochs=(3, 2),
        learning_rate=(0.1, 0.2),
        noise="masking:0.5,gaussian:0.1",
        activation="tanh",
        refine=1,
        random_state=0,
    ).fit(_blobs())
    taller = lower.grow("3C3", batch_size=20)
    given = taller.get_params(deep=False)
    wanted = {"epochs": 2, "learning_rate": 0.2, "noise": "gaussian:0.1"}
    assert {name: given[name] for name in wanted} == wanted
    assert (taller.decoder, taller.activation) == ("untied", "tanh")
    assert taller.batch_size == 20
    # All levels' refinement would not leave the lower ones as they are.
    assert taller.refine == 0
    lower_weights = _weights(lower)
    assert torch.equal(_weights(taller.fit(_blobs()), slice(2)), lower_weights)
    refined = lower.grow("3C3", _blobs(), refine=1)
    assert not torch.equal(_weights(refined, slice(2)), lower_weights)


def test_growing_on_a_mirrored_auto_encoder_is_refused() -> None:
    cae = CAE("4C3-MP2", epochs=1).fit(_blobs())
    for pictures in (None, _blobs()):
        message = "schedule: received 'greedy' with the mirrored decoder; allowed: a decoder of each level's own for it. Add decoder='tied'."
        with refusing(ArgumentError, message):
            cae.grow("3C3", pictures)


def test_growing_an_unfitted_stack_is_refused() -> None:
    with pytest.raises(NotFittedError):
        CAE("4C3", **GREEDY).grow("3C3")
    with pytest.raises(NotFittedError):
        CAE("4C3-3C3", start=CAE("4C3", **GREEDY), **GREEDY).fit(_blobs())


def test_a_stack_starts_from_a_folder_as_from_the_estimator(tmp_path: Path) -> None:
    lower = _lower()
    lower.save(tmp_path / "lower")
    options = GREEDY | {"epochs": 1, "random_state": 0}
    one = CAE("4C3-MP2-3C3", start=tmp_path / "lower", **options).fit(_blobs())
    two = CAE("4C3-MP2-3C3", start=lower, **options).fit(_blobs())
    assert torch.equal(_weights(one), _weights(two))
    one.save(tmp_path / "taller")
    (tmp_path / "lower").rename(tmp_path / "elsewhere")
    again = CAE.load(tmp_path / "taller")  # it has all of it in itself
    assert torch.equal(_weights(again), _weights(one))
    assert again.start is None


@pytest.mark.parametrize(
    ("lower", "changes", "form"),
    [
        ("4C3-MP2", {"arch": "4C3-MP2-3C3", "padding": "valid"}, "tied, valid, relu, sigmoid"),
        ("4C3-MP2", {"arch": "4C3-MP2-3C3", "decoder": "untied"}, "untied, same, relu, sigmoid"),
        ("4C3-MP2", {"arch": "4C3-MP2-3C3", "activation": "tanh"}, "tied, same, tanh, sigmoid"),
        ("4C3-MP2", {"arch": "4C3-MP2-3C3", "loss": "mse"}, "tied, same, relu, linear"),
        ("4C3-MP2", {"arch": "4C3-MP2"}, "tied, same, relu, sigmoid"),  # not higher
        ("4C3-MP2", {"arch": "4C3-3C3"}, "tied, same, relu, sigmoid"),  # without its pooling
        ("4C3-MP2", {"arch": "4C3-MP3-3C3"}, "tied, same, relu, sigmoid"),
        ("4C3-MP2", {"arch": "4C5-MP2-3C3"}, "tied, same, relu, sigmoid"),
        # A pooling is no new level: it would change the one below.
        ("4C3", {"arch": "4C3-MP2"}, "tied, same, relu, sigmoid"),
        ("4C3", {"arch": "4C3-MP2-3C3"}, "tied, same, relu, sigmoid"),
    ],
)  # fmt: skip
def test_a_stack_that_cannot_stand_on_another_says_so(
    lower: str, changes: dict[str, Any], form: str
) -> None:
    there = CAE(lower, epochs=1, **GREEDY).fit(_blobs())
    taller = CAE(start=there, **GREEDY | {"epochs": 1} | changes)
    message = f"start: received {lower} (tied, same, relu, sigmoid) for pictures of 12×12×1 below {changes['arch']} ({form}) for pictures of 12×12×1, greedy; allowed: the lower levels of the same greedy stack, for the same pictures. Let cae.grow('300C3-MP2') choose the options."
    with refusing(ArgumentError, message):
        taller.fit(_blobs())


def test_a_stack_starts_from_other_pictures_only_where_they_fit() -> None:
    lower = _lower()
    taller = lower.grow("3C3", _blobs(side=17))
    assert taller.picture_shape_ == (17, 17, 1)
    for start, pictures in (
        (lower, np.zeros((9, 12, 12, 3), np.uint8)),  # other channels
        (lower.grow("5N", _blobs()), _blobs(side=17)),  # another size, under units
    ):
        with pytest.raises(ArgumentError, match=r"^start: received 4C3-MP2"):
            start.grow("3N", pictures)
    joint = CAE("4C3-MP2-3C3", decoder="tied", start=lower)
    with pytest.raises(
        ArgumentError, match="12×12×1, joint; allowed: the lower levels"
    ):
        joint.fit(_blobs())


def test_a_clone_keeps_the_stack_it_starts_from_fitted() -> None:
    """So that a search over a taller stack's options trains only what is new."""
    lower = _lower()
    taller = lower.grow("3C3-MP2")
    twin = clone(taller)
    assert twin.start is lower
    assert torch.equal(_weights(twin.fit(_blobs()), slice(1)), _weights(lower))
    search = GridSearchCV(taller, {"arch": ["4C3-MP2-2C3", "4C3-MP2-3C3"]}, cv=2)
    best = search.fit(_blobs()).best_estimator_
    assert torch.equal(_weights(best, slice(1)), _weights(lower))


def test_a_grown_stack_is_pickled_with_what_it_knows() -> None:
    taller = _lower().grow("3C3", _blobs())
    again = pickle.loads(pickle.dumps(taller))
    np.testing.assert_array_equal(again.transform(_blobs()), taller.transform(_blobs()))


@pytest.mark.parametrize(
    ("learnt", "given", "message"),
    [
        (1.0, np.uint8(255), "X: received pictures of uint8 with values up to 255; allowed: pictures of float64 from 0 to 1, as were learnt from. Bring them to that range, or load them as the training pictures were."),
        (255, np.float32(0.9), "X: received pictures of float32 with values up to 0.9; allowed: pictures of uint8 from 0 to 255, as were learnt from. Bring them to that range, or load them as the training pictures were."),
    ],
)  # fmt: skip
def test_values_of_another_kind_than_were_learnt_from_are_refused(
    learnt: float, given: Any, message: str
) -> None:
    kind = np.uint8 if isinstance(learnt, int) else np.float64
    train: Any = np.linspace(0, learnt, 4 * 64).reshape(4, 8, 8).astype(kind)
    cae = CAE("2C3", epochs=1, random_state=0).fit(train)
    with refusing(DataError, message):
        cae.transform(np.full((1, 8, 8, 1), given))
    # The same values in another type, black ones, and brighter ones are fine.
    for fine in (train.astype(np.float64), np.zeros((2, 8, 8)), train * 2.0):
        assert cae.transform(fine).shape == (len(fine), 128)
