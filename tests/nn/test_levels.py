"""One level against the paper's equations as plain loops."""

from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from caes.nn.architecture import ActivationName, Level, PaddingName
from caes.nn.kernels import winograd
from caes.nn.layers import convolve
from caes.nn.stack import Code, ConvolutionalLevel, DenseLevel, StackLevel
from tests import naive
from tests.naive import Maps
from tests.nn.stages import convolution, dense

NAMES: list[ActivationName] = ["relu", "tanh", "sigmoid", "elu", "linear"]
paddings = pytest.mark.parametrize("padding", ["same", "valid"])


def _drawn(level: StackLevel, seed: int = 0) -> None:
    """Draw all weights and biases, none of them 0."""
    draw = torch.Generator().manual_seed(seed)
    for parameter in level.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=draw)


def _level(
    inputs: int,
    level: Level,
    *,
    tied: bool = True,
    padding: PaddingName = "same",
    activation: ActivationName = "linear",
    output: ActivationName = "linear",
    normalised: bool = False,
) -> ConvolutionalLevel:
    stage = convolution(
        inputs, level, padding=padding, activation=activation, normalised=normalised
    )
    made = ConvolutionalLevel(stage, tied=tied, output=output)
    _drawn(made)
    return made


def _pictures(n: int, channels: int, height: int, width: int) -> Tensor:
    draw = torch.Generator().manual_seed(3)
    return torch.randn(n, channels, height, width, generator=draw)


def _maps(tensor: Tensor) -> Maps:
    """First picture of N×C×H×W, as H×W×C."""
    return tensor.detach()[0].permute(1, 2, 0).double().numpy()


def _numbers(parameter: Tensor | None) -> Maps:
    assert parameter is not None
    return parameter.detach().double().numpy()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("kernel", [2, 3])
@paddings
def test_a_level_is_equations_4_and_5_of_the_paper(
    padding: PaddingName, kernel: int, pool: int, tied: bool
) -> None:
    level = _level(
        2,
        Level(3, kernel, pool),
        tied=tied,
        padding=padding,
        activation="tanh",
        output="tanh",
    )
    side = 4 if padding == "same" else 4 + kernel - 1
    pictures = _pictures(1, 2, side, side + 2)
    weight, bias = _numbers(level.weight), _numbers(level.bias)
    hidden = np.tanh(naive.convolve(_maps(pictures), weight, bias, padding))
    code = level.encode(pictures)
    np.testing.assert_allclose(_maps(code.maps), naive.pool(hidden, pool), atol=1e-5)
    # The largest of each cell is the largest before σ; σ of what is erased is not 0.
    before = naive.convolve(_maps(pictures), weight, bias, padding)
    sparse = np.where(naive.erase(before, pool) != 0, hidden, 0)
    back = weight if tied else _numbers(level.weight_back)
    expected = np.tanh(
        naive.convolve_back(sparse, back, _numbers(level.bias_back), padding)
    )
    found = level.reconstruct(pictures)
    assert found.shape == pictures.shape
    np.testing.assert_allclose(_maps(found), expected, atol=1e-5)


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
    level = _level(2, Level(3, kernel, pool), padding=padding)
    for bias in (level.bias, level.bias_back):
        torch.nn.init.zeros_(bias)
    lost = kernel - 1 if padding == "valid" else 0
    x = _pictures(2, 2, rows * pool + lost, columns * pool + lost)
    code = level.encode(x, winners=True)
    y = torch.randn(code.maps.shape, generator=torch.Generator().manual_seed(9))
    there = (code.maps * y).sum()
    back = (x * level.decode(Code(y, code.winners))).sum()
    torch.testing.assert_close(there, back, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernel", [4, 5])
@paddings
def test_with_many_channels_the_way_back_is_the_adjoint_too(
    padding: PaddingName, kernel: int
) -> None:
    lost = kernel - 1 if padding == "valid" else 0
    assert winograd.places_for(12, 14, 64, 64, kernel)
    level = _level(64, Level(64, kernel, 2), padding=padding)
    for bias in (level.bias, level.bias_back):
        torch.nn.init.zeros_(bias)
    x = _pictures(8, 64, 12 + lost, 14 + lost)
    with torch.no_grad():
        code = level.encode(x, winners=True)
        y = torch.randn(code.maps.shape, generator=torch.Generator().manual_seed(9))
        back = level.decode(Code(y, code.winners))
    size = float(code.maps.norm() * y.norm())
    difference = (code.maps.double() * y).sum() - (x.double() * back).sum()
    assert abs(float(difference)) < 1e-5 * size


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.booleans(),
)
def test_a_full_convolution_returns_the_size_that_the_valid_one_took(
    kernel: int, pool: int, rows: int, columns: int, tied: bool
) -> None:
    level = _level(2, Level(3, kernel, pool), padding="valid", tied=tied)
    height, width = rows * pool + kernel - 1, columns * pool + kernel - 1
    pictures = _pictures(1, 2, height, width)
    code = level.encode(pictures, winners=True)
    assert code.maps.shape == (1, 3, rows, columns)
    assert level.decode(code).shape == pictures.shape
    assert level.decode(Code(code.maps)).shape == pictures.shape


def _copying(pool: int) -> ConvolutionalLevel:
    """A level whose convolution is the identity, so that only pooling is left."""
    level = _level(2, Level(2, 1, pool))
    torch.nn.init.dirac_(level.weight)
    for bias in (level.bias, level.bias_back):
        torch.nn.init.zeros_(bias)
    return level


@pytest.mark.parametrize("pool", [2, 3])
def test_pooling_erases_all_but_the_largest_of_each_cell(pool: int) -> None:
    pictures = _pictures(1, 2, 2 * pool, 3 * pool)
    found = _maps(_copying(pool).reconstruct(pictures))
    np.testing.assert_array_equal(found, naive.erase(_maps(pictures), pool))
    assert np.count_nonzero(found) == 2 * 3 * 2


def test_of_equal_values_the_first_survives() -> None:
    found = _maps(_copying(2).reconstruct(torch.ones(1, 2, 4, 4)))
    np.testing.assert_array_equal(found, naive.erase(np.ones((4, 4, 2)), 2))


def test_the_gradient_flows_to_the_winners_alone() -> None:
    pictures = _pictures(1, 2, 4, 6).requires_grad_()
    outer = torch.rand(1, 2, 4, 6) + 0.5
    found = _copying(2).reconstruct(pictures)
    (gradient,) = torch.autograd.grad(found, pictures, outer)
    won = naive.erase(_maps(pictures), 2) != 0
    np.testing.assert_array_equal(_maps(gradient), np.where(won, _maps(outer), 0))


@pytest.mark.parametrize("name", NAMES)
def test_pooling_before_the_activation_gives_the_code_of_pooling_after_it(
    name: ActivationName,
) -> None:
    level = _level(2, Level(3, 3, 2), activation=name)
    pictures = _pictures(2, 2, 6, 8)
    plain = _level(2, Level(3, 3), activation=name)
    plain.load_state_dict(level.state_dict())
    expected = F.max_pool2d(plain.encode(pictures).maps, 2)
    torch.testing.assert_close(level.encode(pictures).maps, expected)
    torch.testing.assert_close(level.encode(pictures, winners=True).maps, expected)


def test_winners_are_places_in_the_map_before_pooling() -> None:
    level = _level(2, Level(3, 3, 2))
    pictures = _pictures(2, 2, 4, 6)
    code = level.encode(pictures, winners=True)
    assert code.winners is not None
    before = convolve(pictures, level.weight, level.bias).flatten(2)
    picked = before.gather(2, code.winners.flatten(2)).view_as(code.maps)
    assert torch.equal(picked, code.maps)
    assert level.encode(pictures).winners is None
    assert _level(2, Level(3, 3)).encode(pictures, winners=True).winners is None


def test_without_winners_the_way_back_is_the_mean_over_all_places() -> None:
    level = _level(2, Level(1, 3, 2), output="linear")
    maps = torch.tensor([[[[0.7, -1.2]]]])  # one map of two cells: 4² ways to place
    ways = []
    for (y, x), (v, u) in product(np.ndindex(2, 2), repeat=2):
        winners = torch.tensor([[[[y * 4 + x, v * 4 + 2 + u]]]])
        ways.append(level.decode(Code(maps, winners)))
    torch.testing.assert_close(level.decode(Code(maps)), torch.stack(ways).mean(0))
    assert not torch.allclose(ways[0], ways[1])


def test_a_tied_level_has_a_bias_a_map_and_one_a_channel_that_comes_in() -> None:
    level = _level(3, Level(5, 4, 2))
    shapes = {name: tuple(p.shape) for name, p in level.named_parameters()}
    assert shapes == {"weight": (5, 3, 4, 4), "bias": (5,), "bias_back": (3,)}


def test_an_untied_level_goes_back_by_weights_of_its_own() -> None:
    level = _level(3, Level(5, 4, 2), tied=False)
    shapes = {name: tuple(p.shape) for name, p in level.named_parameters()}
    assert shapes == {
        "weight": (5, 3, 4, 4),
        "bias": (5,),
        "weight_back": (5, 3, 4, 4),
        "bias_back": (3,),
    }
    code = level.encode(_pictures(2, 3, 6, 6), winners=True)
    back = level.decode(code._replace(maps=code.maps.detach()))
    back.square().sum().backward()  # type: ignore[no-untyped-call]
    assert level.weight.grad is None
    assert level.weight_back is not None
    assert level.weight_back.grad is not None
    assert level.weight_back.grad.any()


def test_a_tied_weight_learns_from_both_ways() -> None:
    level = _level(2, Level(3, 3, 2), activation="tanh", output="tanh")
    pictures = _pictures(2, 2, 4, 6)
    twin = _level(2, Level(3, 3, 2), tied=False, activation="tanh", output="tanh")
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
    level = _level(2, Level(3, 3, 2), activation="tanh", normalised=True)
    assert level.norm is not None
    level.norm.running_mean = torch.tensor([0.5, -1, 2])
    level.norm.running_var = torch.tensor([2, 0.5, 1])
    level.eval()
    pictures = _pictures(1, 2, 4, 6)
    maps = naive.convolve(_maps(pictures), _numbers(level.weight), _numbers(level.bias))
    mean, deviation = [0.5, -1, 2], np.sqrt(np.array([2, 0.5, 1]) + level.norm.eps)
    scale, shift = _numbers(level.norm.weight), _numbers(level.norm.bias)
    expected = np.tanh((naive.pool(maps, 2) - mean) / deviation * scale + shift)
    for code in (level.encode(pictures), level.encode(pictures, winners=True)):
        np.testing.assert_allclose(_maps(code.maps), expected, atol=1e-5)


def _dense(inputs: tuple[int, ...], *, tied: bool) -> DenseLevel:
    outside = (*inputs[1:], inputs[0])  # H, W, C
    level = DenseLevel(dense(outside, 5, "tanh"), tied=tied, output="sigmoid")
    _drawn(level)
    return level


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("inputs", [(7,), (2, 3, 4)])
def test_a_dense_level_is_equations_1_and_2_of_the_paper(
    inputs: tuple[int, ...], tied: bool
) -> None:
    level = _dense(inputs, tied=tied)
    pictures = torch.randn(3, *inputs, generator=torch.Generator().manual_seed(0))
    axes = (0, 2, 3, 1) if len(inputs) == 3 else (0, 1)
    x = pictures.double().numpy().transpose(axes).reshape(3, -1)  # H, W, C in order
    weight = _numbers(level.weight)
    h = np.tanh(x @ weight.T + _numbers(level.bias))
    back = weight if tied else _numbers(level.weight_back)
    y = 1 / (1 + np.exp(-(h @ back + _numbers(level.bias_back))))
    code = level.encode(pictures)
    assert code.winners is None
    np.testing.assert_allclose(code.maps.detach(), h, atol=1e-6)
    for found in (level.decode(code), level.reconstruct(pictures)):
        assert found.shape == pictures.shape
        flat = found.detach().numpy().transpose(axes).reshape(3, -1)
        np.testing.assert_allclose(flat, y, atol=1e-6)


def test_a_tied_dense_level_has_one_weight_and_two_kinds_of_biases() -> None:
    shapes = {
        n: tuple(p.shape) for n, p in _dense((2, 3, 4), tied=True).named_parameters()
    }
    assert shapes == {"weight": (5, 24), "bias": (5,), "bias_back": (24,)}
    untied = _dense((2, 3, 4), tied=False)
    assert untied.weight_back is not None
    assert untied.weight_back.shape == (5, 24)
