"""Open a picture's file, by what is in it, and turn what goes wrong into a reason."""

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, Self

from PIL import Image, UnidentifiedImageError

from caes.data.formats import LISTED, recognised
from caes.data.formats.format import HEAD, Opened, UnreadableError
from caes.errors import visible


@dataclass(frozen=True)
class Page:
    """One of several pictures in a file, counted from 0."""

    path: Path
    number: int


Encoded = Path | Page | bytes  # a picture's file, a page of it, or the bytes of a file


class OpenFiles:
    """Keeps the last file of each thread open: to find one page, all have to be found.

    Files are closed at the end of the ``with`` block, which no thread may outlive.
    """

    def __init__(self) -> None:
        self._mine = threading.local()
        self._all: list[ExitStack] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        for stack in self._all:
            stack.close()

    def opened(self, path: Path) -> Opened:
        """Open a file, unless it is this thread's last one."""
        mine = self._mine
        if getattr(mine, "path", None) != path:
            if not hasattr(mine, "stack"):
                mine.stack = ExitStack()
                self._all.append(mine.stack)
            mine.path = None
            mine.stack.close()
            mine.found = mine.stack.enter_context(_open(path))
            mine.path = path
        found: Opened = mine.found
        return found


@contextmanager
def opened(picture: Encoded, files: OpenFiles | None = None) -> Iterator[Opened]:
    """Open a picture; whatever is raised inside becomes an `UnreadableError`."""
    try:
        if files is not None and isinstance(picture, Page):
            yield files.opened(picture.path)
        else:
            with _open(picture.path if isinstance(picture, Page) else picture) as found:
                yield found
    except UnreadableError:
        raise
    # Readers of hostile bytes raise SyntaxError, struct.error, KeyError …
    except Exception as error:
        raise UnreadableError(_reason(error)) from error


@contextmanager
def _open(picture: Path | bytes) -> Iterator[Opened]:
    with _file(picture) as file:
        head = file.read(HEAD)
        if not head:
            raise UnreadableError("empty")
        found = recognised(head)
        if found is None:
            raise UnreadableError(f"not a {LISTED} picture")
        file.seek(0)
        with found.opened(file) as opened:
            opened.format = found.name
            yield opened


def _file(picture: Path | bytes) -> BinaryIO:
    if isinstance(picture, bytes):
        return BytesIO(picture)
    if not S_ISREG(picture.stat().st_mode):  # opening a pipe would wait for ever
        raise UnreadableError("not a regular file")
    return picture.open("rb")


def _reason(error: Exception) -> str:
    match error:
        case UnidentifiedImageError():
            return "damaged (its header cannot be read)"
        case PermissionError():
            return "no permission to read it"
        case FileNotFoundError():
            return "a link to nowhere"
        case Image.DecompressionBombError() | Image.DecompressionBombWarning():
            return f"declared as more than {Image.MAX_IMAGE_PIXELS:,} pixels"
        case MemoryError():
            return "more pixels than memory holds"
    text = visible(" ".join(str(error).split())) or type(error).__name__
    return "truncated" if "truncated" in text.lower() else f"damaged ({text})"


@contextmanager
def silenced(*names: str) -> Iterator[None]:
    """Keep libraries' loggers silent; to be entered before any threads."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
