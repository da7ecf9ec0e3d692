"""What the Hugging Face library `datasets` opens, from the Hub or from here."""

import ast
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from caes.data.cache.lookup import stamp
from caes.data.decode.opening import Encoded, silenced
from caes.data.labels.classes import Indices, table_indices
from caes.data.reading import guarded
from caes.data.sources.base import Classes
from caes.data.sources.splits import SPLITS
from caes.data.sources.table import Columns, Table, columns_of
from caes.errors import CaesError, DataError

_WHOLE, _STREAMED = "hf:", "hf-stream:"
_ALLOWED = "hf:owner/name, hf:owner/name@revision/config, or hf: and a path"
_HERE = (os.curdir, os.pardir, "~", os.sep)  # what a path starts with, and no name
_CARD = "README.md"  # says which configurations a folder has
_ONE, _SEVERAL = ("state.json", "dataset_info.json"), ("dataset_dict.json",)
_LIBRARIES = ("datasets", "huggingface_hub", "fsspec", "httpx", "httpx2", "urllib3")
_FETCHED, _AT_ONCE = 16, 1000  # rows of pictures and of labels held in memory at once

# A revision stands where the library's own addresses (hf://) have it, so that the
# configuration has to come last; no name of the Hub has a third part.
_NAME = re.compile(
    r"(?P<path>[\w.-]+/[\w.-]+|[\w.-]+)"
    r"(@(?P<revision>refs/[^/]+/[^/]+|[^/@]+))?"
    r"(/(?P<name>[^/@]+))?"
)


class HuggingFace(Table):
    """``hf:owner/name`` on the Hub, ``hf:PATH`` in one of the library's layouts.

    ``hf-stream:`` keeps nothing of what it fetches. Folders of ``save_to_disk`` and
    Arrow files, which nothing else opens, need no prefix.
    """

    name = "hf"
    what = "data that Hugging Face's datasets opens, with a column of encoded pictures"

    @classmethod
    def opens(cls, spec: Any) -> bool:
        """Whether it has the prefix, or is what only the library opens."""
        if isinstance(spec, str):
            return spec.startswith((_WHOLE, _STREAMED))
        if not isinstance(spec, Path):
            return False
        return _is_saved(spec) or (spec.suffix.lower() == ".arrow" and spec.is_file())

    def splits(self) -> dict[str, int]:
        """Count the rows; those of a stream may have to be fetched for it."""
        return self._counts

    @cached_property
    def columns(self) -> Columns:
        """Choose by the features of the first split."""
        return columns_of(self._schema, self.called)

    def values(self, split: str, rows: range, column: str) -> Iterator[Any]:
        """Read some rows of a column, undecoded and a few at a time."""
        with self._at_work():
            batches = self._batches(split, rows, column)
        met = 0
        while batch := self._next(batches):
            yield from batch[column]
            met += len(batch[column])
        if met < len(rows):
            raise DataError(
                self.called,
                f"a stream that ends after {rows.start + met:,} rows",
                f"the {self._counts[split]:,} that it is said to have",
                f"Read a part, such as train[:{rows.start + met}].",
            )

    def encoded(self, split: str, rows: range) -> Iterator[Encoded]:
        """Read the pictures' bytes, or tell which file they are in."""
        for value in self.values(split, rows, self.columns.picture):
            given = value if isinstance(value, dict) else {"bytes": value}
            yield given.get("bytes") or self._file(given.get("path")) or b""

    def stamps(self, split: str, rows: range) -> Iterator[str]:
        """Give the rows, and the size and time of each file of the split."""
        yield f"{split} {rows} {self.columns.picture}"
        if self._streamed:
            yield os.path.basename(self._builder.cache_dir)
            return
        files = [each["filename"] for each in self._data[split].cache_files]
        for each in files or [self._data[split]._fingerprint]:
            yield f"{each}\0{stamp(each)}"

    def labelled(self, split: str, rows: range) -> tuple[Indices | None, Classes]:
        """Give labels; those of a stream, where classes have names, of no other row."""
        column, classes = self.columns.label, self.columns.classes
        if not self._streamed or column is None or not classes:
            return super().labelled(split, rows)
        values = {split: list(self.values(split, rows, column))}
        labels, classes = table_indices(values, classes, self.called)
        return (labels[split], classes) if split in labels else (None, ())

    @cached_property
    def _counts(self) -> dict[str, int]:
        with self._at_work():
            return {split: self._count(split) for split in self._data}

    def _count(self, split: str) -> int:
        if not self._streamed:
            return len(self._data[split])
        told = (self._builder.info.splits or {}).get(split)
        if told and told.num_examples:
            return int(told.num_examples)
        column = self._schema.names[-1]  # any will do: pictures are often the first
        batches, count = self._batches(split, range(2**62), column), 0
        while batch := self._next(batches):
            count += len(batch[column])
        return count

    @cached_property
    def _schema(self) -> Any:
        """The `pyarrow.Schema` of the features where they are known, or of a row."""
        first = next(iter(self._data.values()))
        if first.features is not None:
            return first.features.arrow_schema
        with self._at_work():
            return next(iter(first.with_format("arrow").iter(1))).schema

    def _batches(self, split: str, rows: range, column: str) -> Iterator[Any]:
        from datasets import Image

        data = self._data[split]
        if self._streamed and self._builder.name == "parquet":
            # So that no other column is fetched.
            data = self._built(columns=[column]).as_streaming_dataset(split)
        data = data.select_columns([column])
        if isinstance((data.features or {}).get(column), Image):
            data = data.cast_column(column, Image(decode=False))
        if self._streamed:
            data = data.skip(rows.start).take(len(rows))
        else:
            data = data.select(rows)
        at_once = _AT_ONCE if column == self.columns.label else _FETCHED
        batches: Iterator[Any] = data.iter(at_once)
        return iter(batches)

    def _next(self, batches: Iterator[Any]) -> Any:
        with self._at_work():
            return next(batches, None)

    def _file(self, path: str | None) -> Encoded | None:
        """Give a picture that lies in a file of its own; of a stream, its bytes."""
        if path and self._streamed and "://" in path:
            from datasets.utils.file_utils import xopen

            with self._at_work(), xopen(path, "rb") as file:
                content: bytes = file.read()
            return content
        # A relative path only says what bytes that are there were called.
        return Path(path) if path and os.path.isabs(path) else None

    @cached_property
    def _data(self) -> dict[str, Any]:
        """A `datasets.Dataset` or `IterableDataset` for each split."""
        with self._at_work():
            from datasets import Dataset, load_dataset, load_from_disk

            if _is_saved(Path(self._address["path"])):
                found = load_from_disk(self._address["path"])
                found = {"train": found} if isinstance(found, Dataset) else found
            elif self._streamed:
                found = self._builder.as_streaming_dataset()
            else:
                found = load_dataset(**self._address)
        first = [split for split in SPLITS if split in found]
        return {split: found[split] for split in dict.fromkeys((*first, *found))}

    @cached_property
    def _builder(self) -> Any:
        return self._built()

    def _built(self, **about: Any) -> Any:
        from datasets import load_dataset_builder

        return load_dataset_builder(**self._address, **about)

    @cached_property
    def _streamed(self) -> bool:
        saved = _is_saved(Path(self._address["path"]))
        return self.called.startswith(_STREAMED) and not saved

    @cached_property
    def _address(self) -> dict[str, Any]:
        """Arguments of the library's: as there, what is here comes before the Hub."""
        rest = self.called
        if isinstance(self.spec, str):
            rest = self.spec.partition(":")[2]
        path = os.path.abspath(os.path.expanduser(rest))
        parent, last = os.path.split(path)
        if rest and os.path.isdir(path):
            return {"path": path}
        if rest and os.path.exists(path):
            return {"path": parent, "data_files": {"train": last}}
        if not rest.startswith(_HERE):
            if found := _NAME.fullmatch(rest):
                return {key: value for key, value in found.groupdict().items() if value}
            received, step = "an address that cannot be read", "Try hf:ylecun/mnist."
        elif os.path.isfile(os.path.join(parent, _CARD)):
            return {"path": parent, "name": last}
        else:
            received, step = "a path that does not exist", "Check the spelling."
        raise DataError(self.called, received, _ALLOWED, step)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Let the library work inside, quietly, and tell in one line what it raises."""
        try:
            import datasets  # noqa: F401
        except ImportError as error:
            raise DataError(
                self.called,
                "a source whose package, datasets, is not installed",
                "what it opens once the extra of this name is installed",
                'Run: pip install "caes[datasets]"',
            ) from error
        with guarded(self.called, self.what), _quiet():
            try:
                yield
            except (CaesError, MemoryError, PermissionError):
                raise
            except Exception as error:
                raise self._told(error) from error

    def _told(self, error: Exception) -> Exception:
        from datasets import config
        from datasets.exceptions import DatasetNotFoundError

        text, place = str(error), self._address["path"]
        revision, name = (self._address.get(key) for key in ("revision", "name"))
        if isinstance(error, DatasetNotFoundError) and "Revision" in text:
            return DataError(
                self.called,
                f"{revision!r}, which is no revision of {place}",
                "a branch, tag or commit of it",
                "Leave it out for the newest.",
            )
        if isinstance(error, DatasetNotFoundError):
            return DataError(
                self.called,
                "a name that is not on the Hub, or that you may not see",
                "the owner and name of a data set, as in hf:ylecun/mnist",
                "Check the spelling, or run: hf auth login",
            )
        if found := re.search(r"(?:available configs|Available)[^\[]*(\[.*?\])", text):
            names = ast.literal_eval(found[1])
            prefix = self.called.partition(":")[0]
            place = f"{place}@{revision}" if revision else place
            return DataError(
                self.called,
                f"the configuration {name!r}" if name else "no configuration",
                f"one of {', '.join(names)}",
                f"Try {prefix}:{place}/{names[0]}.",
            )
        if isinstance(error, ConnectionError):
            return DataError(
                self.called,
                f"a data set that is not in {config.HF_DATASETS_CACHE}, while the Hub "
                "cannot be reached",
                "one that is there, or a connection to fetch it once",
                f"Run caes info {self.called} with a connection, and without "
                "HF_HUB_OFFLINE.",
            )
        cause = error.__cause__ or error
        lines = str(cause).strip().splitlines() or [type(cause).__name__]
        return ValueError(lines[0])


def _is_saved(path: Path) -> bool:
    """Whether ``save_to_disk`` has written a folder."""
    both = (_ONE, _SEVERAL)
    try:
        return any(all((path / name).is_file() for name in names) for names in both)
    except OSError:  # a folder that may not be looked into
        return False


@contextmanager
def _quiet() -> Iterator[None]:
    import datasets
    from huggingface_hub import utils as hub

    speaking = [e for e in (datasets, hub) if not e.are_progress_bars_disabled()]
    with silenced(*_LIBRARIES):
        for library in speaking:
            library.disable_progress_bars()
        try:
            yield
        finally:
            for library in speaking:
                library.enable_progress_bars()
