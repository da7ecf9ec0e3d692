"""CIFAR-10: 60,000 small photographs, from the data folder or downloaded into it."""

import hashlib
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from caes.data.imageset import ImageSet, Skipped
from caes.data.reading import guarded
from caes.data.sources.base import Classes
from caes.data.sources.parquet import Parquet
from caes.data.sources.standard import Pair, Standard, download
from caes.errors import DataError
from caes.files import data_folder

PAGE = "https://www.cs.toronto.edu/~kriz/"
ARCHIVE = "cifar-10-binary.tar.gz"
ADDRESS = f"{PAGE}{ARCHIVE}"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
ROWS = 10_000  # pictures in each batch
JPEG_NOTE = (
    "The pictures went through JPEG once, so figures are those of CIFAR-10-JPEG, not "
    "of CIFAR-10."
)
_UNPACKED = "cifar-10-batches-bin"
_PICKLED = ("cifar-10-batches-py", "cifar-10-python.tar.gz")
_RECORD = 1 + 3 * 32 * 32  # bytes: a label, then red, green and blue, row by row
_PUBLISHED = "CIFAR-10 as it was published"
_BATCHES = {
    "train": [f"data_batch_{number}.bin" for number in range(1, 6)],
    "test": ["test_batch.bin"],
}


class Cifar10(Standard):
    """50,000 pictures to train on and 10,000 to test, 32×32×3, uint8, ten classes.

    In the data folder these are looked for, and the first is read: the binary edition
    in ``cifar10``, unpacked or not, then Parquet files of JPEG pictures in
    ``cifar10-jpeg``. Where there are none, the archive is downloaded and verified.
    """

    name = "cifar10"
    classes: ClassVar[Classes] = (
        "airplane", "automobile", "bird", "cat", "deer",
        "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip

    def splits(self) -> dict[str, int]:
        """50,000 and 10,000, whether or not the files are here."""
        return {split: ROWS * len(names) for split, names in _BATCHES.items()}

    def whole(self, split: str) -> Pair:
        """Read the batches of a split; an archive is gone through once."""
        names = _BATCHES[split]
        pixels = np.empty((len(names), ROWS, 32, 32, 3), np.uint8)
        labels = np.empty((len(names), ROWS), np.uint8)
        path = self._binary or _fetched()
        missing = {*names}
        for name, called, content in _contents(path, names):
            with guarded(called, _PUBLISHED):
                at = names.index(name)
                pixels[at], labels[at] = _records(content)
            missing.discard(name)
        if missing:
            received = f"no {', '.join(sorted(missing))} in it"
            raise DataError(str(path), received, _PUBLISHED, f"Fetch {ARCHIVE} again.")
        return pixels.reshape(-1, 32, 32, 3), labels.ravel()

    def read(self, split: str, rows: range) -> ImageSet:
        """Read these rows, in the one form or in the other."""
        jpeg = self._jpeg()
        if jpeg is None:
            return super().read(split, rows)
        counts = jpeg.splits()
        if counts != self.splits():
            received = " and ".join(f"{n:,} of {each}" for each, n in counts.items())
            raise self._other_jpeg(f"other numbers of pictures ({received})")
        images = jpeg.read(split, rows)
        if images.classes != self.classes:
            listed = ", ".join(images.classes) or "none"
            raise self._other_jpeg(f"other classes ({listed})")
        return replace(images, source=self.name, notes=(*images.notes, JPEG_NOTE))

    def stream(self, split: str, rows: range) -> Iterator[ImageSet | Skipped]:
        """Give all rows at once: JPEG pictures are decoded once, and kept."""
        yield self.read(split, rows)

    @cached_property
    def _binary(self) -> Path | None:
        folder = data_folder() / self.name
        places = (folder / _UNPACKED, folder / ARCHIVE)
        return next((path for path in places if path.exists()), None)

    def _jpeg(self) -> Parquet | None:
        jpeg = data_folder() / "cifar10-jpeg"
        found = self._binary is None and Parquet.opens(jpeg)
        return Parquet(jpeg, self.reading) if found else None

    def _other_jpeg(self, received: str) -> DataError:
        return DataError(
            str(data_folder() / "cifar10-jpeg"),
            received,
            "the 50,000 pictures of train and 10,000 of test, in CIFAR-10's classes",
            "To read it as it is, give its path.",
        )


def _fetched() -> Path:
    folder = data_folder() / "cifar10"
    for path in (folder / name for name in _PICKLED):
        if path.exists():
            raise DataError(
                str(path),
                "CIFAR-10's Python edition, which is pickled",
                "its binary edition",
                f"Put {ARCHIVE} beside it, or move it away, and that is downloaded.",
            )
    path = folder / ARCHIVE
    download("cifar10", [ADDRESS], MD5, path, ("its archive", "it"))
    return path


def _contents(path: Path, names: Collection[str]) -> Iterator[tuple[str, str, bytes]]:
    """Read batches from a folder or the archive, in its order: name, place, bytes."""
    if path.is_dir():
        for name, file in ((name, path / name) for name in names):
            if file.exists():
                with guarded(file, _PUBLISHED):
                    _check_size(str(file), file.stat().st_size)
                    batch = file.read_bytes()
                yield name, str(file), batch
        return
    with guarded(path, _PUBLISHED), path.open("rb") as archive:
        found = hashlib.file_digest(archive, "md5").hexdigest()
    if found != MD5:
        raise DataError(
            str(path),
            "a file with the wrong checksum",
            _PUBLISHED,
            f"Delete it, or fetch it again from {PAGE}cifar.html.",
        )
    left = len(names)
    with guarded(path, _PUBLISHED), tarfile.open(path, "r|gz") as members:
        while left and (member := members.next()):
            name = member.name.removeprefix(f"{_UNPACKED}/")
            if name in names and member.isreg():
                called = f"{name} in {path}"
                _check_size(called, member.size)
                content = members.extractfile(member)
                yield name, called, content.read() if content else b""
                left -= 1


def _check_size(called: str, size: int) -> None:
    """Refuse a file that is too short or too long, before it is read."""
    if size != ROWS * _RECORD:
        raise DataError(
            called,
            f"{size:,} bytes",
            f"{ROWS * _RECORD:,} bytes, for {ROWS:,} pictures",
            f"Fetch {ARCHIVE} again.",
        )


def _records(content: bytes) -> Pair:
    records = np.frombuffer(content, np.uint8).reshape(ROWS, _RECORD)
    labels = records[:, 0]
    if labels.max() >= len(Cifar10.classes):
        raise ValueError(f"labels from {labels.min()} to {labels.max()}")
    planes = records[:, 1:].reshape(ROWS, 3, 32, 32)
    return planes.transpose(0, 2, 3, 1), labels
