"""Parquet files with a column of encoded pictures, as Hugging Face writes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from caes.data.cache.lookup import stamp
from caes.data.decode.opening import Encoded
from caes.data.reading import guarded
from caes.data.sources.splits import SPLITS, leading_split
from caes.data.sources.table import Columns, Table, columns_of
from caes.errors import DataError

_WHAT = "a Parquet file with a column of encoded pictures"


@dataclass(frozen=True)
class Part:
    """A file, and the `pyarrow.parquet.ParquetFile` of it."""

    path: Path
    file: Any

    def read(self, group: int, column: str) -> Any:
        """Read a column of one row group; of structs with bytes, the bytes."""
        from pyarrow import compute, types

        with guarded(self.path, _WHAT):
            values = self.file.read_row_group(group, columns=[column]).column(0)
            if types.is_struct(values.type):
                values = compute.struct_field(values, "bytes")
            return values


class Parquet(Table):
    """One Parquet file, or a folder of them whose names start with their split.

    Pictures are the column that Hugging Face's metadata says, else the first of bytes,
    or of structs with bytes. Only the row groups that hold the wanted rows are read.
    """

    name = "parquet"
    what = _WHAT

    @classmethod
    def opens(cls, spec: Any) -> bool:
        """Whether the path ends in .parquet, or is a folder of such files."""
        if not isinstance(spec, Path):
            return False
        return spec.suffix.lower() == ".parquet" or any(spec.glob("*.parquet"))

    def splits(self) -> dict[str, int]:
        """Count the rows by the files' metadata."""
        return {
            split: sum(part.file.metadata.num_rows for part in files)
            for split, files in self._files.items()
        }

    @cached_property
    def _files(self) -> dict[str, list[Part]]:
        folder = self.spec.is_dir()
        by_split: dict[str, list[Part]] = {}
        for path in sorted(self.spec.glob("*.parquet")) if folder else [self.spec]:
            split = leading_split(path.stem) if folder else None
            by_split.setdefault(split or "train", []).append(_opened(path))
        return {split: by_split[split] for split in SPLITS if split in by_split}

    @cached_property
    def columns(self) -> Columns:
        """Choose by the first file's schema."""
        first = next(iter(self._files.values()))[0]
        return columns_of(first.file.schema_arrow, self.called)

    def stamps(self, split: str, rows: range) -> Iterator[str]:
        """Give the rows, and the size and time of each file of the split."""
        yield f"{split} {rows} {self.columns.picture}"
        for part in self._files[split]:
            yield f"{part.path.name}\0{stamp(str(part.path))}"

    def encoded(self, split: str, rows: range) -> Iterator[Encoded]:
        """Read the pictures' bytes."""
        for value in self.values(split, rows, self.columns.picture):
            yield value or b""

    def values(self, split: str, rows: range, column: str) -> Iterator[Any]:
        """Read the row groups that hold these rows, and no others."""
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
    with guarded(path, _WHAT):
        return Part(path, ParquetFile(path))
