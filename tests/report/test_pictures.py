import io

import numpy as np
import pytest
from PIL import Image

from caes.report import pictures
from caes.report.pictures import GAP, MARGIN, SHARPNESS, Strip, montage


def test_small_pictures_keep_every_pixel() -> None:
    picture = np.linspace(0, 1, 28 * 28, dtype=np.float32).reshape(28, 28, 1)
    tile = pictures.tile(picture)
    np.testing.assert_array_equal(tile, np.rint(picture[..., 0] * 255))
    assert pictures.enlargement(tile) == 3


def test_large_pictures_shrink_by_the_mean_of_whole_blocks() -> None:
    picture = np.random.default_rng(0).random((512, 768, 3), dtype=np.float32)
    tile = pictures.tile(picture)
    assert tile.shape == (86, 128, 3)
    block = picture[6:12, 12:18].mean(axis=(0, 1)) * 255
    np.testing.assert_allclose(tile[1, 2], block, atol=1)
    assert pictures.enlargement(tile) == 1


@pytest.mark.parametrize(
    "shape", [(1, 1), (4, 4), (200, 5000), (8000, 2000), (161, 3), (97, 131)]
)
def test_tiles_of_any_picture_fit_the_page(shape: tuple[int, int]) -> None:
    height, width = pictures.tile(np.zeros((*shape, 1), np.float32)).shape
    assert 1 <= max(height, width) <= pictures.LARGEST
    assert height * width <= pictures.AREA * 1.1


@pytest.mark.parametrize(
    ("channels", "shown"), [(1, ()), (2, ()), (3, (3,)), (13, (3,))]
)
def test_the_first_one_or_three_channels_are_shown(
    channels: int, shown: tuple[int, ...]
) -> None:
    picture = np.random.default_rng(0).random((5, 6, channels), dtype=np.float32)
    tile = pictures.tile(picture)
    assert tile.shape == (5, 6, *shown)
    np.testing.assert_array_equal(
        tile.reshape(5, 6, -1)[..., 0], np.rint(picture[..., 0] * 255)
    )


def test_what_is_not_finite_or_out_of_range_is_black_or_white() -> None:
    values = [np.nan, -np.inf, -3, np.inf, 7]
    tile = pictures.tile(np.array(values, np.float32).reshape(1, 5, 1))
    assert tile.tolist() == [[0, 0, 0, 255, 255]]


def test_a_difference_in_a_file_has_the_colours_of_its_scale() -> None:
    difference = np.array([[0, 100, 255]], np.uint8)
    image = Image.open(io.BytesIO(pictures.heat_png(difference))).convert("RGB")
    np.testing.assert_array_equal(np.asarray(image), pictures.heat(difference))


def test_a_montage_repeats_pixels_and_invents_none() -> None:
    tile = np.random.default_rng(0).integers(0, 256, (3, 5), np.uint8)
    colour = np.random.default_rng(1).integers(0, 256, (2, 4, 3), np.uint8)
    large = [pictures.enlarged(each, 20) for each in (tile, colour)]
    strips = [
        Strip(large, "$\\frac{a$", "left of it", ["a\nb", "猫"]),
        Strip([large[0]]),
    ]
    sheet = np.asarray(Image.open(io.BytesIO(montage(strips))))
    top, left = np.argwhere((sheet == 255).all(2) == 0).min(0)
    assert (top, left) >= (SHARPNESS * MARGIN, SHARPNESS * MARGIN)
    last = sheet[-SHARPNESS * MARGIN - 60 : -SHARPNESS * MARGIN]
    start = np.flatnonzero((last != 255).any(axis=(0, 2)))[0]
    shown = last[:, start : start + 100]
    np.testing.assert_array_equal(shown, large[0][..., None].repeat(3, 2))
    assert montage(strips) == montage(strips)


def test_tiles_stand_in_the_middle_of_a_room_as_large_as_asked() -> None:
    black = np.zeros((20, 10), np.uint8)
    strips = [Strip([], "title"), Strip([black, black])]
    drawn = montage(strips, cell=(40, 30), centred=True)
    sheet = np.asarray(Image.open(io.BytesIO(drawn)).convert("L"))
    edge = SHARPNESS * MARGIN
    room = sheet[-edge - 40 : -edge, edge : edge + 30]
    assert (room[10:30, 10:20] == 0).all()
    assert room.sum() == 255 * (40 * 30 - 20 * 10)
    step = 30 + SHARPNESS * GAP
    assert (sheet[-edge - 40 : -edge, edge + step : edge + step + 30] == room).all()
