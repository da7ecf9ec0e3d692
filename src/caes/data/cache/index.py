"""The index of a prepared set: what its pictures are, written once all are there."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from caes.data.decode.gather import Batch
from caes.data.imageset import Skipped
from caes.files import cache_folder, write_whole

FORMAT = 2  # of pixels and index together; raised when pictures come out otherwise
INDEX = "index.json"
_DAMAGED = (OSError, ValueError, KeyError, TypeError, RecursionError)


@dataclass(frozen=True)
class Index:
    """What a prepared set holds."""

    source: str  # the path that the pictures come from
    asked: int  # pictures that were asked for
    pixels: str  # the array's file: pictures come first, there may be room for more
    missing: list[int]  # positions of those that were skipped, ascending
    skipped: list[tuple[str, str]]  # their names and reasons
    notes: list[str]  # a sentence for each thing that was done to some

    @property
    def rows(self) -> list[int]:
        """Positions of those in the array, ascending."""
        return sorted({*range(self.asked)}.difference(self.missing))

    def batch(self, pixels: NDArray[Any]) -> Batch:
        """Give what the set holds, its array being mapped."""
        rows = self.rows
        skipped = tuple(Skipped(name, reason) for name, reason in self.skipped)
        missing, notes = tuple(self.missing), tuple(self.notes)
        return Batch(pixels[: len(rows)], rows, skipped, notes, missing)


def prepared_folder() -> Path:
    """Where prepared sets are kept: a folder each, named by its key."""
    return cache_folder() / "prepared"


def located(source: str) -> str:
    """Give a path wherever it is read from, and any other source as it is written."""
    return os.path.abspath(source) if os.path.exists(source) else source


def read_index(folder: Path) -> Index | None:
    """Read a set's index; None where there is none, or a damaged one."""
    try:
        about = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        about["skipped"] = [(str(name), str(why)) for name, why in about["skipped"]]
        index = Index(**about)
        return index if len(index.missing) == len(index.skipped) else None
    except _DAMAGED:
        return None


def write_index(folder: Path, index: Index) -> None:
    """Write a set's index, or raise an `OutputError`."""
    write_whole(folder / INDEX, json.dumps(asdict(index)).encode())


def mapped(path: Path, count: int) -> Any:
    """Map a set's array; None where it is not there, or holds fewer pictures."""
    try:
        pixels = open_memmap(path, mode="r")
    except _DAMAGED:
        return None
    whole = pixels.ndim == 4 and len(pixels) >= count
    return pixels if whole and pixels.dtype.kind in "uif" else None


def set_folders() -> Iterator[Path]:
    """Give the folders of all prepared sets, finished or not."""
    folder = prepared_folder()
    if folder.is_dir():
        yield from sorted(each for each in folder.iterdir() if each.is_dir())
