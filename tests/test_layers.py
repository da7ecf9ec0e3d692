import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from caes.layers import Convolution, crop, initialise, pad, up_convolve
from caes.notation import parse
from tests import naive

sides = st.integers(1, 7)


def _maps(tensor: Tensor) -> naive.Maps:
    """First picture of N×C×H×W, as H×W×C."""
    return tensor[0].permute(1, 2, 0).double().numpy()


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
        naive.up_sample(_maps(maps), factor),
        weight.double().numpy(),
        bias.double().numpy(),
    )
    found = _maps(up_convolve(maps, weight, bias, factor))
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("pool", [1, 2, 3])
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_relu_after_pooling_is_relu_before_it(kernel: int, pool: int) -> None:
    layer = Convolution(2, 4, kernel, pool=pool)
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    maps = torch.randn(1, 2, 6, 12, requires_grad=True)
    found = layer(maps)
    weight, bias = (p.detach().double().numpy() for p in layer.parameters())
    rectified = np.maximum(naive.convolve(_maps(maps.detach()), weight, bias), 0)
    expected = naive.pool(rectified, pool)
    np.testing.assert_allclose(_maps(found.detach()), expected, atol=1e-5)

    before = torch.nn.functional.conv2d(
        torch.nn.functional.pad(
            maps, ((kernel - 1) // 2, kernel // 2, (kernel - 1) // 2, kernel // 2)
        ),
        layer.weight,
        layer.bias,
    ).relu()
    plain = torch.nn.functional.max_pool2d(before, pool)
    outer = torch.randn_like(plain)
    one = torch.autograd.grad((found * outer).sum(), (maps, layer.weight))
    two = torch.autograd.grad((plain * outer).sum(), (maps, layer.weight))
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.sampled_from([1, 2, 4, 6]))
def test_odd_sizes_are_padded_inside_and_cropped_back_exactly(
    more_rows: int, more_columns: int, stride: int
) -> None:
    arch = parse({1: "1C3", 2: "1C3-MP2", 4: "1C3-MP4", 6: "1C3-MP2-1C3-MP3"}[stride])
    height, width = stride + more_rows, stride + more_columns
    picture = torch.rand(1, 2, height, width)
    padded = pad(picture, arch)
    np.testing.assert_array_equal(_maps(padded), naive.pad(_maps(picture), stride))
    assert torch.equal(crop(padded, height, width, arch), picture)


def test_weights_are_glorot_uniform_and_biases_zero() -> None:
    layer = Convolution(8, 64, 5)
    initialise(layer, torch.Generator().manual_seed(0))
    bound = (6 / ((8 + 64) * 25)) ** 0.5
    assert layer.weight.abs().max() <= bound
    assert layer.weight.abs().max() > 0.99 * bound
    assert float(layer.weight.detach().var()) == pytest.approx(bound**2 / 3, rel=0.05)
    assert not layer.bias.any()
