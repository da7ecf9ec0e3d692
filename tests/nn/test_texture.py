"""Texture statistics, against naive loops and other libraries."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from skimage.feature import local_binary_pattern

from caes.nn.texture import (
    CELLS,
    ORIENTATIONS,
    ROUND,
    count,
    gradients,
    moments,
    oriented,
    patterns,
    texture,
)


def _pictures(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_moments_are_those_of_other_libraries() -> None:
    values = _pictures(3, 500)
    found = moments(values).numpy()
    array = values.numpy().astype(np.float64)
    np.testing.assert_allclose(found[:, 0], array.mean(1), atol=1e-6)
    np.testing.assert_allclose(found[:, 1], array.std(1), atol=1e-6)
    np.testing.assert_allclose(found[:, 2], stats.skew(array, 1), atol=0.02)
    kurtosis = stats.kurtosis(array, 1, fisher=False)
    np.testing.assert_allclose(found[:, 3], kurtosis, rtol=0.02)
    quantiles = np.quantile(array, [0.05, 0.25, 0.5, 0.75, 0.95], axis=1).T
    np.testing.assert_allclose(found[:, 4:], quantiles, atol=0.01)


def test_local_binary_patterns_are_those_of_a_loop_over_pixels() -> None:
    grey = torch.round(255 * _pictures(2, 1, 7, 9)) / 255
    found = patterns(grey)
    for picture, shares in zip(grey[:, 0].tolist(), found, strict=True):
        counts = np.zeros(10)
        for y in range(7):
            for x in range(9):
                around = [
                    picture[min(max(y + b, 0), 6)][min(max(x + a, 0), 8)]
                    >= picture[y][x]
                    for b, a in ROUND
                ]
                changes = sum(around[i] != around[i - 1] for i in range(8))
                counts[sum(around) if changes <= 2 else 9] += 1
        np.testing.assert_allclose(shares, counts / 63, atol=1e-6)


def test_local_binary_patterns_are_near_those_of_scikit_image() -> None:
    """It reads the corner neighbours between pixels, on a circle; we at the pixels."""
    rows = np.linspace(0, 8, 32)
    waves = 0.5 + 0.4 * np.sin(rows)[:, None] * np.cos(rows)[None]
    whole = np.rint(255 * waves).astype(np.uint8)
    theirs = local_binary_pattern(whole, 8, 1, "uniform").astype(int)
    wanted = np.bincount(theirs.ravel(), minlength=10) / theirs.size
    found = patterns(torch.from_numpy(whole / 255).float()[None, None])[0].numpy()
    assert np.abs(found - wanted).sum() < 0.5


@pytest.mark.parametrize("degrees", [0, 30, 90, 135])
def test_a_slope_s_orientation_falls_into_the_bins_beside_it(degrees: int) -> None:
    angle = np.deg2rad(degrees)
    rows, columns = np.mgrid[:9, :9]
    slope = (columns * np.cos(angle) + rows * np.sin(angle)) / 20
    size, turned = gradients(torch.from_numpy(slope).float()[None, None])
    np.testing.assert_allclose(size[0, 0, 1:-1, 1:-1], 1 / 20, atol=1e-6)
    shares = turned[0, :, 4, 4] * 20
    place = degrees / 180 * ORIENTATIONS
    low, rest = int(place) % ORIENTATIONS, place - int(place)
    wanted = np.zeros(ORIENTATIONS)
    wanted[low] = 1 - rest
    wanted[(low + 1) % ORIENTATIONS] += rest
    np.testing.assert_allclose(shares, wanted, atol=1e-5)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_blocks_of_oriented_gradients_are_no_longer_than_one(seed: int) -> None:
    grey = _pictures(2, 1, 12, 10, seed=seed)
    found = oriented(gradients(grey)[1]).view(2, (CELLS - 1) ** 2, 4 * ORIENTATIONS)
    lengths = torch.linalg.vector_norm(found, dim=2)
    assert float(lengths.max()) <= 1 + 1e-6
    assert float(found.min()) >= 0


@pytest.mark.parametrize("shape", [(4, 4, 1), (5, 9, 3), (28, 28, 1), (33, 64, 13)])
def test_any_picture_has_as_many_finite_statistics(shape: tuple[int, ...]) -> None:
    for pictures in (
        _pictures(3, *shape),
        torch.zeros(3, *shape),
        torch.ones(3, *shape),
    ):
        found = texture(pictures)
        assert found.shape == (3, count(shape[2]))
        assert found.isfinite().all()


def test_each_picture_is_described_by_itself() -> None:
    pictures = _pictures(5, 12, 12, 3)
    together = texture(pictures)
    for one, row in zip(pictures, together, strict=True):
        torch.testing.assert_close(texture(one[None])[0], row)
