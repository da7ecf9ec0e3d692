"""Convolution with fewer products, against PyTorch's in 64 bits and plain loops."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from caes.nn import layers
from caes.nn.architecture import Architecture, Level
from caes.nn.kernels import winograd
from caes.nn.stack import Stack
from tests.nn.given import drawn

Function = Callable[[Tensor, Tensor], Tensor]
IN_USE = [(m, k) for k in range(3, 9) for m in winograd.blocks(k)]
"""All pairs of block and kernel sides that `places_for` chooses from."""


def _error(found: Tensor, exact: Tensor) -> float:
    """Root mean square of the error, relative to that of the exact result."""
    square = (found.detach().double() - exact).square().mean() / exact.square().mean()
    return float(square.sqrt())


def _exactly(maps: Tensor, weight: Tensor) -> Tensor:
    """Convolve N×H×W×C in 64 bits."""
    found = F.conv2d(maps.double().permute(0, 3, 1, 2), weight.double())
    return found.permute(0, 2, 3, 1)


def _exactly_back(maps: Tensor, weight: Tensor) -> Tensor:
    """Convolve N×H×W×K the other way in 64 bits."""
    found = F.conv_transpose2d(maps.double().permute(0, 3, 1, 2), weight.double())
    return found.permute(0, 2, 3, 1)


@pytest.mark.parametrize(("m", "k"), IN_USE)
def test_along_one_axis_the_changes_of_basis_are_exact(m: int, k: int) -> None:
    outputs, filters, inputs = winograd.one_axis(m, k)
    draw = np.random.default_rng(m * k)
    d = [Fraction(int(value), 7) for value in draw.integers(-99, 99, m + k - 1)]
    g = [Fraction(int(value), 3) for value in draw.integers(-99, 99, k)]
    found = outputs @ ((filters @ g) * (inputs @ d))
    assert [*found] == [sum(d[y + x] * g[x] for x in range(k)) for y in range(m)]
    for one in (inputs, outputs):
        both = np.kron(one, one).flat
        assert all(int(np.float32(value)) == value for value in both)


@pytest.mark.parametrize(("m", "k"), IN_USE)
def test_both_axes_at_once_are_one_axis_after_the_other(m: int, k: int) -> None:
    for both, one in zip(winograd.bases(m, k), winograd.one_axis(m, k), strict=True):
        (rows, columns), exact = one.shape, one.astype(float)
        picture = np.random.default_rng(0).random((columns, columns))
        found = both.double().numpy() @ picture.ravel()
        expected = exact @ picture @ exact.T
        np.testing.assert_allclose(found.reshape(rows, rows), expected, rtol=1e-5)


@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
@pytest.mark.parametrize(("m", "k"), IN_USE)
def test_convolution_and_both_gradients_are_the_plain_ones(
    m: int, k: int, back: bool
) -> None:
    rows, columns = 11, 8  # no block divides both
    weight = drawn(34, 33, k, k, seed=1).requires_grad_()
    if back:
        maps = drawn(2, rows, columns, 34).requires_grad_()
        found = winograd.convolve_adjoint(maps, weight, m)
        exact = _exactly_back(maps, weight)
        assert found.shape == (2, rows + k - 1, columns + k - 1, 33)
    else:
        maps = drawn(2, rows + k - 1, columns + k - 1, 33).requires_grad_()
        found, exact = winograd.convolve(maps, weight, m), _exactly(maps, weight)
    assert found.shape == exact.shape
    assert _error(found, exact.detach()) < 5e-6
    outer = drawn(*found.shape, seed=2)
    given = torch.autograd.grad(found, (maps, weight), outer)
    wanted = torch.autograd.grad(exact, (maps, weight), outer.double())
    for mine, theirs in zip(given, wanted, strict=True):
        assert mine.shape == theirs.shape
        assert _error(mine, theirs.double()) < 5e-6


Results = tuple[Tensor, ...]
"""A convolution, its gradients by maps and weight; the same of its adjoint."""


def _there_and_back(
    maps: Tensor, back: Tensor, weight: Tensor, places: int
) -> tuple[Results, Results, Results]:
    """Give the results by way of `winograd`, by PyTorch in 32 bits and in 64 bits."""

    def run(convolve: Function, adjoint: Function, dtype: torch.dtype) -> Results:
        found: list[Tensor] = []
        for function, start in ((convolve, maps), (adjoint, back)):
            leaves = [each.to(dtype).requires_grad_() for each in (start, weight)]
            result = function(*leaves)
            outer = drawn(*result.shape, seed=3).to(dtype)
            found += [result.detach(), *torch.autograd.grad(result, leaves, outer)]
        return tuple(found)

    def detour(x: Tensor, w: Tensor) -> Tensor:
        return winograd.convolve(x.permute(0, 2, 3, 1), w, places).permute(0, 3, 1, 2)

    def detour_back(y: Tensor, w: Tensor) -> Tensor:
        found = winograd.convolve_adjoint(y.permute(0, 2, 3, 1), w, places)
        return found.permute(0, 3, 1, 2)

    return (
        run(detour, detour_back, torch.float32),
        run(F.conv2d, F.conv_transpose2d, torch.float32),
        run(F.conv2d, F.conv_transpose2d, torch.float64),
    )


def _times_the_error_of_pytorch(
    m: int, k: int, channels: int, *, offset: float, side: int, seed: int = 0
) -> float:
    """Give the worst ratio of root mean square errors, for kernels of mean zero."""
    lost = k - 1
    maps = offset + 0.05 * drawn(8, channels, side + lost, side + lost, seed=seed)
    back = offset + 0.05 * drawn(8, channels, side, side, seed=seed + 1)
    weight = drawn(channels, channels, k, k, seed=seed + 2)
    weight -= weight.mean((2, 3), keepdim=True)
    triples = zip(*_there_and_back(maps, back, weight, m), strict=True)
    return max(_error(ours, e) / _error(theirs, e) for ours, theirs, e in triples)


@pytest.mark.parametrize("offset", [0.0, 1.0])
@pytest.mark.parametrize(("m", "k"), IN_USE)
def test_rounding_errs_at_most_20_times_as_much_as_pytorch(
    m: int, k: int, offset: float
) -> None:
    assert _times_the_error_of_pytorch(m, k, 32, offset=offset, side=m) <= 20


@pytest.mark.slow
@pytest.mark.parametrize("channels", [128, 1024])
@pytest.mark.parametrize(("m", "k"), IN_USE)
def test_between_many_channels_rounding_errs_no_more(
    m: int, k: int, channels: int
) -> None:
    side = 2 * m if channels < 1024 else m
    assert _times_the_error_of_pytorch(m, k, channels, offset=1.0, side=side) <= 20


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(IN_USE),
    st.integers(5, 20),
    st.floats(-10, 10),
    st.integers(0, 99),
)
def test_whatever_the_offset_rounding_errs_at_most_20_times_as_much(
    block: tuple[int, int], side: int, offset: float, seed: int
) -> None:
    m, k = block
    ratio = _times_the_error_of_pytorch(m, k, 32, offset=offset, side=side, seed=seed)
    assert ratio <= 20


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("m", "k"), IN_USE)
def test_where_a_value_is_not_finite_neither_are_the_results(
    m: int, k: int, value: float
) -> None:
    maps, back = drawn(2, 4, k + 6, k + 6), drawn(2, 4, 7, 7, seed=1)
    maps[0, 1, 5, 4] = back[0, 1, 5, 4] = value
    weight = drawn(4, 4, k, k, seed=2)
    ours, _, exact = _there_and_back(maps, back, weight, m)
    for mine, theirs in zip(ours, exact, strict=True):
        assert not (mine.isfinite() & ~theirs.isfinite()).any()
    for result in (ours[0], ours[3]):
        assert not result[0].isfinite().all()
        assert result[1].isfinite().all()  # the other picture


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(IN_USE), st.integers(1, 3), st.integers(1, 13), st.integers(1, 13)
)
def test_any_size_and_number_of_pictures_comes_out_whole(
    block: tuple[int, int], n: int, rows: int, columns: int
) -> None:
    m, k = block
    maps, weight = drawn(n, rows + k - 1, columns + k - 1, 3), drawn(4, 3, k, k)
    found, exact = winograd.convolve(maps, weight, m), _exactly(maps, weight)
    assert found.shape == exact.shape == (n, rows, columns, 4)
    assert float((found - exact).abs().max()) < 1e-3  # few values: no average over many
    back = winograd.convolve_adjoint(found, weight, m)
    assert back.shape == maps.shape


def test_only_the_gradients_that_are_needed_are_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[str] = []

    def note(name: str) -> None:
        whole = getattr(winograd, name)

        def noted(*given: object) -> object:
            steps.append(name)
            return whole(*given)

        monkeypatch.setattr(winograd, name, noted)

    note("_analyse_adjoint")
    note("_filters_adjoint")
    fixed, weight = drawn(1, 6, 6, 2), drawn(3, 2, 3, 3).requires_grad_()
    winograd.convolve(fixed, weight, 2).sum().backward()  # type: ignore[no-untyped-call]
    assert steps == ["_filters_adjoint"]
    steps.clear()
    maps = fixed.clone().requires_grad_()
    winograd.convolve(maps, weight.detach(), 2).sum().backward()  # type: ignore[no-untyped-call]
    assert steps == ["_analyse_adjoint"]


@pytest.mark.parametrize(
    ("sizes", "places"),
    [
        ((28, 28, 1, 100, 5), 0),  # one channel comes in
        ((14, 14, 100, 31, 5), 0),  # few maps go out
        ((14, 14, 100, 150, 2), 0),  # few taps
        ((14, 14, 100, 150, 1), 0),
        ((14, 14, 100, 150, 11), 0),  # no tile is large enough
        ((1, 1, 100, 150, 3), 0),  # most of the block would be thrown away
        ((35, 25, 40, 40, 3), 0),  # the changes of basis cost too much
        ((14, 14, 100, 150, 5), 5),  # the paper's second level
        ((7, 7, 150, 200, 3), 4),  # and its third
    ],
)
def test_the_detour_is_taken_where_it_is_worth_it(
    sizes: tuple[int, int, int, int, int], places: int
) -> None:
    assert winograd.places_for(*sizes) == places


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(1, 12),
)
def test_the_chosen_block_fits_the_tile_and_saves_products(
    height: int, width: int, inputs: int, maps: int, kernel: int
) -> None:
    m = winograd.places_for(height, width, inputs, maps, kernel)
    if m == 0:
        return
    tile = m + kernel - 1
    assert (m, kernel) in IN_USE
    products = -(-height // m) * -(-width // m) * tile**2 * inputs * maps
    assert products * winograd.GAIN < height * width * kernel**2 * inputs * maps


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_whole_network_computes_what_it_computes_without_the_detour(
    padding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arch = Architecture(
        (Level(64, 3, 2), Level(72, 5)),
        decoder="tied",
        padding=padding,  # type: ignore[arg-type]
        activation="tanh",
    )
    model = Stack(arch, (21, 26, 2), seed=1)
    pictures = torch.rand(9, 21, 26, 2, generator=torch.Generator().manual_seed(0))
    chosen: list[int] = []
    choose = winograd.places_for

    def noted(*sizes: int) -> int:
        chosen.append(choose(*sizes))
        return chosen[-1]

    def run() -> tuple[Tensor, ...]:
        figures = model.compare(pictures, pictures, "bce")
        gradients = torch.autograd.grad(figures[0], list(model.parameters()))
        return figures.detach(), model.encode(pictures).detach(), *gradients

    monkeypatch.setattr(winograd, "places_for", noted)
    detour = run()
    assert sum(map(bool, chosen)) == 3  # there and back, and the codes once more
    monkeypatch.setattr(winograd, "places_for", lambda *sizes: 0)
    for mine, direct in zip(detour, run(), strict=True):
        torch.testing.assert_close(mine, direct, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("n", [layers.LEAST_BATCH - 1, layers.LEAST_BATCH])
def test_few_pictures_are_convolved_directly(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    whole = winograd.convolve

    def noted(maps: Tensor, weight: Tensor, places: int) -> Tensor:
        calls.append(places)
        return whole(maps, weight, places)

    def asked(*sizes: int) -> int:
        assert sizes == (8, 6, 40, 40, 3)
        return 2

    monkeypatch.setattr(winograd, "convolve", noted)
    monkeypatch.setattr(winograd, "places_for", asked)
    maps, weight = drawn(n, 40, 8, 6), drawn(40, 40, 3, 3, seed=1)
    found = layers.convolve(maps, weight, torch.zeros(40))
    exact = F.conv2d(maps.double(), weight.double(), padding=1)
    assert _error(found, exact) < 5e-6
    assert len(calls) == (n >= layers.LEAST_BATCH)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_are_convolved_directly(dtype: torch.dtype) -> None:
    maps, weight = drawn(8, 40, 8, 8).to(dtype), drawn(40, 40, 3, 3, seed=1).to(dtype)
    bias = torch.zeros(40, dtype=dtype)
    found = layers.convolve(maps, weight, bias)
    assert torch.equal(found, F.conv2d(maps, weight, bias, padding=1))


@pytest.mark.parametrize("kernels", [(5, 5, 3), (7, 7, 5)])
def test_a_code_alone_is_the_one_in_a_batch(kernels: tuple[int, int, int]) -> None:
    sizes = zip((100, 150, 200), kernels, strict=True)
    levels = tuple(Level(maps, kernel, 2) for maps, kernel in sizes)
    model = Stack(Architecture(levels, activation="tanh"), (28, 28, 1), seed=1)
    pictures = torch.rand(32, 28, 28, 1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together = model.encode(pictures)
        alone = torch.cat([model.encode(picture[None]) for picture in pictures])
    assert float((alone - together).abs().max()) <= 1e-5 * float(alone.abs().max())


@pytest.mark.parametrize("kernel", range(3, 9))
def test_bright_maps_alone_are_those_in_a_batch(kernel: int) -> None:
    maps = 1 + 0.05 * drawn(8, 64, 14, 14)
    weight, nothing = drawn(64, 64, kernel, kernel, seed=1), torch.zeros(64)
    weight -= weight.mean((2, 3), keepdim=True)
    for function in (layers.convolve, layers.convolve_back):
        together = function(maps, weight, nothing)[:1]
        alone = function(maps[:1], weight, nothing)
        assert float((alone - together).abs().max()) <= 1e-5 * float(alone.abs().max())
