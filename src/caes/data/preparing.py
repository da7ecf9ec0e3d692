"""Building a prepared set: picture by picture, with a journal to go on from."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from caes.data.decoding import Encoded, gather
from caes.data.kind import Options
from caes.data.ondisk import forget
from caes.data.prepared_index import (
    INDEX,
    JOURNAL,
    Index,
    mapped,
    read_index,
    write_index,
)
from caes.data.stack import Stack
from caes.errors import DataError, OutputError
from caes.files import make_room, output_errors

_EVERY = 2.0  # seconds between two entries in the journal


@dataclass
class Kept(Stack):
    """A stack whose array is a file, and whose state is kept in a journal.

    Args:
        folder: Of the set.
    """

    folder: Path = Path()
    file: str = ""
    saved: float = 0.0

    def reached(self, done: int) -> None:
        """Write the journal when it is time."""
        if time.monotonic() - self.saved > _EVERY:
            self.save(JOURNAL, done)

    def save(self, name: str, done: int) -> None:
        """Bring everything to the disk: first the pixels, then what tells of them."""
        if isinstance(self.pixels, np.memmap):
            with output_errors(self.folder):
                self.pixels.flush()
            forget(self.pixels)
        write_index(self.folder / name, self._index(done))
        for path in self.folder.glob("pixels-*.npy"):  # narrower ones, from before
            if path.name != self.file:
                path.unlink()
        self.saved = time.monotonic()

    def _index(self, done: int) -> Index:
        return Index(
            source=os.path.abspath(self.source),
            asked=self.count,
            done=done,
            pixels=self.file,
            missing=sorted({*range(done)} - {*self.rows}),
            skipped=[(each.name, each.reason) for each in self.skipped],
            notes=dict(self.notes),
        )

    def resume(self) -> int:
        """Take up what an interrupted build has left; give how many are done."""
        index = read_index(self.folder / JOURNAL)
        if index is None or index.asked != self.count:
            return 0
        pixels = mapped(self.folder, index, writable=True) if index.rows else None
        if index.rows and pixels is None:
            return 0
        self.pixels, self.file, self.rows = pixels, index.pixels, index.rows
        self.skipped = [*index.batch(np.empty(0)).skipped]
        self.notes = Counter(index.notes)
        return index.done

    def _empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        self.file = f"pixels-{np.dtype(dtype)}-{shape[2]}.npy"
        path = self.folder / self.file
        with output_errors(path):
            pixels = open_memmap(
                path, "w+", dtype=np.dtype(dtype), shape=(self.count, *shape)
            )
            try:
                with path.open("r+b") as file:
                    make_room(file, path.stat().st_size)
            except OSError:
                path.unlink()
                raise
        return pixels


def build(
    folder: Path,
    pictures: Callable[[], Iterable[Encoded]],
    names: list[str],
    source: str,
    options: Options,
) -> None:
    """Decode pictures into a set, going on where an interrupted build has stopped.

    Only the index, which comes last, makes it a finished one.

    Args:
        folder: Of the set; no other process builds it.
        pictures: As for `caes.data.decoding.decode_all`.
        names: A name for each.
        source: What they belong to.
        options: Size, channels, strictness and progress.

    Raises:
        MixedSizesError: Sizes differ, and no size is given.
        DataError: No picture can be read, or with ``strict`` one cannot.
        OutputError: There is no room for it, or no right to write it.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    stack = Kept(len(names), source, folder=folder)
    reached = stack.resume()
    if options.strict and stack.skipped:
        Stack(len(names), source).skip(stack.skipped[0], strict=True)

    def note(done: int, total: int) -> None:
        nonlocal reached
        reached = done
        if options.progress:
            options.progress(done, total)

    try:
        gather(stack, pictures, names, replace(options, progress=note), reached)
        stack.batch()  # nothing at all is an error
        stack.save(INDEX, len(names))
    except (DataError, OutputError):
        shutil.rmtree(folder, ignore_errors=True)  # it will never be finished
        raise
    except BaseException:
        with suppress(OutputError):
            stack.save(JOURNAL, reached)
        raise
    (folder / JOURNAL).unlink(missing_ok=True)


@contextmanager
def alone(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Let no other process build the same set meanwhile, waiting for one that does.

    Args:
        folder: Of the set; need not be there.
        waiting: Called twice a second while another process builds it.

    Raises:
        OutputError: The cache cannot be written.
    """
    from filelock import FileLock, Timeout

    with output_errors(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_suffix(".lock"))
        while not lock.is_locked:
            try:
                lock.acquire(timeout=0.5)
            except Timeout:
                waiting()
    try:
        yield
    finally:
        lock.release()
