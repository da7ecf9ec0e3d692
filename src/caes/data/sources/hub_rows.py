"""The rows of one split, as the library `datasets` holds or fetches them."""

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any, Protocol

from caes.data.sources.hub_address import Address
from caes.data.sources.hub_errors import at_work
from caes.errors import DataError

_AT_ONCE = 1000  # rows of a mapped file: none is read before it is looked at
_FETCHED = 16  # rows of a stream, which are all in memory at once


class Rows(Protocol):
    """The rows of one split; `len` counts them."""

    def __len__(self) -> int: ...

    @property
    def schema(self) -> Any:
        """The `pyarrow.Schema`, with Hugging Face's metadata where it is known."""

    def column(self, name: str, rows: range, within: str = "") -> Iterator[Any]:
        """Read some rows of a column, or of a field within its structs."""

    def stamps(self) -> Iterator[str]:
        """Tell what changes when the rows do, with the paths of files among them."""


class Mapped:
    """Rows of Arrow files, which the library maps into memory.

    Args:
        data: A `datasets.Dataset`.
        address: What it belongs to.
    """

    def __init__(self, data: Any, address: Address) -> None:
        self.data = data.with_format("arrow")
        self.address = address

    def __len__(self) -> int:
        return len(self.data)

    @property
    def schema(self) -> Any:
        """Of the features."""
        return self.data.features.arrow_schema

    def column(self, name: str, rows: range, within: str = "") -> Iterator[Any]:
        """Slice the map, and take each row out of it when it is due."""
        from pyarrow import compute

        for start in range(rows.start, rows.stop, _AT_ONCE):
            with at_work(self.address):
                part = self.data[start : min(start + _AT_ONCE, rows.stop)]
                values = part.column(name)
                if within:
                    values = compute.struct_field(values, within)
            for value in values:
                yield value.as_py()

    def stamps(self) -> Iterator[str]:
        """Give the files' paths, or the fingerprint of rows in memory."""
        files = [each["filename"] for each in self.data.cache_files]
        yield from files or [self.data._fingerprint]


class Streamed:
    """Rows that are fetched when they are read, from the first at every call.

    Args:
        data: A `datasets.IterableDataset`.
        address: What it belongs to.
        narrowed: Gives the same with one column only, if that saves fetching others.
        count: The rows that its description promises, or None.
        stamp: Changes when the rows do.
    """

    def __init__(
        self,
        data: Any,
        address: Address,
        narrowed: Callable[[str], Any],
        count: int | None,
        stamp: str,
    ) -> None:
        self.data = data
        self.address = address
        self.narrowed = narrowed
        self.promised = count
        self.stamp = stamp

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        if self.promised is not None:
            return self.promised
        names = self.schema.names
        plain = [each for each in names if not _may_hold_pictures(self.schema, each)]
        batches = self._batches((plain or names)[0], range(2**62))
        return sum(len(batch) for batch in batches)

    @cached_property
    def schema(self) -> Any:
        """Of the features where they are known, else of the first row."""
        if self.data.features is not None:
            return self.data.features.arrow_schema
        with at_work(self.address):
            return next(iter(self.data.with_format("arrow").iter(1))).schema

    def column(self, name: str, rows: range, within: str = "") -> Iterator[Any]:
        """Fetch some rows a few at a time."""
        met = 0
        for batch in self._batches(name, rows):
            for value in batch:
                yield value[within] if within and value is not None else value
            met += len(batch)
        if met < len(rows):
            raise DataError(
                self.address.typed,
                f"a stream that ends after {rows.start + met:,} rows",
                f"the {len(self):,} that it is said to have",
                f"Read a part, such as train[:{rows.start + met}].",
            )

    def stamps(self) -> Iterator[str]:
        """Give what the library tells versions of files apart by."""
        yield self.stamp

    def _batches(self, name: str, rows: range) -> Iterator[list[Any]]:
        with at_work(self.address):
            batches = self._undecoded(name).skip(rows.start).iter(_FETCHED)
        waiting, left = iter(batches), len(rows)
        while left > 0:
            with at_work(self.address):
                batch = [each for found in islice(waiting, 1) for each in found[name]]
            if not batch:
                return
            yield batch[:left]
            left -= len(batch)

    def _undecoded(self, name: str) -> Any:
        from datasets import Image

        data = self.narrowed(name).select_columns([name])
        features = data.features or {}
        if isinstance(features.get(name), Image):
            data = data.cast_column(name, Image(decode=False))
        return data


def _may_hold_pictures(schema: Any, name: str) -> bool:
    from pyarrow import types

    kind = schema.field(name).type
    return bool(types.is_struct(kind) or types.is_large_binary(kind))
