"""Building a prepared set: picture by picture, with a journal to go on from."""

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

from caes.data.cache.index import (
    INDEX,
    JOURNAL,
    Index,
    located,
    mapped,
    read_index,
    write_index,
)
from caes.data.decode.gather import Group, Stack, family_of
from caes.data.decode.parallel import gather
from caes.data.decode.pictures import Encoded
from caes.data.imageset import Skipped
from caes.data.mapped import forget
from caes.data.reading import Reading
from caes.errors import DataError, OutputError
from caes.files import make_room, output_errors

_EVERY = 2.0  # seconds between two entries in the journal


@dataclass
class KeptGroup(Group):
    """A group whose array is a file.

    Args:
        folder: Of the set.
        file: The array's name in it.
    """

    folder: Path = Path()
    file: str = ""

    def flush(self) -> None:
        """Bring the pixels to the disk, and give their memory back."""
        if isinstance(self.pixels, np.memmap):
            with output_errors(self.folder):
                self.pixels.flush()
            forget(self.pixels)

    def _first(self, picture: NDArray[Any]) -> NDArray[Any]:
        pixels = self._empty(1, picture.shape, picture.dtype)
        pixels[0] = picture
        return pixels

    def _empty(self, room: int, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        room = min(room, self.count)
        few = f"-{room}" if room < self.count else ""
        self.file = f"pixels-{np.dtype(dtype)}-{shape[2]}{few}.npy"
        path = self.folder / self.file
        with output_errors(path):
            pixels = open_memmap(
                path, "w+", dtype=np.dtype(dtype), shape=(room, *shape)
            )
            try:
                with path.open("r+b") as file:
                    make_room(file, path.stat().st_size)
            except OSError:
                path.unlink()
                raise
        return pixels


@dataclass
class Kept(Stack):
    """A stack whose arrays are files, and whose state is kept in a journal.

    Args:
        folder: Of the set.
    """

    folder: Path = Path()
    saved: float = 0.0

    def group(self) -> Group:
        """Make a group whose array is a file."""
        return KeptGroup(self.count, self.source, folder=self.folder)

    def reached(self, done: int) -> None:
        """Write the journal when it is time."""
        if time.monotonic() - self.saved > _EVERY:
            self.save(JOURNAL, done)

    def save(self, name: str, done: int) -> None:
        """Bring everything to the disk: first the pixels, then what tells of them.

        The index tells of the largest family only; the others were skipped by then.
        """
        kept = [group for group in self.largest() if isinstance(group, KeptGroup)]
        kept = kept[:1] if name == INDEX else kept
        for group in kept:
            group.flush()
        write_index(self.folder / name, self._index(done, kept))
        files = {group.file for group in kept}
        for path in self.folder.glob("pixels-*.npy"):  # narrower ones, from before
            if path.name not in files:
                path.unlink()
        self.saved = time.monotonic()

    def _index(self, done: int, kept: list[KeptGroup]) -> Index:
        # What was met after those that are done is met again.
        most, *others = kept or [KeptGroup(0, self.source)]
        skipped = {row: self.skipped[row] for row in sorted(self.skipped) if row < done}
        return Index(
            source=located(self.source),
            asked=self.count,
            done=done,
            pixels=most.file,
            missing=[*skipped],
            skipped=[(each.name, each.reason) for each in skipped.values()],
            notes=dict(most.notes),
            others=[
                (each.file, [row for row in each.rows if row < done], dict(each.notes))
                for each in others
            ],
        )

    def resume(self) -> int:
        """Take up what an interrupted build has left; give how many are done."""
        index = read_index(self.folder / JOURNAL)
        if index is None or index.asked != self.count:
            return 0
        parts = [(index.pixels, index.rows, index.notes), *index.others]
        found = [self._resumed(*part) for part in parts if part[1]]
        groups = [group for group in found if group is not None]
        if len(groups) < len(found):
            return 0
        for group in sorted(groups, key=lambda each: each.rows[0]):
            if group.pixels is not None:
                self.groups[family_of(group.pixels)] = group
        for row, (name, reason) in zip(index.missing, index.skipped, strict=True):
            self.skipped[row] = Skipped(name, reason)
        return index.done

    def _resumed(
        self, file: str, rows: list[int], notes: dict[str, int]
    ) -> KeptGroup | None:
        pixels = mapped(self.folder / file, len(rows), writable=True)
        if pixels is None:
            return None
        known = Counter(notes)
        return KeptGroup(
            self.count, self.source, pixels, rows, known, self.folder, file
        )


def build(
    folder: Path,
    pictures: Callable[[], Iterable[Encoded]],
    names: list[str],
    source: str,
    options: Reading,
) -> None:
    """Decode pictures into a set, going on where an interrupted build has stopped.

    Only the index, which comes last, makes it a finished one.

    Args:
        folder: Of the set; no other process builds it.
        pictures: As for `caes.data.decode.parallel.decode_all`.
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
        first = stack.skipped[min(stack.skipped)]
        Stack(len(names), source).skip(0, first, strict=True)

    def note(done: int, total: int) -> None:
        nonlocal reached
        reached = done
        if options.progress:
            options.progress(done, total)

    try:
        gather(stack, pictures, names, replace(options, progress=note), reached)
        stack.batch(names, options.strict)  # skips what does not go with most
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
