"""Decode many pictures with a few threads into one array."""

import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np

from caes.data.decode.gather import Batch, Empty, Gatherer
from caes.data.decode.opening import Encoded, OpenFiles
from caes.data.decode.pictures import decode, quiet_decoding, upright_size
from caes.data.formats.format import Decoded, UnreadableError
from caes.data.imageset import Skipped
from caes.data.reading import Reading
from caes.errors import MixedSizesError

Given = TypeVar("Given")
Result = TypeVar("Result")

_THREADS = min(8, os.cpu_count() or 1)
# A thread takes eight pictures at once: to hand over costs as much as a small one.
_CHUNK = 8
_AHEAD = 2 * _THREADS  # chunks decoded and not yet stored, so that memory is bounded


@dataclass(frozen=True)
class Asked:
    """Some pictures to be decoded."""

    pictures: Callable[[], Iterable[Encoded]]  # from the first at every call
    names: list[str]  # one for each
    source: str  # what they belong to, for errors
    reading: Reading
    stamps: Callable[[], Iterable[str]]  # which change when a picture does


def gather(asked: Asked, empty: Empty = np.empty) -> Batch:
    """Decode pictures of one size, or bring them to one, into an array of `empty`'s."""
    names, reading = asked.names, asked.reading
    gatherer = Gatherer(len(names), asked.source, reading.strict, empty=empty)
    with closing(attempts(asked.pictures(), names, reading)) as results:
        for row, result in enumerate(results):
            if not isinstance(result, Decoded):
                gatherer.skip(row, Skipped(names[row], str(result)))
            elif gatherer.fits(result.pixels):
                gatherer.add(row, result)
            else:
                raise _mixed_sizes(asked)
            if reading.progress:
                reading.progress(row + 1, len(names))
    return gatherer.batch(names)


def attempts(
    pictures: Iterable[Encoded], names: Iterable[str], options: Reading
) -> Generator[Decoded | UnreadableError, None, None]:
    """Decode pictures of any sizes in order, or say why one cannot be."""
    pairs = zip(pictures, names, strict=False)  # both end together, or names later
    threads = 0 if options.alone else _THREADS
    with OpenFiles() as files:
        yield from _mapped(lambda pair: _attempt(*pair, options, files), pairs, threads)


def _attempt(
    picture: Encoded, name: str, options: Reading, files: OpenFiles
) -> Decoded | UnreadableError:
    try:
        return decode(picture, options, name, files)
    except UnreadableError as error:
        return error


def _size(picture: Encoded) -> tuple[int, int] | None:
    try:
        return upright_size(picture)
    except UnreadableError:
        return None


def _mixed_sizes(asked: Asked) -> MixedSizesError:
    counts = Counter(size for size in _mapped(_size, asked.pictures()) if size)
    common = counts.most_common(4)
    listed = ", ".join(f"{n:,} of {h}×{w}" for (h, w), n in common)
    more = f" and {len(counts) - 4} sizes more" if len(counts) > 4 else ""
    height, width = common[0][0]
    return MixedSizesError(
        asked.source,
        f"pictures of {len(counts)} sizes ({listed}{more})",
        "pictures of one size, or a size to bring all of them to",
        f"Add --size {height}x{width} (in Python: size=({height}, {width})).",
    )


def _mapped(
    work: Callable[[Given], Result], pictures: Iterable[Given], threads: int = _THREADS
) -> Generator[Result, None, None]:
    """Work on pictures in order, a few ahead of the one that is asked for, or none."""
    if not threads:
        for picture in pictures:
            with quiet_decoding():
                result = work(picture)
            yield result
            del result  # the next one is not to be decoded beside it
        return
    with quiet_decoding():
        pool = ThreadPoolExecutor(threads)
        try:
            yield from _ahead(pool, work, pictures)
        finally:
            pool.shutdown(cancel_futures=True)


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[Given], Result], pictures: Iterable[Given]
) -> Iterator[Result]:
    """Map in order, drawing only a few pictures before their results are taken."""
    under_way: deque[Future[list[Result]]] = deque()
    waiting = iter(pictures)
    while chunk := list(islice(waiting, _CHUNK)):
        under_way.append(pool.submit(lambda some: [work(one) for one in some], chunk))
        if len(under_way) >= _AHEAD:
            yield from under_way.popleft().result()
    while under_way:
        yield from under_way.popleft().result()
