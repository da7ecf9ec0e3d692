"""The contact sheet, read back pixel by pixel."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from caes.data import ImageSet, Skipped, survey
from caes.report.pictures import LARGEST, LINE, MARGIN, SHARPNESS
from caes.tasks.contact_sheet import COLUMNS, GAP, ContactSheet

STEP = LARGEST + SHARPNESS * GAP
HEADING = SHARPNESS * (MARGIN + LINE + 4 + GAP)
NAME = SHARPNESS * (LINE + 2)


def drawn(source: Any, total: int) -> NDArray[np.uint8]:
    sheet = ContactSheet(total)
    found = survey(source, seen=sheet.take)
    return np.asarray(Image.open(io.BytesIO(sheet.png(found))).convert("RGB"))


def cell(sheet: NDArray[np.uint8], at: int, named: bool = False) -> NDArray[np.uint8]:
    """Cut the room of a picture out of a sheet."""
    left = SHARPNESS * MARGIN + at % COLUMNS * STEP
    top = HEADING + at // COLUMNS * (STEP + NAME * named)
    return sheet[top : top + LARGEST, left : left + LARGEST]


def test_pictures_are_spread_evenly_and_shown_as_they_are() -> None:
    pixels = np.zeros((1000, 16, 16, 1), np.uint8)
    pixels[:] = (np.arange(1000) // 10 * 2).reshape(-1, 1, 1, 1)
    sheet = drawn(pixels, 1000)
    side = 10 * STEP - SHARPNESS * (GAP - MARGIN)
    assert sheet.shape == (HEADING + side, SHARPNESS * MARGIN + side, 3)
    for at in range(100):
        assert (cell(sheet, at) == 2 * at).all()


def test_the_same_pictures_make_the_same_file() -> None:
    first, again = drawn("digits", 5000), drawn("digits", 5000)
    assert first.tobytes() == again.tobytes()


def test_a_small_picture_is_enlarged_by_a_whole_factor_and_keeps_its_proportions() -> (
    None
):
    pixels = np.random.default_rng(0).integers(0, 256, (1, 30, 50, 3), np.uint8)
    room = cell(drawn(pixels, 1), 0)
    factor = LARGEST // 50
    top, left = (LARGEST - 30 * factor) // 2, (LARGEST - 50 * factor) // 2
    shown = room[top : top + 30 * factor, left : left + 50 * factor]
    assert (shown == pixels[0].repeat(factor, 0).repeat(factor, 1)).all()
    outside = room.astype(int).sum() - shown.astype(int).sum()
    assert outside == 255 * 3 * (LARGEST**2 - 30 * 50 * factor**2)


def test_a_large_picture_is_made_small_with_its_proportions() -> None:
    pixels = np.zeros((1, 100, 400, 1), np.uint8)
    pixels[:, :, 200:] = 200
    room = cell(drawn(pixels, 1), 0)
    dark: NDArray[np.bool_] = room.max(2) < 255
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    assert (len(rows), len(columns)) == (LARGEST // 4, LARGEST)
    assert room[LARGEST // 2, 10].tolist() == [0, 0, 0]
    assert room[LARGEST // 2, -10].tolist() == [200, 200, 200]


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "float64"])
def test_other_types_are_shown_by_the_set_s_own_range(dtype: str) -> None:
    pixels = np.zeros((3, 8, 8, 1), dtype)
    pixels[:] = np.array([100, 150, 200]).reshape(3, 1, 1, 1)
    sheet = drawn(pixels, 3)
    assert [int(cell(sheet, at).max()) for at in range(3)] == [0, 128, 255]


def test_of_two_channels_the_first_is_shown_and_of_many_the_first_three() -> None:
    values = np.array([10, 20, 30, 40, 50], np.uint8)
    for channels, said in ((2, [10, 10, 10]), (5, [10, 20, 30])):
        pixels = np.broadcast_to(values[:channels], (2, 160, 320, channels))
        middle = cell(drawn(pixels.copy(), 2), 0)[LARGEST // 2, LARGEST // 2]
        assert middle.tolist() == said


def test_classes_stand_below_and_names_from_outside_are_no_formula(
    tmp_path: Path,
) -> None:
    for name in ("$\\frac{a$", "猫", "a name that is far too long for its place"):
        (tmp_path / name).mkdir()
        Image.new("L", (16, 16)).save(tmp_path / name / "1.png")
    sheet = drawn(tmp_path, 3)
    top = HEADING + LARGEST
    assert len(sheet) == top + NAME + SHARPNESS * MARGIN
    for at in range(3):
        assert (cell(sheet, at, named=True) == 0).all()
        left = SHARPNESS * MARGIN + at * STEP
        below = sheet[top : top + NAME, left : left + LARGEST]
        assert below.min() < 200


ONE = ImageSet.from_pixels(np.zeros((1, 2, 2, 1), np.uint8))
TWO = ImageSet.from_pixels(np.zeros((2, 2, 2, 1), np.uint8))


@pytest.mark.parametrize(
    ("wanted", "pieces", "left"),
    [
        ([1, 3], [ONE, Skipped("b", "empty"), ONE, ONE], 0),
        ([0, 1, 2], [Skipped("a", "empty"), Skipped("b", "empty"), TWO], 1),
    ],
    ids=["the next stands in", "each stands there once"],
)
def test_of_what_cannot_be_read_others_take_the_place(
    wanted: list[int], pieces: list[Any], left: int
) -> None:
    sheet = ContactSheet(4)
    sheet.wanted = wanted
    for piece in pieces:
        sheet.take(piece)
    assert (len(sheet.kept), len(sheet.wanted)) == (2, left)


def test_where_nothing_can_be_read_the_sheet_has_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    tall = HEADING + SHARPNESS * (MARGIN - GAP)
    assert len(drawn(tmp_path, 1)) == tall


def test_kept_pictures_do_not_hold_the_set() -> None:
    sheet = ContactSheet(10)
    sheet.take(ImageSet.from_pixels(np.zeros((10, 8, 8, 1), np.uint8)))
    assert all(each.pixels.base is None for each in sheet.kept)
