import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from caes.nn.architecture import ActivationName, Level, PaddingName, parse
from caes.nn.kernels import winograd
from caes.nn.layers import (
    Convolution,
    activate,
    convolve,
    convolve_back,
    crop,
    initialise,
    pad,
    up_convolve,
)
from tests import naive
from tests.nn.given import convolution, first

sides = st.integers(1, 7)


ACTIVATIONS: dict[ActivationName, Callable[[float], float]] = {
    "relu": lambda x: max(x, 0.0),
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "linear": lambda x: x,
}
activations = pytest.mark.parametrize("name", ACTIVATIONS)
paddings = pytest.mark.parametrize("padding", ["same", "valid"])


@activations
def test_an_activation_is_its_formula(name: ActivationName) -> None:
    values = torch.linspace(-4, 4, 33)
    expected = [ACTIVATIONS[name](float(value)) for value in values]
    np.testing.assert_allclose(activate(values, name), expected, atol=1e-6)


@activations
def test_activation_and_pooling_can_change_places(name: ActivationName) -> None:
    """In value and in gradient, since both take the first of equals."""
    maps = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    one, two = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    after = activate(F.max_pool2d(one, 2), name)
    before = F.max_pool2d(activate(two, name), 2)
    torch.testing.assert_close(after, before)
    (one_s,) = torch.autograd.grad(after.square().sum(), one)
    (two_s,) = torch.autograd.grad(before.square().sum(), two)
    torch.testing.assert_close(one_s, two_s)


@settings(max_examples=25, deadline=None)
@given(sides, sides, st.integers(1, 5), st.booleans(), st.integers(0, 99))
def test_convolution_there_and_back_is_the_plain_loops(
    more_rows: int, more_columns: int, kernel: int, valid: bool, seed: int
) -> None:
    padding: PaddingName = "valid" if valid else "same"
    draw = torch.Generator().manual_seed(seed)
    height, width = more_rows, more_columns
    if valid:
        height, width = height + kernel - 1, width + kernel - 1
    maps = torch.randn(1, 2, height, width, generator=draw)
    weight = torch.randn(3, 2, kernel, kernel, generator=draw)
    bias, bias_back = torch.randn(3, generator=draw), torch.randn(2, generator=draw)
    kernels = weight.double().numpy()
    there = convolve(maps, weight, bias, padding)
    expected = naive.convolve(first(maps), kernels, bias.double().numpy(), padding)
    np.testing.assert_allclose(first(there), expected, atol=2e-5)
    back = convolve_back(there, weight, bias_back, padding)
    assert back.shape == maps.shape
    expected = naive.convolve_back(
        first(there), kernels, bias_back.double().numpy(), padding
    )
    np.testing.assert_allclose(first(back), expected, atol=2e-4)


@paddings
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("channels", [3, 64])
def test_the_way_back_is_the_adjoint_of_the_way_there(
    channels: int, kernel: int, padding: PaddingName
) -> None:
    """⟨Ax, y⟩ = ⟨x, Aᵀy⟩, for many channels by way of `caes.nn.kernels.winograd` too."""
    draw = torch.Generator().manual_seed(kernel)
    x = torch.randn(8, channels, 17, 14, generator=draw)
    weight = torch.randn(channels + 1, channels, kernel, kernel, generator=draw)
    ax = convolve(x, weight, torch.zeros(channels + 1), padding)
    y = torch.randn(ax.shape, generator=draw)
    aty = convolve_back(y, weight, torch.zeros(channels), padding)
    lost = kernel - 1 if padding == "valid" else 0
    assert ax.shape == (8, channels + 1, 17 - lost, 14 - lost)
    assert aty.shape == x.shape
    there, back = (ax.double() * y).sum(), (x.double() * aty).sum()
    size = (ax.double().norm() * y.double().norm()).item()
    assert abs(float(there - back)) < 1e-5 * size


@paddings
@pytest.mark.parametrize("kernel", [3, 4, 5])
def test_many_channels_take_the_detour_to_the_same_sums_and_gradients(
    kernel: int, padding: PaddingName, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = torch.Generator().manual_seed(kernel)
    maps = torch.randn(8, 64, 12, 14, generator=draw)
    weight = torch.randn(64, 64, kernel, kernel, generator=draw)
    biases = torch.randn(64, generator=draw), torch.randn(64, generator=draw)
    given = [each.requires_grad_() for each in (maps, weight, *biases)]

    def there_and_back() -> tuple[Tensor, ...]:
        there = convolve(maps, weight, biases[0], padding)
        back = convolve_back(there, weight, biases[1], padding)
        return there, back, *torch.autograd.grad(back.square().mean(), given)

    lost = 0 if padding == "same" else kernel - 1
    assert winograd.places_for(12 - lost, 14 - lost, 64, 64, kernel)
    detour = there_and_back()
    monkeypatch.setattr(winograd, "places_for", lambda *sizes: 0)
    for mine, direct in zip(detour, there_and_back(), strict=True):
        error = (mine - direct).detach()
        assert float(error.norm() / direct.detach().norm()) < 1e-4


@settings(max_examples=25, deadline=None)
@given(sides, sides, st.integers(1, 5), st.integers(1, 3), st.integers(0, 99))
def test_up_convolution_is_up_sampling_and_then_convolution(
    height: int, width: int, kernel: int, factor: int, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    maps = torch.rand(1, 2, height, width, generator=draw)
    weight = torch.rand(3, 2, kernel, kernel, generator=draw)
    bias = torch.rand(3, generator=draw)
    expected = naive.convolve(
        naive.up_sample(first(maps), factor),
        weight.double().numpy(),
        bias.double().numpy(),
    )
    found = first(up_convolve(maps, weight, bias, factor))
    np.testing.assert_allclose(found, expected, atol=2e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.sampled_from([1, 2, 4, 6]))
def test_odd_sizes_are_padded_inside_and_cropped_back_exactly(
    more_rows: int, more_columns: int, stride: int
) -> None:
    arch = parse({1: "1C3", 2: "1C3-MP2", 4: "1C3-MP4", 6: "1C3-MP2-1C3-MP3"}[stride])
    height, width = stride + more_rows, stride + more_columns
    picture = torch.rand(1, 2, height, width)
    padded = pad(picture, arch)
    np.testing.assert_array_equal(first(padded), naive.pad(first(picture), stride))
    assert torch.equal(crop(padded, height, width, arch), picture)


def test_weights_are_glorot_uniform_and_biases_zero() -> None:
    layer = Convolution(convolution(8, Level(64, 5)))
    initialise(layer, torch.Generator().manual_seed(0))
    bound = (6 / ((8 + 64) * 25)) ** 0.5
    assert layer.weight.abs().max() <= bound
    assert layer.weight.abs().max() > 0.99 * bound
    assert float(layer.weight.detach().var()) == pytest.approx(bound**2 / 3, rel=0.05)
    assert not layer.bias.any()
