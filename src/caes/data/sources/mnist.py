"""MNIST: 70,000 handwritten digits, from the data folder or downloaded into it."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.data.sources.base import Named
from caes.data.sources.download import fetch
from caes.data.sources.idx import read_idx
from caes.errors import DataError
from caes.files import data_folder

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


class Original(NamedTuple):
    """One of the four files as they were published.

    Args:
        name: Without ``.gz``.
        gzip_md5: Of the file as mirrors have it, which is gzipped.
        array_sha256: Of its array's bytes, however the file was packed since.
    """

    name: str
    gzip_md5: str
    array_sha256: str


ORIGINALS = {
    "x_train": Original(
        "train-images-idx3-ubyte",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    ),
    "y_train": Original(
        "train-labels-idx1-ubyte",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    ),
    "x_test": Original(
        "t10k-images-idx3-ubyte",
        "9fb629c4189551a2d022fa330f9573f3",
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    ),
    "y_test": Original(
        "t10k-labels-idx1-ubyte",
        "ec29112dd5afa0611ce80d1b7f02629c",
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
}


class Mnist(Named):
    """60,000 digits to train on and 10,000 to test, 28×28×1, uint8, verified."""

    name = "mnist"

    def splits(self) -> dict[str, int]:
        """60,000 and 10,000, whether or not the files are here."""
        return {"train": 60_000, "test": 10_000}

    def read(self, split: str, rows: range) -> ImageSet:
        """Verify the two files of the split, downloading those that are missing."""
        part = slice(rows.start, rows.stop)
        return ImageSet.from_pixels(
            _array(ORIGINALS[f"x_{split}"])[part],
            self.names(split, rows),
            labels=_array(ORIGINALS[f"y_{split}"])[part].astype(np.int64),
            classes=tuple("0123456789"),
            source=self.name,
        )


def _array(original: Original) -> NDArray[Any]:
    folder = data_folder() / "mnist"
    here = (folder / original.name, folder / f"{original.name}.gz")
    path = next((path for path in here if path.is_file()), None)
    path = path or _download(original, folder)
    array = read_idx(path)
    if hashlib.sha256(array.data).hexdigest() != original.array_sha256:
        raise DataError(
            str(path),
            "a file with the wrong checksum",
            "MNIST as it was published",
            "Delete the file, and it is downloaded again.",
        )
    return array


def _download(original: Original, folder: Path) -> Path:
    """Fetch one file from the first mirror that has it; nothing partial is left."""
    path = folder / f"{original.name}.gz"
    failures = []
    for mirror in MIRRORS:
        failure = fetch(mirror + path.name, original.gzip_md5, path)
        if failure is None:
            return path
        failures.append(f"{urlsplit(mirror).netloc}: {failure}")
    raise DataError(
        "mnist",
        f"no file {path.name}, and no download ({'; '.join(failures)})",
        "its four .gz files on disk, or a connection to fetch them",
        f"Put them into {folder}, or set CAES_DATA to the folder that holds mnist/.",
    )
