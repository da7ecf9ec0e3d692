"""CIFAR-10 on disk as it was published, unpacked or not, in either of two formats."""

import hashlib
import tarfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from caes.data.reading import guarded
from caes.data.sources import cifar10_batches
from caes.data.sources.cifar10_batches import VALUES, Batch, from_pickle, from_records
from caes.errors import DataError

PAGE = "https://www.cs.toronto.edu/~kriz/"
_WHAT = "CIFAR-10 as it was published"


@dataclass(frozen=True)
class Edition:
    """One of the two forms in which the batches were published.

    Args:
        archive: The name of the gzipped tar archive.
        md5: The archive's checksum.
        folder: The folder that the archive unpacks to.
        suffix: What a batch's name ends with.
        row_bytes: The least and the most bytes of a file, for each of its pictures.
        parse: Makes a batch of a file's bytes, or raises any exception.
    """

    archive: str
    md5: str
    folder: str
    suffix: str
    row_bytes: tuple[int, int]
    parse: Callable[[bytes], Batch]

    def check_size(self, name: str, size: int) -> None:
        """Refuse a file that is too short or too long, before it is read.

        Raises:
            DataError: It has another number of bytes than its pictures need.
        """
        rows = cifar10_batches.ROWS
        least, most = (rows * each for each in self.row_bytes)
        if not least <= size <= most:
            bounds = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            raise DataError(
                name,
                f"{size:,} bytes",
                f"{bounds} bytes, for {rows:,} pictures",
                f"Fetch {self.archive} again.",
            )


@dataclass(frozen=True)
class Published:
    """An edition on disk: its folder, or its archive, which is read without unpacking.

    Args:
        edition: What it is.
        path: Where it is.
    """

    edition: Edition
    path: Path

    def batches(self, names: Collection[str]) -> Iterator[tuple[str, Batch]]:
        """Read some batches, each with its name, in the order in which they come.

        Args:
            names: Without suffix, such as "data_batch_1".

        Raises:
            DataError: One is missing, forbidden, damaged, or of the wrong size; or the
                archive's checksum is wrong.
        """
        files = {f"{name}{self.edition.suffix}": name for name in names}
        inside = self._in_folder if self.path.is_dir() else self._in_archive
        for file, content in inside(set(files)):
            with guarded(self._called(file), _WHAT):
                batch = self.edition.parse(content)
            yield files.pop(file), batch
        if files:
            raise DataError(
                str(self.path),
                f"no {', '.join(files)} in it",
                _WHAT,
                f"Fetch {self.edition.archive} again.",
            )

    def _called(self, file: str) -> str:
        folder = self.path.is_dir()
        return str(self.path / file) if folder else f"{file} in {self.path}"

    def _in_folder(self, files: set[str]) -> Iterator[tuple[str, bytes]]:
        for file in sorted(files):
            path = self.path / file
            if path.exists():
                with guarded(path, _WHAT):
                    self.edition.check_size(str(path), path.stat().st_size)
                    content = path.read_bytes()
                yield file, content

    def _in_archive(self, files: set[str]) -> Iterator[tuple[str, bytes]]:
        """Go through the archive once, its files being in no order."""
        _check_md5(self.path, self.edition.md5)
        with tarfile.open(self.path, "r|gz") as archive:
            while files and (found := self._next_of(files, archive)):
                yield found
                files.remove(found[0])

    def _next_of(
        self, files: set[str], archive: tarfile.TarFile
    ) -> tuple[str, bytes] | None:
        with guarded(self.path, _WHAT):
            while member := archive.next():
                file = member.name.removeprefix(f"{self.edition.folder}/")
                if file in files and member.isreg():
                    self.edition.check_size(self._called(file), member.size)
                    content = archive.extractfile(member)
                    return file, content.read() if content else b""
        return None


def published_in(folder: Path) -> Published | None:
    """Find an edition in a folder, unpacked or not: the raw one first."""
    for edition in (BINARY, PYTHON):
        for path in (folder / edition.folder, folder / edition.archive):
            if path.exists():
                return Published(edition, path)
    return None


def _check_md5(path: Path, md5: str) -> None:
    with guarded(path, _WHAT), path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != md5:
        raise DataError(
            str(path),
            "a file with the wrong checksum",
            _WHAT,
            f"Delete it, or fetch it again from {PAGE}cifar.html.",
        )


BINARY = Edition(
    "cifar-10-binary.tar.gz",
    "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-10-batches-bin",
    ".bin",
    (1 + VALUES, 1 + VALUES),
    from_records,
)
PYTHON = Edition(
    "cifar-10-python.tar.gz",
    "c58f30108f718f92721af3b95e74349a",
    "cifar-10-batches-py",
    "",
    (VALUES, 2 * VALUES),
    from_pickle,
)
