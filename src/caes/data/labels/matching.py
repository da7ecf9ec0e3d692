"""Which picture each row of a table of labels means."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from caes.data.labels.tables import Entry
from caes.errors import DataError


class PictureNames:
    """The names of N pictures, to be looked up.

    Args:
        names: N names, with slashes between folders.
    """

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
    """Find the labels of the pictures that have one.

    Args:
        path: Where the table is from, for errors.
        table: Its rows; those with an empty label give none.
        names: The names of all pictures.

    Returns:
        Labels by the pictures' rows among the names.

    Raises:
        DataError: A row names no picture, several pictures, or one that has another
            label already.
    """
    pictures = PictureNames(names)
    found: dict[int, str] = {}
    strangers = []
    for entry in table:
        rows = pictures.rows(entry.name)
        if not rows:
            strangers.append(entry.name)
            continue
        if len(rows) > 1:
            raise _ambiguous(path, entry, [names[row] for row in rows])
        if entry.label and found.setdefault(rows[0], entry.label) != entry.label:
            raise _contradiction(path, entry, found[rows[0]])
    if strangers:
        raise _unknown(path, strangers, names)
    return found


def listed(names: Sequence[str]) -> str:
    """Write up to three names, and how many more there are.

    >>> listed(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _file(name: str) -> str:
    return name.rpartition("/")[2]


def _ends_alike(one: str, other: str) -> bool:
    return f"/{one}".endswith(f"/{other}") or f"/{other}".endswith(f"/{one}")


def _ambiguous(path: Path, entry: Entry, names: list[str]) -> DataError:
    return DataError(
        str(path),
        f"{entry.name} in line {entry.line}, which can mean {listed(names)}",
        "names that mean one picture each",
        f"Write it with its folder, such as {names[0]}.",
    )


def _contradiction(path: Path, entry: Entry, before: str) -> DataError:
    return DataError(
        str(path),
        f"the label {entry.label} in line {entry.line} for {entry.name}, which is "
        f"{before} in a line before",
        "one label for each picture",
        "Delete the wrong one.",
    )


def _unknown(path: Path, strangers: list[str], names: Sequence[str]) -> DataError:
    close = get_close_matches(strangers[0], names, n=1)
    rows = "1 row" if len(strangers) == 1 else f"{len(strangers):,} rows"
    return DataError(
        str(path),
        f"{rows} for pictures that do not exist ({listed(strangers)})",
        f"the names of the {len(names):,} pictures",
        f"Did you mean {close[0]}?" if close else f"Write names such as {names[0]}.",
    )
