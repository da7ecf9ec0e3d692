"""A table of labels, as spreadsheets write it: a picture's name and its class a row."""

import csv
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from caes.data.reading import guarded
from caes.errors import DataError

_WHAT = "a CSV file with a picture's name and its label in each row"
_DELIMITERS = (",", ";", "\t")


class Entry(NamedTuple):
    """One row of the table.

    Args:
        line: Where it ends, counted from 1.
        name: The picture's name, as it is written.
        label: Its label, without spaces around it; empty where there is none.
    """

    line: int
    name: str
    label: str


def entries(path: Path) -> list[Entry]:
    """Read the rows of a CSV file with two columns, name and label.

    It is UTF-8, with or without a byte-order mark; a first row ``name,label`` is its
    header; empty lines are left out. Commas, semicolons or tabs separate the columns:
    the one that makes two columns of the most rows.

    Raises:
        DataError: The file is missing, forbidden or no text, has no rows, or has a row
            of another width.
    """
    if not os.path.exists(path):
        raise DataError(
            str(path), "a path that does not exist", _WHAT, "Check the spelling."
        )
    with guarded(path, _WHAT):
        text = path.read_text("utf-8-sig")
        delimiter = max(_DELIMITERS, key=lambda each: _pairs(text, each))
        rows = list(_rows(text, delimiter, strict=True))
    if rows and [cell.strip().casefold() for cell in rows[0][1]] == ["name", "label"]:
        del rows[0]
    if not rows:
        raise DataError(
            str(path), "a file without rows", _WHAT, "Write one row for each label."
        )
    return [_entry(path, line, cells) for line, cells in rows]


def _rows(
    text: str, delimiter: str, *, strict: bool = False
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(StringIO(text), delimiter=delimiter, strict=strict)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _pairs(text: str, delimiter: str) -> int:
    return sum(len(cells) == 2 for _, cells in _rows(text, delimiter))


def _entry(path: Path, line: int, cells: list[str]) -> Entry:
    if len(cells) != 2:
        columns = "1 column" if len(cells) == 1 else f"{len(cells)} columns"
        raise DataError(
            str(path),
            f"{columns} in line {line}",
            "two columns in every row, name and label",
            "Put quotes around a name that has a comma in it.",
        )
    return Entry(line, cells[0], cells[1].strip())
