from dataclasses import replace

import pytest
import torch

from caes.nn.architecture import PaddingName, parse
from caes.nn.sparsity import Sparsity
from caes.nn.stack import ConvolutionalLevel, Stack
from caes.report.winners import Places, Winners, winners

PICTURE = (12, 15, 2)
STACKS = ["4C3-MP2-3C3-MP3", "4C3-3C5-MP3", "4C3-MP2-6N", "4C3", "6N-5N"]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("arch", STACKS)
def test_the_places_are_those_that_the_levels_hand_down(
    arch: str, padding: PaddingName
) -> None:
    stack = Stack(replace(parse(arch), decoder="tied", padding=padding), PICTURE)
    found = winners(stack.arch, PICTURE, sparse=False)
    maps = torch.rand(1, PICTURE[2], *stack.arch.padded(*PICTURE[:2]))
    expected = []
    for at, level in enumerate(stack.each, start=1):
        maps, where = level.encode(maps, winners=True)
        if where is not None and isinstance(level, ConvolutionalLevel):
            expected.append((at, where.numel(), level.pool**2))
    assert [(each.level, each.count, each.among) for each in found.places] == expected
    assert (found.used, found.size, found.partial) == (
        maps.numel(),
        maps.numel(),
        False,
    )


def test_winner_take_all_hands_down_one_place_a_map() -> None:
    stack = Stack(replace(parse("4C3-MP2-3C3"), decoder="untied"), (8, 8, 1))
    found = winners(stack.arch, (8, 8, 1), sparse=True)
    assert found == Winners(3, 48, [Places(1, 4, 64), Places(2, 3, 16)])
    codes = torch.rand(1, 3, 4, 4)
    assert int(Sparsity().winners(codes).sum()) == found.used
    assert found.partial


def test_units_have_no_place_that_wins() -> None:
    arch = replace(parse("4C3-MP2-5N"), decoder="tied")
    assert winners(arch, (8, 8, 1), sparse=True) == Winners(5, 5, [Places(1, 4, 64)])


def test_a_mirrored_decoder_is_told_nothing() -> None:
    assert winners(parse("4C3-MP2"), (8, 8, 1), sparse=False) == Winners(64, 64)


@pytest.mark.parametrize(
    ("pools", "told"),
    [
        ([2], "3,136 at level 1, each one of 4"),
        ([2, 2], "3,136 at level 1 and 784 at level 2, each one of 4"),
        ([2, 3], "3,600 at level 1 and 400 at level 2, each one of 4 and 9 in turn"),
    ],
)
def test_the_places_are_told_level_by_level(pools: list[int], told: str) -> None:
    levels = "-".join(f"16C3-MP{pool}" for pool in pools)
    arch = replace(parse(levels), decoder="tied")
    assert winners(arch, (28, 28, 1), sparse=False).told == told
