"""Rows with a column of encoded pictures, and perhaps one of labels."""

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from caes.data.cache.lookup import decoded
from caes.data.decode.parallel import attempts
from caes.data.decode.pictures import Decoded, Encoded
from caes.data.imageset import ImageSet, Skipped
from caes.data.labels.classes import table_indices
from caes.data.reading import guarded
from caes.data.sources.base import Kind
from caes.data.sources.parquet_columns import Columns

Labels = NDArray[np.int64]


class Table(Kind):
    """What kinds of tables share: a subclass says how columns are read.

    Its ``what`` says what is allowed, where columns cannot be read.
    """

    what: ClassVar[str]

    @cached_property
    @abstractmethod
    def columns(self) -> Columns:
        """Choose the columns to read."""

    @abstractmethod
    def values(self, split: str, rows: range, column: str) -> Iterator[Any]:
        """Read some rows of a column of labels."""

    @abstractmethod
    def encoded(self, split: str, rows: range) -> Iterator[Encoded]:
        """Read some rows of the pictures, in files or bytes; no bytes where none is."""

    @abstractmethod
    def stamps(self, split: str, rows: range) -> Iterator[str]:
        """Tell all that changes when some rows of the pictures do."""

    def read(self, split: str, rows: range) -> ImageSet:
        """Decode these rows, reading no others where that can be avoided."""
        names = self.names(split, rows)
        batch = decoded(
            lambda: self.encoded(split, rows),
            names,
            str(self.source),
            self.options,
            lambda: self.stamps(split, rows),
        )
        labels, classes = self.labelled(split, rows)
        return ImageSet.from_pixels(
            batch.pixels,
            [names[row] for row in batch.rows],
            labels=None if labels is None else labels[batch.rows],
            classes=classes,
            source=str(self.source),
            skipped=batch.skipped,
            notes=(*self._left_out(), *batch.notes),
        )

    def pieces(
        self, split: str, rows: range | None = None
    ) -> Iterator[ImageSet | Skipped]:
        """Give the pictures one by one, and what cannot be read."""
        rows = range(self.splits()[split]) if rows is None else rows
        labels, classes = self.labelled(split, rows)
        names = self.names(split, rows)
        found = attempts(self.encoded(split, rows), names, self.options)
        for row, (name, result) in enumerate(zip(names, found, strict=True)):
            if isinstance(result, Decoded):
                yield ImageSet.from_pixels(
                    result.pixels[None],
                    [name],
                    labels=None if labels is None else labels[row : row + 1],
                    classes=classes,
                    source=str(self.source),
                    notes=result.notes,
                    stored=result.stored,
                )
            else:
                yield Skipped(name, str(result))

    def labelled(
        self, split: str, rows: range
    ) -> tuple[Labels | None, tuple[str, ...]]:
        """Give the labels of some rows, None where their split has none, and classes.

        Returns:
            Class indices by row, -1 where one is not known; and the classes' names.
        """
        labels, classes = self._labels
        if split not in labels:
            return None, ()
        return labels[split][rows.start : rows.stop], classes

    @cached_property
    def _labels(self) -> tuple[dict[str, Labels], tuple[str, ...]]:
        """Number the labels of all rows, for a class may come late."""
        column = self.columns.label
        if column is None:
            return {}, ()
        counts = self.splits()
        with guarded(str(self.source), self.what):
            values = {
                split: list(self.values(split, range(count), column))
                for split, count in counts.items()
            }
        return table_indices(values, self.columns.classes, str(self.source))

    def _left_out(self) -> tuple[str, ...]:
        others = ", ".join(self.columns.others)
        if not others:
            return ()
        return (f"Pictures are those of {self.columns.picture}, not of {others}.",)
