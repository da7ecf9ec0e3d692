from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from caes import CAE
from caes.nn import linear
from caes.nn.architecture import network_for, parse
from caes.nn.linear import Subspace
from caes.train.options import Options


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
@settings(max_examples=40, deadline=None)
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
    found = Subspace.fit(train.copy(), components)
    errors = np.square(found.project(test) - test).mean(axis=1)
    mean_errors = np.square(found.mean - test).mean(axis=1)
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

    def found() -> NDArray[np.float32]:
        return Subspace.fit(rows.copy(), 5).project(rows)

    np.testing.assert_allclose(np.square(rows - found()).mean(axis=1), errors, 1e-4)
    monkeypatch.setattr(linear, "SIDE", 10)
    monkeypatch.setattr(linear, "CHUNK", 30)  # half of one feature of all rows
    np.testing.assert_allclose(np.square(rows - found()).mean(axis=1), errors, 1e-4)


def test_directions_without_variance_are_left_out() -> None:
    few = np.random.default_rng(2).random((3, 50), dtype=np.float32)
    assert len(Subspace.fit(few, 10).components) == 2
    assert len(Subspace.fit(np.full((5, 50), 0.3, np.float32), 10).components) == 0
    assert len(Subspace.fit(np.full((50, 5), 0.3, np.float32), 10).components) == 0


def _drawn(n: int = 120, side: int = 8, channels: int = 1) -> NDArray[np.uint8]:
    """Smooth pictures, as sums of few waves: PCA is good at them."""
    rng = np.random.default_rng(0)
    waves = np.cos(np.pi * np.outer(np.arange(4), np.arange(side) + 0.5) / side)
    weights = rng.normal(size=(n, 4, 4, channels)) * 25
    drawn = np.einsum("nabc,ah,bw->nhwc", weights, waves, waves) + 128
    return np.asarray(drawn.clip(0, 255), np.uint8)


def _spots(n: int, seed: int = 0) -> NDArray[np.uint8]:
    """A spot anywhere: two numbers say all, but no six directions do."""
    down, across = np.random.default_rng(seed).uniform(1, 7, (2, n, 1, 1))
    at = np.arange(8) + 0.5
    apart = (at[:, None] - down) ** 2 + (at - across) ** 2
    return np.asarray(255 * np.exp(-apart / 3), np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_beside_a_linear_path_begins_as_pca(channels: int) -> None:
    train, test = _drawn(channels=channels), _drawn(150, channels=channels)[120:]
    # A rate at which nothing is learned, in the one step that there has to be.
    still: dict[str, Any] = {"learning_rate": 1e-30, "epochs": 1, "random_state": 0}
    cae = CAE(code=6, **still).fit(train)
    pca = PCA(6, svd_solver="full").fit(train.reshape(120, -1) / 255)
    rows = test.reshape(30, -1) / 255
    expected = pca.inverse_transform(pca.transform(rows)).clip(0, 1)
    again = cae.reconstruct(test).reshape(30, -1)
    np.testing.assert_allclose(again, expected, atol=2e-5)
    # Codes are PCA's but for one factor, so that distances are the same.
    codes, others = cae.transform(test), pca.transform(rows)
    factors = np.linalg.norm(codes, axis=1) / np.linalg.norm(others, axis=1)
    np.testing.assert_allclose(factors, factors[0], rtol=1e-3)


def test_what_it_learns_is_better_than_pca_and_comes_again_from_disk(
    tmp_path: str,
) -> None:
    train = _spots(600)
    cae = CAE(code=6, steps=600, random_state=0).fit(train)
    pca = PCA(6).fit(train.reshape(600, -1) / 255.0)
    test = _spots(100, seed=1)
    rows = test.reshape(100, -1) / 255.0
    left = np.square(pca.inverse_transform(pca.transform(rows)).clip(0, 1) - rows)
    assert cae.errors(test).mean() < 0.8 * left.mean()
    cae.save(f"{tmp_path}/run")
    again = CAE.load(f"{tmp_path}/run")
    np.testing.assert_array_equal(again.transform(test), cae.transform(test))
    assert again.chosen_ == cae.chosen_


def test_more_values_than_there_are_directions_are_left_to_the_network() -> None:
    cae = CAE(code=20, steps=50, random_state=0).fit(_drawn(12))
    assert cae.transform(_drawn(12)).shape == (12, 20)
    assert np.isfinite(cae.errors(_drawn(12))).all()


def test_pictures_that_are_all_alike_can_be_learnt() -> None:
    cae = CAE(code=4, steps=50, random_state=0).fit(np.full((30, 8, 8), 7, np.uint8))
    assert cae.score(np.full((5, 8, 8), 7, np.uint8)) == pytest.approx(0, abs=1e-6)


def test_the_steps_a_run_took_give_the_same_weights_whatever_the_clock_says() -> None:
    train = _drawn(400)
    first = CAE(code=4, minutes=0.01, random_state=3).fit(train)
    steps = first.chosen_["steps"]
    again = CAE(code=4, steps=steps, random_state=3).fit(train)
    assert [row.loss for row in again.history_.rows] == [
        row.loss for row in first.history_.rows
    ]
    for mine, its in zip(
        first.model_.parameters(), again.model_.parameters(), strict=True
    ):
        assert torch.equal(mine, its)
    chosen = {
        k: v for k, v in first.chosen_.items() if k in Options.__dataclass_fields__
    }
    third = CAE(**chosen).fit(train)
    assert torch.equal(next(third.model_.parameters()), next(first.model_.parameters()))


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    channels=st.sampled_from([1, 3, 4]),
    code=st.integers(1, 500),
)
def test_every_size_of_picture_has_a_network(
    height: int, width: int, channels: int, code: int
) -> None:
    arch = parse(network_for((height, width, channels), code))
    arch.check((height, width, channels))
    assert arch.code_shape((height, width, channels)) == (code,)
    assert len(arch.levels) >= 1
    largest = max(
        arch.encoder((height, width, channels))[len(arch.levels) - 1].output[:2]
    )
    assert largest <= 16 or max(height, width) > 4 * min(height, width)


@pytest.mark.parametrize(
    ("picture", "network"),
    [
        ((8, 8, 1), "16C3-256N-64N"),
        ((28, 28, 1), "16C3-MP2-32C3-MP2-256N-64N"),
        ((64, 64, 3), "16C3-MP2-32C3-MP2-64C3-MP2-256N-64N"),
        ((256, 256, 1), "16C3-MP4-32C3-MP2-64C3-MP2-64C3-MP2-256N-64N"),
    ],
)
def test_networks_that_are_chosen(picture: tuple[int, int, int], network: str) -> None:
    assert network_for(picture, 64) == network


def test_a_training_that_diverges_begins_again_more_slowly_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rate, train = 1e20, _spots(60)
    cae = CAE(code=3, steps=50, learning_rate=rate, random_state=0, verbose=True)
    cae.fit(train)
    told = [line for line in capsys.readouterr().err.splitlines() if "again" in line]
    again = "The loss is not a finite number: again, at a learning rate of"
    assert told == [f"{again} 1e+19.", f"{again} 1e+18.", f"{again} 1e+17."]
    # What is left is what it began with.
    assert (cae.history_.ended, cae.history_.best_epoch) == ("diverged", 0)
    pca = PCA(3, svd_solver="full").fit(train.reshape(60, -1) / 255)
    rows = train.reshape(60, -1) / 255
    expected = pca.inverse_transform(pca.transform(rows)).clip(0, 1)
    found = cae.reconstruct(train).reshape(60, -1)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_network_that_learns_the_mean_picture_begins_again_more_slowly_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given: dict[str, Any] = {"epochs": "auto", "patience": 1, "random_state": 0}
    given |= {"arch": "3C3-MP4", "activation": "relu", "loss": "mse"}
    train = _spots(60)
    cae = CAE(**given, learning_rate=3.0, verbose=True).fit(train)
    told = [line for line in capsys.readouterr().err.splitlines() if "again" in line]
    again = "Nothing was learnt but the mean picture: again, at a learning rate of"
    assert told == [f"{again} 0.3.", f"{again} 0.03."]
    rate = cae.chosen_["learning_rate"]
    assert rate == pytest.approx(0.03)
    assert cae.errors(train).mean() < 0.8 * (train / 255).var(0).mean()
    # The rate and the steps that are kept with the run give the same weights.
    same = CAE(**given, learning_rate=rate, steps=cae.chosen_["steps"]).fit(train)
    for mine, its in zip(
        cae.model_.parameters(), same.model_.parameters(), strict=True
    ):
        assert torch.equal(mine, its)


def test_so_do_the_steps_of_each_level_of_a_greedy_stack() -> None:
    stack: dict[str, Any] = {"decoder": "tied", "schedule": "greedy", "loss": "mse"}
    stack |= {"arch": "3C3-MP2-2C3", "random_state": 1, "epochs": "auto"}
    first = CAE(**stack, minutes=0.02).fit(_drawn(300))
    each = first.chosen_["steps"]
    assert len(each) == 2
    again = CAE(**stack, steps=each).fit(_drawn(300))
    for mine, its in zip(
        first.model_.parameters(), again.model_.parameters(), strict=True
    ):
        assert torch.equal(mine, its)
