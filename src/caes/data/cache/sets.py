"""All prepared sets of the cache: what they are, and how to be rid of some."""

import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from caes.data.cache.index import INDEX, mapped, read_index, set_folders
from caes.errors import by_signs
from caes.files import output_errors


@dataclass(frozen=True)
class PreparedSet:
    """A prepared set, finished or not."""

    folder: Path
    source: str  # what the pictures came from; empty where that cannot be told
    pictures: int
    form: str  # "28×28×1 uint8"; empty where that cannot be told
    finished: bool  # whether it can be read
    size: int  # bytes on disk
    used: float  # when it was last read, in seconds since 1970


def prepared_sets() -> list[PreparedSet]:
    """Find all sets, those that were used last first."""
    found = [each for each in map(_look, set_folders()) if each is not None]
    return sorted(found, key=lambda each: each.used, reverse=True)


def superfluous(
    sets: Sequence[PreparedSet],
    *,
    keep: int | None = None,
    older: float | None = None,
    now: float | None = None,
) -> list[PreparedSet]:
    """Choose sets unused for ``older`` seconds, and what exceeds ``keep`` bytes."""
    now = time.time() if now is None else now
    old = [each for each in sets if older is not None and now - each.used > older]
    staying = [each for each in sets if each not in old]
    if keep is not None:
        while staying and sum(each.size for each in staying) > keep:
            old.append(staying.pop())
    return old


def remove(sets: Iterable[PreparedSet]) -> list[PreparedSet]:
    """Delete sets, but those that another process builds at this moment.

    A process that reads a set goes on doing so: its file vanishes when it ends.
    """
    from filelock import FileLock, Timeout

    gone = []
    for each in sets:
        lock = FileLock(each.folder.with_suffix(".lock"), timeout=0)
        with output_errors(each.folder), suppress(Timeout), lock:
            # The index first: what is half deleted must not look finished.
            (each.folder / INDEX).unlink(missing_ok=True)
            shutil.rmtree(each.folder)
            gone.append(each)
    return gone


def _look(folder: Path) -> PreparedSet | None:
    try:
        files = [each.stat() for each in folder.iterdir()]
        used = max([each.st_mtime for each in files], default=folder.stat().st_mtime)
        # Blocks, for of an array of which little is filled yet much may be a hole.
        size = sum(getattr(each, "st_blocks", each.st_size / 512) for each in files)
    except FileNotFoundError:  # it went away meanwhile
        return None
    index = read_index(folder)
    pixels = None if index is None else mapped(folder / index.pixels, len(index.rows))
    return PreparedSet(
        folder=folder,
        source="" if index is None else index.source,
        pictures=0 if index is None else len(index.rows),
        form="" if pixels is None else f"{by_signs(pixels.shape[1:])} {pixels.dtype}",
        finished=pixels is not None,
        size=int(512 * size),
        used=used,
    )
