"""What every kind of source offers: its splits, and any rows of one as an ImageSet."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from caes.data.imageset import ImageSet, Skipped, index_names
from caes.data.reading import Reading

_PIECE = 1000  # pictures


class Kind(ABC):
    """One kind of source. To add one, write a subclass and list it in ``KINDS``.

    Args:
        source: What the user gave, a path already being a `Path`.
        options: How pictures are to be read; kinds without picture files need not heed
            size and channels, which `caes.data.load` sees to for all.
    """

    name: ClassVar[str]

    def __init__(self, source: Any, options: Reading) -> None:
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
