"""One level against the paper's equations as plain loops."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from caes.nn.architecture import Level, PaddingName, Stage
from caes.nn.layers import convolve
from caes.nn.stack import Code, ConvolutionalLevel, DenseLevel
from tests import naive
from tests.nn.given import drawn, first, level_of, numbers, stirred

paddings = pytest.mark.parametrize("padding", ["same", "valid"])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("kernel", [2, 3])
@paddings
def test_a_level_is_equations_4_and_5_of_the_paper(
    padding: PaddingName, kernel: int, pool: int, tied: bool
) -> None:
    level = level_of(
        2,
        Level(3, kernel, pool),
        tied=tied,
        padding=padding,
        activation="tanh",
        output="tanh",
    )
    side = 4 if padding == "same" else 4 + kernel - 1
    pictures = drawn(1, 2, side, side + 2)
    weight, bias = numbers(level.weight), numbers(level.bias)
    hidden = np.tanh(naive.convolve(first(pictures), weight, bias, padding))
    code = level.encode(pictures)
    np.testing.assert_allclose(first(code.maps), naive.pool(hidden, pool), atol=1e-5)
    # The largest of each cell is the largest before σ; σ of what is erased is not 0.
    before = naive.convolve(first(pictures), weight, bias, padding)
    sparse = np.where(naive.erase(before, pool) != 0, hidden, 0)
    back = weight if tied else numbers(level.weight_back)
    expected = np.tanh(
        naive.convolve_back(sparse, back, numbers(level.bias_back), padding)
    )
    found = level.reconstruct(pictures)
    assert found.shape == pictures.shape
    np.testing.assert_allclose(first(found), expected, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["same", "valid"]),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_a_tied_way_back_is_the_adjoint_of_the_way_there(
    kernel: int, pool: int, padding: PaddingName, rows: int, columns: int
) -> None:
    """⟨Ax, y⟩ = ⟨x, Aᵀy⟩, with A the convolution and the picking of the winners."""
    level = level_of(2, Level(3, kernel, pool), padding=padding)
    for bias in (level.bias, level.bias_back):
        torch.nn.init.zeros_(bias)
    lost = kernel - 1 if padding == "valid" else 0
    x = drawn(2, 2, rows * pool + lost, columns * pool + lost)
    code = level.encode(x, winners=True)
    y = drawn(*code.maps.shape, seed=9)
    there = (code.maps * y).sum()
    back = (x * level.decode(Code(y, code.winners))).sum()
    torch.testing.assert_close(there, back, rtol=1e-4, atol=1e-4)


def _copying(pool: int) -> ConvolutionalLevel:
    """A level whose convolution is the identity, so that only pooling is left."""
    level = level_of(2, Level(2, 1, pool))
    torch.nn.init.dirac_(level.weight)
    for bias in (level.bias, level.bias_back):
        torch.nn.init.zeros_(bias)
    return level


@pytest.mark.parametrize("pool", [2, 3])
def test_pooling_erases_all_but_the_largest_of_each_cell(pool: int) -> None:
    pictures = drawn(1, 2, 2 * pool, 3 * pool)
    found = first(_copying(pool).reconstruct(pictures))
    np.testing.assert_array_equal(found, naive.erase(first(pictures), pool))
    assert np.count_nonzero(found) == 2 * 3 * 2


def test_the_gradient_flows_to_the_winners_alone() -> None:
    pictures = drawn(1, 2, 4, 6).requires_grad_()
    outer = torch.rand(1, 2, 4, 6) + 0.5
    found = _copying(2).reconstruct(pictures)
    (gradient,) = torch.autograd.grad(found, pictures, outer)
    won = naive.erase(first(pictures), 2) != 0
    np.testing.assert_array_equal(first(gradient), np.where(won, first(outer), 0))


def test_winners_are_places_in_the_map_before_pooling() -> None:
    level = level_of(2, Level(3, 3, 2))
    pictures = drawn(2, 2, 4, 6)
    code = level.encode(pictures, winners=True)
    assert code.winners is not None
    before = convolve(pictures, level.weight, level.bias).flatten(2)
    picked = before.gather(2, code.winners.flatten(2)).view_as(code.maps)
    assert torch.equal(picked, code.maps)
    assert level.encode(pictures).winners is None
    assert level_of(2, Level(3, 3)).encode(pictures, winners=True).winners is None


def test_without_winners_the_way_back_is_the_mean_over_all_places() -> None:
    level = level_of(2, Level(1, 3, 2), output="linear")
    maps = torch.tensor([[[[0.7, -1.2]]]])  # one map of two cells: 4² ways to place
    ways = []
    for (y, x), (v, u) in product(np.ndindex(2, 2), repeat=2):
        winners = torch.tensor([[[[y * 4 + x, v * 4 + 2 + u]]]])
        ways.append(level.decode(Code(maps, winners)))
    torch.testing.assert_close(level.decode(Code(maps)), torch.stack(ways).mean(0))
    assert not torch.allclose(ways[0], ways[1])


def test_a_tied_weight_learns_from_both_ways() -> None:
    level = level_of(2, Level(3, 3, 2), activation="tanh", output="tanh")
    pictures = drawn(2, 2, 4, 6)
    twin = level_of(2, Level(3, 3, 2), tied=False, activation="tanh", output="tanh")
    state = level.state_dict()
    twin.load_state_dict(state | {"weight_back": state["weight"]})
    for each in (level, twin):
        loss = (each.reconstruct(pictures) - pictures).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
    assert twin.weight_back is not None
    assert level.weight.grad is not None
    assert twin.weight.grad is not None
    assert twin.weight_back.grad is not None
    both = twin.weight.grad + twin.weight_back.grad
    torch.testing.assert_close(level.weight.grad, both)


def test_normalisation_comes_between_pooling_and_activation() -> None:
    level = level_of(2, Level(3, 3, 2), activation="tanh", normalised=True)
    assert level.norm is not None
    level.norm.running_mean = torch.tensor([0.5, -1, 2])
    level.norm.running_var = torch.tensor([2, 0.5, 1])
    level.eval()
    pictures = drawn(1, 2, 4, 6)
    maps = naive.convolve(first(pictures), numbers(level.weight), numbers(level.bias))
    mean, deviation = [0.5, -1, 2], np.sqrt(np.array([2, 0.5, 1]) + level.norm.eps)
    scale, shift = numbers(level.norm.weight), numbers(level.norm.bias)
    expected = np.tanh((naive.pool(maps, 2) - mean) / deviation * scale + shift)
    for code in (level.encode(pictures), level.encode(pictures, winners=True)):
        np.testing.assert_allclose(first(code.maps), expected, atol=1e-5)


def _dense(inputs: tuple[int, ...], *, tied: bool) -> DenseLevel:
    outside = (*inputs[1:], inputs[0])  # H, W, C
    stage = Stage("encoder", "connect", outside, (5,), activation="tanh")
    level = DenseLevel(stage, tied=tied, output="sigmoid")
    return stirred(level, 0.5, of="")


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("inputs", [(7,), (2, 3, 4)])
def test_a_dense_level_is_equations_1_and_2_of_the_paper(
    inputs: tuple[int, ...], tied: bool
) -> None:
    level = _dense(inputs, tied=tied)
    pictures = drawn(3, *inputs)
    axes = (0, 2, 3, 1) if len(inputs) == 3 else (0, 1)
    x = pictures.double().numpy().transpose(axes).reshape(3, -1)  # H, W, C in order
    weight = numbers(level.weight)
    h = np.tanh(x @ weight.T + numbers(level.bias))
    back = weight if tied else numbers(level.weight_back)
    y = 1 / (1 + np.exp(-(h @ back + numbers(level.bias_back))))
    code = level.encode(pictures)
    assert code.winners is None
    np.testing.assert_allclose(code.maps.detach(), h, atol=1e-6)
    for found in (level.decode(code), level.reconstruct(pictures)):
        assert found.shape == pictures.shape
        flat = found.detach().numpy().transpose(axes).reshape(3, -1)
        np.testing.assert_allclose(flat, y, atol=1e-6)
