import hashlib
import io
import json
import os
import pickle
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from caes.data import load, split_names, survey
from caes.data.sources import cifar10, cifar10_batches, cifar10_editions
from caes.errors import CaesError, DataError
from tests.data.python2 import Pickler, batch, pickled

ROWS = 4
NAMES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
RANDOM = np.random.default_rng(10)
LABELS = RANDOM.integers(0, 10, (6, ROWS), np.uint8)
PLANES = RANDOM.integers(0, 256, (6, ROWS, 3072), np.uint8)

Content = dict[str, bytes]


def records(planes: NDArray[np.uint8] = PLANES) -> Content:
    return {
        f"{name}.bin": np.hstack([labels[:, None], values]).tobytes()
        for name, labels, values in zip(NAMES, LABELS, planes, strict=True)
    }


def pickles(planes: NDArray[np.uint8] = PLANES) -> Content:
    # Every other one stored by columns, which is NumPy's to choose.
    return {
        name: batch(labels.tolist(), values, by_columns=number % 2 == 1)
        for number, (name, labels, values) in enumerate(
            zip(NAMES, LABELS, planes, strict=True)
        )
    }


def unpack(folder: Path, content: Content) -> Path:
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No files yet, batches of a few pictures, and no way out."""
    monkeypatch.setenv("CAES_DATA", str(tmp_path))
    monkeypatch.setattr(cifar10_batches, "ROWS", ROWS)
    monkeypatch.setattr(cifar10, "ADDRESS", "http://127.0.0.1:9/nothing.tar.gz")
    return tmp_path / "cifar10"


Pack = Callable[..., Path]


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch) -> Pack:
    """Write an archive, its files in another order, and take its checksum for right."""

    def write(folder: Path, kind: str, content: Content) -> Path:
        edition = getattr(cifar10_editions, kind)
        folder.mkdir(parents=True, exist_ok=True)
        path: Path = folder / edition.archive
        with tarfile.open(path, "w:gz") as archive:
            _member(archive, f"../{edition.folder}/readme.html", b"not to be unpacked")
            for name in sorted(content, reverse=True):
                _member(archive, f"{edition.folder}/{name}", content[name])
        known = replace(edition, md5=hashlib.md5(path.read_bytes()).hexdigest())
        for module in (cifar10_editions, cifar10):
            monkeypatch.setattr(module, kind, known, raising=False)
        return path

    return write


def _member(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size = len(content)
    archive.addfile(about, io.BytesIO(content))


Place = Callable[[Path, Pack], Path]
PLACES: dict[str, Place] = {
    "raw": lambda folder, pack: unpack(folder / "cifar-10-batches-bin", records()),
    "raw packed": lambda folder, pack: pack(folder, "BINARY", records()),
    "python": lambda folder, pack: unpack(folder / "cifar-10-batches-py", pickles()),
    "python packed": lambda folder, pack: pack(folder, "PYTHON", pickles()),
}


def message(split: str = "train") -> str:
    with pytest.raises(DataError) as caught:
        load("cifar10", split)
    return str(caught.value)


@pytest.mark.parametrize("place", PLACES)
def test_every_form_gives_the_same_pictures(
    folder: Path, pack: Pack, place: str
) -> None:
    PLACES[place](folder, pack)
    before = sorted(folder.parent.rglob("*"))
    images = load("cifar10", "train+test")
    assert images.shape == (6 * ROWS, 32, 32, 3)
    assert images.dtype == np.uint8
    assert images.labels is not None
    assert images.labels.dtype == np.int64
    assert images.labels.tolist() == LABELS.ravel().tolist()
    # Each record has the 1,024 values of red row by row, then green, then blue.
    values = PLANES.reshape(-1, 3072)
    for row, y, x, colour in np.ndindex(6 * ROWS, 32, 32, 3):
        assert (
            images.pixels[row, y, x, colour] == values[row, colour * 1024 + y * 32 + x]
        )
    assert images.names[:2] == ["train/00000", "train/00001"]
    assert images.names[-1] == "test/00003"
    assert (images.classes, images.source) == (CLASSES, "cifar10")
    assert (images.notes, images.skipped) == ((), ())
    assert sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("split", ["train[3:9]", "train[7:8]", "test[1:]"])
def test_rows_are_those_of_the_whole(
    folder: Path, pack: Pack, place: str, split: str
) -> None:
    PLACES[place](folder, pack)
    name, bounds = split.rstrip("]").split("[")
    low, _, high = bounds.partition(":")
    expected = load("cifar10", name)[slice(int(low), int(high) if high else None)]
    images = load("cifar10", split)
    assert images.fingerprint == expected.fingerprint
    assert images.names == expected.names


def test_only_the_batches_that_are_needed_are_read(folder: Path) -> None:
    batches = unpack(folder / "cifar-10-batches-bin", records())
    for name in ("data_batch_1.bin", "data_batch_3.bin", "test_batch.bin"):
        (batches / name).unlink()
    images = load("cifar10", f"train[{ROWS}:{2 * ROWS}]")
    assert images.labels is not None
    assert images.labels.tolist() == LABELS[1].tolist()
    assert message() == (
        f"{batches}: received no data_batch_1.bin, data_batch_3.bin in it; allowed: "
        "CIFAR-10 as it was published. Fetch cifar-10-binary.tar.gz again."
    )


def test_raw_batches_come_before_python_s_and_folders_before_archives(
    folder: Path, pack: Pack
) -> None:
    """Each place holds pictures of one value, its rank."""
    for rank, (kind, name, content) in reversed(
        list(
            enumerate(
                [
                    ("BINARY", "cifar-10-batches-bin", records),
                    ("BINARY", None, records),
                    ("PYTHON", "cifar-10-batches-py", pickles),
                    ("PYTHON", None, pickles),
                ]
            )
        )
    ):
        written = content(np.full_like(PLANES, rank))
        if name:
            unpack(folder / name, written)
        else:
            pack(folder, kind, written)
        assert (load("cifar10", "test").pixels == rank).all()


def test_a_survey_goes_through_an_archive_once_a_split(
    folder: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(folder, "BINARY", records())
    opened = []
    really_open = tarfile.open

    def watched(path: Path, mode: str) -> tarfile.TarFile:
        opened.append(path)
        return really_open(path, "r|gz")

    monkeypatch.setattr(tarfile, "open", watched)
    found = survey("cifar10")
    assert len(opened) == 2
    assert found.pictures == 6 * ROWS
    assert list(found.classes) == list(CLASSES)
    counted = dict(zip(CLASSES, np.bincount(LABELS.ravel(), minlength=10), strict=True))
    assert found.classes == counted


@pytest.mark.parametrize(
    ("place", "size", "allowed"),
    [
        ("raw", 12_291, "12,292 bytes, for 4 pictures"),
        ("raw", 12_293, "12,292 bytes, for 4 pictures"),
        ("python", 12_287, "12,288 to 24,576 bytes, for 4 pictures"),
        ("python", 24_577, "12,288 to 24,576 bytes, for 4 pictures"),
    ],
)
def test_files_of_another_size_are_named(
    folder: Path, pack: Pack, place: str, size: int, allowed: str
) -> None:
    where = PLACES[place](folder, pack)
    path = next(where.glob("data_batch_2*"))
    path.write_bytes(path.read_bytes()[:size].ljust(size))
    kind = "binary" if place == "raw" else "python"
    assert message() == (
        f"{path}: received {size:,} bytes; allowed: {allowed}. Fetch "
        f"cifar-10-{kind}.tar.gz again."
    )
    assert len(load("cifar10", f"train[:{ROWS}]")) == ROWS


def test_a_pickle_that_ends_early_is_named(folder: Path, pack: Pack) -> None:
    path = PLACES["python"](folder, pack) / "test_batch"
    path.write_bytes(path.read_bytes()[:-1])
    assert message("test") == (
        f"{path}: received data that cannot be read (pickle exhausted before seeing "
        "STOP); allowed: CIFAR-10 as it was published. Check it, or make it again."
    )


@pytest.mark.parametrize("place", ["raw packed", "python packed"])
def test_archives_are_verified(folder: Path, pack: Pack, place: str) -> None:
    path = PLACES[place](folder, pack)
    path.write_bytes(path.read_bytes()[:-1])
    assert message("test") == (
        f"{path}: received a file with the wrong checksum; allowed: CIFAR-10 as it was "
        "published. Delete it, or fetch it again from "
        "https://www.cs.toronto.edu/~kriz/cifar.html."
    )


def test_the_checksums_are_those_of_the_published_archives() -> None:
    published = {
        "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
    }
    editions = (cifar10_editions.BINARY, cifar10_editions.PYTHON)
    assert {each.archive: each.md5 for each in editions} == published
    assert cifar10.ADDRESS == (
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    )


def test_what_is_wrong_within_an_archive_is_named(folder: Path, pack: Pack) -> None:
    content = records()
    content["test_batch.bin"] = content["test_batch.bin"][:-1]
    path = pack(folder, "BINARY", content)
    assert message("test") == (
        f"test_batch.bin in {path}: received 12,291 bytes; allowed: 12,292 bytes, for 4 "
        "pictures. Fetch cifar-10-binary.tar.gz again."
    )
    del content["test_batch.bin"]
    pack(folder, "BINARY", content)
    assert message("test") == (
        f"{path}: received no test_batch.bin in it; allowed: CIFAR-10 as it was "
        "published. Fetch cifar-10-binary.tar.gz again."
    )


def test_labels_beyond_the_ten_classes_are_refused(folder: Path) -> None:
    content = records()
    content["test_batch.bin"] = b"\x0a" + content["test_batch.bin"][1:]
    path = unpack(folder / "cifar-10-batches-bin", content) / "test_batch.bin"
    lowest = LABELS[5, 1:].min()
    assert message("test") == (
        f"{path}: received data that cannot be read (labels from {lowest} to 10); "
        "allowed: CIFAR-10 as it was published. Check it, or make it again."
    )


class Attack:
    """Asks, once unpickled, for a command to be run."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("packed", [False, True])
def test_a_hostile_pickle_is_refused_and_runs_nothing(
    folder: Path, pack: Pack, tmp_path: Path, protocol: int, packed: bool
) -> None:
    marker = tmp_path / "marker"
    hostile = pickle.dumps((Attack(marker), "x" * ROWS * 3072), protocol)
    content = pickles() | {"test_batch": hostile}
    place = folder / "cifar-10-batches-py"
    path = pack(folder, "PYTHON", content) if packed else unpack(place, content)
    name = f"test_batch in {path}" if packed else f"{path / 'test_batch'}"
    reason = {
        0: "a pickle that asks for posix.system",
        2: "a pickle that asks for posix.system",
        4: "a pickle with the opcode FRAME",
    }[protocol]
    assert message("test") == (
        f"{name}: received data that cannot be read ({reason}); allowed: CIFAR-10 as "
        "it was published. Check it, or make it again."
    )
    assert not marker.exists()
    pickle.loads(hostile)
    assert marker.exists()


def test_a_call_hidden_in_a_whole_batch_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    whole = batch(LABELS[0].tolist(), PLANES[0])
    call = b"cposix\nsystem\n" + Pickler().text(f"touch {marker}") + b"\x85R"
    hostile = whole[:-1] + Pickler().text("more") + call + b"s."
    assert isinstance(pickle.loads(hostile, encoding="latin1"), dict)
    marker.unlink()
    batches = unpack(folder / "cifar-10-batches-py", {"test_batch": hostile})
    assert message("test") == (
        f"{batches / 'test_batch'}: received data that cannot be read (a pickle that "
        "asks for posix.system); allowed: CIFAR-10 as it was published. Check it, or "
        "make it again."
    )
    assert not marker.exists()


write = Pickler()


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ({}, "a pickle without labels and data"),
        (
            {"labels": write.number(3), "data": write.array(PLANES[0])},
            "labels that are not a list of whole numbers",
        ),
        (
            {"labels": write.list_of(4 * [b"\x88"]), "data": write.array(PLANES[0])},
            "labels that are not a list of whole numbers",
        ),
        (
            {"labels": write.list_of(4 * [b"K\0"]), "data": write.text("x")},
            "no array N×M of uint8 where one should be",
        ),
        (
            {"labels": write.list_of(3 * [b"K\0"]), "data": write.array(PLANES[0])},
            "arrays of (4, 3072) values and (3,) labels for 4 pictures",
        ),
        (
            {"labels": write.list_of(4 * [b"K\0"]), "data": write.array(PLANES[0].T)},
            "arrays of (3072, 4) values and (4,) labels for 4 pictures",
        ),
        (
            {
                "labels": write.list_of([write.number(n) for n in (0, 9, -1, 3)]),
                "data": write.array(PLANES[0]),
            },
            "labels from -1 to 9",
        ),
    ],
)
def test_pickles_of_anything_else_are_refused(
    folder: Path, items: dict[str, bytes], reason: str
) -> None:
    content = pickled(Pickler().dict_of(items))
    padding = Pickler().text("x") + b"T\0\x30\0\0" + bytes(0x3000)
    if len(content) < ROWS * 3072:
        content = content[:-1] + padding + b"s."
    batches = unpack(folder / "cifar-10-batches-py", {"test_batch": content})
    assert message("test") == (
        f"{batches / 'test_batch'}: received data that cannot be read ({reason}); "
        "allowed: CIFAR-10 as it was published. Check it, or make it again."
    )


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_broken_pickles_load_or_are_refused_and_nothing_else(
    data: st.DataObject, folder: Path
) -> None:
    content = bytearray(batch(LABELS[0].tolist(), PLANES[0]))
    start = content.index(PLANES[0].tobytes())
    opcodes = [*range(start), *range(start + PLANES[0].nbytes, len(content))]
    places = st.tuples(st.sampled_from(opcodes), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=3)):
        content[place] = value
    batches = folder / "cifar-10-batches-py"
    batches.mkdir(parents=True, exist_ok=True)
    (batches / "test_batch").write_bytes(content)
    with suppress(CaesError):
        assert load("cifar10", "test").shape == (ROWS, 32, 32, 3)


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def write_jpeg(
    folder: Path, classes: tuple[str, ...] = CLASSES, counts: tuple[int, int] = (20, 4)
) -> dict[str, list[bytes]]:
    """Write Parquet files of JPEG pictures as Hugging Face's datasets does."""
    folder.mkdir(parents=True)
    features = {
        "img": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": classes},
    }
    metadata = json.dumps({"info": {"features": features}})
    written = {}
    pictures = PLANES.reshape(-1, 32, 32, 3)
    for split, part in (
        ("train", slice(counts[0])),
        ("test", slice(24 - counts[1], None)),
    ):
        encoded = [jpeg(picture) for picture in pictures[part]]
        labels = LABELS.ravel()[part].astype(np.int64)
        table = pa.table(
            {"img": [{"bytes": each} for each in encoded], "label": labels}
        )
        table = table.replace_schema_metadata({"huggingface": metadata})
        pq.write_table(table, folder / f"{split}.parquet", row_group_size=3)
        written[split] = encoded
    return written


def test_pictures_that_went_through_jpeg_are_read_and_say_so(
    folder: Path, tmp_path: Path
) -> None:
    encoded = write_jpeg(tmp_path / "cifar10-jpeg")
    images = load("cifar10", "train[18:]+test")
    for row, content in enumerate(encoded["train"][18:] + encoded["test"]):
        reference = np.asarray(Image.open(io.BytesIO(content)))
        assert images.pixels[row].tolist() == reference.tolist()
    assert images.labels is not None
    assert images.labels.tolist() == LABELS.ravel()[18:].tolist()
    assert images.names[:3] == ["train/00018", "train/00019", "test/00000"]
    assert (images.classes, images.source) == (CLASSES, "cifar10")
    assert images.notes == (
        "The pictures went through JPEG once, so figures are those of CIFAR-10-JPEG, "
        "not of CIFAR-10.",
    )
    assert survey("cifar10").pictures == 6 * ROWS


def test_batches_come_before_jpeg(folder: Path, tmp_path: Path, pack: Pack) -> None:
    write_jpeg(tmp_path / "cifar10-jpeg")
    PLACES["python packed"](folder, pack)
    assert load("cifar10").notes == ()


def test_jpeg_pictures_of_other_numbers_or_classes_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "cifar10-jpeg"
    write_jpeg(place, counts=(19, 4))
    assert message() == (
        f"{place}: received other numbers of pictures (19 of train and 4 of test); "
        "allowed: the 50,000 pictures of train and 10,000 of test, in CIFAR-10's "
        "classes. To read it as it is, give its path."
    )
    for file in place.iterdir():
        file.unlink()
    place.rmdir()
    write_jpeg(place, classes=(*CLASSES[:9], "lorry"))
    assert message() == (
        f"{place}: received other classes (airplane, automobile, bird, cat, deer, dog, "
        "frog, horse, ship, lorry); allowed: the 50,000 pictures of train and 10,000 "
        "of test, in CIFAR-10's classes. To read it as it is, give its path."
    )


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which a server on this machine offers it."""
    root = tmp_path_factory.mktemp("served")
    handler = partial(Quiet, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield root, f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_raw_archive_is_fetched_once_and_quietly(
    folder: Path,
    pack: Pack,
    served: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    root, address = served
    archive = pack(root, "BINARY", records())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(cifar10, "ADDRESS", f"http://{address}/{archive.name}")
    images = load("cifar10", "test")
    assert images.labels is not None
    assert images.labels.tolist() == LABELS[5].tolist()
    assert [path.name for path in folder.iterdir()] == [archive.name]
    assert capfd.readouterr() == ("", "")
    archive.unlink()
    assert load("cifar10", "test").fingerprint == images.fingerprint


@pytest.mark.parametrize(
    ("content", "failure"),
    [(b"other bytes", "wrong checksum"), (None, "404 Client Error: File not found")],
)
def test_a_failed_download_leaves_nothing_and_says_where_to_put_the_archive(
    folder: Path,
    served: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    failure: str,
) -> None:
    root, address = served
    if content is not None:
        (root / "x.tar.gz").write_bytes(content)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(cifar10, "ADDRESS", f"http://{address}/x.tar.gz")
    assert message("test") == (
        "cifar10: received no file cifar-10-binary.tar.gz, and no download "
        f"({address}: {failure}); allowed: its archive on disk, or a connection to "
        f"fetch it. Put it into {folder}, or set CAES_DATA to the folder that holds "
        "cifar10/."
    )
    assert list(folder.iterdir()) == []


def test_counting_needs_neither_files_nor_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAES_DATA", str(tmp_path / "nothing"))
    assert split_names("cifar10") == {"train": 50_000, "test": 10_000}
    assert not (tmp_path / "nothing").exists()


def test_the_real_pictures_are_a_thousand_of_each_class() -> None:
    given = Path(os.environ.get("CAES_DATA", "nowhere"))
    if not (given / "cifar10-jpeg").is_dir():
        pytest.skip("needs the real files: CAES_DATA has no cifar10-jpeg")
    images = load("cifar10", "test")
    assert images.shape == (10_000, 32, 32, 3)
    assert images.dtype == np.uint8
    assert images.classes == CLASSES
    assert images.labels is not None
    assert np.bincount(images.labels).tolist() == [1000] * 10
    # The known means of red, green and blue over the training pictures.
    means = images.pixels.mean(axis=(0, 1, 2))
    assert means == pytest.approx([125.3, 123.0, 113.9], abs=1.5)
    by_path = load(given / "cifar10-jpeg", "test[:50]")
    if images.notes:
        assert by_path.fingerprint == images[:50].fingerprint
    assert by_path.classes == CLASSES
