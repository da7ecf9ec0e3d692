import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from caes.data import load
from caes.data.sources import standard
from caes.errors import DataError
from tests.data.sources.conftest import Serve

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
LABELS = np.array([3, 1, 4], np.uint8)


def packed(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    sizes = np.array(array.shape, ">u4").tobytes()
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


FILES = {
    "t10k-images-idx3-ubyte.gz": packed(IMAGES),
    "t10k-labels-idx1-ubyte.gz": packed(LABELS),
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


def message() -> str:
    with pytest.raises(DataError) as caught:
        load("mnist", "test")
    return str(caught.value)


def test_missing_files_are_fetched_once_and_quietly(
    folder: Path,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    set_mirrors(monkeypatch, address, "good")
    images = load("mnist", "test")
    assert images.pixels[..., 0].tolist() == IMAGES.tolist()
    assert images.labels is not None
    assert images.labels.tolist() == LABELS.tolist()
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
    assert message() == (
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
    assert f"({address}: wrong checksum; {closed}: no connection)" in message()


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
    assert message() == (
        f"{raw}: received a file with the wrong checksum; allowed: MNIST as it was "
        "published. Delete the file, and it is downloaded again."
    )


def test_a_data_folder_that_cannot_be_made_is_an_error_of_one_line(
    folder: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from caes.errors import OutputError

    folder.write_text("a file in the place of the folder")
    set_mirrors(monkeypatch, address, "good")
    with pytest.raises(OutputError, match=f"^{folder}: received "):
        load("mnist", "test")
