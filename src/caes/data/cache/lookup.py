"""Pictures that are decoded once: a mapped array in the cache, found again by its key.

The key is made of the files' names, sizes and times, and of the options, so that a
changed file makes another set.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

from caes.data.cache.build import alone, build
from caes.data.cache.index import (
    FORMAT,
    INDEX,
    located,
    mapped,
    prepared_folder,
    read_index,
)
from caes.data.decode.gather import Batch, unreadable
from caes.data.decode.parallel import Asked, gather
from caes.data.decode.pictures import upright_size
from caes.data.formats.format import UnreadableError
from caes.errors import OutputError

MANY = 2000
"""Pictures above which a set is prepared, if nothing else is asked for."""
LARGE = 2**28
"""Bytes of decoded pictures above which one is."""
ANNOUNCED = 10**8
"""Bytes of a set above which it is said where it is kept."""
FEW = 16
"""Pictures up to which none is: to find out how large they are may take as long."""

_NOT_OF_PIXELS = ("strict", "progress", "alone", "prepare", "tile", "overlap")


def decoded(asked: Asked) -> Batch:
    """Decode pictures, or find them decoded already: then mapped, read-only.

    Where a set was asked for and cannot be written, that is an `OutputError`.
    """
    wanted = asked.reading.prepare
    if wanted is False or (wanted is None and not _worth_it(asked)):
        return gather(asked)
    try:
        return _prepared(asked)
    except OutputError as error:
        if wanted:
            raise
        note = f"No prepared set could be kept: {error.argument} is {error.received}."
        batch = gather(asked)
        return replace(batch, notes=(*batch.notes, note))


def stamp(path: str) -> str:
    """Give a file's size, time and rights as text, or say that it has none."""
    try:
        found = os.stat(path)
    except OSError as error:
        return str(error.errno)
    return f"{found.st_size} {found.st_mtime_ns} {found.st_mode}"


def _prepared(asked: Asked) -> Batch:
    folder = prepared_folder() / _key(asked)
    batch = _opened(folder)
    if batch is None:
        with alone(folder):
            if (batch := _opened(folder)) is None:
                build(folder, asked)
                batch = _announced(_opened(folder), folder)
    if batch is None:
        raise OutputError(
            str(folder),
            "a set that was there a moment ago and is gone",
            "a cache that nobody empties meanwhile",
            "Try again.",
        )
    if asked.reading.strict and batch.skipped:
        raise unreadable(asked.source, batch.skipped[0])
    return batch


def _announced(batch: Batch | None, folder: Path) -> Batch | None:
    """Say of a large set that was made where it is, and how to be rid of it."""
    if batch is None or batch.pixels.nbytes <= ANNOUNCED:
        return batch
    size = f"{batch.pixels.nbytes / 1e6:,.0f} MB"
    note = f"Decoded once, {size} in {folder}: see caes cache, or --in-memory."
    return replace(batch, notes=(*batch.notes, note))


def _opened(folder: Path) -> Batch | None:
    if (index := read_index(folder)) is None or not index.rows:
        return None
    pixels = mapped(folder / index.pixels, len(index.rows))
    if pixels is None:
        return None
    with suppress(OSError):
        os.utime(folder / INDEX)  # so that the eldest can be told when room is needed
    return index.batch(pixels)


def _key(asked: Asked) -> str:
    """Digest every option that may change pixels, and all stamps."""
    how = asked.reading
    if how.size is None:
        how = replace(how, resize="stretch")
    if how.resize != "random-crop":
        how = replace(how, seed=0)
    names = (each.name for each in fields(how) if each.name not in _NOT_OF_PIXELS)
    digest = hashlib.sha256(f"caes {FORMAT}\0{located(asked.source)}".encode())
    for each in (*(f"{name} {getattr(how, name)}" for name in names), *asked.stamps()):
        digest.update(f"\0{each}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _worth_it(asked: Asked) -> bool:
    """Tell whether there are many pictures, or large ones, by the first that is one."""
    count, reading = len(asked.names), asked.reading
    if count > MANY or count <= FEW:
        return count > MANY
    height, width = reading.size or next(_sizes(asked), (0, 0))
    return count * height * width * (reading.channels or 3) > LARGE


def _sizes(asked: Asked) -> Iterator[tuple[int, int]]:
    for picture in asked.pictures():
        with suppress(UnreadableError):
            yield upright_size(picture)
