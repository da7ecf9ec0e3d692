"""Codes into a file, row by row, in bounded memory, whole or not at all."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
GROUP_BYTES = 2**21
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
        if self.dtype == codes.dtype:
            return codes
        if (largest := float(np.abs(codes).max(initial=0))) > HALF:
            raise ArgumentError(
                "dtype",
                f"'float16' for codes up to {largest:g}",
                f"float16 for codes up to {HALF:,.0f}",
                "Try 'float32'.",
            )
        return codes.astype(self.dtype)


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
    """A row group at a time, written by a thread of its own: encoding goes on."""

    writer: Any = None
    writing: Future[None] | None = None
    codes: NDArray[Any]  # those that wait, and the rest of their room
    errors: NDArray[np.float64] | None

    def __init__(self, path: Path, dtype: str, opened: ExitStack) -> None:
        super().__init__(path, dtype, opened)
        self.file: BinaryIO = opened.enter_context(write_atomically(path))
        self.names: list[str] = []
        self.labels: list[str | None] = []

    def add(self, part: Part) -> None:
        n, width = part.codes.shape
        most = max(1, min(GROUP, GROUP_BYTES // (width * self.dtype.itemsize)))
        if self.names and len(self.names) + n > most:
            self._group()
        if not self.names:
            self.codes = np.empty((max(n, most), width), self.dtype)
            self.errors = None if part.errors is None else np.empty(max(n, most))
        # Copied at once: small arrays that wait would hold the memory around them.
        here = slice(len(self.names), len(self.names) + n)
        self.codes[here] = self.typed(part.codes)
        if self.errors is not None:
            self.errors[here] = part.errors
        self.names += part.names
        self.labels += part.labels

    def end(self) -> None:
        self._group()
        self._wait()
        if not self.about.complete:
            self.writer.add_key_value_metadata({CUT: "true"})
        self.writer.close()

    def _group(self) -> None:
        self._wait()
        table, self.names, self.labels = self._table(), [], []
        if self.writer is None:
            made = parquet(self.path).ParquetWriter(
                self.file,
                table.schema.with_metadata({KEY: self.about.as_json()}),
                use_dictionary=["label"],
                compression={"name": "zstd", "label": "zstd", "error": "zstd"},
                write_statistics=["name", "label", "error"],
                write_batch_size=2**20,  # values of codes at a time, not 1,024
            )
            self.writer = self.opened.enter_context(made)
            # Left first: a thread that still writes ends before the file is closed.
            self.thread = self.opened.enter_context(ThreadPoolExecutor(1))
        table = table.replace_schema_metadata(self.writer.schema.metadata)
        self.writing = self.thread.submit(self.writer.write_table, table, len(table))

    def _wait(self) -> None:
        """Wait for the group before, of which there is never more than one."""
        if self.writing is not None:
            self.writing.result()

    def _table(self) -> Any:
        import pyarrow as pa

        n, width = len(self.names), self.codes.shape[1]
        values = pa.array(self.codes[:n].reshape(-1))
        # Where none can be missing, none is marked as there, value by value.
        element = pa.field("element", values.type, nullable=False)
        each = pa.list_(element, width)
        columns: dict[str, Any] = {
            "name": pa.array(self.names, pa.string()),
            "label": pa.array(self.labels, pa.string()).dictionary_encode(),
            "code": pa.FixedSizeListArray.from_arrays(values, type=each),
        }
        if self.errors is not None:
            columns["error"] = pa.array(self.errors[:n])
        fields = [
            pa.field(name, column.type, nullable=name == "label")
            for name, column in columns.items()
        ]
        return pa.table([*columns.values()], schema=pa.schema(fields))


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
