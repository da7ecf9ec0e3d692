import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from caes.data.decode.tiles import Grid, mirrored, starts, weights


@st.composite
def lines(draw: st.DrawFn) -> tuple[int, int, int]:
    """A length, a tile that is no longer, and an overlap."""
    tile = draw(st.integers(1, 40))
    length = draw(st.integers(tile, 300))
    return length, tile, draw(st.integers(0, tile - 1))


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    tile = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    size = tile[0] + draw(st.integers(0, 40)), tile[1] + draw(st.integers(0, 40))
    return Grid(size, tile, draw(st.integers(0, min(tile) - 1)))


@settings(deadline=None)
@given(lines())
def test_tiles_cover_a_line_from_end_to_end_and_overlap_enough(
    line: tuple[int, int, int],
) -> None:
    length, tile, overlap = line
    begins = starts(length, tile, overlap)
    assert begins[0] == 0
    assert begins[-1] + tile == length
    steps = np.diff(begins)
    assert (steps > 0).all()
    assert (steps <= tile - overlap).all()
    assert (steps[:-1] == tile - overlap).all()  # only the last is shifted


@settings(deadline=None)
@given(lines())
def test_weights_sum_to_exactly_1_at_each_pixel(line: tuple[int, int, int]) -> None:
    length, tile, overlap = line
    begins = starts(length, tile, overlap)
    total, takers = np.zeros(length, np.float32), np.zeros(length, int)
    for begin, each in zip(begins, weights(begins, tile), strict=True):
        assert each.min() >= 0
        assert (each * 4096 % 1 == 0).all()
        total[begin : begin + tile] += each
        takers[begin : begin + tile] += each > 0
    assert (total == 1).all()
    assert takers.max() <= 2


def test_a_regular_overlap_fades_along_a_raised_cosine() -> None:
    first, second = weights([0, 112], 128)
    places = (np.arange(16) + 0.5) / 16
    expected = (1 - np.cos(np.pi * places)) / 2
    np.testing.assert_allclose(second[:16], expected, atol=1 / 4096)
    np.testing.assert_array_equal(first[112:], 1 - second[:16])
    assert (first[:112] == 1).all()
    assert (second[16:] == 1).all()


@settings(deadline=None)
@given(grids(), st.integers(1, 3))
def test_blending_what_was_not_changed_gives_the_picture_back(
    grid: Grid, channels: int
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*grid.size, channels))
    picture = picture.astype(np.float32)
    bands = [*grid.blend(picture, lambda tiles: tiles)]
    assert all(len(band) for band in bands)
    np.testing.assert_allclose(np.concatenate(bands), picture, atol=1e-4)


@settings(deadline=None)
@given(grids())
def test_a_constant_is_blended_without_the_least_error(grid: Grid) -> None:
    def grey(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full(tiles.shape, 0.3, np.float32)

    picture = np.zeros((*grid.size, 1), np.float32)
    found = np.concatenate([*grid.blend(picture, grey)])
    assert found.shape == picture.shape
    np.testing.assert_allclose(found, 0.3, atol=1e-7)


def test_tiles_that_differ_fade_without_a_step() -> None:
    grid = Grid((64, 400), (64, 64), 32)
    shade = iter(range(100))

    def shades(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        each = [np.full(tile.shape, next(shade), np.float32) for tile in tiles]
        return np.stack(each)

    picture = np.zeros((64, 400, 1), np.float32)
    found = np.concatenate([*grid.blend(picture, shades)])[0, :, 0]
    # A raised cosine over 32 pixels is nowhere steeper than pi/2 in 32.
    assert np.abs(np.diff(found[:320])).max() <= np.pi / 2 / 32 + 1e-3


@settings(deadline=None)
@given(grids())
def test_every_tile_is_the_part_of_the_picture_that_its_place_says(grid: Grid) -> None:
    picture = np.arange(np.prod(grid.size)).reshape(*grid.size, 1)
    covered = np.zeros(grid.size, bool)
    rows = list(grid.bands(picture))
    assert len(rows) == len(grid.rows)
    for row, band in zip(grid.rows, rows, strict=True):
        for column, tile in zip(grid.columns, band, strict=True):
            part = np.s_[row : row + grid.tile[0], column : column + grid.tile[1]]
            np.testing.assert_array_equal(tile, picture[part])
            covered[part] = True
    assert covered.all()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (9, 9)])
def test_a_small_picture_goes_on_as_its_mirror_image(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 9, (*size, 2))
    found = mirrored(picture, (8, 7))
    assert found.shape == (max(size[0], 8), max(size[1], 7), 2)
    for y, x in np.ndindex(found.shape[:2]):
        # There and back again: 0 1 2 2 1 0 0 1 …
        row, column = y % (2 * size[0]), x % (2 * size[1])
        row = min(row, 2 * size[0] - 1 - row)
        column = min(column, 2 * size[1] - 1 - column)
        np.testing.assert_array_equal(found[y, x], picture[row, column])
