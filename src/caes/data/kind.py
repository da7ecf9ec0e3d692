"""What every kind of source offers: its splits, and any rows of one as an ImageSet."""

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from caes.data.imageset import ImageSet, Skipped, index_names
from caes.data.resizing import FitName
from caes.errors import CaesError, DataError

Pages = Literal["pictures", "channels"]


@dataclass(frozen=True)
class Options:
    """How pictures in files are to be read.

    Args:
        size: (H, W) to bring every picture to, or None to keep theirs.
        channels: 1 or 3 to convert to grey or colour, None to keep what is there.
        strict: Whether the first unreadable picture ends the reading.
        progress: Called with (pictures done, pictures in all) while reading files.
        pages: Whether the pages of a file are pictures, or channels of one picture.
        fit: How pictures are brought to the size.
        seed: Draws random crops, together with the pictures' names.
        alone: Whether `Kind.pieces` decodes each picture only when it is asked for, so
            that memory never holds two large ones.
        prepare: Whether decoded pictures are kept in the cache, and looked for there;
            None for where it is worth it.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    strict: bool = False
    progress: Callable[[int, int], None] | None = None
    pages: Pages = "pictures"
    fit: FitName = "stretch"
    seed: int = 0
    alone: bool = False
    prepare: bool | None = None


_PIECE = 1000  # pictures
_MUCH, _TIMES = 2**30, 100  # bytes, and how many times as much as on disk


class Kind(ABC):
    """One kind of source. To add one, write a subclass and list it in ``KINDS``.

    Args:
        source: What the user gave, a path already being a `Path`.
        options: How pictures are to be read; kinds without picture files need not heed
            size and channels, which `caes.data.load` sees to for all.
    """

    name: ClassVar[str]

    def __init__(self, source: Any, options: Options) -> None:
        self.source = source
        self.options = options

    @classmethod
    @abstractmethod
    def opens(cls, source: Any) -> bool:
        """Whether this kind reads the source, told from its looks and cheaply."""

    @abstractmethod
    def splits(self) -> dict[str, int]:
        """Count the rows of each split, without reading pixels."""

    @abstractmethod
    def read(self, split: str, rows: range) -> ImageSet:
        """Read some rows of a split, and no others where that can be avoided.

        Args:
            split: One of `splits`.
            rows: At least one row within the split, step 1.

        Returns:
            The pictures that could be read, in order; names unique in the whole source.
        """

    def pieces(
        self, split: str, rows: range | None = None
    ) -> Iterator[ImageSet | Skipped]:
        """Go through rows of a split bit by bit, whatever their sizes; None is all.

        Kinds whose pictures may differ in size give them one by one, each in a set of
        its own, and in their places what cannot be read.
        """
        rows = range(self.splits()[split]) if rows is None else rows
        for start in range(rows.start, rows.stop, _PIECE):
            yield self.read(split, range(start, min(start + _PIECE, rows.stop)))

    def names(self, split: str, rows: range) -> list[str]:
        """Name rows by index, behind the split's name where there are several."""
        counts = self.splits()
        names = index_names(rows, counts[split])
        return names if len(counts) == 1 else [f"{split}/{name}" for name in names]


class Named(Kind):
    """A source that is opened by its registered name, such as ``mnist``."""

    @classmethod
    def opens(cls, source: Any) -> bool:
        """Whether the source is this name."""
        return isinstance(source, str) and source == cls.name


_CANONICAL = {"t10k": "test", "val": "validation", "valid": "validation"}
SPLITS = ("train", "test", "validation")


def split_named(word: str) -> str | None:
    """Read a word as a split: train, test or validation, else None."""
    word = word.casefold()
    word = _CANONICAL.get(word, word)
    return word if word in SPLITS else None


def leading_split(stem: str) -> str | None:
    """Read the word that a file's name starts with as a split.

    >>> leading_split("train-00000-of-00002"), leading_split("training")
    ('train', None)
    """
    return split_named(re.split(r"[^A-Za-z0-9]", stem, maxsplit=1)[0])


@contextmanager
def reading(path: Path | str, what: str) -> Iterator[None]:
    """Turn whatever a reader makes of broken bytes into a `DataError`, warnings too.

    Raises:
        DataError: In place of any exception inside that is not a `CaesError`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except CaesError:
        raise
    except PermissionError as error:
        raise DataError(
            str(path),
            "a file without permission to read",
            what,
            "Change its permissions, or copy it to where you may read.",
        ) from error
    except MemoryError as error:
        raise too_large(str(path), str(error)) from error
    # Readers of hostile bytes raise anything: zlib.error, KeyError, struct.error …
    except Exception as error:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise DataError(
            str(path),
            f"data that cannot be read ({reason})",
            what,
            "Check it, or make it again.",
        ) from error


def too_large(source: str, received: str) -> DataError:
    """The error for pictures that memory cannot hold."""
    return DataError(
        source,
        f"more pictures than memory holds ({received.rstrip('.')})",
        "pictures that fit in memory together",
        "Read a part, such as train[:1000], or give a smaller size.",
    )


def check_unpacking(source: str, packed: int, unpacked: int) -> None:
    """Refuse what unpacks to very much out of very little.

    Args:
        source: What is packed.
        packed: Its bytes on disk.
        unpacked: The bytes that it says it will be.

    Raises:
        DataError: It is more than a gibibyte, and more than a hundred times as much.
    """
    if unpacked > _MUCH and unpacked > _TIMES * packed:
        raise DataError(
            source,
            f"{packed:,} bytes that unpack to {unpacked:,}",
            f"at most {_TIMES} times as much, where it is more than {_MUCH:,} bytes",
            "If it is no mistake, save it unpacked.",
        )
