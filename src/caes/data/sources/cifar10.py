"""CIFAR-10: 60,000 small photographs, from the data folder or downloaded into it."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from caes.data.imageset import ImageSet, Skipped
from caes.data.sources import cifar10_batches
from caes.data.sources.base import Named
from caes.data.sources.cifar10_batches import CLASSES
from caes.data.sources.cifar10_editions import BINARY, PAGE, Published, published_in
from caes.data.sources.download import fetch
from caes.data.sources.parquet import Parquet
from caes.errors import DataError
from caes.files import data_folder

ADDRESS = f"{PAGE}{BINARY.archive}"
JPEG_NOTE = (
    "The pictures went through JPEG once, so figures are those of CIFAR-10-JPEG, not "
    "of CIFAR-10."
)
_BATCHES = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test": ("test_batch",),
}


class Cifar10(Named):
    """50,000 pictures to train on and 10,000 to test, 32×32×3, uint8, ten classes.

    In the data folder these are looked for, and the first is read: the raw batches and
    the Python ones in ``cifar10``, unpacked or not, then Parquet files of JPEG pictures
    in ``cifar10-jpeg``. Where there are none, the raw ones are downloaded and verified.
    """

    name = "cifar10"

    def splits(self) -> dict[str, int]:
        """50,000 and 10,000, whether or not the files are here."""
        rows = cifar10_batches.ROWS
        return {split: rows * len(names) for split, names in _BATCHES.items()}

    def read(self, split: str, rows: range) -> ImageSet:
        """Read the batches that hold these rows, and no others."""
        if isinstance(self._here, Parquet):
            return self._read_jpeg(self._here, split, rows)
        pixels = np.empty((len(rows), 32, 32, 3), np.uint8)
        labels = np.empty(len(rows), np.int64)
        wanted = _parts(split, rows)
        for name, batch in self._here.batches(wanted):
            taken, place = wanted[name]
            pixels[place], labels[place] = batch.pixels[taken], batch.labels[taken]
        return ImageSet.from_pixels(
            pixels,
            self.names(split, rows),
            labels=labels,
            classes=CLASSES,
            source=self.name,
        )

    def pieces(
        self, split: str, rows: range | None = None
    ) -> Iterator[ImageSet | Skipped]:
        """Give all rows at once: an archive can only be read from its start."""
        yield self.read(split, range(self.splits()[split]) if rows is None else rows)

    @cached_property
    def _here(self) -> Published | Parquet:
        folder = data_folder() / self.name
        jpeg = data_folder() / "cifar10-jpeg"
        found = published_in(folder)
        if found is None and Parquet.opens(jpeg):
            return Parquet(jpeg, self.options)
        return found or _download(folder)

    def _read_jpeg(self, jpeg: Parquet, split: str, rows: range) -> ImageSet:
        counts = jpeg.splits()
        if counts != self.splits():
            received = " and ".join(f"{n:,} of {each}" for each, n in counts.items())
            raise _other_jpeg(jpeg.source, f"other numbers of pictures ({received})")
        images = jpeg.read(split, rows)
        if images.classes != CLASSES:
            listed = ", ".join(images.classes) or "none"
            raise _other_jpeg(jpeg.source, f"other classes ({listed})")
        return replace(images, source=self.name, notes=(*images.notes, JPEG_NOTE))


def _parts(split: str, rows: range) -> dict[str, tuple[slice, slice]]:
    """For each batch that is needed: its rows, and their places among those wanted."""
    parts = {}
    for number, name in enumerate(_BATCHES[split]):
        first = number * cifar10_batches.ROWS
        low = max(rows.start, first)
        high = min(rows.stop, first + cifar10_batches.ROWS)
        if low < high:
            taken = slice(low - first, high - first)
            parts[name] = taken, slice(low - rows.start, high - rows.start)
    return parts


def _download(folder: Path) -> Published:
    path = folder / BINARY.archive
    failure = fetch(ADDRESS, BINARY.md5, path)
    if failure is None:
        return Published(BINARY, path)
    raise DataError(
        "cifar10",
        f"no file {path.name}, and no download ({urlsplit(ADDRESS).netloc}: {failure})",
        "its archive on disk, or a connection to fetch it",
        f"Put it into {folder}, or set CAES_DATA to the folder that holds cifar10/.",
    )


def _other_jpeg(path: Path, received: str) -> DataError:
    return DataError(
        str(path),
        received,
        "the 50,000 pictures of train and 10,000 of test, in CIFAR-10's classes",
        "To read it as it is, give its path.",
    )
