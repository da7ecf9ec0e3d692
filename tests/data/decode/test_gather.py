from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tifffile import imwrite

from caes.data import load
from caes.data.decode.gather import Gatherer
from caes.data.decode.tiles import whole_names
from caes.data.formats.format import Decoded
from caes.data.imageset import ImageSet, Skipped
from caes.data.labels.labelled import labels_of
from tests.refusals import refused

NAMES = [f"{number}" for number in range(300)]


@pytest.mark.parametrize("count", [1, 2, 8, 9, 64, 65, 300])
def test_all_pictures_are_kept_however_many_come(count: int) -> None:
    gatherer = Gatherer(300, "somewhere")
    pictures = np.random.default_rng(0).integers(0, 256, (count, 3, 4, 1), np.uint8)
    for row, picture in enumerate(pictures):
        gatherer.add(row, Decoded(picture, ("Seen",)))
    batch = gatherer.batch(NAMES)
    assert batch.pixels.tolist() == pictures.tolist()
    assert batch.rows == list(range(count))
    assert batch.notes == (f"Seen: {count}.",)


def test_widening_late_counts_every_picture_before() -> None:
    gatherer = Gatherer(300, "somewhere")
    for row in range(100):
        gatherer.add(row, Decoded(np.full((2, 2, 1), row, np.uint8)))
    gatherer.add(100, Decoded(np.full((2, 2, 3), 300, np.uint16)))
    batch = gatherer.batch(NAMES)
    assert batch.pixels[:100, 0, 0, 2].tolist() == [257 * row for row in range(100)]
    assert batch.notes == (
        "Grey pictures among colour ones were repeated to three channels: 100.",
        "8-bit pictures among 16-bit ones were multiplied by 257: 100.",
    )


@pytest.mark.parametrize("odd", [0, 7, 99])
def test_one_huge_odd_picture_takes_no_room_for_all(odd: int) -> None:
    gatherer: Any = Gatherer(10**9, "somewhere")
    for row in range(12):
        gatherer.add(row, Decoded(np.zeros((2, 2, 1), np.uint8)))
    gatherer.add(odd + 100, Decoded(np.zeros((2000, 2000, 5), np.float32)))
    batch = gatherer.batch(NAMES)
    assert len(batch.pixels) == 12
    reason = "5 channels of float32, while most pictures have 1 channel of uint8"
    assert batch.skipped == (Skipped(f"{odd + 100}", reason),)
    assert sum(group.pixels.nbytes for group in gatherer._groups.values()) < 10**9


def _save(path: Path, size: tuple[int, int], dtype: Any = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if dtype == np.uint16 else (*size, 3)
    pixels = np.random.default_rng(sum(size)).integers(0, 256, shape).astype(dtype)
    Image.fromarray(pixels).save(path)


def test_a_folder_of_mixed_sizes_becomes_tiles_that_say_where_they_were(
    tmp_path: Path,
) -> None:
    sizes = {"day/a.png": (30, 40), "day/b.png": (9, 70), "night/c.png": (16, 16)}
    for name, size in sizes.items():
        _save(tmp_path / name, size)
    images = load(tmp_path, tile=16, overlap=4)
    assert images.names[:9] == [
        *("day/a.png#0,0", "day/a.png#0,12", "day/a.png#0,24"),
        *("day/a.png#12,0", "day/a.png#12,12", "day/a.png#12,24"),
        *("day/a.png#14,0", "day/a.png#14,12", "day/a.png#14,24"),
    ]
    assert images.names[9] == "day/b.png#0,0"
    assert images.shape == (9 + 6 + 1, 16, 16, 3)
    assert images.classes == ("day", "night")
    assert labels_of(images).tolist() == [0] * 15 + [1]
    assert images.notes == (
        "Cut into 16 tiles of 16×16, overlapping by 4 or more.",
        "Pictures smaller than a tile were continued by their mirror image: 1.",
    )
    assert (images.source, images.split) == (str(tmp_path), "train")
    for name, tile in zip(images.names, images.pixels, strict=True):
        whole = np.asarray(Image.open(tmp_path / name.partition("#")[0]))
        row, column = map(int, name.partition("#")[2].split(","))
        part = whole[row : row + 16, column : column + 16]
        np.testing.assert_array_equal(tile[: len(part)], part)


def test_a_list_of_arrays_of_any_sizes_is_cut_too() -> None:
    pictures = [np.full((5, 9), 0.25, np.float32), np.full((8, 3), 4, np.float32)]
    images = load(pictures, tile=(4, 3), overlap=0)
    assert images.shape == (6 + 2, 4, 3, 1)
    assert images.names[-1] == "00001#4,0"
    assert images.value_range == (0, 5)
    assert set(images.pixels[:6].ravel()) == {0.25}


def test_grey_8_bit_tiles_among_16_bit_ones_are_deepened(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", (20, 20), np.uint16)
    Image.fromarray(np.full((12, 8), 255, np.uint8)).save(tmp_path / "b.png")
    images = load(tmp_path, tile=8, overlap=0)
    assert images.dtype == np.uint16
    assert images.value_range == (0, 65_535)
    assert (images.pixels[9:] == 65_535).all()
    assert images.notes[1:] == (
        "8-bit pictures among 16-bit ones were multiplied by 257: 1.",
    )


def test_pictures_that_do_not_go_with_most_are_skipped_from_the_tiles(
    tmp_path: Path,
) -> None:
    kinds = {"a": (np.int16, 4), "b": (np.uint8, 3), "c": (np.uint8, 1)}
    for name, (dtype, channels) in kinds.items():
        pixels = np.full((20, 20 * (channels + 1), channels), 9, dtype)
        colours = "rgb" if channels == 3 else "minisblack"
        config = "contig" if channels > 1 else None
        path = tmp_path / f"{name}.tif"
        imwrite(path, pixels, photometric=colours, planarconfig=config)
    (tmp_path / "ab.tif").write_bytes(b"")
    images = load(tmp_path, tile=20, overlap=0)
    assert images.shape == (4 + 2, 20, 20, 3)
    assert images.dtype == np.uint8
    assert (images.pixels == 9).all()
    assert set(whole_names(images.names)) == {"b.tif", "c.tif"}
    reason = "4 channels of int16, while most pictures have 3 channels of uint8"
    assert images.skipped == (Skipped("a.tif", reason), Skipped("ab.tif", "empty"))
    (tmp_path / "ab.tif").unlink()
    told = f"a.tif in {tmp_path}: received an unreadable picture ({reason});"
    assert refused(load, tmp_path, tile=20, strict=True).startswith(told)


def test_tiles_of_pages_say_the_page_too(tmp_path: Path) -> None:
    scene = np.random.default_rng(0).integers(0, 65_536, (2, 20, 36), np.uint16)
    imwrite(tmp_path / "a.tif", scene)
    images = load(tmp_path, tile=20, overlap=4)
    assert images.names == [
        f"a.tif#{page}#0,{left}" for page in (1, 2) for left in (0, 16)
    ]
    np.testing.assert_array_equal(images.pixels[3, ..., 0], scene[1, :, 16:])
    both = load(tmp_path, tile=20, overlap=4, pages="channels")
    assert both.names == ["a.tif#0,0", "a.tif#0,16"]
    np.testing.assert_array_equal(both.pixels[1], np.moveaxis(scene[..., 16:], 0, 2))


def test_size_and_channels_come_before_the_tiles(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", (100, 200))
    how: dict[str, Any] = {"size": (20, 20), "resize": "crop", "channels": 1}
    images = load(tmp_path, tile=16, overlap=12, **how)
    assert images.shape == (4, 16, 16, 1)
    np.testing.assert_array_equal(
        images.pixels[3], load(tmp_path, **how).pixels[0, 4:, 4:]
    )


def test_splits_choose_pictures_not_tiles(tmp_path: Path) -> None:
    for number in range(4):
        _save(tmp_path / f"{number}.png", (20, 20 + number))
    images = load(tmp_path, "train[1:3]", tile=20)
    assert sorted(set(whole_names(images.names))) == ["1.png", "2.png"]
    assert images.split == "train[1:3]"
    array = np.random.default_rng(0).random((5, 10, 10, 1))
    found = load(array, "train[3:]", tile=10)
    np.testing.assert_array_equal(found.pixels, array[3:])


def test_what_cannot_be_read_is_skipped_or_with_strict_an_error(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", (20, 20))
    (tmp_path / "b.png").write_bytes(b"")
    done = []
    images = load(tmp_path, tile=16, progress=lambda *at: done.append(at))
    assert [(each.name, each.reason) for each in images.skipped] == [("b.png", "empty")]
    assert done == [(1, 2), (2, 2)]
    told = f"b.png in {tmp_path}: received an unreadable picture (empty);"
    assert refused(load, tmp_path, tile=16, strict=True).startswith(told)
    (tmp_path / "a.png").unlink()
    assert refused(load, tmp_path, tile=16).startswith(told)


def test_a_set_keeps_its_range_when_cut() -> None:
    images = ImageSet.from_pixels(np.ones((2, 8, 8)), value_range=(-3.0, 9.0))
    assert load(images, tile=4).value_range == (-3, 9)
