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
    """One picture, and what was done to it."""

    pixels: NDArray[Any]  # H×W×C, any real number type, finite, in the source's units
    notes: tuple[str, ...] = ()  # sentences without full stop, alike for all pictures
    stored: Stored | None = None  # what its file is, where that is known


@dataclass(frozen=True)
class Form:
    """What a header says of a picture."""

    height: int  # pixels, as the picture stands upright
    width: int
    bytes: int  # what decoding needs at once
    mode: str  # how the file stores pixels, as `colour.mode` writes it


class Opened(ABC):
    """The pictures, or pages, of one open file; `len` counts them."""

    format: str  # as the user knows it; whoever opens the file sets it

    def __len__(self) -> int:
        return 1

    @abstractmethod
    def form(self, page: int) -> Form:
        """Tell a page's form from the headers alone."""

    @abstractmethod
    def read(self, page: int, size: tuple[int, int] | None) -> Decoded:
        """Decode a page, from 0 on, upright; whatever is raised counts as damage.

        (H, W) is what it is brought to afterwards: a fast decoder may come near it.
        """


class Format(ABC):
    """One format. To add one, write a subclass and list it in ``FORMATS``."""

    name: str  # as the user knows it, such as "TIFF"
    suffixes: tuple[str, ...]  # what its files' names end in, lower case, with the dot
    paged: bool = False  # whether a file can hold pages that are pictures of their own

    @abstractmethod
    def recognises(self, head: bytes) -> bool:
        """Whether a file with these first bytes, `HEAD` or fewer, is of this format."""

    @abstractmethod
    @contextmanager
    def opened(self, file: BinaryIO) -> Iterator[Opened]:
        """Open a file, positioned at its start, without reading pixels."""


@contextmanager
def from_extra(name: str) -> Iterator[None]:
    """Say how to install what a format needs, where importing it inside fails."""
    try:
        yield
    except ImportError as error:
        way = f'pip install "caes[{name.lower()}]"'
        raise UnreadableError(f"{name} needs another package: {way}") from error


def native(pixels: NDArray[Any]) -> NDArray[Any]:
    """Give an array H×W or H×W×C as H×W×C in the machine's byte order."""
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
