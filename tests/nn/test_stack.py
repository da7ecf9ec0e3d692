"""The stack against its levels, against the paper's equations as plain loops."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from caes.errors import NotationError
from caes.nn.architecture import (
    ActivationName,
    Architecture,
    DecoderName,
    PaddingName,
    Shape,
    parse,
)
from caes.nn.autoencoder import Autoencoder
from caes.nn.model import Model
from caes.nn.sparsity import Sparsity
from caes.nn.stack import Code, OneLevel, Stack, autoencoder
from tests import naive
from tests.nn.given import compared, gradients, numbers, pictures_of, stirred
from tests.refusals import refused

PAPER = replace(
    parse("3C3-MP2-4C3-MP2"),
    decoder="tied",
    padding="valid",
    activation="tanh",
    output="tanh",
)

"""The paper's form in small."""
FORMS = [
    (PAPER, (18, 22, 2)),
    (replace(PAPER, padding="same", output="sigmoid"), (9, 14, 1)),
    (replace(PAPER, decoder="untied", activation="relu", output="linear"), (11, 10, 3)),
    (replace(PAPER, dense=(6, 5), activation="sigmoid"), (10, 14, 2)),
    (replace(parse("7N-3N"), decoder="tied", activation="elu"), (4, 5, 2)),
]


def _stack(
    arch: Architecture, picture: Shape, sparsity: Sparsity | None = None
) -> Stack:
    return stirred(Stack(arch, picture, 5, sparsity), 0.2)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_two_levels_are_the_paper_s_equations_as_plain_loops(
    padding: PaddingName,
) -> None:
    """Up: convolve, tanh, pool; down: each value to its place, convolve, tanh."""
    size = (10, 14) if padding == "valid" else (8, 12)  # whole cells
    model = _stack(replace(PAPER, padding=padding), (*size, 2))
    pictures = pictures_of(1, (*size, 2))
    maps, shapes, sparse = numbers(pictures[0]), [], []
    for level in model.each:
        weight, bias = numbers(level.weight), numbers(level.bias)
        hidden = np.tanh(naive.convolve(maps, weight, bias, padding))
        maps = naive.pool(hidden, 2)
        shapes.append(maps.shape)
        sparse.append(naive.erase(hidden, 2) != 0)
    assert tuple(model.encode(pictures)[0].shape) == shapes[-1]
    np.testing.assert_allclose(model.encode(pictures)[0].detach(), maps, atol=1e-5)
    for level, places in zip(reversed(model.each), reversed(sparse), strict=True):
        maps = np.where(places, naive.up_sample(maps, 2), 0)
        weight, bias = numbers(level.weight), numbers(level.bias_back)
        maps = np.tanh(naive.convolve_back(maps, weight, bias, padding))
    raw = model.raw(pictures)[0].detach()
    np.testing.assert_allclose(raw.tanh(), maps, atol=1e-5)
    np.testing.assert_allclose(model(pictures)[0].detach(), maps.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize(("arch", "picture"), FORMS)
def test_a_code_is_one_level_s_after_the_other(
    arch: Architecture, picture: Shape
) -> None:
    model = _stack(arch, picture)
    pictures = pictures_of(3, picture)
    codes = pictures
    for index in range(arch.depth):
        codes = OneLevel(model, index).encode(codes)
    torch.testing.assert_close(model.encode(pictures), codes)
    assert tuple(codes.shape[1:]) == arch.code_shape(picture)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(10, 19),
    st.integers(10, 19),
    st.sampled_from(["same", "valid"]),
    st.sampled_from([1, 3]),
)
def test_any_size_is_padded_by_its_edges_and_cropped_back(
    height: int, width: int, padding: PaddingName, channels: int
) -> None:
    model = _stack(replace(PAPER, padding=padding), (10, 10, channels))
    arch, picture = model.arch, pictures_of(1, (height, width, channels))
    (tall, wide), (top, left) = arch.padded(height, width), arch.margins(height, width)
    frame = ((top, tall - height - top), (left, wide - width - left), (0, 0))
    padded = torch.from_numpy(np.pad(picture[0].numpy(), frame, mode="edge"))[None]
    with torch.no_grad():
        whole = model(padded)[:, top : top + height, left : left + width]
        assert torch.equal(model(picture), whole)
        assert torch.equal(model.encode(picture), model.encode(padded))
        assert OneLevel(model, 0).raw(picture).shape == picture.shape
        back = model.decode(model.encode(picture), (height, width))
        assert back.shape == picture.shape


@pytest.mark.parametrize(("arch", "picture"), FORMS)
def test_pictures_that_come_out_lie_between_0_and_1(
    arch: Architecture, picture: Shape
) -> None:
    model = _stack(arch, picture)
    for level in model.each:
        nn.init.normal_(level.bias_back, std=3)
    pictures = pictures_of(4, picture)
    for found in (model(pictures), model.decode(model.encode(pictures))):
        assert found.shape == pictures.shape
        assert found.min() >= 0
        assert found.max() <= 1


def test_decoding_knows_no_places_and_takes_their_mean() -> None:
    model = _stack(PAPER, (10, 10, 1))
    codes = model.encode(pictures_of(2, (10, 10, 1)))
    maps = codes.permute(0, 3, 1, 2)
    for level in model.each[::-1]:
        maps = level.decode(Code(maps))
    expected = maps.tanh().clamp(0, 1).permute(0, 2, 3, 1)
    torch.testing.assert_close(model.decode(codes), expected)


@pytest.mark.parametrize(
    ("output", "loss"),
    [("sigmoid", "bce"), ("sigmoid", "mse"), ("linear", "mse"), ("tanh", "mse")],
)
def test_the_figures_are_those_of_the_activated_pictures(
    output: ActivationName, loss: str
) -> None:
    arch = replace(PAPER, output=output)
    for model in (_stack(arch, (10, 10, 1)), OneLevel(_stack(arch, (10, 10, 1)), 0)):
        pictures = pictures_of(5, (10, 10, 1))
        targets = pictures.square()
        raw = numbers(model.raw(pictures))
        shown = {"sigmoid": 1 / (1 + np.exp(-raw)), "tanh": np.tanh(raw), "linear": raw}
        y, t = shown[output], targets.double().numpy()
        entropy = -(t * np.log(np.abs(y)) + (1 - t) * np.log(np.abs(1 - y)))
        expected = [
            entropy.mean() if loss == "bce" else ((y - t) ** 2).mean(),
            ((y - t) ** 2).mean(),
            ((y > 0.5) == t).mean(),
        ]
        found = model.compare(pictures, targets, loss)
        np.testing.assert_allclose(found.detach(), expected, rtol=1e-5)


@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_above_the_lowest_the_figures_are_of_codes(loss: str) -> None:
    """Always the squared error, and nothing to count right."""
    model = _stack(PAPER, (10, 10, 1))
    codes = OneLevel(model, 0).encode(pictures_of(5, (10, 10, 1))).detach()
    noisy = codes + 0.1
    second = OneLevel(model, 1)
    expected = F.mse_loss(second.raw(noisy), codes)
    found = second.compare(noisy, codes, loss)
    torch.testing.assert_close(found[0], expected)
    torch.testing.assert_close(found[1], expected)
    assert found[2].isnan()
    assert second.raw(noisy).abs().max() <= 1  # the level's own tanh


@pytest.mark.parametrize("sparsity", [None, Sparsity()])
@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("arch", "picture"), FORMS)
def test_shared_between_threads_a_batch_gives_the_same_figures_and_gradients(
    arch: Architecture, picture: Shape, sparsity: Sparsity | None
) -> None:
    stack = _stack(arch, picture, sparsity)
    pictures = pictures_of(21, picture)
    codes = OneLevel(stack, 0).encode(pictures).detach()
    parts: list[tuple[Model, Tensor]] = [
        (stack, pictures),
        (OneLevel(stack, 0), pictures),
        (OneLevel(stack, 1), codes),
    ]
    for model, inputs in parts:
        alone = model.compare(inputs, inputs, "mse")
        wanted = gradients(alone, model.parameters())
        shared = compared(model, inputs, inputs, "mse")
        found = gradients(shared, model.parameters())
        with torch.no_grad():
            watched = compared(model, inputs, inputs, "mse")
        for figures in (shared, watched):
            torch.testing.assert_close(
                figures.detach().float(), alone.detach().float(), equal_nan=True
            )
        for mine, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("sparsity", [None, Sparsity()])
def test_of_equal_values_in_a_cell_the_first_one_goes_back(
    sparsity: Sparsity | None,
) -> None:
    arch = replace(parse("1C1-MP2"), decoder="tied")
    level = Stack(arch, (4, 4, 1), 0).each[0]
    torch.nn.init.ones_(level.weight)
    found = level.reconstruct(torch.ones(1, 1, 4, 4), sparsity)[0, 0]
    places = {(0, 0)} if sparsity else {(0, 0), (0, 2), (2, 0), (2, 2)}
    assert {(y, x) for y, x in found.nonzero().tolist()} == places


@pytest.mark.parametrize(("arch", "picture"), FORMS)
def test_every_weight_takes_part(arch: Architecture, picture: Shape) -> None:
    model = _stack(arch, picture)
    pictures = pictures_of(9, picture)
    figures = model.compare(pictures, pictures, "mse")
    assert all(slope.any() for slope in gradients(figures, model.parameters()))


def test_only_the_way_back_needs_the_decoder_s_parameters() -> None:
    for arch, picture in FORMS:
        model = _stack(arch, picture)
        needed = {id(parameter) for parameter in model.decoder_parameters()}
        codes = model.encode(pictures_of(2, picture)).square().sum()
        grads = torch.autograd.grad(codes, list(model.parameters()), allow_unused=True)
        for parameter, gradient in zip(model.parameters(), grads, strict=True):
            assert (id(parameter) in needed) == (gradient is None)


@pytest.mark.parametrize("decoder", ["tied", "untied"])
def test_a_taller_stack_adopts_the_lower_one_s_levels(
    decoder: DecoderName,
) -> None:
    arch = replace(PAPER, decoder=decoder, normalised=True)
    lower, taller = Stack(arch, (10, 10, 1), 1), Stack(arch, (10, 10, 1), 2)
    lower.levels = lower.levels[:1]
    second = copy.deepcopy(taller.each[1].state_dict())
    taller.adopt(lower)
    for name, value in lower.each[0].state_dict().items():
        assert torch.equal(taller.each[0].state_dict()[name], value)
    for name, value in second.items():
        assert torch.equal(taller.each[1].state_dict()[name], value)
    with torch.no_grad():
        taller.each[0].weight.zero_()
    assert lower.each[0].weight.any()  # a copy, not the same


def test_a_seed_draws_the_weights_and_biases_start_at_0() -> None:
    one, again, other = (Stack(PAPER, (10, 10, 1), seed) for seed in (1, 1, 2))
    for (name, mine), twin, stranger in zip(
        one.named_parameters(), again.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(mine, twin)
        assert torch.equal(mine, stranger) == ("bias" in name)
        assert bool(mine.any()) == ("bias" not in name)


def test_the_decoder_decides_which_network_is_built() -> None:
    assert isinstance(autoencoder(parse("2C3"), (4, 4, 1)), Autoencoder)
    names: list[DecoderName] = ["tied", "untied"]
    for name in names:
        arch = replace(parse("2C3"), decoder=name)
        model = autoencoder(arch, (4, 4, 1), 0, Sparsity())
        assert isinstance(model, Stack)
        assert model.sparsity == Sparsity()
        assert (model.each[0].weight_back is None) == (name == "tied")


def test_valid_convolutions_cannot_be_mirrored() -> None:
    arch = replace(parse("2C3-MP2"), padding="valid")
    assert refused(autoencoder, arch, (8, 8, 1), error=NotationError) == (
        "padding: received 'valid' with the mirrored decoder; allowed: a decoder of "
        "each level's own for it. Add decoder='tied'."
    )
