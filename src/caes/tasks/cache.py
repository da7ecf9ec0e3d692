"""The prepared sets of the cache as a table, and being rid of some."""

import re
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from caes.data.cache.index import prepared_folder
from caes.data.cache.sets import PreparedSet
from caes.errors import ArgumentError
from caes.report.numbers import count

_BYTES = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_bytes(option: str, text: str) -> int:
    """Read a size such as 10GB or 500MB, in powers of ten; a plain number is bytes."""
    found = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)\s*([KMGT]?B?)", text.strip().upper())
    unit = found and (found[2] if found[2] in _BYTES else f"{found[2]}B")
    if not found or unit not in _BYTES:
        raise ArgumentError(
            option, repr(text), "a size such as 500MB or 10GB", f"Try {option} 10GB."
        )
    return int(float(found[1]) * _BYTES[str(unit)])


def parse_time(option: str, text: str) -> float:
    """Read a time such as 30d or 12h, in seconds."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)\s*([mhdw])", text.strip().lower())
    if not found:
        raise ArgumentError(
            option, repr(text), "a time such as 30d, 12h or 2w", f"Try {option} 30d."
        )
    return float(found[1]) * _SECONDS[found[2]]


def written_bytes(size: int) -> str:
    """Write a size in the unit that suits it.

    >>> written_bytes(999), written_bytes(47_040_128), written_bytes(8_000_000_000)
    ('999 B', '47.0 MB', '8.0 GB')
    """
    for unit in ("TB", "GB", "MB", "KB"):
        if size >= _BYTES[unit]:
            return f"{size / _BYTES[unit]:.1f} {unit}"
    return f"{size} B"


def print_sets(sets: Sequence[PreparedSet]) -> None:
    """Print the sets, where they are, and what they take together."""
    if sets:
        Console().print(_table(sets))
    total = written_bytes(sum(each.size for each in sets))
    print(f"{count(len(sets), 'prepared set')}, {total}, in {prepared_folder()}")


def _table(sets: Sequence[PreparedSet]) -> Table:
    table, now = Table(), time.time()
    table.add_column("source", overflow="fold")
    for name in ("pictures", "form", "size", "last used"):
        table.add_column(name, justify="right")
    for each in sets:
        table.add_row(
            each.source or "?",
            f"{each.pictures:,}" if each.finished else "unfinished",
            each.form,
            written_bytes(each.size),
            f"{_written_time(max(0.0, now - each.used))} ago",
        )
    return table


def _written_time(seconds: float) -> str:
    for unit in ("d", "h", "m"):
        if seconds >= _SECONDS[unit]:
            return f"{seconds / _SECONDS[unit]:.0f} {unit}"
    return f"{seconds:.0f} s"
