"""Tables of labels as spreadsheets write them: in a row a picture's name and class."""

import csv
import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from caes.data.imageset import ImageSet
from caes.data.labels.classes import Indices, number, order_of
from caes.data.labels.labelled import labelled, listed
from caes.data.reading import guarded
from caes.errors import DataError
from caes.files import plain_text

_WHAT = "a CSV file with a picture's name and its label in each row"
_DELIMITERS = (",", ";", "\t")


def with_table(images: ImageSet, path: Path) -> ImageSet:
    """Take the labels of a table instead of the pictures' own.

    Its rows may also name pictures that were skipped.
    """
    skipped = [each.name for each in images.skipped]
    labels, classes = read_labels(path, [*images.names, *skipped])
    return labelled(images, labels[: len(images)], classes)


def read_labels(path: Path, names: Sequence[str]) -> tuple[Indices, tuple[str, ...]]:
    """Read the labels of some pictures from a CSV file with the columns name, label.

    The delimiter may be a comma, a semicolon or a tab, and the header may be missing. A
    row with an empty label says nothing. A name is a picture's own, or that without
    some of its folders or with others before them, as long as it means one picture.

    For the names of all N pictures, gives N class indices, -1 where there is no label;
    and the classes: by their values if all are numbers, else in natural order.
    """
    found = matched(path, entries(path), names)
    if not found:
        raise DataError(
            str(path),
            "a table without a single label",
            "a label for some of the pictures",
            "Write classes into the second column.",
        )
    values, known = np.full(len(names), "", object), np.zeros(len(names), bool)
    values[list(found)], known[list(found)] = list(found.values()), True
    with guarded(path, "labels that can be put in order"):
        labels, classes = number(values, known, order_of(found.values()))
    return labels, tuple(classes)


class Entry(NamedTuple):
    """One row: the line where it ends, counted from 1, and its two cells."""

    line: int
    name: str
    label: str


def entries(path: Path) -> list[Entry]:
    """Read the rows of a CSV file with two columns, name and label.

    It is UTF-8, with or without a byte-order mark; a first row ``name,label`` is its
    header; empty lines are left out. Commas, semicolons or tabs separate the columns:
    the one that makes two columns of the most rows.
    """
    if not os.path.exists(path):
        received = "a path that does not exist"
        raise DataError(str(path), received, _WHAT, "Check the spelling.")
    with guarded(path, _WHAT):
        text = path.read_text("utf-8-sig")
        delimiter = max(_DELIMITERS, key=lambda each: _pairs(text, each))
        rows = list(_rows(text, delimiter, strict=True))
    if rows and [cell.strip().casefold() for cell in rows[0][1]] == ["name", "label"]:
        del rows[0]
    if not rows:
        step = "Write one row for each label."
        raise DataError(str(path), "a file without rows", _WHAT, step)
    for line, cells in rows:
        if len(cells) != 2:
            columns = "1 column" if len(cells) == 1 else f"{len(cells)} columns"
            raise DataError(
                str(path),
                f"{columns} in line {line}",
                "two columns in every row, name and label",
                "Put quotes around a name that has a comma in it.",
            )
    return [Entry(line, name, label.strip()) for line, (name, label) in rows]


def _rows(
    text: str, delimiter: str, *, strict: bool = False
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(StringIO(text), delimiter=delimiter, strict=strict)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, [plain_text(cell) for cell in cells]


def _pairs(text: str, delimiter: str) -> int:
    return sum(len(cells) == 2 for _, cells in _rows(text, delimiter))


class PictureNames:
    """The names of N pictures, with slashes between folders, to be looked up."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._rows = {name: row for row, name in enumerate(names)}
        self._by_file: dict[str, list[int]] = {}
        for row, name in enumerate(names):
            self._by_file.setdefault(_file(name), []).append(row)

    def rows(self, name: str) -> list[int]:
        """Find the pictures that a name can mean: none, one, or several.

        A name means the picture of exactly this name. Where there is none, spaces
        around it, a ``./`` before it and backslashes do not count, and folders may be
        left out, or stand before the picture's own: ``1.png`` and ``photos/cats/1.png``
        can both mean ``cats/1.png``, and ``dogs/1.png`` cannot.
        """
        plain = name.strip().replace("\\", "/").removeprefix("./")
        for spelling in (name, plain):
            if spelling in self._rows:
                return [self._rows[spelling]]
        same_file = self._by_file.get(_file(plain), [])
        return [row for row in same_file if _ends_alike(self.names[row], plain)]


def matched(path: Path, table: Sequence[Entry], names: Sequence[str]) -> dict[int, str]:
    """Find the labels of the pictures that have one, by their rows among the names."""
    pictures = PictureNames(names)
    found: dict[int, str] = {}
    strangers = []
    for line, name, label in table:
        rows = pictures.rows(name)
        if not rows:
            strangers.append(name)
        elif len(rows) > 1:
            some = [names[row] for row in rows]
            raise DataError(
                str(path),
                f"{name} in line {line}, which can mean {listed(some)}",
                "names that mean one picture each",
                f"Write it with its folder, such as {some[0]}.",
            )
        elif label and found.setdefault(rows[0], label) != label:
            raise DataError(
                str(path),
                f"the label {label} in line {line} for {name}, which is "
                f"{found[rows[0]]} in a line before",
                "one label for each picture",
                "Delete the wrong one.",
            )
    if strangers:
        near = get_close_matches(strangers[0], names, n=1)
        many = "1 row" if len(strangers) == 1 else f"{len(strangers):,} rows"
        raise DataError(
            str(path),
            f"{many} for pictures that do not exist ({listed(strangers)})",
            f"the names of the {len(names):,} pictures",
            f"Did you mean {near[0]}?" if near else f"Write names such as {names[0]}.",
        )
    return found


def _file(name: str) -> str:
    return name.rpartition("/")[2]


def _ends_alike(one: str, other: str) -> bool:
    return f"/{one}".endswith(f"/{other}") or f"/{other}".endswith(f"/{one}")
