import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tifffile import imwrite

from caes.data import ImageSet, load
from caes.data.cache import build as preparing
from caes.data.cache import lookup as prepared
from caes.data.cache.index import prepared_folder
from caes.data.cache.sets import prepared_sets, remove, superfluous
from caes.data.decode import parallel as decoding
from caes.errors import DataError, MixedSizesError, OutputError

Paint = Callable[..., NDArray[Any]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path: Path, paint: Paint) -> Path:
    for number in range(12):
        paint(tmp_path / "photos" / f"kind {number % 3}" / f"{number}.png")
    return tmp_path / "photos"


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pictures that were decoded since the test's start."""
    names: list[str] = []
    from caes.data.decode.pictures import decode

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


def flat(folder: Path, paint: Paint) -> dict[str, Any]:
    for number in range(5):
        paint(folder / f"{number}.png")
    return {}


def nested_with_splits(folder: Path, paint: Paint) -> dict[str, Any]:
    for number in range(8):
        paint(folder / "train" / "abc"[number % 3] / f"{number}.png")
    paint(folder / "test" / "a" / "8.png")
    paint(folder / "beside.png")
    return {"split": "train[1:]+test"}


def unreadable_ones(folder: Path, paint: Paint) -> dict[str, Any]:
    for number in range(9):
        paint(folder / "ab"[number % 2] / f"{number}.png")
    (folder / "a" / "0.png").write_bytes(b"no picture")
    whole = (folder / "b" / "5.png").read_bytes()
    (folder / "b" / "5.png").write_bytes(whole[: len(whole) // 2])
    (folder / "b" / "7.png").write_bytes(b"")
    return {}


def deep_and_colour_among_grey(folder: Path, paint: Paint) -> dict[str, Any]:
    for number, mode in enumerate(("L", "L", "I;16", "L", "RGB", "LA", "I;16")):
        paint(folder / f"{number}.png", mode)
    return {}


def of_several_families(folder: Path, paint: Paint) -> dict[str, Any]:
    folder.mkdir()
    bands = np.random.default_rng(0).normal(0, 9, (7, 6, 8, 4))
    kinds = ("u1", "f4", "i2", "f4", "f8", "f4", "i2")
    for number, kind in enumerate(kinds):
        path, pixels = folder / f"{number}.tif", bands[number].astype(kind)
        imwrite(path, pixels, photometric="minisblack", planarconfig="contig")
    return {}


def pages(folder: Path, paint: Paint) -> dict[str, Any]:
    folder.mkdir()
    scan = np.random.default_rng(0).integers(0, 256, (5, 6, 8), np.uint8)
    imwrite(folder / "scan.tif", scan, photometric="minisblack")
    return {"split": "train[1:]"}


def of_many_sizes(folder: Path, paint: Paint) -> dict[str, Any]:
    for number in range(6):
        paint(folder / f"{number}.jpg", "RGB", (8 + number, 9))
    return {"size": (5, 7), "channels": 1}


def parquet(folder: Path, paint: Paint) -> dict[str, Any]:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    paths = [folder.parent / f"{number}.png" for number in range(7)]
    for path in paths:
        paint(path, "RGB")
    paths[3].write_bytes(b"no picture")
    pictures = [{"bytes": path.read_bytes(), "path": None} for path in paths]
    table = pa.table({"image": pictures, "label": [0, 1, 2, 0, 1, 2, 0]})
    folder.mkdir()
    pq.write_table(table, folder / "train-0.parquet", row_group_size=3)
    return {"split": "train[1:]"}


LAYOUTS = (
    flat,
    nested_with_splits,
    unreadable_ones,
    deep_and_colour_among_grey,
    of_several_families,
    pages,
    of_many_sizes,
    parquet,
)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_prepared_set_is_what_is_read_into_memory(
    layout: Callable[[Path, Paint], dict[str, Any]], tmp_path: Path, paint: Paint
) -> None:
    options = layout(tmp_path / "pictures", paint)
    expected = load(tmp_path / "pictures", prepare=False, **options)
    assert prepared_sets() == []
    assert_same(load(tmp_path / "pictures", prepare=True, **options), expected)
    made = prepared_sets()
    assert made
    assert all(each.finished for each in made)
    assert_same(load(tmp_path / "pictures", prepare=True, **options), expected)
    assert {each.folder for each in prepared_sets()} == {each.folder for each in made}


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


def _shorter(photos: Path) -> None:
    (photos / "kind 0" / "0.png").unlink()


def _longer(photos: Path) -> None:
    (photos / "kind 1" / "40.png").write_bytes(
        (photos / "kind 1" / "1.png").read_bytes()
    )


def _repainted(photos: Path) -> None:
    path = photos / "kind 0" / "0.png"
    before = path.stat()
    other = (photos / "kind 0" / "3.png").read_bytes()
    path.write_bytes(other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def _renamed(photos: Path) -> None:
    (photos / "kind 0" / "0.png").rename(photos / "kind 2" / "0.png")


@pytest.mark.parametrize("change", [_shorter, _longer, _repainted, _renamed])
def test_changed_files_are_another_set(
    change: Callable[[Path], None], photos: Path
) -> None:
    load(photos, prepare=True)
    change(photos)
    assert_same(load(photos, prepare=True), load(photos, prepare=False))
    assert len(prepared_sets()) == 2


def test_other_options_are_another_set(photos: Path) -> None:
    shapes = [
        load(photos, prepare=True, **options).shape
        for options in ({}, {"size": (3, 4)}, {"channels": 3}, {"size": (4, 3)})
    ]
    assert shapes == [(12, 6, 8, 1), (12, 3, 4, 1), (12, 6, 8, 3), (12, 4, 3, 1)]
    assert len(prepared_sets()) == 4


def test_every_option_that_changes_pixels_makes_another_set(tmp_path: Path) -> None:
    scene = np.random.default_rng(0).integers(0, 256, (2, 6, 8), np.uint8)
    (tmp_path / "scans").mkdir()
    imwrite(tmp_path / "scans" / "a.tif", scene, photometric="minisblack")
    asked: list[dict[str, Any]] = [
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


def test_strict_refuses_a_set_in_which_pictures_are_missing(
    tmp_path: Path, paint: Paint
) -> None:
    unreadable_ones(tmp_path / "x", paint)
    with pytest.raises(DataError) as plain:
        load(tmp_path / "x", strict=True, prepare=False)
    with pytest.raises(DataError) as first:
        load(tmp_path / "x", strict=True, prepare=True)
    assert prepared_sets() == []
    load(tmp_path / "x", prepare=True)
    with pytest.raises(DataError) as later:
        load(tmp_path / "x", strict=True, prepare=True)
    assert str(first.value) == str(later.value) == str(plain.value)


def test_pictures_of_several_sizes_leave_nothing_behind(
    tmp_path: Path, paint: Paint
) -> None:
    of_many_sizes(tmp_path / "x", paint)
    with pytest.raises(MixedSizesError):
        load(tmp_path / "x", prepare=True)
    assert list(prepared_folder().glob("*/*")) == []


class StopError(Exception):
    pass


def _stop_at(done: int) -> Callable[[int, int], None]:
    def progress(now: int, total: int) -> None:
        if now == done:
            raise StopError

    return progress


@pytest.mark.parametrize("done", [1, 5])
def test_an_interrupted_build_leaves_nothing(done: int, photos: Path) -> None:
    with pytest.raises(StopError):
        load(photos, prepare=True, progress=_stop_at(done))
    assert prepared_sets() == []
    assert_same(load(photos, prepare=True), load(photos, prepare=False))


SLOWLY = """
import sys, time
from caes.data.decode import parallel as decoding
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
    tmp_path: Path, paint: Paint, decodes: list[str]
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


def _no_index(folder: Path) -> None:
    (folder / "index.json").unlink()


def _broken_index(folder: Path) -> None:
    (folder / "index.json").write_text("{")


def _foreign_index(folder: Path) -> None:
    about = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(about | {"asked": 13}))


def _no_pixels(folder: Path) -> None:
    next(folder.glob("*.npy")).unlink()


def _short_pixels(folder: Path) -> None:
    os.truncate(next(folder.glob("*.npy")), 200)


@pytest.mark.parametrize(
    "damage", [_no_index, _broken_index, _foreign_index, _no_pixels, _short_pixels]
)
def test_a_damaged_set_is_made_again(
    damage: Callable[[Path], None], photos: Path
) -> None:
    load(photos, prepare=True)
    damage(prepared_sets()[0].folder)
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


def test_sets_go_by_age_and_by_size(tmp_path: Path, paint: Paint) -> None:
    for number in range(3):
        paint(tmp_path / f"x{number}" / "a.png")
        load(tmp_path / f"x{number}", prepare=True)
        (folder,) = (
            each.folder
            for each in prepared_sets()
            if each.source == str(tmp_path / f"x{number}")
        )
        for file in folder.iterdir():
            os.utime(file, (1000 * number, 1000 * number))
    sets = prepared_sets()
    assert [Path(each.source).name for each in sets] == ["x2", "x1", "x0"]
    size = sets[0].size
    assert size > 0

    def gone(**how: Any) -> list[str]:
        return sorted(
            Path(each.source).name for each in superfluous(sets, now=2500, **how)
        )

    assert gone() == []
    assert gone(older=1000) == ["x0", "x1"]
    assert gone(older=1500) == ["x0"]
    assert gone(keep=3 * size) == []
    assert gone(keep=3 * size - 1) == ["x0"]
    assert gone(keep=0) == ["x0", "x1", "x2"]
    assert gone(keep=size, older=2000) == ["x0", "x1"]


def test_reading_a_set_makes_it_young(photos: Path) -> None:
    load(photos, prepare=True)
    for file in prepared_sets()[0].folder.iterdir():
        os.utime(file, (1000, 1000))
    assert prepared_sets()[0].used == 1000
    load(photos, prepare=True)
    assert time.time() - prepared_sets()[0].used < 60


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


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caes.data.mapped.AT_ONCE", 200)


@pytest.mark.usefixtures("little_memory")
def test_a_training_on_a_prepared_set_is_that_in_memory(
    tmp_path: Path, photos: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from caes.cli import main

    draw = np.random.default_rng(0)
    for number in range(30):
        pixels = draw.integers(0, 256, (12, 12), np.uint8)
        path = tmp_path / "data" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    words = ["fit", str(tmp_path / "data"), "--arch", "2C3-MP2", "--epochs", "2"]
    words += ["--seed", "3", "--validation", "0.2", "--hold-out", "0.3", "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared, "MANY", 1)
        assert main([*words, "--out", str(tmp_path / "disk")]) == 0
    assert len(prepared_sets()) == 1
    assert main([*words, "--in-memory", "--out", str(tmp_path / "memory")]) == 0
    one, two = ((tmp_path / name) for name in ("disk", "memory"))
    name = "model.safetensors"
    assert (one / name).read_bytes() == (two / name).read_bytes()
    about = [json.loads((each / "model.json").read_text()) for each in (one, two)]
    prints = [each["provenance"]["data fingerprint"] for each in about]
    assert prints[0] == prints[1]
    assert (one / "report.html").is_file()
    capfd.readouterr()
