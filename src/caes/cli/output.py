"""What the commands say on standard error, and where they put their runs."""

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from caes.errors import by_signs
from caes.files import reserved

if TYPE_CHECKING:
    from caes.data import ImageSet, Skipped

MOST_SKIPPED = 10
"""Skipped files that are named before the work begins."""


def announce(images: "ImageSet", quiet: bool = False) -> None:
    """Say on standard error what was opened, and every file that was skipped."""
    n, *form = images.shape
    classes = f", {len(images.classes)} classes" if images.classes else ""
    what = f"{n:,} pictures {by_signs(form)} {images.dtype}{classes}"
    say(f"{images.source} {images.split}: {what}", quiet)
    for note in images.notes:
        say(f"note: {note}", quiet)
    for skipped in images.skipped[:MOST_SKIPPED]:
        say(f"skipped {skipped.name}: {skipped.reason}", quiet)
    if (more := len(images.skipped) - MOST_SKIPPED) > 0:
        told = shlex.join(["caes", "info", images.source])
        say(f"skipped {more:,} more; {told} names them all", quiet)


def introduce(train: "ImageSet", test: "ImageSet", quiet: bool) -> None:
    """Announce what is learnt from; say what its values are like and what is twice."""
    from caes.data import survey_of_sets
    from caes.tasks.census import in_short, masks

    if quiet:
        return
    announce(train)
    if found := masks(train):
        say(found)
    apart = test.pixels is not train.pixels
    for line in in_short(survey_of_sets(*([train, test] if apart else [train]))):
        say(line)


def decoding(quiet: bool) -> Callable[[int, int], None] | None:
    """Give a counter of decoded pictures, on a terminal that wants one."""
    return None if quiet or not sys.stderr.isatty() else _count


def _count(done: int, total: int) -> None:
    """Show ``done`` of ``total`` on one line, every hundredth of the way."""
    if done == total:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    elif done % max(1, total // 100) == 0:
        text = f"\rreading pictures: {done:,} of {total:,}"
        print(text, end="", file=sys.stderr, flush=True)


@contextmanager
def counting(total: int, doing: str, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar with the time left, on a terminal that wants one.

    Gives what to call with the number of pictures that are done, each time.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda n: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda n: bar.advance(task, n)


@contextmanager
def waiting(doing: str, quiet: bool = False) -> Iterator[None]:
    """Show what is being done, as long as it takes, on a terminal that wants it."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(doing):
        yield


def say(line: str, quiet: bool = False) -> None:
    """Print a line on standard error at once, unless nothing is to be said."""
    if not quiet:
        print(line, file=sys.stderr, flush=True)


def told(
    pieces: "Iterator[ImageSet | Skipped]", quiet: bool
) -> "Iterator[ImageSet | Skipped]":
    """Pass pictures on, and say which files were skipped."""
    from caes.data import Skipped

    for piece in pieces:
        if isinstance(piece, Skipped):
            say(f"skipped {piece.name}: {piece.reason}", quiet)
        yield piece


def run_folder(out: Path | None, name: str) -> AbstractContextManager[Path]:
    """Give the folder of a run: the one that is named, or runs/NAME-N, N counted up."""
    return nullcontext(out) if out else reserved(Path("runs"), name)


def run_name(source: str) -> str:
    """Make a run's name from a source: its last part, without what folders dislike."""
    stem = Path(source.rstrip("/")).stem or "run"
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "run"
