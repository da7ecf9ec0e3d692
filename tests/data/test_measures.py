import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from caes.data import measures
from caes.data.measures import Statistics, extremes, percentiles

DTYPES = (
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32"),
    *("uint64", "int64", "float16", "float32", "float64", "longdouble"),
)
SHARES = (0, 1, 37.3, 50, 99, 100)


def _pixels(dtype: str, shape: tuple[int, ...] = (7, 5, 6, 3)) -> np.ndarray:
    drawn = np.random.default_rng(0).normal(0, 50, shape)
    if dtype == "bool":
        drawn = np.where(drawn > 20, 1.0, 0.0)
    return np.abs(drawn).astype(dtype) if dtype[0] == "u" else drawn.astype(dtype)


@pytest.mark.parametrize("at_once", [1, 60, 2**20])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_measure_is_numpy_s_however_small_the_chunks(
    dtype: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "AT_ONCE", at_once)
    pixels = _pixels(dtype)
    flat = pixels.reshape(-1, 3).astype(np.float64)
    np.testing.assert_array_equal(extremes(pixels), [flat.min(0), flat.max(0)])
    np.testing.assert_allclose(
        percentiles(pixels, SHARES), np.percentile(flat, SHARES, axis=0), rtol=1e-12
    )
    np.testing.assert_allclose(
        Statistics(pixels).moments, [flat.mean(0), flat.std(0)], rtol=1e-9, atol=1e-12
    )


@given(
    arrays(
        st.sampled_from(["u1", "i2", "i4", "f4", "f8"]),
        array_shapes(min_dims=4, max_dims=4, max_side=4),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    st.floats(0, 100),
)
def test_percentiles_of_any_values_lie_where_numpy_s_do(
    pixels: np.ndarray, share: float
) -> None:
    (found,) = percentiles(pixels, [share])
    flat = pixels.reshape(-1, pixels.shape[3]).astype(np.float64) / 2
    with np.errstate(all="ignore"):
        # Halved, since the distance of two values may be no finite number.
        expected = np.percentile(flat, share, axis=0)
        np.testing.assert_allclose(
            found / 2, expected, rtol=1e-9, atol=1e-12 * float(np.abs(flat).max())
        )


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_percentiles_reach_the_ends_of_the_type(dtype: str) -> None:
    ends = np.iinfo(dtype)
    pixels = np.array([ends.min] * 3 + [ends.max] * 5, dtype).reshape(2, 4, 1, 1)
    expected = np.percentile(pixels.astype(np.float64), SHARES)
    np.testing.assert_allclose(np.ravel(percentiles(pixels, SHARES)), expected)


def test_a_small_spread_far_from_zero_keeps_its_digits() -> None:
    pixels = 1e9 + np.random.default_rng(0).random((20, 5, 5, 1))
    mean, deviation = Statistics(pixels).moments
    np.testing.assert_allclose(deviation, pixels.std(), rtol=1e-6)
    np.testing.assert_allclose(mean, pixels.mean(), rtol=1e-15)


def test_squares_of_the_largest_values_do_not_overflow() -> None:
    pixels = np.array([-8e307, 8e307]).reshape(2, 1, 1, 1)
    mean, deviation = Statistics(pixels).moments
    np.testing.assert_allclose(mean, 0, atol=1e292)
    np.testing.assert_allclose(deviation, 8e307)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_file_larger_than_memory_is_measured(tmp_path: Path) -> None:
    """The child may take 300 MB beside its libraries; the file is three times that."""
    pixels = np.lib.format.open_memmap(
        tmp_path / "large.npy", "w+", np.uint16, (900, 512, 512, 2)
    )
    pixels[:, 0, 0] = 7
    pixels.flush()
    code = (
        "import resource, numpy as np\n"
        "from caes.data.measures import extremes, percentiles\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        f"pixels = np.load({str(tmp_path / 'large.npy')!r}, mmap_mode='r')\n"
        "most = now + pixels.nbytes + 3 * 10**8\n"  # what is mapped counts once
        "resource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
        "print(extremes(pixels)[1].tolist(), percentiles(pixels, [50])[0].tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[7.0, 7.0] [0.0, 0.0]\n"
