"""Winner-take-all against plain loops, and where it is and is not applied."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from caes.errors import ArgumentError
from caes.nn.architecture import Architecture, Level
from caes.nn.sparsity import Sparsity, parse_sparsity
from caes.nn.stack import OneLevel, Stack
from tests.nn.given import drawn, pictures_of
from tests.refusals import refused

Codes = NDArray[np.float32]


def spatial(maps: Codes) -> Codes:
    """Keep the largest value of each picture's map, N×maps×h×w."""
    out = np.zeros_like(maps)
    for n, k in np.ndindex(maps.shape[:2]):
        y, x = np.unravel_index(maps[n, k].argmax(), maps.shape[2:])
        out[n, k, y, x] = maps[n, k, y, x]
    return out


def lifetime(maps: Codes, kept: int) -> Codes:
    """Of each map's largest values keep the largest ones over the batch."""
    out = np.zeros_like(maps)
    for k in range(maps.shape[1]):
        largest = [picture[k].max() for picture in maps]
        for n in sorted(range(len(maps)), key=lambda n: -largest[n])[:kept]:
            out[n, k] = maps[n, k]
    return out


def test_spatially_only_the_largest_of_each_map_survives() -> None:
    maps = drawn(10, 4, 3, 5, seed=2)
    found = Sparsity()(maps)
    np.testing.assert_array_equal(found, spatial(maps.numpy()))
    assert int(found.count_nonzero()) == 10 * 4


@pytest.mark.parametrize(
    ("share", "kept"), [(0.2, 2), (0.5, 5), (0.01, 1), (0.26, 3), (1.0, 10)]
)
def test_in_lifetime_each_map_keeps_its_best_pictures(share: float, kept: int) -> None:
    maps = drawn(10, 4, 3, 5, seed=2)
    found = Sparsity(share)(maps)
    np.testing.assert_array_equal(found, lifetime(spatial(maps.numpy()), kept))
    assert int(found.count_nonzero()) == kept * 4


def test_units_have_lifetime_sparsity_only() -> None:
    units = drawn(10, 4, 3, 5, seed=2)[:, :, 0, 0]
    assert torch.equal(Sparsity()(units), units)
    found = Sparsity(0.3)(units)
    np.testing.assert_array_equal(found, lifetime(units.numpy()[..., None], 3)[..., 0])


def test_channels_last_memory_changes_nothing() -> None:
    maps = drawn(10, 4, 3, 5, seed=2)
    other = maps.contiguous(memory_format=torch.channels_last)
    assert torch.equal(Sparsity(0.3)(other), Sparsity(0.3)(maps))


def test_where_the_largest_is_0_nothing_wins() -> None:
    maps = drawn(10, 4, 3, 5, seed=2).clamp(max=0)
    maps[:, :, 1, 1] = 0  # as ReLU leaves it
    assert not Sparsity().winners(maps).any()
    assert not Sparsity(0.2).winners(maps).any()


def test_lifetime_waits_for_a_batch_that_is_learnt_from() -> None:
    maps = drawn(10, 4, 3, 5, seed=2)
    with torch.no_grad():
        np.testing.assert_array_equal(Sparsity(0.2)(maps), spatial(maps.numpy()))
        assert torch.equal(Sparsity(0.2)(maps[:, :, 0, 0]), maps[:, :, 0, 0])


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_the_gradient_flows_through_the_winners_alone(share: float) -> None:
    maps = drawn(10, 4, 3, 5, seed=2).requires_grad_()
    outer = torch.rand_like(maps) + 0.5
    sparse = Sparsity(share)(maps)
    (gradient,) = torch.autograd.grad(sparse, maps, outer)
    assert torch.equal(gradient, torch.where(sparse != 0, outer, 0))


@given(st.floats(0, 1, exclude_min=True))
def test_what_is_printed_reads_back_exactly(share: float) -> None:
    assert parse_sparsity(str(Sparsity(share))) == Sparsity(share)
    assert parse_sparsity(f"wta:{share}") == Sparsity(share)
    assert str(parse_sparsity("wta")) == "wta"
    assert parse_sparsity(None) is None


@pytest.mark.parametrize(
    "text",
    ["", "WTA", "wta:", "wta:0", "wta:-0.1", "wta:1.5", "wta:5%", "wta:nan", "top:0.1"],
)
def test_other_texts_are_refused(text: str) -> None:
    assert refused(parse_sparsity, text, error=ArgumentError) == (
        f"sparsity: received {text!r}; allowed: wta, or wta:SHARE with a share above 0 "
        "and up to 1. Try wta:0.05."
    )


TWO = Architecture((Level(3, 3, 2), Level(4, 3)), decoder="tied", activation="tanh")


def test_a_code_is_given_whole() -> None:
    sparse, dense = (Stack(TWO, (8, 6, 1), 3, given) for given in (Sparsity(0.2), None))
    pictures = pictures_of(10, (8, 6, 1))
    assert torch.equal(sparse.encode(pictures), dense.encode(pictures))
    lowest = OneLevel(sparse, 0).encode(pictures)
    assert torch.equal(lowest, OneLevel(dense, 0).encode(pictures))
    assert torch.equal(
        OneLevel(sparse, 1).encode(lowest), OneLevel(dense, 1).encode(lowest)
    )
    assert not torch.allclose(sparse.raw(pictures), dense.raw(pictures))


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_one_level_reconstructs_from_its_winners(share: float) -> None:
    sparse = Stack(TWO, (8, 6, 1), 3, Sparsity(share))
    inputs = torch.rand(10, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    level = sparse.each[1]
    code = level.encode(inputs.permute(0, 3, 1, 2))
    expected = level.decode(code._replace(maps=Sparsity(share)(code.maps)))
    found = OneLevel(sparse, 1).raw(inputs)
    torch.testing.assert_close(found, expected.permute(0, 2, 3, 1))


def test_a_stack_comes_down_through_the_winners_of_each_level() -> None:
    """What comes down counts where the level's own code had its largest values."""
    sparse = Stack(TWO, (8, 6, 1), 3, Sparsity())
    low, high = sparse.each
    pictures = pictures_of(10, (8, 6, 1))
    first = low.encode(pictures.permute(0, 3, 1, 2), winners=True)
    second = high.encode(first.maps)
    down = high.decode(second._replace(maps=Sparsity()(second.maps)))
    kept = spatial(first.maps.detach().numpy()) != 0
    down = low.decode(first._replace(maps=down * torch.from_numpy(kept)))
    torch.testing.assert_close(sparse.raw(pictures), down.permute(0, 2, 3, 1))


def test_only_lifetime_sparsity_needs_whole_batches() -> None:
    assert Stack(TWO, (8, 6, 1)).splits_batches
    assert Stack(TWO, (8, 6, 1), 0, Sparsity()).splits_batches
    lifelong = Stack(TWO, (8, 6, 1), 0, Sparsity(0.2))
    assert not lifelong.splits_batches
    assert not OneLevel(lifelong, 1).splits_batches
