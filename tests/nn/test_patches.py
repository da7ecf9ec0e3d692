"""Patches against plain slices, and the levels that learn from them alone."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from caes.nn.architecture import Level, PaddingName
from caes.nn.layers import frame
from caes.nn.sparsity import Sparsity
from caes.nn.stack import StackLevel, extract_patches, fold_patches
from tests.nn.given import drawn, level_of

PADDINGS: list[PaddingName] = ["same", "valid"]


def _places(n: int, maps: int, across: int, down: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(across * down, (n, maps), generator=generator)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_a_patch_is_what_the_convolution_sees_there(
    padding: PaddingName, kernel: int
) -> None:
    maps = drawn(2, 3, 5, 7)
    whole = F.pad(maps, frame(kernel)) if padding == "same" else maps
    down, across = (side - kernel + 1 for side in whole.shape[2:])
    places = _places(2, 4, across, down)
    found = extract_patches(maps, places, kernel, padding)
    for n, k in np.ndindex(2, 4):
        y, x = divmod(int(places[n, k]), across)
        wanted = whole[n, :, y : y + kernel, x : x + kernel].flatten(1)
        assert torch.equal(found[n, :, k], wanted)


@settings(deadline=None)
@given(
    st.sampled_from(PADDINGS), st.integers(1, 4), st.integers(4, 7), st.integers(4, 7)
)
def test_pasting_is_the_adjoint_of_cutting(
    padding: PaddingName, kernel: int, height: int, width: int
) -> None:
    less = kernel - 1 if padding == "valid" else 0
    places = _places(3, 5, width - less, height - less)
    maps = drawn(3, 2, height, width).double()
    patches = drawn(3, 2, 5, kernel**2, seed=2).double()
    there = (extract_patches(maps, places, kernel, padding) * patches).sum()
    back = (fold_patches(patches, places, (height, width), padding) * maps).sum()
    torch.testing.assert_close(there, back)


@pytest.mark.parametrize("sparsity", [Sparsity(), Sparsity(0.3)])
@pytest.mark.parametrize(
    ("form", "options"),
    [
        (Level(6, 3), {}),
        (Level(6, 3, 2), {}),
        (Level(6, 2, 3), {"padding": "valid"}),
        (Level(6, 5, 2), {"tied": False, "activation": "tanh"}),
        (Level(6, 4), {"output": "tanh", "tied": False, "padding": "valid"}),
    ],
    ids=str,
)
def test_learning_from_winners_alone_is_learning_from_whole_maps(
    sparsity: Sparsity, form: Level, options: dict[str, Any]
) -> None:
    level = level_of(2, form, **{"activation": "relu", **options}).double()
    side = 13 if form.pool == 3 else 12  # of whole cells
    maps = drawn(7, 2, 10, side).double().requires_grad_()
    figures = []
    for way in (
        level.reconstruct,
        lambda *given: StackLevel.reconstruct(level, *given),
    ):
        found = way(maps, sparsity)
        (found - 0.3).square().mean().backward()  # type: ignore[no-untyped-call]
        weights = [level.weight, level.bias, level.bias_back, maps]
        if level.weight_back is not None:
            weights.append(level.weight_back)
        figures.append([found.detach(), *(each.grad for each in weights)])
        level.zero_grad()
        maps.grad = None
    for mine, whole in zip(*figures, strict=True):
        assert mine is not None
        torch.testing.assert_close(mine, whole)


def test_a_map_that_is_0_everywhere_reconstructs_nothing() -> None:
    level = level_of(2, Level(6, 3), activation="relu").double()
    with torch.no_grad():
        level.bias.fill_(-1e3)
    found = level.reconstruct(drawn(2, 2, 5, 5).double(), Sparsity())
    expected = level.bias_back[:, None, None].expand(2, 2, 5, 5)
    torch.testing.assert_close(found, expected)
