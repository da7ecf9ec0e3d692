import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caes.scaling import Scaling


@given(st.integers(0, 65_535))
def test_a_16_bit_value_comes_back_as_it_was(value: int) -> None:
    scaling = Scaling(0, 65_535)
    unit = scaling.to_unit(np.array([value], np.uint16))
    assert unit.dtype == np.float32
    assert 0 <= unit[0] <= 1
    assert round(float(scaling.from_unit(unit)[0])) == value


def test_bytes_are_divided_by_255_exactly_as_numpy_divides() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(
        Scaling(0, 255).to_unit(pixels), pixels.astype(np.float32) / np.float32(255)
    )


def test_a_narrow_range_far_from_zero_keeps_its_precision() -> None:
    pixels = 1e6 + np.linspace(0, 1, 11)
    unit = Scaling(1e6, 1e6 + 1).to_unit(pixels)
    np.testing.assert_allclose(unit, np.linspace(0, 1, 11), atol=1e-7)


def test_values_beyond_32_bits_are_scaled_in_64() -> None:
    pixels = np.array([-1e300, 0.0, 1e300])
    unit = Scaling(-1e300, 1e300).to_unit(pixels)
    np.testing.assert_allclose(unit, [0, 0.5, 1])


@pytest.mark.parametrize("low", [0.0, -3.0])
def test_the_result_can_be_written_into_a_buffer(low: float) -> None:
    pixels = np.array([[0, 5], [10, 7]], np.int16)
    out = np.empty((2, 2), np.float32)
    found = Scaling(low, 10).to_unit(pixels, out=out)
    assert found is out
    np.testing.assert_allclose(out, (pixels - low) / (10 - low), rtol=1e-6)
