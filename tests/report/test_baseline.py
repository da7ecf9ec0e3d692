from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from caes.data import ImageSet
from caes.nn import linear
from caes.nn.architecture import PaddingName, parse
from caes.nn.sparsity import Sparsity
from caes.nn.stack import ConvolutionalLevel, Stack
from caes.report import baseline
from caes.report.baseline import Places, Winners, winners
from tests.report.fake import FakeCAE, pictures


def test_large_sets_are_sampled_and_the_sample_is_always_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linear, "MATRIX", 20 * 36)
    monkeypatch.setattr(baseline, "CHUNK", 36 * 3)
    train, test = pictures(50, 6, 6, 1), pictures(10, 6, 6, 1, seed=1)
    first, second = (
        baseline.baseline(FakeCAE((6, 6, 1)), train, test, code_size=36)
        for _ in range(2)
    )
    assert (first.rows, first.available) == (20, 50)
    assert (first.components, first.asked) == (19, 36)
    np.testing.assert_array_equal(first.errors, second.errors)


def test_the_mean_picture_is_that_of_the_training_pictures() -> None:
    train, test = pictures(50, 4, 5, 3), pictures(10, 4, 5, 3, seed=1)
    found = baseline.baseline(FakeCAE((4, 5, 3)), train, test, code_size=4)
    mean = (train.pixels / 255).mean(axis=0)
    expected = np.square(test.pixels / 255 - mean).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(found.mean_errors, expected, rtol=1e-5)
    assert found.learned == 5 * 60


@pytest.mark.parametrize("bounded", [True, False])
def test_beside_a_bounded_network_its_pictures_are_clipped_likewise(
    bounded: bool,
) -> None:
    def digits(n: int, seed: int) -> ImageSet:  # most of it black or white
        drawn = np.random.default_rng(seed).normal(0.5, 2, (n, 6, 6, 1))
        return ImageSet.from_pixels((255 * drawn.clip(0, 1)).astype(np.uint8))

    train, test = digits(60, 0), digits(15, 1)
    cae = FakeCAE((6, 6, 1), bounded=bounded)
    found = baseline.baseline(cae, train, test, code_size=8)
    rows, others = ((each.pixels / 255).reshape(-1, 36) for each in (train, test))
    by_the_book = PCA(8, svd_solver="full").fit(rows)
    again = by_the_book.inverse_transform(by_the_book.transform(others))
    assert again.min() < -0.1
    again = again.clip(0, 1) if bounded else again
    np.testing.assert_allclose(
        found.errors, np.square(others - again).mean(axis=1), rtol=1e-4
    )
    assert found.clipped == bounded


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
            expected.append((at, where.numel(), level.stage.pool**2))
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
    ("pools", "words"),
    [
        ([2], "3,136 at level 1, each one of 4"),
        ([2, 2], "3,136 at level 1 and 784 at level 2, each one of 4"),
        ([2, 3], "3,600 at level 1 and 400 at level 2, each one of 4 and 9 in turn"),
    ],
)
def test_the_places_are_told_level_by_level(pools: list[int], words: str) -> None:
    levels = "-".join(f"16C3-MP{pool}" for pool in pools)
    arch = replace(parse(levels), decoder="tied")
    assert winners(arch, (28, 28, 1), sparse=False).words == words
