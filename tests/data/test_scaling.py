import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from caes import ImageSet
from caes.data.mapped import OnDisk
from caes.data.scaling import Scaling, as_type, scaling_of

SCALES = ("auto", "dtype", "minmax", "percentiles:10,90", "standard")


def test_bytes_are_divided_by_255_exactly_as_numpy_divides() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    expected = pixels.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(Scaling(0, 255).to_unit(pixels), expected)


def test_values_of_more_than_16_bits_are_divided_before_they_are_rounded() -> None:
    pixels = np.random.default_rng(0).integers(0, 2**32, 1_000, np.uint32)
    unit = (pixels / 4_294_967_291).astype(np.float32)
    np.testing.assert_array_equal(Scaling(0, 4_294_967_291).to_unit(pixels), unit)


@pytest.mark.parametrize("high", [1, 3, 0.1, 1e-30, 1e30])
def test_float32_values_above_0_are_divided_as_exactly_as_in_64_bits(
    high: float,
) -> None:
    pixels = np.random.default_rng(0).random(1_000, np.float32) * np.float32(high)
    unit = (pixels.astype(np.float64) / high).astype(np.float32)
    np.testing.assert_array_equal(Scaling(0, high).to_unit(pixels), unit)


def test_a_range_beyond_32_bits_divides_float32_values_in_64() -> None:
    pixels = np.array([0, 1, 3e38], np.float32)
    unit = (pixels.astype(np.float64) / 1e40).astype(np.float32)
    np.testing.assert_array_equal(Scaling(0, 1e40).to_unit(pixels), unit)


@pytest.mark.parametrize("low", [1e6, 1e300])
def test_a_narrow_range_and_values_beyond_32_bits_keep_their_precision(
    low: float,
) -> None:
    shares = np.linspace(0, 1, 11)
    high = low + 1 if low < 1e9 else -low
    unit = Scaling(low, high).to_unit(low + shares * (high - low))
    np.testing.assert_allclose(unit, shares, atol=1e-7)


@pytest.mark.parametrize("low", [0.0, -3.0])
def test_the_result_can_be_written_into_a_buffer(low: float) -> None:
    pixels = np.array([[0, 5], [10, 7]], np.int16)
    out = np.empty((2, 2), np.float32)
    found = Scaling(low, 10).to_unit(pixels, out=out)
    assert found is out
    np.testing.assert_allclose(out, (pixels - low) / (10 - low), rtol=1e-6)


def _bands(dtype: str) -> ImageSet:
    """Thirteen bands, each of a range of its own."""
    drawn = np.random.default_rng(0).normal(20, 2, (9, 6, 5, 13)) * np.arange(1, 14)
    return ImageSet.from_pixels(drawn.astype(dtype))


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32"])
@pytest.mark.parametrize("text", ["minmax", "percentiles:10,90", "standard"])
def test_each_channel_has_the_line_that_numpy_finds(text: str, dtype: str) -> None:
    images = _bands(dtype)
    flat = images.pixels.reshape(-1, 13).astype(np.float64)
    lines: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "minmax": (flat.min(0), flat.max(0)),
        "percentiles:10,90": (np.percentile(flat, 10, 0), np.percentile(flat, 90, 0)),
        "standard": (flat.mean(0), flat.mean(0) + flat.std(0)),
    }
    low, high = lines[text]
    scaling = scaling_of(images, text)
    np.testing.assert_allclose(scaling.low, low, rtol=1e-12)
    np.testing.assert_allclose(scaling.high, high, rtol=1e-12)
    unit = scaling.to_unit(images.pixels)
    expected = (images.pixels - low) / (high - low)
    np.testing.assert_allclose(unit, expected, rtol=1e-5, atol=1e-6)
    assert (scaling.kind, scaling.dtype) == (text, dtype)
    assert scaling.value_range == images.value_range


@pytest.mark.parametrize(
    ("dtype", "auto", "whole"),
    [
        ("uint8", (0, 255), (0, 255)),
        ("uint16", (0, 65_535), (0, 65_535)),
        ("int16", (-5, 100), (-32_768, 32_767)),
        ("uint32", (0, 100), (0, 2**32 - 1)),
        ("bool", (0, 1), (0, 1)),
        ("float32", (-5, 100), (-5, 100)),
    ],
)
def test_auto_and_dtype_take_one_line_for_all_channels(
    dtype: str, auto: tuple[float, float], whole: tuple[float, float]
) -> None:
    values = [0, 100] if dtype[0] in "ub" else [-5, 100]
    if dtype in ("uint8", "uint16"):  # more than half of it
        values = [0, int(whole[1])]
    images = ImageSet.from_pixels(np.array(values).reshape(2, 1, 1).astype(dtype))
    for text, expected in (("auto", auto), ("dtype", whole)):
        scaling = scaling_of(images, text)
        assert (scaling.low, scaling.high) == scaling.value_range == expected
        assert scaling.peak == 1


def test_a_channel_without_contrast_still_has_a_line() -> None:
    pixels = np.zeros((4, 3, 3, 3))
    pixels[..., 1] = 1e300
    pixels[0, 0, 0, 2] = 5  # too few to move a percentile
    for text in ("minmax", "percentiles:20,80", "standard"):
        scaling = scaling_of(ImageSet.from_pixels(pixels), text)
        assert np.isfinite(scaling.to_unit(pixels)).all()
        assert np.all(np.array(scaling.low) < scaling.high)
    assert scaling_of(ImageSet.from_pixels(pixels), "percentiles:20,80").high[2] == 5  # type: ignore[index]


@given(st.data(), st.sampled_from(SCALES))
def test_what_was_scaled_comes_back_in_its_type(data: Any, text: str) -> None:
    names = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"]
    dtype = np.dtype(data.draw(st.sampled_from(names)))
    bounds = {"min_value": -1e6, "max_value": 1e6} if dtype.kind == "f" else {}
    pixels = data.draw(arrays(dtype, (3, 2, 2, 3), elements=bounds or None))
    scaling = scaling_of(ImageSet.from_pixels(pixels), text)
    unit = scaling.to_unit(pixels)
    again = scaling.to_source(unit)
    assert again.dtype == dtype
    if dtype.kind != "f" and dtype.itemsize <= 2:
        np.testing.assert_array_equal(again, pixels)
        return
    # The network computes in 32 bits: half of the last digit of what it sees.
    low, high = (np.asarray(each, np.float64) for each in (scaling.low, scaling.high))
    exact = pixels.astype(np.float64)  # in int32 the least has no absolute value
    seen = np.abs(unit.astype(np.float64)) * (high - low)
    allowed = 2.0**-23 * (seen + np.abs(exact))
    apart = np.abs(again.astype(np.float64) - exact)
    assert (apart <= allowed + (0.5 if dtype.kind != "f" else 1e-30)).all()


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("uint8", [-3, 0.49, 0.51, 254.6, 999, math.nan], [0, 0, 1, 255, 255, 0]),
        ("int16", [-1e9, -2.6, math.inf], [-32_768, -3, 32_767]),
        ("bool", [-1, 0.4, 0.6, 7], [False, False, True, True]),
        ("float16", [1.5, 1e9], [1.5, 65_504]),
        ("uint64", [2.0**70, 3.2], [2**64 - 2048, 3]),
        ("float64", [1.25], [1.25]),
    ],
)
def test_values_are_rounded_and_held_in_the_type(
    dtype: str, values: list[float], expected: list[float]
) -> None:
    found = as_type(np.array(values), np.dtype(dtype))
    assert found.dtype == dtype
    assert found.tolist() == expected


def _psnr(pixels: NDArray[Any], again: NDArray[Any], width: float) -> float:
    square = np.square(pixels.astype(np.float64) - again).mean()
    return float(10 * np.log10(width**2 / square))


@pytest.mark.parametrize("text", SCALES)
def test_the_psnr_of_one_channel_is_that_of_the_source_s_value_range(text: str) -> None:
    draw = np.random.default_rng(0)
    pixels = draw.integers(40, 230, (5, 8, 8, 1), np.uint8)
    scaling = scaling_of(ImageSet.from_pixels(pixels), text)
    unit = scaling.to_unit(pixels)
    off = unit + draw.normal(0, 0.1, unit.shape).astype(np.float32)
    square = np.square(off.astype(np.float64) - unit).mean()
    found = 20 * math.log10(scaling.peak) - 10 * math.log10(square)
    assert found == pytest.approx(_psnr(pixels, scaling.from_unit(off), 255), abs=1e-4)
    assert scaling.span == 255


@pytest.mark.parametrize("text", SCALES)
def test_black_and_white_are_shown_as_they_are(text: str) -> None:
    pixels = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
    scaling = scaling_of(ImageSet.from_pixels(pixels), text)
    shown = np.clip(scaling.shown(scaling.to_unit(pixels)), 0, 1).ravel()
    assert shown[0] == pytest.approx(0, abs=1e-6)
    assert shown[2] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("scale", ["auto", "minmax", "percentiles:1,99", "standard"])
def test_pictures_on_disk_have_the_scaling_of_the_same_in_memory(
    scale: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).normal(0, 9, (40, 5, 6, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", pixels)
    monkeypatch.setattr("caes.data.mapped.AT_ONCE", 200)
    kept = ImageSet.from_pixels(np.load(tmp_path / "a.npy", mmap_mode="r"))
    rows = np.random.default_rng(1).permutation(40)[:30]
    some = kept[rows]
    assert isinstance(some.pixels, OnDisk)
    in_memory = ImageSet.from_pixels(pixels[rows], value_range=kept.value_range)
    assert scaling_of(some, scale) == scaling_of(in_memory, scale)


def test_the_peak_is_by_the_mean_square_of_channels_of_different_widths() -> None:
    """An error of the same size in each channel of the network, told both ways."""
    scaling = Scaling((0.0, 10.0, 20.0), (250.0, 20.0, 60.0), "minmax", (0.0, 250.0))
    apart = 0.01 * np.array([250.0, 10.0, 40.0])  # in the source's units
    in_the_source = 20 * math.log10(250 / math.sqrt(np.square(apart).mean()))
    in_the_network = 20 * math.log10(scaling.peak) - 10 * math.log10(0.01**2)
    assert in_the_network == pytest.approx(in_the_source)


def test_where_percentiles_nearly_coincide_the_extremes_stand_in() -> None:
    values = np.array([-1.7e-272, -1.0, *[0.0] * 10]).reshape(12, 1, 1, 1)
    scaling = scaling_of(ImageSet.from_pixels(values), "percentiles:10,90")
    assert (scaling.low, scaling.high) == ((-1.0,), (0.0,))


def test_only_standardised_pictures_are_shown_by_the_value_range() -> None:
    unit = np.array([[[[0.0, -1.0]]]], np.float32)
    lines = (100.0, 50.0), (120.0, 60.0)
    scaling = Scaling(*lines, "standard", (0.0, 200.0))
    np.testing.assert_allclose(scaling.shown(unit), [[[[0.5, 0.2]]]], atol=1e-7)
    assert Scaling(*lines, "minmax", (0.0, 200.0)).shown(unit) is unit


def test_of_a_type_that_is_less_than_half_used_black_and_white_are_the_pictures_own() -> (
    None
):
    pixels = np.linspace(1000, 4000, 75).reshape(3, 5, 5, 1).astype(np.uint16)
    scaling = scaling_of(ImageSet.from_pixels(pixels))
    assert (scaling.low, scaling.high) == scaling.value_range == (850, 4150)
    brighter = np.array([0, 850, 4150, 4151, 65_535], np.uint16)
    np.testing.assert_allclose(scaling.to_unit(brighter), [0, 0, 1, 1, 1])
    assert scaling.beyond(brighter) == 3
    assert scaling.beyond(pixels) == 0
    # The margin stays within the type.
    dark = scaling_of(ImageSet.from_pixels((pixels - 1000).astype(np.uint16)))
    assert (dark.low, dark.high) == (0, 3150)


@pytest.mark.parametrize("most", [32_768, 65_535])
def test_of_a_type_that_is_half_used_they_are_the_type_s(most: int) -> None:
    pixels = np.array([0, most], np.uint16).reshape(2, 1, 1)
    scaling = scaling_of(ImageSet.from_pixels(pixels))
    assert (scaling.low, scaling.high, scaling.clipped) == (0, 65_535, False)
    assert scaling.beyond(pixels) == 0
