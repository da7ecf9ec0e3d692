"""The index of a prepared set: what its pictures are, and how far it has come."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from caes.data.decode.gather import Batch
from caes.data.imageset import Skipped, counted
from caes.files import cache_folder, write_atomically

FORMAT = 1
"""Version of pixels and index together; raised when pictures would come out otherwise.
"""
INDEX, JOURNAL = "index.json", "journal.json"
_DAMAGED = (OSError, ValueError, KeyError, TypeError, RecursionError)


@dataclass(frozen=True)
class Index:
    """What a prepared set holds, or what a set that is being built has so far.

    Args:
        source: The path that the pictures come from.
        asked: Pictures that were asked for.
        done: How many of them have been met; all of them in a finished set.
        pixels: The name of the array's file, which has room for all that were asked
            for, or fewer: the pictures come first, the rest is empty.
        missing: Positions of those that were skipped, ascending.
        skipped: Their names and reasons.
        notes: How many pictures each note is true of.
        others: Of a set that is being built, what does not go with most pictures so
            far: arrays' names, positions and notes.
    """

    source: str
    asked: int
    done: int
    pixels: str = ""
    missing: list[int] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    others: list[tuple[str, list[int], dict[str, int]]] = field(default_factory=list)

    @property
    def rows(self) -> list[int]:
        """Positions of those in the array, ascending."""
        missing = {*self.missing}.union(*(rows for _, rows, _ in self.others))
        return [row for row in range(self.done) if row not in missing]

    def batch(self, pixels: NDArray[Any]) -> Batch:
        """Give what a finished set holds, its array being mapped."""
        rows = self.rows
        skipped = tuple(Skipped(name, reason) for name, reason in self.skipped)
        notes = counted(self.notes)
        return Batch(pixels[: len(rows)], rows, skipped, notes)


def prepared_folder() -> Path:
    """Where prepared sets are kept: a folder each, named by its key."""
    return cache_folder() / "prepared"


def located(source: str) -> str:
    """Give a path wherever it is read from, and any other source as it is written."""
    return os.path.abspath(source) if os.path.exists(source) else source


def read_index(path: Path) -> Index | None:
    """Read an index or a journal; None where there is none, or a damaged one."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        about["skipped"] = [(str(name), str(why)) for name, why in about["skipped"]]
        about["others"] = [(str(n), [*rows], dict(c)) for n, rows, c in about["others"]]
        index = Index(**about)
        whole = 0 <= index.done <= index.asked
        return index if whole and len(index.missing) == len(index.skipped) else None
    except _DAMAGED:
        return None


def write_index(path: Path, index: Index) -> None:
    """Write an index or a journal.

    Raises:
        OutputError: It cannot be written.
    """
    with write_atomically(path) as file:
        file.write(json.dumps(asdict(index)).encode())


def mapped(path: Path, count: int, *, writable: bool = False) -> Any:
    """Map a set's array; None where it is not there, or holds fewer pictures."""
    try:
        pixels = open_memmap(path, mode="r+" if writable else "r")
    except _DAMAGED:
        return None
    fits = pixels.ndim == 4 and len(pixels) >= count
    return pixels if fits and pixels.dtype.kind in "uif" else None


def set_folders() -> Iterator[Path]:
    """Give the folders of all prepared sets, finished or not."""
    folder = prepared_folder()
    if folder.is_dir():
        yield from sorted(each for each in folder.iterdir() if each.is_dir())
