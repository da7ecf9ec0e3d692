"""Building a prepared set: decoded into a file, whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from caes.data.cache.index import Index, located, write_index
from caes.data.decode.parallel import Asked, gather
from caes.data.mapped import forget
from caes.files import make_room, output_errors

_EVERY = 1000  # pictures, after which memory is given back


def build(folder: Path, asked: Asked) -> None:
    """Decode pictures into a set, or leave nothing.

    Only the index, which comes last, makes it a finished one. No other process may
    build the same meanwhile.
    """
    made: list[NDArray[Any]] = []

    def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        made.append(_file(folder / f"pixels-{len(made)}.npy", shape, dtype))
        return made[-1]

    def note(done: int, total: int) -> None:
        if done % _EVERY == 0 and made:
            forget(made[-1])
        if asked.reading.progress:
            asked.reading.progress(done, total)

    shutil.rmtree(folder, ignore_errors=True)  # what a broken-off build has left
    try:
        with output_errors(folder):
            folder.mkdir(parents=True)
        noted = replace(asked, reading=replace(asked.reading, progress=note))
        batch = gather(noted, empty)
        pixels: Any = batch.pixels
        if not isinstance(pixels, np.memmap):  # one picture is not copied
            pixels = empty(pixels.shape, pixels.dtype)
            pixels[:] = batch.pixels
        with output_errors(folder):
            pixels.flush()
        forget(pixels)
        file = Path(str(pixels.filename))
        for path in folder.iterdir():  # narrower ones, and of other families
            if path.name != file.name:
                path.unlink()
        index = Index(
            source=located(asked.source),
            asked=len(asked.names),
            pixels=file.name,
            missing=[*batch.missing],
            skipped=[(each.name, each.reason) for each in batch.skipped],
            notes=[*batch.notes],
        )
        write_index(folder, index)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # it will never be finished
        raise


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let no other process build the same set meanwhile, waiting for one that does."""
    from filelock import FileLock

    with output_errors(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_suffix(".lock"))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _file(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Make an array in a file that has its room on the disk already."""
    with output_errors(path):
        pixels: NDArray[Any] = open_memmap(path, "w+", dtype=dtype, shape=shape)
        with path.open("r+b") as file:
            make_room(file, path.stat().st_size)
    return pixels
