"""Whatever the Hugging Face library `datasets` opens, by the extra of this name."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from caes.data.cache.lookup import stamp
from caes.data.decode.pictures import Encoded
from caes.data.labels.classes import table_indices
from caes.data.sources.base import SPLITS
from caes.data.sources.hub import is_saved, opened
from caes.data.sources.hub_address import Address, address_of, is_address
from caes.data.sources.hub_errors import WHAT, at_work
from caes.data.sources.hub_names import names_by_path
from caes.data.sources.hub_rows import Rows, Streamed
from caes.data.sources.parquet_columns import Columns, columns_of
from caes.data.sources.table import Labels, Table


class HuggingFace(Table):
    """``hf:owner/name`` on the Hub, ``hf:PATH`` in one of the library's layouts.

    ``hf-stream:`` keeps nothing of what it fetches. Folders of ``save_to_disk`` and
    Arrow files, which nothing else opens, need no prefix. Pictures are named by their
    paths where all have their own.
    """

    name = "hf"
    what = WHAT

    @classmethod
    def opens(cls, source: Any) -> bool:
        """Whether the source has the prefix, or is what only the library opens."""
        return is_address(source) or (isinstance(source, Path) and is_saved(source))

    def splits(self) -> dict[str, int]:
        """Count the rows; those of a stream may have to be fetched for it."""
        return {split: len(rows) for split, rows in self._opened.items()}

    @cached_property
    def columns(self) -> Columns:
        """Choose by the features of the first split."""
        first = next(iter(self._opened.values()))
        return columns_of(first.schema, str(self.source))

    def names(self, split: str, rows: range) -> list[str]:
        """Give the pictures' own names, else the rows'."""
        if self._by_path is None:
            return super().names(split, rows)
        return self._by_path[split][rows.start : rows.stop]

    def values(self, split: str, rows: range, column: str) -> Iterator[Any]:
        """Read some rows of a column."""
        yield from self._opened[split].column(column, rows)

    def encoded(self, split: str, rows: range) -> Iterator[Encoded]:
        """Read the pictures' bytes, or tell which file they are in."""
        for value in self._opened[split].column(self.columns.picture, rows):
            found = value if isinstance(value, bytes | None) else value.get("bytes")
            path = value.get("path") if isinstance(value, dict) else None
            yield found or self._file(path) or b""

    def stamps(self, split: str, rows: range) -> Iterator[str]:
        """Give the rows, and the size and time of each file of the split."""
        yield f"{split} {rows} {self.columns.picture}"
        for each in self._opened[split].stamps():
            yield f"{each}\0{stamp(each)}"

    def labelled(
        self, split: str, rows: range
    ) -> tuple[Labels | None, tuple[str, ...]]:
        """Give labels; those of a stream, where classes have names, of no other row."""
        found, column = self._opened[split], self.columns.label
        classes = self.columns.classes
        if not isinstance(found, Streamed) or column is None or not classes:
            return super().labelled(split, rows)
        values = {split: list(found.column(column, rows))}
        labels, classes = table_indices(values, classes, str(self.source))
        return (labels[split], classes) if split in labels else (None, ())

    @cached_property
    def _address(self) -> Address:
        return address_of(self.source)

    @cached_property
    def _opened(self) -> dict[str, Rows]:
        found = opened(self._address)
        first = [split for split in SPLITS if split in found]
        return {split: found[split] for split in dict.fromkeys((*first, *found))}

    def _file(self, path: str | None) -> Encoded | None:
        """Give a picture that lies in a file of its own; of a stream, its bytes."""
        if not path:
            return None
        if self._address.streamed and "://" in path:
            from datasets.utils.file_utils import xopen

            with at_work(self._address), xopen(path, "rb") as file:
                content: bytes = file.read()
            return content
        # A relative path only says what bytes that are there were called.
        return Path(path) if Path(path).is_absolute() else None

    @cached_property
    def _by_path(self) -> dict[str, list[str]] | None:
        """Name every row by its path; a stream's are not all looked at for that."""
        column = self.columns.picture
        if self._address.streamed or not self._has_paths(column):
            return None
        counts = self.splits()
        paths = {
            split: list(rows.column(column, range(counts[split]), within="path"))
            for split, rows in self._opened.items()
        }
        by_row = {
            split: super(HuggingFace, self).names(split, range(count))
            for split, count in counts.items()
        }
        root = self._address.name if self._address.local else ""
        return names_by_path(paths, by_row, root)

    def _has_paths(self, column: str) -> bool:
        from pyarrow import types

        kind = next(iter(self._opened.values())).schema.field(column).type
        return bool(types.is_struct(kind)) and kind.get_field_index("path") >= 0
