import io

import numpy as np
import pytest
from PIL import Image

from caes.report import tiles
from tests.report.fake import FakeCAE, pictures


def test_small_pictures_keep_every_pixel() -> None:
    picture = np.linspace(0, 1, 28 * 28, dtype=np.float32).reshape(28, 28, 1)
    tile = tiles.tile(picture)
    np.testing.assert_array_equal(tile, np.rint(picture[..., 0] * 255))
    assert tiles.enlargement(tile) == 3


def test_large_pictures_shrink_by_the_mean_of_whole_blocks() -> None:
    picture = np.random.default_rng(0).random((512, 768, 3), dtype=np.float32)
    tile = tiles.tile(picture)
    assert tile.shape == (86, 128, 3)
    block = picture[6:12, 12:18].mean(axis=(0, 1)) * 255
    np.testing.assert_allclose(tile[1, 2], block, atol=1)
    assert tiles.enlargement(tile) == 1


@pytest.mark.parametrize(
    "shape", [(1, 1), (4, 4), (200, 5000), (8000, 2000), (161, 3), (97, 131)]
)
def test_tiles_of_any_picture_fit_the_page(shape: tuple[int, int]) -> None:
    height, width = tiles.tile(np.zeros((*shape, 1), np.float32)).shape
    assert 1 <= max(height, width) <= tiles.LARGEST
    assert height * width <= tiles.AREA * 1.1


@pytest.mark.parametrize(
    ("channels", "shown"), [(1, ()), (2, ()), (3, (3,)), (13, (3,))]
)
def test_the_first_one_or_three_channels_are_shown(
    channels: int, shown: tuple[int, ...]
) -> None:
    picture = np.random.default_rng(0).random((5, 6, channels), dtype=np.float32)
    tile = tiles.tile(picture)
    assert tile.shape == (5, 6, *shown)
    np.testing.assert_array_equal(
        tile.reshape(5, 6, -1)[..., 0], np.rint(picture[..., 0] * 255)
    )


def test_what_is_not_finite_or_out_of_range_is_black_or_white() -> None:
    values = [np.nan, -np.inf, -3, np.inf, 7]
    tile = tiles.tile(np.array(values, np.float32).reshape(1, 5, 1))
    assert tile.tolist() == [[0, 0, 0, 255, 255]]


def test_a_difference_is_the_channels_mean_on_a_fixed_scale() -> None:
    images = pictures(3, 4, 4, 2)
    cae = FakeCAE((4, 4, 2), keeps=0.8)
    errors = cae.errors(images)
    second, first = tiles.examples(cae, images, [1, 0], errors)
    assert (second.name, second.error) == ("00001", errors[1])
    apart = images.pixels[0].mean(axis=-1) / 255 * 0.2
    np.testing.assert_allclose(
        first.difference, apart / tiles.DIFFERENCE * 255, atol=0.51
    )


def test_a_difference_in_a_file_has_the_colours_of_its_scale() -> None:
    difference = np.array([[0, 100, 255]], np.uint8)
    image = Image.open(io.BytesIO(tiles.heat_png(difference))).convert("RGB")
    np.testing.assert_array_equal(np.asarray(image), tiles.heat(difference))
