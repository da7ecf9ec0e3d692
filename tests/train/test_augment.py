import math
import subprocess
import sys
from collections import Counter
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from caes.errors import ArgumentError
from caes.train.augment import (
    NODES,
    NUMBERS,
    PRESETS,
    Augmentation,
    affine,
    curves,
    parse_augmentation,
    places,
    reflect,
    warp,
)

WARPS = "shift:0.1+rotate:15+scale:0.1+shear:10+elastic:1"
EVERYTHING = f"{WARPS}+flip+crop:4+cutout:8+brightness:0.2+contrast:0.2"
EACH = EVERYTHING.split("+")


def _augmented(text: str, pictures: Tensor, seed: int = 0) -> Tensor:
    augmentation = parse_augmentation(text)
    assert augmentation is not None
    return augmentation(pictures, torch.Generator().manual_seed(seed))


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


# What holds for every augmentation


@pytest.mark.parametrize("text", [*EACH, EVERYTHING, *PRESETS])
def test_the_result_is_new_and_drawn_by_the_seed(text: str) -> None:
    pictures = _random(6, 12, 15, 3)
    before = pictures.clone()
    changed = _augmented(text, pictures)
    assert (changed.shape, changed.dtype) == (pictures.shape, torch.float32)
    assert changed.is_contiguous()
    assert torch.equal(changed, _augmented(text, pictures))
    assert not torch.equal(changed, _augmented(text, pictures, seed=1))
    assert not torch.equal(changed, pictures)
    changed.fill_(7)
    assert torch.equal(pictures, before)


@pytest.mark.parametrize("text", [*EACH, EVERYTHING])
def test_every_picture_is_changed_by_itself(text: str) -> None:
    pictures = _random(1, 12, 15, 3).expand(50, -1, -1, -1)
    changed = _augmented(text, pictures)
    different = {picture.numpy().tobytes() for picture in changed}
    least, most = (2, 2) if text == "flip" else (25, 50)
    assert least <= len(different) <= most


@pytest.mark.parametrize("text", [*EACH, EVERYTHING])
def test_neighbours_in_the_batch_and_in_memory_do_not_matter(text: str) -> None:
    pictures, others = _random(5, 12, 15, 3), _random(5, 12, 15, 3, seed=1)
    wanted = _augmented(text, pictures)
    others[2] = pictures[2]
    torch.testing.assert_close(_augmented(text, others)[2], wanted[2])
    strided = pictures.permute(3, 2, 0, 1).contiguous().permute(2, 3, 1, 0)
    assert not strided.is_contiguous()
    changed = _augmented(text, strided)
    assert changed.is_contiguous()
    torch.testing.assert_close(changed, wanted)


def test_no_strength_is_no_change_at_all() -> None:
    pictures = _random(6, 12, 15, 3)
    changed = Augmentation()(pictures, torch.Generator())
    assert torch.equal(changed, pictures)
    changed.fill_(7)
    assert float(pictures.max()) < 1


@given(st.integers(1, 3), st.integers(2, 9), st.integers(2, 9), st.integers(1, 5))
def test_any_size_and_channels_stay_in_the_unit_range(
    n: int, height: int, width: int, channels: int
) -> None:
    changed = _augmented(EVERYTHING, _random(n, height, width, channels))
    assert changed.shape == (n, height, width, channels)
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1


@pytest.mark.parametrize("text", [*WARPS.split("+"), f"{WARPS}+flip+crop:4"])
def test_what_moves_pixels_stays_between_the_smallest_and_the_largest(
    text: str,
) -> None:
    pictures = 0.2 + 0.3 * _random(50, 12, 15, 3).round()
    changed = _augmented(text, pictures)
    assert float(changed.min()) >= float(pictures.min())
    assert float(changed.max()) <= float(pictures.max())


def test_a_part_does_not_change_what_the_others_draw() -> None:
    pictures = _random(50, 12, 15, 3)
    alone = _augmented("brightness:0.2", pictures)
    both = _augmented("flip+brightness:0.2", pictures)
    mirrored = (both == alone.flip(2)).flatten(1).all(1)
    straight = (both == alone).flatten(1).all(1)
    assert bool((mirrored | straight).all())


# Flip and crop: pixels move, none is computed


def _outcomes(picture: NDArray[np.float32], pad: int, flip: bool) -> set[bytes]:
    """Every picture that flip and crop may give, by NumPy's own padding."""
    height, width, _ = picture.shape
    padded = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    places = np.ndindex(2 * pad + 1, 2 * pad + 1)
    crops = [padded[top:, left:][:height, :width] for top, left in places]
    mirrored = [crop[:, ::-1] for crop in crops] if flip else []
    return {crop.tobytes() for crop in [*crops, *mirrored]}


@pytest.mark.parametrize(
    ("text", "pad", "flip"), [("flip", 0, True), ("crop:2", 2, False), ("photos", 4, 1)]
)
@pytest.mark.parametrize(("height", "width"), [(7, 6), (2, 3)])
def test_flip_and_crop_give_every_cut_of_the_padded_picture_and_nothing_else(
    text: str, pad: int, flip: bool, height: int, width: int
) -> None:
    picture = _random(1, height, width, 3)
    changed = _augmented(text, picture.expand(4000, -1, -1, -1))
    found = {one.numpy().tobytes() for one in changed}
    assert found == _outcomes(picture[0].numpy(), pad, flip)


def test_every_cut_is_as_likely() -> None:
    picture = _random(1, 4, 5, 1)
    changed = _augmented("crop:1+flip", picture.expand(18000, -1, -1, -1))
    counts = Counter(one.numpy().tobytes() for one in changed)
    assert list(counts.values()) == pytest.approx([1000] * 18, rel=0.15)


@given(st.integers(2, 6), st.integers(0, 20))
def test_reflection_is_that_of_numpy(side: int, pad: int) -> None:
    found = reflect(torch.arange(-pad, side + pad), side)
    assert found.tolist() == np.pad(np.arange(side), pad, mode="reflect").tolist()


# The affine part, from the output's pixels to the input's


def _read(text: str, pictures: int = 2000) -> Tensor:
    """Find the matrices of an augmentation by giving it pictures of their places.

    Returns:
        pictures×2×3, in pixels, x first, as ``affine`` gives them.
    """
    height, width = 41, 61
    y, x = torch.meshgrid(torch.arange(41.0), torch.arange(61.0), indexing="ij")
    coordinates = torch.stack([x / width, y / height], 2)
    changed = _augmented(text, coordinates.expand(pictures, -1, -1, -1))
    read = changed.double() * torch.tensor([width, height])
    centre = read[:, 20, 30]
    columns = [read[:, 20, 31] - centre, read[:, 21, 30] - centre]
    return torch.stack([*columns, centre - torch.tensor([30, 20])], 2)


def _assert_uniform(drawn: Tensor, most: float) -> None:
    expected = np.linspace(-most, most, 9)
    found = np.quantile(drawn.numpy(), np.linspace(0, 1, 9))
    assert found == pytest.approx(expected, abs=0.08 * most)
    assert float(drawn.abs().max()) <= most * 1.0001


def _assert_matrices(found: Tensor, rows: list[list[Any]]) -> None:
    for row, entries in enumerate(rows):
        for column, entry in enumerate(entries):
            wanted = torch.as_tensor(entry).double().expand(len(found))
            one = found[:, row, column]
            torch.testing.assert_close(one, wanted, atol=1e-4, rtol=0)


def test_shift_is_uniform_in_shares_of_each_side() -> None:
    found = _read("shift:0.1")
    x, y = found[:, 0, 2], found[:, 1, 2]
    _assert_uniform(x, 6.1)
    _assert_uniform(y, 4.1)
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.1
    _assert_matrices(found, [[1, 0], [0, 1]])


def test_rotate_is_uniform_in_degrees_around_the_centre() -> None:
    found = _read("rotate:15")
    angle = torch.atan2(found[:, 1, 0], found[:, 0, 0])
    _assert_uniform(angle.rad2deg(), 15)
    cos, sin = angle.cos(), angle.sin()
    _assert_matrices(found, [[cos, -sin, 0], [sin, cos, 0]])


def test_scale_grows_and_shrinks_by_the_same_factor_around_the_centre() -> None:
    found = _read("scale:0.25")
    factor = found[:, 0, 0]
    _assert_uniform(factor.log(), math.log(1.25))
    _assert_matrices(found, [[factor, 0, 0], [0, factor, 0]])


def test_shear_slants_the_upright_and_keeps_the_level() -> None:
    found = _read("shear:10")
    slope = found[:, 0, 1]
    _assert_uniform(slope.atan().rad2deg(), 10)
    _assert_matrices(found, [[1, slope, 0], [0, 1, 0]])


def test_a_turn_and_a_slant_together_are_the_product_of_their_matrices() -> None:
    angle, factor, slope, x, y = (2 * _random(5, 20, seed=1) - 1).double()
    found = affine(angle, factor, slope, x, y).numpy()
    draws = zip(found, angle, factor, slope, x, y, strict=True)
    for each, a, f, s, right, down in draws:
        turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
        whole = float(f) * turn @ np.array([[1, float(s)], [0, 1]])
        np.testing.assert_allclose(each[:, :2], whole, atol=1e-12)
        np.testing.assert_allclose(each[:, 2], [right, down])


@pytest.mark.parametrize(("height", "width"), [(2, 2), (7, 10), (28, 28)])
def test_an_affine_warp_is_that_of_scipy(height: int, width: int) -> None:
    pictures = _random(20, height, width, 2)
    draws = 2 * _random(5, 20, seed=1) - 1
    matrices = affine(draws[0], 1 + draws[1] / 2, draws[2], *(draws[3:] * 3))
    found = warp(pictures, matrices).numpy()
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    for picture, matrix, one in zip(pictures, matrices, found, strict=True):
        by_row = matrix.double().numpy()[::-1, [1, 0, 2]]  # SciPy puts y first
        linear, move = by_row[:, :2], by_row[:, 2]
        offset = centre + move - linear @ centre
        for channel in range(2):
            given = (picture[:, :, channel].double().numpy(), linear, offset)
            expected = ndimage.affine_transform(*given, order=1, mode="nearest")
            np.testing.assert_allclose(one[:, :, channel], expected, atol=2e-5)


@pytest.mark.parametrize(
    ("text", "times"), [("photos", 0), (WARPS, 1), (EVERYTHING, 1)]
)
def test_pictures_are_interpolated_once_at_most(
    text: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = Mock(wraps=F.grid_sample)
    monkeypatch.setattr(F, "grid_sample", sample)
    _augmented(text, _random(6, 12, 15, 3))
    assert sample.call_count == times


# The elastic part


def _fields(pictures: int, height: int, width: int, deviation: float) -> Tensor:
    """Displacements in pixels, pictures×2×height×width."""
    seed = torch.Generator().manual_seed(0)
    nodes = torch.randn(pictures, 2, NODES**2, generator=seed)
    still = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(pictures, 2, 3)
    moved = places(torch.cat([still, deviation * nodes], 2), height, width)
    return moved - places(still, height, width)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (40, 17), (2, 3)])
def test_elastic_moves_every_pixel_by_its_deviation(height: int, width: int) -> None:
    moved = _fields(4000, height, width, 1.5)
    np.testing.assert_allclose(moved.std(0), 1.5, rtol=0.06)
    np.testing.assert_allclose(moved.mean(0), 0, atol=0.12)
    x, y = moved.unbind(1)
    assert float((x * y).mean(0).abs().max()) < 0.1 * 1.5**2  # independent


def test_elastic_moves_along_x_and_y_are_independent() -> None:
    x, y = _fields(4000, 28, 28, 1).unbind(1)
    assert float((x * y).mean(0).abs().max()) < 0.1


@pytest.mark.parametrize(("height", "width"), [(28, 28), (64, 96)])
def test_elastic_fields_are_smooth(height: int, width: int) -> None:
    moved = _fields(2000, height, width, 1)
    for axis, side in ((2, height), (3, width)):
        steps = moved.diff(dim=axis)
        bends = steps.diff(dim=axis)
        apart = (side - 1) / (NODES - 1)
        assert float(steps.std(0).max()) < 2.5 / apart
        # Straight lines between the nodes would bend by √6/apart at each of them.
        assert float(bends.std(0).max()) < 6.5 / apart**2


def test_elastic_fields_are_the_nodes_up_sampled_bicubically() -> None:
    nodes = _random(3, 2, NODES, NODES) - 0.5
    still = torch.zeros(3, 2, 3)
    found = places(torch.cat([still, nodes.flatten(2)], 2), 28, 17)
    cubic = F.interpolate(nodes, (28, 17), mode="bicubic", align_corners=True)
    ratio = found / cubic
    assert 1 <= float(ratio.median()) < 1.4  # the deviation between nodes is made up
    torch.testing.assert_close(ratio, ratio[:1, :1].expand_as(ratio), rtol=1e-3, atol=0)


def test_curves_keep_the_deviation() -> None:
    assert torch.equal(curves(NODES), torch.eye(NODES))
    torch.testing.assert_close(curves(28).square().sum(0), torch.ones(28))


def test_elastic_reaches_the_pictures_with_its_deviation() -> None:
    ramp = (torch.arange(61.0) / 61).view(1, 1, 61, 1).expand(3000, 41, 61, 1)
    moved = 61 * (_augmented("elastic:2", ramp) - ramp)[:, :, 12:-12]
    assert float(moved.std()) == pytest.approx(2, rel=0.05)


# Light and cutout


def test_brightness_multiplies_by_its_share() -> None:
    pictures = 0.1 + 0.6 * _random(2000, 3, 4, 2)
    ratio = (_augmented("brightness:0.3", pictures) / pictures).flatten(1)
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
    _assert_uniform(ratio[:, 0] - 1, 0.3)


def test_contrast_multiplies_distances_from_the_mean_colour() -> None:
    pictures = 0.4 + 0.2 * _random(2000, 5, 4, 2)
    changed = _augmented("contrast:0.3", pictures)
    mean = pictures.mean((1, 2), keepdim=True)
    torch.testing.assert_close(changed.mean((1, 2), keepdim=True), mean)
    factor = changed.std((1, 2)) / pictures.std((1, 2))
    torch.testing.assert_close(
        changed, mean + factor[:, None, None] * (pictures - mean)
    )
    _assert_uniform(factor[:, 0] - 1, 0.3)


def test_light_stays_in_the_unit_range() -> None:
    pictures = _random(200, 5, 4, 2).round()
    changed = _augmented("brightness:0.5+contrast:0.5", pictures)
    assert float(changed.min()) == 0
    assert float(changed.max()) == 1


@pytest.mark.parametrize("side", [1, 2, 3, 8, 20])
def test_cutout_sets_a_square_around_any_pixel_to_the_mean_colour(side: int) -> None:
    picture = _random(1, 6, 5, 3)
    changed = _augmented(f"cutout:{side}", picture.expand(2000, -1, -1, -1))
    mean = picture.mean((1, 2), keepdim=True)[0, 0, 0]
    expected = set()
    for y, x in np.ndindex(6, 5):
        top, left = y - side // 2, x - side // 2
        cut = picture[0].clone()
        cut[max(top, 0) : top + side, max(left, 0) : left + side] = mean
        expected.add(cut.numpy().tobytes())
    assert {one.numpy().tobytes() for one in changed} == expected


# The text


def _texts() -> st.SearchStrategy[Augmentation]:
    numbers: dict[str, st.SearchStrategy[Any]] = {
        name: st.integers(0, most) if unit == "PIXELS" else st.floats(0, most)
        for name, (unit, most, _) in NUMBERS.items()
    }
    return st.builds(Augmentation, flip=st.booleans(), **numbers)


@given(_texts())
def test_what_is_printed_reads_back(augmentation: Augmentation) -> None:
    assert str(Augmentation()) == "none"
    expected = None if augmentation == Augmentation() else augmentation
    assert parse_augmentation(str(augmentation)) == expected


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("flip+rotate:15.0+crop:4+cutout:0", "rotate:15+flip+crop:4"),
        (EVERYTHING, EVERYTHING),
        *PRESETS.items(),
        *((f"{name}:{example}",) * 2 for name, (_, _, example) in NUMBERS.items()),
        *((text, "None") for text in (None, "none", "shift:0", "crop:0+cutout:0")),
    ],
)
def test_what_is_on_is_named_in_the_fields_order(text: str, printed: str) -> None:
    assert str(parse_augmentation(text)) == printed


PARTS = "digits, photos, none, or parts joined by +: shift:SHARE, rotate:DEGREES, scale:SHARE, shear:DEGREES, elastic:DEVIATION, crop:PIXELS, cutout:PIXELS, brightness:SHARE, contrast:SHARE, flip, turn. Try digits, or shift:0.1+flip."


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("", f"''; allowed: {PARTS}"),
        ("fog:3", f"'fog:3'; allowed: {PARTS}"),
        ("Digits", f"'Digits'; allowed: {PARTS}"),
        ("flip+", f"'' in 'flip+'; allowed: {PARTS}"),
        ("digits+flip", f"'digits' in 'digits+flip'; allowed: {PARTS}"),
        ("shift", "'shift'; allowed: shift:SHARE with a number from 0 to 1. Try shift:0.1."),
        ("shift:", "'shift:'; allowed: shift:SHARE with a number from 0 to 1. Try shift:0.1."),
        ("scale:-1", "'scale:-1'; allowed: scale:SHARE with a number from 0 to 1. Try scale:0.1."),
        ("shear:nan", "'shear:nan'; allowed: shear:DEGREES with a number from 0 to 45. Try shear:10."),
        ("flip+rotate:inf", "'rotate:inf' in 'flip+rotate:inf'; allowed: rotate:DEGREES with a number from 0 to 180. Try rotate:15."),
        ("elastic:x", "'elastic:x'; allowed: elastic:DEVIATION with a number from 0 to 100. Try elastic:1."),
        ("crop:1.5", "'crop:1.5'; allowed: crop:PIXELS with a whole number from 0 to 1000. Try crop:4."),
        ("cutout:-8", "'cutout:-8'; allowed: cutout:PIXELS with a whole number from 0 to 1000. Try cutout:8."),
        ("flip:1", "'flip:1'; allowed: flip without a number. Try flip."),
        ("turn:90", "'turn:90'; allowed: turn without a number. Try turn."),
        ("crop:1+crop:2", "'crop:2' in 'crop:1+crop:2'; allowed: every part once. Keep one crop."),
    ],
)  # fmt: skip
def test_other_texts_are_refused(text: str, rest: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse_augmentation(text)
    assert str(caught.value) == f"augment: received {rest}"
    assert caught.value.argument == "augment"


def test_reading_a_text_does_not_import_torch() -> None:
    code = (
        "import sys; from caes.train.augment import parse_augmentation;"
        "str(parse_augmentation('digits')); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("height", "width", "kinds"), [(3, 3, 4), (2, 3, 2)])
def test_a_turn_is_one_of_the_quarters_or_halves_that_keep_the_shape(
    height: int, width: int, kinds: int
) -> None:
    picture = torch.arange(height * width * 1.0).view(1, height, width, 1)
    turned = Augmentation(turn=True)(picture.repeat(64, 1, 1, 1), _generator())
    step = 4 // kinds
    wanted = {
        tuple(picture[0].rot90(k, (0, 1)).flatten().tolist()) for k in range(0, 4, step)
    }
    assert {tuple(each.flatten().tolist()) for each in turned} == wanted


def test_a_turn_changes_nothing_of_what_the_other_parts_draw() -> None:
    pictures = torch.rand(8, 6, 6, 1, generator=_generator())
    still = parse_augmentation("shift:0.2+elastic:1")
    turning = parse_augmentation("shift:0.2+elastic:1+turn")
    assert still is not None
    assert turning is not None
    plain, turned = (each(pictures, _generator()) for each in (still, turning))
    for one, other in zip(plain, turned, strict=True):
        assert any(torch.equal(one.rot90(k, (0, 1)), other) for k in range(4))


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)
