from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from caes.nn.architecture import Architecture, parse
from caes.nn.receptive_field import encoder_reach, reconstruction_reach
from caes.nn.stack import autoencoder

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("2C3-MP2-2C3-MP2", {}),
    ("2C5", {}),
    ("2C4-MP3-2C2", {}),
    ("2C3-MP2-2C5-MP2-2C3", {}),
    ("2C5-MP2-2C3", {"decoder": "tied"}),
    ("2C4-MP2-2C3-MP3", {"decoder": "untied"}),
    ("2C3-MP2-2C3-MP2", {"decoder": "tied", "padding": "valid"}),
    ("2C5-MP2-2C4", {"decoder": "untied", "padding": "valid"}),
]


def _network(text: str, options: dict[str, Any]) -> Architecture:
    return replace(parse(text), activation="linear", output="linear", **options)


def _pixels_that_count(arch: Architecture, what: str) -> tuple[int, int, int, int]:
    """Follow gradients from the middle cell: what it is made of, and its own pixels."""
    cells, middle = 41, 20
    side = cells * arch.stride + arch.shrinkage
    model = autoencoder(arch, (side, side, 1), 0).double().eval()
    for weight in model.parameters():
        weight.data.abs_().add_(0.1)  # nothing cancels
    picture = torch.from_numpy(np.random.default_rng(0).random((1, side, side, 1)))
    picture.requires_grad_()
    own = slice(middle * arch.stride, (middle + 1) * arch.stride)
    if what == "code":
        out = model.encode(picture)[:, middle, middle]
    else:
        out = model.raw(picture)[:, own, own]
    (slope,) = torch.autograd.grad(out.sum(), picture)
    rows = np.flatnonzero(slope[0, ..., 0].abs().sum(1).numpy())
    return int(rows.min()), int(rows.max()), own.start, own.stop - 1


@pytest.mark.parametrize(("text", "options"), NETWORKS)
def test_nothing_beyond_the_reach_takes_part(
    text: str, options: dict[str, Any]
) -> None:
    arch = _network(text, options)
    for what, reach in (("code", encoder_reach), ("picture", reconstruction_reach)):
        first, last, start, end = _pixels_that_count(arch, what)
        around = reach(arch) * arch.stride
        assert first >= start - around
        assert last <= end + around + arch.shrinkage


def test_the_reach_of_the_example_counted_by_hand() -> None:
    # Encoder: 1 + 2 pixels around a cell of 4. Back: 1 pixel, then 1 + 1 + 1 cells …
    arch = parse("16C3-MP2-8C3-MP2")
    assert encoder_reach(arch) == 1
    assert reconstruction_reach(arch) == 3
