"""The estimators on pictures whose values are their own."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caes import CAE, CAEClassifier, ImageSet
from caes.data.scaling import scaling_of
from caes.errors import ArgumentError
from caes.train.augment import parse_augmentation
from tests.refusals import refusing

BEYOND = ("percentiles:10,90", "standard")
OPTIONS: dict[str, Any] = {"loss": "mse", "epochs": 1, "random_state": 0}


def _pixels(dtype: str = "uint16", channels: int = 3) -> NDArray[Any]:
    drawn = np.random.default_rng(0).normal(1000, 90, (24, 6, 6, channels))
    drawn *= np.arange(1, channels + 1) / (20 if dtype == "uint8" else 1)
    return drawn.astype(dtype)


@pytest.mark.parametrize("scale", ["auto", "dtype", "minmax", *BEYOND])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_reconstructions_have_the_units_and_the_type_of_what_came(
    dtype: str, scale: str
) -> None:
    pixels = _pixels(dtype)
    cae = CAE("2C3", **OPTIONS, scale=scale).fit(pixels)
    unit = cae.reconstruct(pixels)
    assert unit.dtype == np.float32
    source = cae.reconstruct(pixels, units="source")
    assert (source.dtype, source.shape) == (pixels.dtype, pixels.shape)
    np.testing.assert_array_equal(source, cae.from_unit(unit))
    exact = cae.scaling_.from_unit(unit)
    if pixels.dtype.kind == "f":
        np.testing.assert_allclose(source, exact, rtol=1e-6)
    else:
        bounds = np.iinfo(pixels.dtype)
        held = np.clip(exact, bounds.min, bounds.max)
        assert np.abs(source - held).max() <= 0.5
    np.testing.assert_array_equal(cae.from_unit(unit, "float64"), exact)


def test_pictures_of_another_type_come_back_in_theirs() -> None:
    cae = CAE("2C3", **OPTIONS).fit(_pixels("uint16"))
    again = cae.reconstruct(_pixels("float32"), units="source")
    assert again.dtype == np.float32
    assert cae.from_unit(cae.reconstruct(_pixels("float32"))).dtype == np.uint16


def test_flattened_pictures_come_back_flattened() -> None:
    table = _pixels("float32").reshape(24, -1)
    cae = CAE("2C3", **OPTIONS, scale="standard", image_shape=(6, 6, 3)).fit(table)
    again = cae.inverse_transform(cae.transform(table))
    source = cae.from_unit(again)
    assert source.shape == table.shape
    whole = cae.scaling_.from_unit(again.reshape(-1, 6, 6, 3))
    np.testing.assert_allclose(source, whole.reshape(24, -1), rtol=1e-6)


def test_units_of_another_name_are_refused() -> None:
    cae = CAE("2C3", **OPTIONS).fit(_pixels())
    message = "units: received 'metres'; allowed: 'network' or 'source'. Try 'network'."
    with refusing(ArgumentError, message):
        cae.reconstruct(_pixels(), units="metres")  # type: ignore[arg-type]


@pytest.mark.parametrize("decoder", ["mirror", "tied", "untied"])
@pytest.mark.parametrize("scale", BEYOND)
def test_nothing_is_clipped_on_either_way(scale: str, decoder: Any) -> None:
    pixels = np.random.default_rng(0).normal(0, 1, (32, 6, 6, 1))
    about = OPTIONS | {"epochs": 40, "learning_rate": 0.02}
    cae = CAE("8C3", **about, scale=scale, decoder=decoder).fit(pixels)
    unit, again = cae.to_unit(pixels), cae.reconstruct(pixels)
    assert unit.min() < -0.3
    assert unit.max() > 1.3
    assert again.min() < -0.2
    assert again.max() > 1.2


@pytest.mark.parametrize("decoder", ["mirror", "tied"])
@pytest.mark.parametrize("scale", ["auto", "minmax"])
def test_what_lies_in_the_unit_stays_in_it(scale: str, decoder: Any) -> None:
    cae = CAE("8C3", **OPTIONS, scale=scale, decoder=decoder).fit(_pixels())
    for unit in (cae.to_unit(_pixels()), cae.reconstruct(_pixels())):
        assert 0 <= unit.min() <= unit.max() <= 1


@pytest.mark.parametrize("scale", ["auto", "minmax", *BEYOND])
def test_the_history_s_psnr_is_that_of_the_source_s_value_range(scale: str) -> None:
    """With a rate of nearly nothing, the epoch's pictures are those of the end."""
    pixels = _pixels(channels=1)
    about = OPTIONS | {"learning_rate": 1e-12, "batch_size": 24}
    cae = CAE("2C3", **about, scale=scale).fit(pixels)
    apart = cae.scaling_.from_unit(cae.reconstruct(pixels)) - pixels
    expected = 10 * np.log10(cae.scaling_.span**2 / np.square(apart).mean())
    (row,) = cae.history_.rows
    assert row.psnr == pytest.approx(expected, abs=0.01)
    assert (row.accuracy is None) == (scale in BEYOND)


def test_a_stack_on_another_scale_is_refused() -> None:
    stack = {"decoder": "tied", "schedule": "greedy"}
    lower = CAE("2C3", **OPTIONS | stack, scale="minmax").fit(_pixels())
    taller = lower.grow("2C3", _pixels())
    assert taller.scaling_ == lower.scaling_
    message = "scale: received 'standard' above a stack with 'minmax'; allowed: the scale of the lower levels, which stay as they are. Add scale='minmax'."
    with refusing(ArgumentError, message):
        lower.grow("2C3", _pixels(), scale="standard")


@pytest.mark.parametrize("start", ["stack", "random"])
@pytest.mark.parametrize("fitted", [False, True])
def test_a_classifier_has_its_stack_s_scale(start: Any, fitted: bool) -> None:
    images = ImageSet.from_pixels(_pixels())
    stack = CAE("2C3-MP2", **OPTIONS, decoder="tied", scale="standard")
    if fitted:
        stack.fit(images)
    about: dict[str, Any] = {"epochs": 1, "random_state": 0, "augment": "photos"}
    classifier = CAEClassifier(stack, start=start, **about)
    classifier.fit(images, np.arange(24) % 2)
    assert classifier.scaling_ == scaling_of(images, "standard")
    assert not classifier.architecture_.bounded
    assert classifier.predict(images).shape == (24,)


def test_changes_of_light_reach_as_far_as_the_pictures() -> None:
    change = parse_augmentation("photos")
    assert change is not None
    pictures = torch.randn(16, 8, 8, 3, generator=torch.Generator().manual_seed(0))
    changed = change(pictures, torch.Generator().manual_seed(0))
    assert pictures.min() <= changed.min() < -1
    assert 1.5 < changed.max() <= pictures.max()
