"""What a picture format offers: to tell it by its first bytes, and to open it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import Stored

HEAD = 132  # bytes that every format can be told by


class UnreadableError(Exception):
    """A picture cannot be read; the text is a short reason."""


@dataclass(frozen=True)
class Decoded:
    """One picture, and what was done to it.

    Args:
        pixels: H×W×C, any real number type, finite, in the source's own units.
        notes: Sentences without full stop, the same for every picture they are true of.
        stored: What its file is, where that is known.
    """

    pixels: NDArray[Any]
    notes: tuple[str, ...] = ()
    stored: Stored | None = None


@dataclass(frozen=True)
class Form:
    """What a header says of a picture.

    Args:
        height: Pixels, as the picture stands upright.
        width: Pixels.
        bytes: What decoding needs at once.
        mode: How the file stores pixels, as `colour.mode` writes it.
    """

    height: int
    width: int
    bytes: int
    mode: str


class Opened(ABC):
    """The pictures, or pages, of one open file; `len` counts them."""

    format: str
    """The file's format, as the user knows it; whoever opens the file sets it."""

    def __len__(self) -> int:
        return 1

    @abstractmethod
    def form(self, page: int) -> Form:
        """Tell a page's form from the headers alone."""

    @abstractmethod
    def read(self, page: int, size: tuple[int, int] | None) -> Decoded:
        """Decode a page, upright.

        Args:
            page: From 0 to below the length.
            size: (H, W) it will be brought to afterwards: a fast decoder may already
                come near it.

        Raises:
            UnreadableError: It cannot be read. Anything else that is raised counts as
                damage.
        """


class Format(ABC):
    """One format. To add one, write a subclass and list it in ``FORMATS``.

    Args:
        name: As the user knows it, such as "TIFF".
        suffixes: What its files' names end in, lower case, with the dot.
        paged: Whether a file can hold pages that are pictures of their own.
    """

    name: str
    suffixes: tuple[str, ...]
    paged: bool = False

    @abstractmethod
    def recognises(self, head: bytes) -> bool:
        """Whether a file with these first bytes, `HEAD` or fewer, is of this format."""

    @abstractmethod
    @contextmanager
    def opened(self, file: BinaryIO) -> Iterator[Opened]:
        """Open a file, positioned at its start, without reading pixels.

        Raises:
            UnreadableError: As for `Opened.read`.
        """


@contextmanager
def from_extra(name: str) -> Iterator[None]:
    """Say how to install what a format needs, where importing it inside fails.

    Raises:
        UnreadableError: In place of an ImportError.
    """
    try:
        yield
    except ImportError as error:
        raise UnreadableError(
            f'{name} needs another package: pip install "caes[{name.lower()}]"'
        ) from error


def native(pixels: NDArray[Any]) -> NDArray[Any]:
    """Give an array H×W or H×W×C as H×W×C in the machine's byte order."""
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
