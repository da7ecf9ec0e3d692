"""A page on disk, with its figures and tables beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from caes.files import TableWriter, write_atomically

Table = Sequence[Sequence[object]]
"""Rows of cells, the first row their names; None is an empty cell."""


def publish(
    folder: Path,
    page: str,
    figures: Mapping[str, bytes],
    tables: Mapping[str, Table] | None = None,
) -> Path:
    """Write ``figures/*.png``, ``*.csv`` and at last ``report.html``.

    Args:
        folder: Where to; what has the same name is replaced.
        page: The page.
        figures: PNG files by name, without ``.png``.
        tables: Tables by name, without ``.csv``.

    Returns:
        The path of the page.

    Raises:
        OutputError: The folder cannot be written.
    """
    for name, png in figures.items():
        _write(folder / "figures" / f"{name}.png", png)
    for name, table in (tables or {}).items():
        with TableWriter(folder / f"{name}.csv") as writer:
            for row in table:
                writer.row(row)
    path = folder / "report.html"
    _write(path, page.encode())
    return path


def _write(path: Path, content: bytes) -> None:
    with write_atomically(path) as file:
        file.write(content)
