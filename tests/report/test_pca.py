import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from caes.data import ImageSet
from caes.report import pca
from tests.report.fake import FakeCAE, pictures


def by_svd(
    train: NDArray[np.float32], test: NDArray[np.float32], components: int
) -> NDArray[np.float64]:
    """Each test row's mean squared error, by the book and in 64 bits."""
    mean = train.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(train - mean, full_matrices=False)
    kept = directions[: min(components, len(train) - 1)]
    residue = (test - mean) - (test - mean) @ kept.T @ kept
    return np.asarray(np.square(residue).mean(axis=1))


@pytest.mark.parametrize(("rows", "features"), [(80, 30), (30, 80)])
@settings(max_examples=40)
@given(components=st.integers(1, 40), seed=st.integers(0, 99))
def test_errors_are_those_of_the_singular_value_decomposition(
    rows: int, features: int, components: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(features, features)) * 0.8 ** np.arange(features)
    train, test = (
        (rng.normal(size=(n, features)) @ mixing.T).astype(np.float32)
        for n in (rows, 7)
    )
    errors, mean_errors = pca.fit(train.copy(), components).errors(test)
    # What 32 bits resolve of pictures that are so far from their mean.
    floor = 1e-6 * float(mean_errors.max())
    expected = by_svd(train, test, components)
    np.testing.assert_allclose(errors, expected, rtol=1e-3, atol=floor)
    np.testing.assert_allclose(mean_errors, by_svd(train, test, 0), rtol=1e-5)


def test_both_ways_agree_with_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(1).random((60, 20), dtype=np.float32)
    expected = PCA(5, svd_solver="full").fit(rows)
    again = expected.inverse_transform(expected.transform(rows))
    errors = np.square(rows - again).mean(axis=1)
    np.testing.assert_allclose(pca.fit(rows.copy(), 5).errors(rows)[0], errors, 1e-4)
    monkeypatch.setattr(pca, "SIDE", 10)
    np.testing.assert_allclose(pca.fit(rows.copy(), 5).errors(rows)[0], errors, 1e-4)


def test_directions_without_variance_are_left_out() -> None:
    few = np.random.default_rng(2).random((3, 50), dtype=np.float32)
    assert len(pca.fit(few, 10).components) == 2
    assert len(pca.fit(np.full((5, 50), 0.3, np.float32), 10).components) == 0
    assert len(pca.fit(np.full((50, 5), 0.3, np.float32), 10).components) == 0


def test_large_sets_are_sampled_and_the_sample_is_always_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pca, "MATRIX", 20 * 36)
    monkeypatch.setattr(pca, "CHUNK", 36 * 3)
    train, test = pictures(50, 6, 6, 1), pictures(10, 6, 6, 1, seed=1)
    first, second = (
        pca.baseline(FakeCAE((6, 6, 1)), train, test, code_size=36) for _ in range(2)
    )
    assert (first.rows, first.available) == (20, 50)
    assert (first.components, first.asked) == (19, 36)
    np.testing.assert_array_equal(first.errors, second.errors)


def test_the_mean_picture_is_that_of_the_training_pictures() -> None:
    train, test = pictures(50, 4, 5, 3), pictures(10, 4, 5, 3, seed=1)
    found = pca.baseline(FakeCAE((4, 5, 3)), train, test, code_size=4)
    mean = (train.pixels / 255).mean(axis=0)
    expected = np.square(test.pixels / 255 - mean).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(found.mean_errors, expected, rtol=1e-5)
    assert found.learned == 5 * 60


@pytest.mark.parametrize("bounded", [True, False])
def test_beside_a_bounded_network_its_pictures_are_clipped_likewise(
    bounded: bool,
) -> None:
    def digits(n: int, seed: int) -> ImageSet:  # most of it black or white
        drawn = np.random.default_rng(seed).normal(0.5, 2, (n, 6, 6, 1))
        return ImageSet.from_pixels((255 * drawn.clip(0, 1)).astype(np.uint8))

    train, test = digits(60, 0), digits(15, 1)
    cae = FakeCAE((6, 6, 1), bounded=bounded)
    found = pca.baseline(cae, train, test, code_size=8)
    rows, others = ((each.pixels / 255).reshape(-1, 36) for each in (train, test))
    by_the_book = PCA(8, svd_solver="full").fit(rows)
    again = by_the_book.inverse_transform(by_the_book.transform(others))
    assert again.min() < -0.1
    again = again.clip(0, 1) if bounded else again
    np.testing.assert_allclose(
        found.errors, np.square(others - again).mean(axis=1), rtol=1e-4
    )
    assert found.clipped == bounded
