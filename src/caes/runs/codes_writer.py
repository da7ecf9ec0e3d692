"""Codes into a file, row by row, in bounded memory, whole or not at all."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from caes.errors import ArgumentError
from caes.files import TableWriter, check_new, write_atomically, write_whole
from caes.runs.codes import CUT, ENDINGS, KEY, About, Part, beside, parquet

GROUP = 2**16
"""Most rows of a row group in Parquet."""
GROUP_BYTES = 2**24
"""Most bytes of its codes, but for a single row."""
ROWS = ("name", "label")
HALF = float(np.finfo(np.float16).max)


class CodesWriter(ABC):
    """Takes rows; all have codes of one width, and errors or none."""

    about: About  # what they are: to be set before the first comes

    def __init__(self, path: Path, dtype: str, opened: ExitStack) -> None:
        self.path, self.dtype, self.opened = path, np.dtype(dtype), opened

    @abstractmethod
    def add(self, part: Part) -> None:
        """Write some rows."""

    def end(self) -> None:
        """Write what is still to be written, when there are no more rows."""
        write_whole(beside(self.path)[1], self.about.as_json().encode())

    def typed(self, codes: NDArray[np.float32]) -> NDArray[Any]:
        """Give codes in the type of the file, whose range must hold them."""
        largest = float(np.abs(codes).max(initial=0))
        if self.dtype == np.float16 and largest > HALF:
            raise ArgumentError(
                "dtype",
                f"'float16' for codes up to {largest:g}",
                f"float16 for codes up to {HALF:,.0f}",
                "Try 'float32'.",
            )
        return codes.astype(self.dtype, copy=False)


@contextmanager
def codes_writer(path: Path, dtype: str) -> Iterator[CodesWriter]:
    """Open a file of the kind that its name's ending says."""
    kinds: dict[str, type[_Parquet | _Npy | _Csv]]
    kinds = {".parquet": _Parquet, ".npy": _Npy, ".csv": _Csv}
    with ExitStack() as opened:
        yield kinds[path.suffix.lower()](path, dtype, opened)


def check_codes_path(path: Path, force: bool) -> None:
    """Refuse before the work what cannot be written after it."""
    if path.suffix.lower() not in ENDINGS:
        raise ArgumentError(
            "out",
            repr(str(path)),
            f"a file that ends in {', '.join(ENDINGS)}",
            "Try codes.parquet.",
        )
    if path.suffix.lower() == ".parquet":
        parquet(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, about = beside(path)
    others = {".npy": (rows, about), ".csv": (about,)}
    for each in (path, *others.get(path.suffix.lower(), ())):
        check_new(each, force)


class _Parquet(CodesWriter):
    """A row group at a time."""

    writer: Any = None

    def __init__(self, path: Path, dtype: str, opened: ExitStack) -> None:
        super().__init__(path, dtype, opened)
        self.file: BinaryIO = opened.enter_context(write_atomically(path))
        self.waiting: list[Part] = []

    def add(self, part: Part) -> None:
        self.waiting.append(part)
        rows = sum(len(each.names) for each in self.waiting)
        size = part.codes.shape[1] * self.dtype.itemsize * rows
        if rows >= GROUP or size >= GROUP_BYTES:
            self._group()

    def end(self) -> None:
        if self.waiting:
            self._group()
        if not self.about.complete:
            self.writer.add_key_value_metadata({CUT: "true"})
        self.writer.close()

    def _group(self) -> None:
        import pyarrow as pa

        waiting, self.waiting = self.waiting, []
        codes = self.typed(np.concatenate([part.codes for part in waiting]))
        labels = [label for part in waiting for label in part.labels]
        columns: dict[str, Any] = {
            "name": pa.array([name for part in waiting for name in part.names]),
            "label": pa.array(labels, pa.string()).dictionary_encode(),
            "code": pa.FixedSizeListArray.from_arrays(
                codes.reshape(-1), codes.shape[1]
            ),
        }
        errors = [part.errors for part in waiting if part.errors is not None]
        if errors:
            columns["error"] = pa.array(np.concatenate(errors))
        table = pa.table(columns)
        if self.writer is None:
            made = parquet(self.path).ParquetWriter(
                self.file,
                table.schema.with_metadata({KEY: self.about.as_json()}),
                use_dictionary=["label"],
                compression={"name": "zstd", "label": "zstd", "code": "none"},
            )
            self.writer = self.opened.enter_context(made)
        table = table.replace_schema_metadata(self.writer.schema.metadata)
        self.writer.write_table(table, row_group_size=len(table))


class _Npy(CodesWriter):
    """N×K, and beside it the rows' names as CSV and the rest as JSON."""

    rows = width = 0

    def __init__(self, path: Path, dtype: str, opened: ExitStack) -> None:
        super().__init__(path, dtype, opened)
        self.table = opened.enter_context(TableWriter(beside(path)[0]))
        self.file = opened.enter_context(write_atomically(path))

    def add(self, part: Part) -> None:
        if not self.rows:
            self.table.row([*ROWS, *["error"] * (part.errors is not None)])
            self.width = part.codes.shape[1]
            self._head()
        self.rows += len(part.names)
        self.file.write(np.ascontiguousarray(self.typed(part.codes)).data)
        for cells in _cells(part):
            self.table.row(cells)

    def end(self) -> None:
        self.file.seek(0)
        self._head()  # as long as before: NumPy leaves room for any number of rows
        super().end()

    def _head(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.rows, self.width),
        }
        np.lib.format.write_array_header_1_0(self.file, header)


class _Csv(CodesWriter):
    """A column a value, and beside it the rest as JSON."""

    begun = False

    def __init__(self, path: Path, dtype: str, opened: ExitStack) -> None:
        super().__init__(path, dtype, opened)
        self.table = opened.enter_context(TableWriter(path))

    def add(self, part: Part) -> None:
        if not self.begun:
            values = (f"code{at}" for at in range(part.codes.shape[1]))
            self.table.row([*ROWS, *["error"] * (part.errors is not None), *values])
            self.begun = True
        digits = ".9g" if self.dtype == np.float32 else ".5g"
        for cells, code in zip(_cells(part), self.typed(part.codes), strict=True):
            self.table.row(
                [*cells, *(format(value, digits) for value in code.tolist())]
            )


def _cells(part: Part) -> Iterator[list[str | None]]:
    for at, (name, label) in enumerate(zip(part.names, part.labels, strict=True)):
        errors = [] if part.errors is None else [f"{part.errors[at]:.8g}"]
        yield [name, label, *errors]
