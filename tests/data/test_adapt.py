from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from caes.data.decode.resize import adapted, resized, with_channels
from caes.data.imageset import ImageSet
from caes.data.reading import Reading
from caes.errors import DataError

TYPES = (np.bool_, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)


def triangle_resample(values: NDArray[Any], length: int) -> NDArray[Any]:
    """Average along the first axis with a triangle as wide as the reduction."""
    scale = len(values) / length
    reach = max(scale, 1.0)
    rows = []
    for row in range(length):
        centre = (row + 0.5) * scale
        places = np.arange(len(values)) + 0.5
        weights = np.maximum(1 - np.abs(places - centre) / reach, 0)
        rows.append(np.tensordot(weights / weights.sum(), values, axes=1))
    return np.stack(rows)


@pytest.mark.parametrize("channels", [1, 2, 3, 13])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(4, 5), (3, 40), (23, 7)])
def test_resizing_is_a_triangle_filter_in_both_directions(
    size: tuple[int, int], dtype: Any, channels: int
) -> None:
    top = 1.0 if dtype is np.float32 else float(np.iinfo(dtype).max)
    picture = np.random.default_rng(0).uniform(0, top, (17, 11, channels))
    picture = picture.astype(dtype)
    down = triangle_resample(picture.astype(np.float64), size[0])
    expected = triangle_resample(down.swapaxes(0, 1), size[1]).swapaxes(0, 1)
    found = resized(picture, size)
    assert (found.shape, found.dtype) == ((*size, channels), picture.dtype)
    step = 1e-6 if dtype is np.float32 else 1.01
    assert np.abs(found - expected).max() <= step


@given(data=st.data(), dtype=st.sampled_from(TYPES))
def test_neither_size_nor_channels_leave_the_picture_s_range(
    data: st.DataObject, dtype: Any
) -> None:
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))
    numbers = st.integers(0, 1) if dtype is np.bool_ else st.integers(0, 32767)
    picture = data.draw(hnp.arrays(np.int32, shape, elements=numbers)).astype(dtype)
    size = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    found = with_channels(resized(picture, size), 1)
    assert (found.shape, found.dtype) == ((*size, 1), picture.dtype)
    assert picture.min() <= found.min()
    assert found.max() <= picture.max()


def test_sixteen_bits_are_not_clipped_at_sharp_edges() -> None:
    picture = np.zeros((16, 16, 1), np.uint16)
    picture[:, 8:] = 65535
    found = resized(picture, (4, 4))[0, :, 0]
    assert found[0] == 0
    assert found[3] == 65535
    assert 0 < found[1] < 10000 < 55000 < found[2] < 65535


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (2**31 - 40, 2**31 - 1, np.int32),
        (-(2**62), 2**62, np.int64),
        (2**32 - 9, 2**32 - 1, np.uint32),
        (1e6, 1e6 + 1, np.float64),
        (-1e300, 1e300, np.float64),
    ],
)
@pytest.mark.parametrize("channels", [1, 5])
def test_wide_types_keep_small_differences_on_large_offsets(
    low: float, high: float, dtype: Any, channels: int
) -> None:
    ramp = np.linspace(0, 1, 32).reshape(1, 32, 1).repeat(32, 0).repeat(channels, 2)
    picture = (ramp * (high - low) + low).astype(dtype)
    found = resized(picture, (8, 8))
    assert (found.shape, found.dtype) == ((8, 8, channels), picture.dtype)
    shares = picture[0, :, 0].astype(np.float64) / 2 - low / 2
    down = triangle_resample(shares, 8)
    error = np.abs(found[3, :, 0].astype(np.float64) / 2 - low / 2 - down)
    step = 0.51 if np.issubdtype(dtype, np.integer) else 0.0
    assert error.max() <= step + 1e-6 * (high - low)


def test_grey_is_luma_and_colour_is_repetition() -> None:
    primaries = np.eye(3, dtype=np.uint8)[None] * 255  # red, green, blue
    assert with_channels(primaries, 1).ravel().tolist() == [76, 150, 29]
    grey = np.array([[[7], [9]]], np.uint16)
    assert with_channels(grey, 3).tolist() == [[[7, 7, 7], [9, 9, 9]]]


def test_a_set_keeps_its_names_labels_type_and_range() -> None:
    images = ImageSet.from_pixels(
        np.full((2, 4, 4, 3), 9, np.uint16), labels=np.array([1, 0]), classes=("a", "b")
    )
    small = adapted(images, Reading((2, 3), 1))
    assert (small.shape, small.dtype) == ((2, 2, 3, 1), np.dtype(np.uint16))
    assert (small.pixels == 9).all()
    assert (small.names, small.labels is images.labels) == (images.names, True)
    assert small.value_range == images.value_range
    assert adapted(images, Reading((4, 4), 3)) is images


def test_thirteen_channels_are_not_turned_into_three() -> None:
    images = ImageSet.from_pixels(np.zeros((1, 2, 2, 13)), source="bands.npy")
    with pytest.raises(DataError) as caught:
        adapted(images, Reading(None, 3))
    assert str(caught.value) == (
        "bands.npy: received pictures of 13 channels, to be read with 3; allowed: "
        "1 or 3 channels to convert between. Leave channels out to keep them all."
    )
