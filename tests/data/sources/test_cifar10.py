import gzip
import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from caes.data import load, split_names, survey
from caes.data.labels.labelled import labels_of
from caes.data.sources import cifar10
from tests.data.sources.conftest import Serve
from tests.refusals import refused
from tests.written import by_pillow, parquet, structs, tar

ROWS = 4
NAMES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
RANDOM = np.random.default_rng(10)
LABELS = RANDOM.integers(0, 10, (6, ROWS), np.uint8)
PLANES = RANDOM.integers(0, 256, (6, ROWS, 3072), np.uint8)
UNPACKED, ARCHIVE = "cifar-10-batches-bin", "cifar-10-binary.tar.gz"
PLACES = pytest.mark.parametrize("place", [UNPACKED, ARCHIVE])

Write = Callable[..., Path]
message = partial(refused, load, "cifar10")


def records(planes: NDArray[np.uint8] = PLANES) -> dict[str, bytes]:
    return {
        name: np.hstack([labels[:, None], values]).tobytes()
        for name, labels, values in zip(NAMES, LABELS, planes, strict=True)
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No files yet, batches of a few pictures, and no way out."""
    monkeypatch.setenv("CAES_DATA", str(tmp_path))
    monkeypatch.setattr(cifar10, "ROWS", ROWS)
    monkeypatch.setattr(cifar10, "ADDRESS", "http://127.0.0.1:9/nothing.tar.gz")
    return tmp_path / "cifar10"


@pytest.fixture
def write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write batches unpacked; or into an archive, in another order, taken for right."""

    def made(place: str, content: dict[str, bytes], below: Path = folder) -> Path:
        path = below / place
        if place == UNPACKED:
            path.mkdir(parents=True)
            for name, data in content.items():
                (path / name).write_bytes(data)
        else:
            below.mkdir(parents=True, exist_ok=True)
            members = {f"../{UNPACKED}/readme.html": b"not to unpack"}
            turned = sorted(content, reverse=True)
            members |= {f"{UNPACKED}/{name}": content[name] for name in turned}
            path.write_bytes(gzip.compress(tar(members)))
            md5 = hashlib.md5(path.read_bytes()).hexdigest()
            monkeypatch.setattr(cifar10, "MD5", md5)
        return path

    return made


@PLACES
def test_every_form_gives_the_same_pictures(
    folder: Path, write: Write, place: str
) -> None:
    write(place, records())
    before = sorted(folder.parent.rglob("*"))
    images = load("cifar10", "train+test")
    assert images.shape == (6 * ROWS, 32, 32, 3)
    assert images.dtype == np.uint8
    assert labels_of(images).tolist() == LABELS.ravel().tolist()
    # Each record has the 1,024 values of red row by row, then green, then blue.
    values = PLANES.reshape(-1, 3072)
    for row, y, x, colour in np.ndindex(6 * ROWS, 32, 32, 3):
        at = colour * 1024 + y * 32 + x
        assert images.pixels[row, y, x, colour] == values[row, at]
    assert images.names[:2] == ["train/00000", "train/00001"]
    assert images.names[-1] == "test/00003"
    assert (images.classes, images.source) == (CLASSES, "cifar10")
    assert (images.notes, images.skipped) == ((), ())
    assert sorted(folder.parent.rglob("*")) == before


def test_what_is_unpacked_comes_before_the_archive_and_that_before_jpeg(
    write: Write, tmp_path: Path
) -> None:
    write_jpeg(tmp_path / "cifar10-jpeg")
    write(ARCHIVE, records(np.full_like(PLANES, 1)))
    assert load("cifar10").notes == ()
    assert (load("cifar10", "test").pixels == 1).all()
    write(UNPACKED, records(np.full_like(PLANES, 2)))
    assert (load("cifar10", "test").pixels == 2).all()


def test_a_survey_goes_through_an_archive_once_a_split(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(ARCHIVE, records())
    opened = []
    really_open = tarfile.open

    def watched(path: Path, mode: str) -> tarfile.TarFile:
        opened.append(path)
        return really_open(path, "r|gz")

    monkeypatch.setattr(tarfile, "open", watched)
    found = survey("cifar10")
    assert (len(opened), found.pictures) == (2, 6 * ROWS)
    counts = np.bincount(LABELS.ravel(), minlength=10).tolist()
    assert [*found.classes.items()] == [*zip(CLASSES, counts, strict=True)]


@PLACES
@pytest.mark.parametrize("size", [12_291, 12_293])
def test_files_of_another_size_are_named(write: Write, place: str, size: int) -> None:
    content = records()
    content["data_batch_2.bin"] = content["data_batch_2.bin"][:size].ljust(size)
    path = write(place, content)
    unpacked = place == UNPACKED
    file = path / "data_batch_2.bin" if unpacked else f"data_batch_2.bin in {path}"
    assert message() == (
        f"{file}: received {size:,} bytes; allowed: 12,292 bytes, for 4 pictures. Fetch "
        "cifar-10-binary.tar.gz again."
    )


@PLACES
def test_missing_batches_are_named(write: Write, place: str) -> None:
    content = {name: batch for name, batch in records().items() if "2" not in name}
    path = write(place, content)
    assert message() == (
        f"{path}: received no data_batch_2.bin in it; allowed: CIFAR-10 as it was "
        "published. Fetch cifar-10-binary.tar.gz again."
    )
    assert len(load("cifar10", "test")) == ROWS


def test_archives_are_verified(write: Write) -> None:
    path = write(ARCHIVE, records())
    path.write_bytes(path.read_bytes()[:-1])
    assert message("test") == (
        f"{path}: received a file with the wrong checksum; allowed: CIFAR-10 as it was "
        "published. Delete it, or fetch it again from "
        "https://www.cs.toronto.edu/~kriz/cifar.html."
    )


def test_labels_beyond_the_ten_classes_are_refused(write: Write) -> None:
    content = records()
    content["test_batch.bin"] = b"\x0a" + content["test_batch.bin"][1:]
    path = write(UNPACKED, content) / "test_batch.bin"
    assert message("test") == (
        f"{path}: received data that cannot be read (labels from {LABELS[5, 1:].min()} to "
        "10); allowed: CIFAR-10 as it was published. Check it, or make it again."
    )


@pytest.mark.parametrize("name", ["cifar-10-batches-py", "cifar-10-python.tar.gz"])
def test_the_python_edition_is_refused_with_what_to_do(
    folder: Path, write: Write, name: str
) -> None:
    (folder / name).mkdir(parents=True)
    assert message("test") == (
        f"{folder / name}: received CIFAR-10's Python edition, which is pickled; "
        "allowed: its binary edition. Put cifar-10-binary.tar.gz beside it, or move it "
        "away, and that is downloaded."
    )
    write(UNPACKED, records())
    assert len(load("cifar10", "test")) == ROWS


def write_jpeg(
    folder: Path, classes: tuple[str, ...] = CLASSES, counts: tuple[int, int] = (20, 4)
) -> list[bytes]:
    """Write Parquet files of JPEG pictures as Hugging Face's datasets does."""
    folder.mkdir(parents=True)
    kind = {"_type": "ClassLabel", "names": classes}
    encoded = [by_pillow(each, "JPEG") for each in PLANES.reshape(-1, 32, 32, 3)]
    parts = {"train": slice(counts[0]), "test": slice(24 - counts[1], None)}
    for split, part in parts.items():
        labels = LABELS.ravel()[part].astype(np.int64)
        columns = {"img": structs(encoded[part]), "label": labels}
        about = {"img": {"_type": "Image"}, "label": kind}
        parquet(folder / f"{split}.parquet", columns, about)
    return encoded


def test_pictures_that_went_through_jpeg_are_read_and_say_so(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "one.jpeg").write_bytes(write_jpeg(tmp_path / "cifar10-jpeg")[18])
    images = load("cifar10", "train[18:]+test")
    reference = np.asarray(Image.open(tmp_path / "one.jpeg"))
    assert images.pixels[0].tolist() == reference.tolist()
    assert labels_of(images).tolist() == LABELS.ravel()[18:].tolist()
    assert images.names[:3] == ["train/00018", "train/00019", "test/00000"]
    assert (images.classes, images.source) == (CLASSES, "cifar10")
    assert images.notes == (
        "The pictures went through JPEG once, so figures are those of CIFAR-10-JPEG, "
        "not of CIFAR-10.",
    )
    assert survey("cifar10").pictures == 6 * ROWS


def test_jpeg_pictures_of_other_numbers_or_classes_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "cifar10-jpeg"
    allowed = (
        "allowed: the 50,000 pictures of train and 10,000 of test, in CIFAR-10's "
        "classes. To read it as it is, give its path."
    )
    write_jpeg(place, counts=(19, 4))
    assert message() == (
        f"{place}: received other numbers of pictures (19 of train and 4 of test); {allowed}"
    )
    shutil.rmtree(place)
    write_jpeg(place, classes=(*CLASSES[:9], "lorry"))
    assert message() == (
        f"{place}: received other classes (airplane, automobile, bird, cat, deer, dog, "
        f"frog, horse, ship, lorry); {allowed}"
    )


def test_the_archive_is_fetched_once_and_quietly(
    folder: Path,
    write: Write,
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    archive = write(ARCHIVE, records(), tmp_path / "elsewhere")
    address = serve({archive.name: archive.read_bytes()})
    monkeypatch.setattr(cifar10, "ADDRESS", f"http://{address}/good/{archive.name}")
    images = load("cifar10", "test")
    assert labels_of(images).tolist() == LABELS[5].tolist()
    assert [path.name for path in folder.iterdir()] == [archive.name]
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr(cifar10, "ADDRESS", f"http://{address}/gone/")
    assert load("cifar10", "test").fingerprint == images.fingerprint


def test_a_failed_download_says_where_to_put_the_archive(
    folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = serve({"x": b"other bytes"})
    monkeypatch.setattr(cifar10, "ADDRESS", f"http://{address}/good/x")
    assert message("test") == (
        "cifar10: received no file cifar-10-binary.tar.gz, and no download "
        f"({address}: wrong checksum); allowed: its archive on disk, or a connection to "
        f"fetch it. Put it into {folder}, or set CAES_DATA to the folder that holds "
        "cifar10/."
    )
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("name", "train"), [("cifar10", 50_000), ("mnist", 60_000)])
def test_counting_needs_neither_files_nor_network(
    name: str, train: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAES_DATA", str(tmp_path / "nothing"))
    assert split_names(name) == {"train": train, "test": 10_000}
    assert not (tmp_path / "nothing").exists()


def test_the_real_pictures_are_a_thousand_of_each_class() -> None:
    given = Path(os.environ.get("CAES_DATA", "nowhere"))
    if not (given / "cifar10-jpeg").is_dir():
        pytest.skip("needs the real files: CAES_DATA has no cifar10-jpeg")
    images = load("cifar10", "test")
    assert images.shape == (10_000, 32, 32, 3)
    assert images.dtype == np.uint8
    assert images.classes == CLASSES
    assert np.bincount(labels_of(images)).tolist() == [1000] * 10
    # The known means of red, green and blue over the training pictures.
    means = images.pixels.mean(axis=(0, 1, 2))
    assert means == pytest.approx([125.3, 123.0, 113.9], abs=1.5)
    by_path = load(given / "cifar10-jpeg", "test[:50]")
    if images.notes:
        assert by_path.fingerprint == images[:50].fingerprint
