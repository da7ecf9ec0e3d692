"""Parquet files with a column of encoded pictures, as Hugging Face writes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.decoding import attempts
from caes.data.imageset import ImageSet, Skipped
from caes.data.kind import SPLITS, Kind, leading_split, reading
from caes.data.labels import class_indices
from caes.data.parquet_columns import Columns, columns_of
from caes.data.pictures import Decoded
from caes.data.prepared import decoded, stamp
from caes.errors import DataError

_WHAT = "a Parquet file with a column of encoded pictures"


@dataclass(frozen=True)
class Part:
    """One file, open.

    Args:
        path: Where it is.
        file: The `pyarrow.parquet.ParquetFile`.
    """

    path: Path
    file: Any

    def read(self, group: int, column: str) -> Any:
        """Read a column of one row group; of structs with bytes, the bytes."""
        from pyarrow import compute, types

        with reading(self.path, _WHAT):
            values = self.file.read_row_group(group, columns=[column]).column(0)
            if types.is_struct(values.type):
                values = compute.struct_field(values, "bytes")
            return values


class Parquet(Kind):
    """One Parquet file, or a folder of them whose names start with their split.

    Pictures are the column that Hugging Face's metadata says, else the first of bytes,
    or of structs with bytes. Only the row groups that hold the wanted rows are read.
    """

    name = "parquet"

    @classmethod
    def opens(cls, source: Any) -> bool:
        """Whether the path ends in .parquet, or is a folder of such files."""
        if not isinstance(source, Path):
            return False
        return source.suffix.lower() == ".parquet" or any(source.glob("*.parquet"))

    def splits(self) -> dict[str, int]:
        """Count the rows by the files' metadata."""
        return {
            split: sum(part.file.metadata.num_rows for part in files)
            for split, files in self._files.items()
        }

    def read(self, split: str, rows: range) -> ImageSet:
        """Decode these rows, reading only the row groups that hold them."""
        names = self.names(split, rows)
        batch = decoded(
            lambda: self._encoded(split, rows),
            names,
            str(self.source),
            self.options,
            lambda: self._stamps(split, rows),
        )
        labels, classes = self._labels
        here = labels.get(split)
        picked = np.array(batch.rows) + rows.start
        return ImageSet.from_pixels(
            batch.pixels,
            [names[row] for row in batch.rows],
            labels=None if here is None else here[picked],
            classes=() if here is None else classes,
            source=str(self.source),
            skipped=batch.skipped,
            notes=batch.notes,
        )

    def pieces(
        self, split: str, rows: range | None = None
    ) -> Iterator[ImageSet | Skipped]:
        """Give the pictures one by one, and what cannot be read."""
        rows = range(self.splits()[split]) if rows is None else rows
        labels, classes = self._labels
        here = labels.get(split)
        names = self.names(split, rows)
        found = attempts(self._encoded(split, rows), names, self.options)
        for row, name, result in zip(rows, names, found, strict=True):
            if isinstance(result, Decoded):
                yield ImageSet.from_pixels(
                    result.pixels[None],
                    [name],
                    labels=None if here is None else here[row : row + 1],
                    classes=() if here is None else classes,
                    source=str(self.source),
                    notes=result.notes,
                    stored=result.stored,
                )
            else:
                yield Skipped(name, str(result))

    @cached_property
    def _files(self) -> dict[str, list[Part]]:
        paths = [self.source]
        if self.source.is_dir():
            paths = sorted(self.source.glob("*.parquet"))
        by_split: dict[str, list[Part]] = {}
        for path in paths:
            split = leading_split(path.stem) if self.source.is_dir() else None
            by_split.setdefault(split or "train", []).append(_opened(path))
        return {split: by_split[split] for split in SPLITS if split in by_split}

    @cached_property
    def _columns(self) -> Columns:
        first = next(iter(self._files.values()))[0]
        return columns_of(first.file.schema_arrow, str(self.source))

    @cached_property
    def _labels(self) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
        column, classes = self._columns.label, self._columns.classes
        if column is None:
            return {}, ()
        counts = self.splits()
        with reading(self.source, _WHAT):
            values = {
                split: list(self._values(split, range(count), column))
                for split, count in counts.items()
            }
        return _numbered(values, classes, str(self.source))

    def _stamps(self, split: str, rows: range) -> Iterator[str]:
        yield f"{split} {rows} {self._columns.picture}"
        for part in self._files[split]:
            yield f"{part.path.name}\0{stamp(str(part.path))}"

    def _encoded(self, split: str, rows: range) -> Iterator[bytes]:
        for value in self._values(split, rows, self._columns.picture):
            yield value or b""

    def _values(self, split: str, rows: range, column: str) -> Iterator[Any]:
        first = 0
        for part in self._files[split]:
            for group in range(part.file.num_row_groups):
                count = part.file.metadata.row_group(group).num_rows
                low, high = max(rows.start - first, 0), min(rows.stop - first, count)
                first += count
                if low < high:
                    for value in part.read(group, column)[low:high]:
                        yield value.as_py()


def _opened(path: Path) -> Part:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise DataError(
            str(path),
            "a Parquet file, and the package pyarrow is not installed",
            "Parquet once the extra of this name is installed",
            'Run: pip install "caes[parquet]"',
        ) from error
    with reading(path, _WHAT):
        return Part(path, ParquetFile(path))


def _numbered(
    values: dict[str, list[Any]], classes: tuple[str, ...], source: str
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Number labels, -1 where one is not known; a split without any known has none."""
    # Hugging Face writes -1, others nothing, where a label is not known.
    unknown = (None, -1) if classes else (None,)
    known = {
        split: [row for row, value in enumerate(each) if value not in unknown]
        for split, each in values.items()
    }
    found = {
        split: np.array([values[split][row] for row in rows])
        for split, rows in known.items()
        if rows
    }
    if classes:
        for each in found.values():
            _check_indices(each, len(classes), source)
    else:
        counts = {split: len(each) for split, each in found.items()}
        found, classes = class_indices(found, counts, source)
    labels = {split: np.full(len(values[split]), -1, np.int64) for split in found}
    for split, each in found.items():
        labels[split][known[split]] = each
    return labels, classes


def _check_indices(values: NDArray[Any], count: int, source: str) -> None:
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= count:
        raise DataError(
            source,
            f"labels that are not the indices of its {count} class names",
            f"whole numbers from 0 to {count - 1}",
            "Make the file again, for example with Hugging Face's datasets.",
        )
