"""A table of runs that grows row by row: what is in it is not run again."""

import csv
import math
import platform
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch

from caes.errors import DataError
from caes.files import TableWriter, read_table, sweep
from caes.runs.provenance import processor
from caes.train.history import History
from caes.version import __version__

Row = dict[str, str]

MADE = ("date", "commit", "caes", "torch", "python", "machine", "threads")
"""Columns that say how a row came about."""


class Ledger:
    """A CSV file of runs, told apart by some of its columns.

    Every row is on disk before the next run starts, so that an interrupted series goes
    on where it stopped. ``keys`` are the columns that name a run, such as seed and
    number of labels, ``figures`` those of what it gave.
    """

    def __init__(
        self, path: Path, keys: tuple[str, ...], figures: tuple[str, ...]
    ) -> None:
        self.path = path
        self.keys = keys
        self.columns = (*keys, *figures, *MADE)
        self.rows = self._read()

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def find(self, **key: object) -> Row | None:
        """Give the row of a run, or None where it has not been made."""
        wanted = {(name, str(value)) for name, value in key.items()}
        return next((row for row in self.rows if wanted <= row.items()), None)

    def number(self, row: Row, column: str) -> float:
        """Give one of a row's cells as a number."""
        try:
            value = float(row[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self._strange(f"{row[column]!r} as {column} of a run")
        return value

    def add(self, key: Mapping[str, object], figures: Mapping[str, object]) -> Row:
        """Put a run into the file, in place of an older one of the same keys.

        What another process has put there meanwhile stays.
        """
        known = {**key, **figures, **made()}
        row = {name: str(known.get(name, "")) for name in self.columns}
        self._write([row])
        return row

    def fill(
        self,
        keys: Iterable[Mapping[str, Any]],
        run: Callable[[Mapping[str, Any]], Mapping[str, object]],
        tell: Callable[[Row], None],
    ) -> list[Row]:
        """Make the runs that are not there yet, each kept as soon as it is done.

        Gives all of them, in the order of the keys.
        """
        rows = []
        for key in keys:
            row = self.find(**key)
            if row is None:
                row = self.add(key, run(key))
                tell(row)
            rows.append(row)
        return rows

    def claim(self) -> None:
        """Write the file as it is: an unwritable place is refused before any work."""
        self._write([])
        sweep(self.path.parent)

    def _write(self, new: list[Row]) -> None:
        every = (*self.rows, *self._read(), *new)
        keys = [tuple(row[name] for name in self.keys) for row in every]
        rows = [*dict(zip(keys, every, strict=True)).values()]
        with TableWriter(self.path) as table:
            table.row(self.columns)
            for row in rows:
                table.row(row.values())
        self.rows = rows

    def _read(self) -> list[Row]:
        if not self.path.exists():
            return []
        try:
            columns, *rows = read_table(self.path) or [[]]
        except (OSError, ValueError, csv.Error) as error:
            raise self._strange(f"a file that cannot be read ({error})") from error
        if tuple(columns) != self.columns:
            raise self._strange("a table with other columns")
        if any(len(row) != len(columns) for row in rows):
            raise self._strange("a table with rows of another length")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _strange(self, received: str) -> DataError:
        return DataError(
            str(self.path),
            received,
            "the table of an earlier run of the same command",
            "Name another folder with --out, or move the file away.",
        )


def pass_on_interruption(history: History) -> None:
    """Leave with the Ctrl-C that ended a training: what was cut short is not kept."""
    if history.interrupted:
        raise KeyboardInterrupt


def made() -> Row:
    """Say when, by which code and on which machine something was made."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "caes": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": processor(),
        "threads": str(torch.get_num_threads()),
    }


@cache
def commit() -> str:
    """Give the commit of the code, with a + where it was changed since; else "".

    It is asked for once a process: what is committed later is not what runs.
    """
    here = Path(__file__).parents[1]

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=here, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "version.py")
        changed = git("status", "--porcelain", "--untracked-files=no", str(here))
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return ""  # installed, not checked out
