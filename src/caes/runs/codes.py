"""Codes in a file, .parquet, .npy or .csv, with what they are the codes of."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import index_names
from caes.data.reading import guarded
from caes.errors import DataError
from caes.files import read_table
from caes.nn.architecture import Shape
from caes.runs.pictures import Opening
from caes.version import __version__

FORMAT = 1
"""Version of the layout; raised when an older caes could not read it."""
KEY = "caes"
"""What Parquet's metadata have the JSON under."""
CUT = "caes:cut"
"""What they have where a Ctrl-C has ended the rows: that is known only in the end."""
ENDINGS = (".parquet", ".npy", ".csv")
WHAT = "codes that caes encode has written"


@dataclass(frozen=True, kw_only=True)
class About:
    """What the codes of a file are; docs/encode.md says what each is in JSON."""

    run: str  # its fingerprint: "sha256:" and the digest of all weights
    folder: str  # of the run
    architecture: str  # in the authors' notation
    picture: Shape | None  # H×W×C that were encoded; None where they keep their sizes
    code: tuple[int, ...]  # shape of a row's code before it was flattened
    pool: str  # "none", or over which places of a code it is
    shown: tuple[float, float]  # black and white, in the source's units
    opening: Opening | None  # how the pictures were opened
    complete: bool = True  # whether all are there, and not those up to a Ctrl-C
    caes: str = __version__
    format: int = FORMAT

    def as_json(self) -> str:
        """Write it."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def read(cls, text: str | bytes) -> "About":
        """Read what `as_json` wrote."""
        found = json.loads(text)
        pairs = {name: tuple(found[name]) for name in ("code", "shown")}
        picture = found["picture"] and tuple(found["picture"])
        opening = found["opening"] and Opening.read(found["opening"])
        return cls(**found | pairs | {"picture": picture, "opening": opening})


class Part(NamedTuple):
    """Some rows of a table of codes."""

    names: Sequence[str]  # n, of the pictures
    labels: Sequence[str | None]  # n names of classes; None where it is not known
    codes: NDArray[np.float32]  # n×K
    errors: NDArray[np.float64] | None
    """n mean squared errors of reconstruction, in squared units of the network."""


class Codes(NamedTuple):
    """A table of codes in memory."""

    rows: Part
    about: About | None  # None where the file does not say


def beside(path: Path) -> tuple[Path, Path]:
    """Give where what .npy and .csv have no room for is kept: rows, and JSON."""
    return path.with_name(f"{path.name}.csv"), path.with_name(f"{path.name}.json")


def read_codes(path: Path) -> Codes:
    """Read a file of codes into memory, whoever has changed the codes.

    Raises:
        DataError: It is not there, of another kind, or damaged; or a code is missing,
            or no finite number.
    """
    if not path.is_file():
        raise DataError(str(path), "no file", WHAT, "Make one with caes encode.")
    read = {".parquet": _parquet, ".npy": _npy, ".csv": _csv}.get(path.suffix.lower())
    if read is None:
        raise DataError(
            str(path), f"a file that ends in {path.suffix!r}", ", ".join(ENDINGS),
            "Make one with caes encode.",
        )  # fmt: skip
    with guarded(path, WHAT):
        rows, about = read(path)
    strange = np.flatnonzero(~np.isfinite(rows.codes).all(axis=1))
    if not len(rows.names) or len(strange):
        bad = [rows.names[at] for at in strange.tolist()]
        raise DataError(
            str(path),
            f"a code of {bad[0]!r} that is not finite"
            if bad
            else "a table without rows",
            "rows whose codes are finite numbers",
            "Mend that row, or leave it out." if bad else "Make one with caes encode.",
        )
    return Codes(rows, about)


def _parquet(path: Path) -> tuple[Part, About | None]:
    pq = parquet(path)
    with pq.ParquetFile(path) as file:
        told = file.metadata.metadata or {}
        table = file.read([c for c in _COLUMNS if c in file.schema_arrow.names])
    column = {name: table.column(name) for name in table.column_names}
    if not {"name", "code"} <= {*column}:
        raise ValueError("without the columns name and code")
    names = [str(each) for each in column["name"].to_pylist()]
    labels = column["label"].to_pylist() if "label" in column else [None] * len(names)
    errors = None
    if "error" in column:
        errors = column["error"].to_numpy().astype(np.float64)
    codes, text = _vectors(column["code"], len(names)), told.get(KEY.encode())
    text = text or (table.schema.metadata or {}).get(KEY.encode())
    about = None if text is None else About.read(text)
    if about and CUT.encode() in told:
        about = replace(about, complete=False)
    known = [None if each is None else str(each) for each in labels]
    return Part(names, known, codes, errors), about


_COLUMNS = ("name", "label", "code", "error")


def _vectors(column: Any, rows: int) -> NDArray[np.float32]:
    """Give a column of lists, N×K."""
    from pyarrow import compute

    if column.null_count:
        raise ValueError("a row has no code")
    lengths = compute.unique(compute.list_value_length(column)).to_pylist()
    if len(lengths) > 1:
        raise ValueError(f"codes of {min(lengths)} and of {max(lengths)} values")
    flat = compute.list_flatten(column).to_numpy()
    codes: NDArray[np.float32] = flat.astype(np.float32, copy=False)
    return codes.reshape(rows, -1)


def _npy(path: Path) -> tuple[Part, About | None]:
    codes = np.load(path, allow_pickle=False)
    if codes.ndim != 2 or codes.dtype.kind not in "fiu":
        raise ValueError(f"an array of {codes.dtype} of shape {codes.shape}")
    told, _ = beside(path)
    names: Sequence[str] = index_names(range(len(codes)), len(codes))
    part = Part(names, [None] * len(codes), codes.astype(np.float32), None)
    if told.is_file():
        part = _table(told)._replace(codes=part.codes)
        if len(part.names) != len(codes):
            raise ValueError(f"{len(codes)} codes for {len(part.names)} rows of {told}")
    return part, _beside(path)


def _csv(path: Path) -> tuple[Part, About | None]:
    return _table(path), _beside(path)


def _beside(path: Path) -> About | None:
    _, about = beside(path)
    return About.read(about.read_text("utf-8")) if about.is_file() else None


def _table(path: Path) -> Part:
    columns, *rows = read_table(path) or [[]]
    if not columns or columns[0] != "name":
        raise ValueError("without the column name")
    if {len(row) for row in rows} - {len(columns)}:
        raise ValueError("rows of several lengths")
    values = [at for at, name in enumerate(columns) if name.startswith("code")]
    codes = np.array([[row[at] for at in values] for row in rows], np.float32)
    each = dict(zip(columns, zip(*rows, strict=True), strict=True)) if rows else {}
    labels = [text or None for text in each.get("label", [None] * len(rows))]
    errors = np.array(each["error"], np.float64) if "error" in each else None
    return Part([*each.get("name", [])], labels, codes, errors)


def parquet(path: Path) -> Any:
    """Give `pyarrow.parquet`, or say what is missing."""
    try:
        from pyarrow import parquet as found
    except ImportError as error:
        raise DataError(
            str(path),
            "a Parquet file, and the package pyarrow is not installed",
            ".npy or .csv, or Parquet once the extra of this name is installed",
            'Run: pip install "caes[parquet]"',
        ) from error
    return found
