import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shutil import copy, move
from typing import Any

import numpy as np
import pytest
from tifffile import imwrite

from caes.cli import main
from caes.data import ImageSet, load
from caes.data.cache import build as preparing
from caes.data.cache import lookup as prepared
from caes.data.cache.index import prepared_folder
from caes.data.cache.sets import PreparedSet, prepared_sets, remove, superfluous
from caes.data.decode import parallel as decoding
from caes.data.decode.pictures import decode
from caes.errors import MixedSizesError, OutputError
from tests.refusals import refused
from tests.written import by_pillow, paint, parquet, structs


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(12):
        paint(tmp_path / "photos" / f"kind {number % 3}" / f"{number}.png")
    return tmp_path / "photos"


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pictures that were decoded since the test's start."""
    names: list[str] = []

    def watched(picture: Any, options: Any, name: str, files: Any) -> Any:
        names.append(name)
        return decode(picture, options, name, files)

    monkeypatch.setattr(decoding, "decode", watched)
    return names


def assert_same(found: ImageSet, expected: ImageSet) -> None:
    assert found.pixels.dtype == expected.pixels.dtype
    np.testing.assert_array_equal(np.asarray(found.pixels), expected.pixels)
    np.testing.assert_array_equal(found.labels, expected.labels)
    for name in ("names", "classes", "value_range", "source", "split", "skipped"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.notes == expected.notes
    assert found.fingerprint == expected.fingerprint


def nested_with_splits(folder: Path) -> dict[str, Any]:
    for number in range(8):
        paint(folder / "train" / "abc"[number % 3] / f"{number}.png")
    paint(folder / "test" / "a" / "8.png")
    paint(folder / "beside.png")
    return {"split": "train[1:]+test"}


def unreadable_ones(folder: Path) -> dict[str, Any]:
    for number in range(9):
        paint(folder / "ab"[number % 2] / f"{number}.png")
    (folder / "a" / "0.png").write_bytes(b"no picture")
    whole = (folder / "b" / "5.png").read_bytes()
    (folder / "b" / "5.png").write_bytes(whole[: len(whole) // 2])
    (folder / "b" / "7.png").write_bytes(b"")
    return {}


def deep_and_colour_among_grey(folder: Path) -> dict[str, Any]:
    for number, mode in enumerate(("L", "L", "I;16", "L", "RGB", "LA", "I;16")):
        paint(folder / f"{number}.png", mode)
    return {}


def of_several_families(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    bands = np.random.default_rng(0).normal(0, 9, (7, 6, 8, 4))
    kinds = ("u1", "f4", "i2", "f4", "f8", "f4", "i2")
    for number, kind in enumerate(kinds):
        path, pixels = folder / f"{number}.tif", bands[number].astype(kind)
        imwrite(path, pixels, photometric="minisblack", planarconfig="contig")
    return {}


def pages(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    scan = np.random.default_rng(0).integers(0, 256, (5, 6, 8), np.uint8)
    imwrite(folder / "scan.tif", scan, photometric="minisblack")
    return {"split": "train[1:]"}


def of_many_sizes(folder: Path) -> dict[str, Any]:
    for number in range(6):
        paint(folder / f"{number}.jpg", "RGB", (8 + number, 9))
    return {"size": (5, 7), "channels": 1}


def table(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    pictures = [by_pillow(np.full((6, 8), 9 * n, np.uint8)) for n in range(7)]
    pictures[3] = b"no picture"
    columns = {"image": structs(pictures), "label": [0, 1, 2, 0, 1, 2, 0]}
    parquet(folder / "train-0.parquet", columns)
    return {"split": "train[1:]"}


LAYOUTS = (
    *(nested_with_splits, unreadable_ones, deep_and_colour_among_grey),
    *(of_several_families, pages, of_many_sizes, table),
)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_prepared_set_is_what_is_read_into_memory(
    layout: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    options = layout(tmp_path / "pictures")
    expected = load(tmp_path / "pictures", prepare=False, **options)
    assert prepared_sets() == []
    for _ in ("built", "found"):
        assert_same(load(tmp_path / "pictures", prepare=True, **options), expected)
        assert {each.finished for each in prepared_sets()} == {True}


def test_the_second_time_nothing_is_decoded(photos: Path, decodes: list[str]) -> None:
    first = load(photos, prepare=True)
    assert len(decodes) == 12
    again = load(photos, prepare=True)
    assert len(decodes) == 12
    assert isinstance(again.pixels, np.memmap)
    assert not again.pixels.flags.writeable
    assert_same(again, first)


def test_progress_is_told_of_every_picture_once(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_EVERY", 5)  # memory is given back meanwhile
    told: list[tuple[int, int]] = []
    load(photos, prepare=True, progress=lambda *count: told.append(count))
    assert told == [(done, 12) for done in range(1, 13)]
    load(photos, prepare=True, progress=lambda *count: told.append(count))
    assert len(told) == 12


def _repainted(photos: Path) -> None:
    path = photos / "kind 0" / "0.png"
    before = path.stat()
    path.write_bytes((photos / "kind 0" / "3.png").read_bytes())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


CHANGES: dict[str, Callable[[Path], Any]] = {
    "shorter": lambda photos: (photos / "kind 0/0.png").unlink(),
    "longer": lambda photos: copy(photos / "kind 1/1.png", photos / "kind 1/40.png"),
    "repainted": _repainted,
    "renamed": lambda photos: move(photos / "kind 0/0.png", photos / "kind 2/0.png"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_files_are_another_set(change: str, photos: Path) -> None:
    load(photos, prepare=True)
    CHANGES[change](photos)
    assert_same(load(photos, prepare=True), load(photos, prepare=False))
    assert len(prepared_sets()) == 2


def test_every_option_that_changes_pixels_makes_another_set(tmp_path: Path) -> None:
    scene = np.random.default_rng(0).integers(0, 256, (2, 6, 8), np.uint8)
    (tmp_path / "scans").mkdir()
    imwrite(tmp_path / "scans" / "a.tif", scene, photometric="minisblack")
    asked: list[dict[str, Any]] = [
        {},
        {"channels": 3},
        {"size": (4, 3)},
        {"size": (4, 4)},
        {"size": (4, 4), "resize": "crop"},
        {"size": (4, 4), "resize": "pad"},
        {"size": (4, 4), "resize": "random-crop"},
        {"size": (4, 4), "resize": "random-crop", "seed": 1},
        {"pages": "channels"},
    ]
    for made, options in enumerate(asked, start=1):
        for _ in "ab":
            found = load(tmp_path / "scans", prepare=True, **options)
            assert_same(found, load(tmp_path / "scans", prepare=False, **options))
            assert len(prepared_sets()) == made
    # The same pixels are the same set.
    load(tmp_path / "scans", prepare=True, size=(4, 4), resize="crop", seed=7)
    assert len(prepared_sets()) == len(asked)


def test_tiles_are_cut_in_memory(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "MANY", 0)
    load(photos, tile=4)
    assert prepared_sets() == []


def test_only_many_or_large_pictures_are_prepared_unasked(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "FEW", 5)
    assert not isinstance(load(photos).pixels, np.memmap)
    monkeypatch.setattr(prepared, "MANY", 11)
    assert isinstance(load(photos).pixels, np.memmap)
    assert not isinstance(load(photos, prepare=False).pixels, np.memmap)
    assert not isinstance(load(photos, "train[1:]").pixels, np.memmap)
    monkeypatch.setattr(prepared, "LARGE", 11 * 6 * 8 * 3 - 1)
    assert isinstance(load(photos, "train[1:]").pixels, np.memmap)
    assert not isinstance(load(photos, "train[2:]").pixels, np.memmap)
    assert not isinstance(load(photos, "train[1:]", channels=1).pixels, np.memmap)


def test_strict_refuses_a_set_in_which_pictures_are_missing(tmp_path: Path) -> None:
    unreadable_ones(tmp_path / "x")
    plain = refused(load, tmp_path / "x", strict=True, prepare=False)
    assert refused(load, tmp_path / "x", strict=True, prepare=True) == plain
    assert prepared_sets() == []
    load(tmp_path / "x", prepare=True)
    assert refused(load, tmp_path / "x", strict=True, prepare=True) == plain


def test_pictures_of_several_sizes_leave_nothing_behind(tmp_path: Path) -> None:
    of_many_sizes(tmp_path / "x")
    refused(load, tmp_path / "x", prepare=True, error=MixedSizesError)
    assert list(prepared_folder().glob("*/*")) == []


class StopError(Exception):
    pass


@pytest.mark.parametrize("done", [1, 5])
def test_an_interrupted_build_leaves_nothing(done: int, photos: Path) -> None:
    def progress(now: int, total: int) -> None:
        if now == done:
            raise StopError

    with pytest.raises(StopError):
        load(photos, prepare=True, progress=progress)
    assert prepared_sets() == []
    assert_same(load(photos, prepare=True), load(photos, prepare=False))


SLOWLY = """
import sys, time
from caes.data.decode import parallel as decoding
from caes.data.decode.pictures import decode
from caes.data import load
decode = decoding.decode
def slowly(picture, options, *others):
    time.sleep(0.05)
    with open(sys.argv[2], "a") as log:
        log.write(f"{picture.name}\\n")
    return decode(picture, options, *others)
decoding.decode = slowly
print(load(sys.argv[1], prepare=True).fingerprint)
"""


def _slowly(photos: Path, log: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", SLOWLY, str(photos), str(log)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_share_one_build(photos: Path, tmp_path: Path) -> None:
    both = [_slowly(photos, tmp_path / "log") for _ in range(2)]
    said = [one.communicate(timeout=60)[0].strip() for one in both]
    assert said == [load(photos, prepare=False).fingerprint] * 2
    names = (tmp_path / "log").read_text().split()
    assert sorted(names) == sorted(f"{number}.png" for number in range(12))


def test_a_killed_build_never_looks_finished_and_is_made_again(
    tmp_path: Path, decodes: list[str]
) -> None:
    for number in range(64):
        paint(tmp_path / "many" / f"{number}.png")
    with _slowly(tmp_path / "many", tmp_path / "log") as one:
        while not any(prepared_folder().glob("*/pixels-*.npy")):
            assert one.poll() is None
            time.sleep(0.01)
        one.send_signal(signal.SIGKILL)
    assert [each.finished for each in prepared_sets()] == [False]
    again = load(tmp_path / "many", prepare=True)
    assert len(decodes) == 64
    assert [each.finished for each in prepared_sets()] == [True]
    assert_same(again, load(tmp_path / "many", prepare=False))


def _foreign_index(folder: Path) -> None:
    about = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(about | {"asked": 13}))


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "no index": lambda folder: (folder / "index.json").unlink(),
    "broken index": lambda folder: (folder / "index.json").write_text("{"),
    "foreign index": _foreign_index,
    "no pixels": lambda folder: next(folder.glob("*.npy")).unlink(),
    "short pixels": lambda folder: os.truncate(next(folder.glob("*.npy")), 200),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_set_is_made_again(damage: str, photos: Path) -> None:
    load(photos, prepare=True)
    DAMAGES[damage](prepared_sets()[0].folder)
    assert not prepared_sets()[0].finished
    assert_same(load(photos, prepare=True), load(photos, prepare=False))
    assert prepared_sets()[0].finished


def test_a_full_disk_is_told_or_noted(
    photos: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    def full(file: Any, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(preparing, "make_room", full)
    with pytest.raises(OutputError) as told:
        load(photos, prepare=True)
    path = told.value.argument
    assert Path(path).parent.parent == cache / "prepared"
    assert str(told.value) == (
        f"{path}: received a full disk; allowed: a place that can be written. "
        "Free some space, or choose another folder."
    )
    monkeypatch.setattr(prepared, "MANY", 1)
    images = load(photos)
    assert images.notes == (f"No prepared set could be kept: {path} is a full disk.",)
    np.testing.assert_array_equal(images.pixels, load(photos, prepare=False).pixels)
    assert list((cache / "prepared").glob("*/*")) == []


def test_without_a_cache_pictures_are_read_into_memory(
    photos: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    cache.write_text("a file where the folder should be")
    monkeypatch.setattr(prepared, "MANY", 1)
    images = load(photos)
    assert not isinstance(images.pixels, np.memmap)
    assert len(images.notes) == 1


@pytest.mark.parametrize(
    ("asked", "gone"),
    [
        ({}, ""),
        ({"older": 1000}, "xy"),
        ({"older": 1500}, "x"),
        ({"keep": 30}, ""),
        ({"keep": 29}, "x"),
        ({"keep": 0}, "xyz"),
        ({"keep": 10, "older": 2000}, "xy"),
    ],
)
def test_sets_go_by_age_and_by_size(asked: dict[str, int], gone: str) -> None:
    sets = [
        PreparedSet(Path(name), name, 1, "", finished=True, size=10, used=used)
        for name, used in (("z", 2000), ("y", 1000), ("x", 0))
    ]
    found = superfluous(sets, now=2500, **asked)
    assert sorted(each.source for each in found) == [*gone]


def test_reading_a_set_makes_it_young_and_the_youngest_come_first(photos: Path) -> None:
    load(photos, prepare=True)
    load(photos, prepare=True, channels=3)
    for used, each in enumerate(prepared_sets()):
        for file in each.folder.iterdir():
            os.utime(file, (used, used))
    assert [each.used for each in prepared_sets()] == [1, 0]
    assert all(each.size > 0 for each in prepared_sets())
    load(photos, prepare=True)
    young, old = prepared_sets()
    assert time.time() - young.used < 60
    assert old.used < 2


def test_a_set_that_is_removed_stays_with_those_who_read_it(photos: Path) -> None:
    images = load(photos, prepare=True)
    before = images.pixels.copy()
    sets = prepared_sets()
    assert remove(sets) == sets
    assert prepared_sets() == []
    np.testing.assert_array_equal(images.pixels, before)


def test_a_set_that_is_being_built_is_not_removed(photos: Path) -> None:
    found: list[Any] = []

    def progress(done: int, total: int) -> None:
        if done == 6:
            sets = prepared_sets()
            found.append((len(sets), remove(sets)))

    load(photos, prepare=True, progress=progress)
    assert found == [(1, [])]
    assert prepared_sets()[0].finished


def test_a_training_on_a_prepared_set_is_that_in_memory(
    in_empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        paint(Path("data") / "ab"[number % 2] / f"{number}.png", "L", (12, 12))
    words = "fit data --arch 2C3-MP2 --epochs 2 --seed 3 --quiet"
    words += " --validation 0.2 --hold-out 0.3"
    monkeypatch.setattr("caes.data.mapped.AT_ONCE", 200)
    monkeypatch.setattr(prepared, "MANY", 1)
    assert main([*words.split(), "--out", "disk"]) == 0
    assert len(prepared_sets()) == 1
    assert main([*words.split(), "--in-memory", "--out", "memory"]) == 0
    disk, memory = (in_empty_folder / name for name in ("disk", "memory"))
    weights = "model.safetensors"
    assert (disk / weights).read_bytes() == (memory / weights).read_bytes()
    about = [json.loads((each / "model.json").read_text()) for each in (disk, memory)]
    one, two = (each["provenance"]["data fingerprint"] for each in about)
    assert one == two
    assert (disk / "report.html").is_file()


def test_a_large_set_is_announced_with_its_place_when_it_is_made(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "ANNOUNCED", 10)
    first, again = (load(photos, prepare=True) for _ in range(2))
    (folder,) = (each for each in prepared_folder().iterdir() if each.is_dir())
    assert [note for note in first.notes if note not in again.notes] == [
        f"Decoded once, 0 MB in {folder}: see caes cache, or --in-memory."
    ]
