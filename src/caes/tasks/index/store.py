"""An index on disk: whole segments that are never changed, and a list of them.

What is added is a new segment, what is dropped a row number in the list; the list is
replaced as a whole, and what it does not name is no part of the index. So nothing that
dies half-way takes anything with it.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from caes.errors import OutputError, RunError
from caes.files import output_errors, write_atomically, write_whole
from caes.tasks.index.search import missing
from caes.tasks.index.space import METRICS, Space

FORMAT = 1
"""Version of the folder's layout; raised when an older caes could not read it."""
LIST, SPACE = "index.json", "space.safetensors"
SEGMENTS, GRAPHS = "segment-*.arrow", "graph-*.usearch"
FILES = (LIST, SPACE, SEGMENTS, GRAPHS, ".lock")
"""All that the folder of an index holds."""


@dataclass
class Listing:
    """What index.json says."""

    size: int  # values of a code
    metric: str
    written: int = 0  # times that the list was replaced
    segments: list[list[Any]] = field(default_factory=list)  # file, rows
    dropped: list[int] = field(default_factory=list)  # rows
    graph: list[Any] | None = None  # file, rows, scale, how far is looked
    about: dict[str, Any] = field(default_factory=dict)  # what `ImageIndex.about` is


def schema(size: int) -> Any:
    """Say what a segment's columns are: an Arrow schema."""
    pa = arrow()
    return pa.schema(
        [
            pa.field("name", pa.string(), nullable=False),
            pa.field("label", pa.string()),
            pa.field("code", pa.list_(pa.float32(), size), nullable=False),
            pa.field("content", pa.binary()),  # a digest of the picture's values
            pa.field("thumbnail", pa.binary()),  # uint8, as `about` says
        ]
    )


def read_listing(folder: Path) -> Listing:
    """Read the list of an index."""
    path = folder / LIST
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        kind = about.pop("format")
        if kind > FORMAT:
            raise RunError(
                str(path),
                f"format {kind}",
                f"formats up to {FORMAT}",
                "It was made by a newer caes: pip install --upgrade caes.",
            )
        found = Listing(**about)
        if found.metric not in METRICS or not 0 < found.size < 2**24:
            raise ValueError(f"codes of {found.size} values, {found.metric}")
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            str(folder),
            f"no {LIST} in it",
            "the folder of an index",
            "Make one with: caes index build RUN DATA --out FOLDER.",
        ) from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise damaged(path, error) from error
    return found


def write_listing(folder: Path, listing: Listing) -> None:
    """Replace the list."""
    text = json.dumps({"format": FORMAT, **asdict(listing)}, ensure_ascii=False)
    write_whole(folder / LIST, text.encode())


def read_space(folder: Path, listing: Listing) -> Space:
    """Read the space of an index."""
    try:
        tensors = load((folder / SPACE).read_bytes())
        space = Space(listing.metric, tensors["mean"], tensors.get("matrix"))  # type: ignore[arg-type]
        shapes = [each.shape for each in tensors.values()]
        allowed = {(listing.size,), (listing.size, listing.size)}
        if not allowed.issuperset(shapes) or space.mean.ndim != 1:
            raise ValueError(f"arrays of shapes {shapes}")
    except (OSError, SafetensorError, LookupError, ValueError) as error:
        raise damaged(folder / SPACE, error) from error
    return space


def write_space(folder: Path, space: Space) -> None:
    """Write the space of an index."""
    tensors = {"mean": space.mean}
    if space.matrix is not None:
        tensors["matrix"] = space.matrix
    write_whole(folder / SPACE, save(tensors))


def read_segment(path: Path, size: int, rows: int) -> Any:
    """Map a segment, an Arrow table, into memory; it is read where it is used."""
    pa = arrow()
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        if table.schema != schema(size) or len(table) != rows:
            raise ValueError(f"{len(table)} rows of another form")
    except (OSError, ValueError, pa.ArrowException) as error:
        raise damaged(path, error) from error
    return table


def write_segment(path: Path, table: Any) -> None:
    """Write a segment, whole or not at all."""
    with (
        write_atomically(path) as file,
        arrow().ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table)


def codes_of(table: Any) -> list[NDArray[np.float32]]:
    """Give a table's codes, n×d in pieces, without copying them."""
    found = []
    for chunk in table.column("code").chunks:
        size = chunk.type.list_size
        found.append(chunk.flatten().to_numpy().reshape(-1, size))
    return found


@contextmanager
def alone(folder: Path, written: int) -> Iterator[None]:
    """Let no other process write, and refuse where one has since we have read."""
    from filelock import FileLock

    with output_errors(folder):
        lock = FileLock(folder / ".lock")
        lock.acquire()
    try:
        if read_listing(folder).written != written:
            raise OutputError(
                str(folder),
                "an index that another process has changed meanwhile",
                "one that nobody else is writing to",
                "Nothing of it is lost: do the same again.",
            )
        yield
    finally:
        lock.release()


def tidy(folder: Path, listing: Listing) -> None:
    """Delete what the list does not name, such as what a killed process has left."""
    named = {str(each[0]) for each in (*listing.segments, listing.graph or [""])}
    for pattern in (SEGMENTS, GRAPHS):
        for path in folder.glob(pattern):
            if path.name not in named:
                path.unlink(missing_ok=True)


def next_name(folder: Path, pattern: str, taken: Sequence[str]) -> str:
    """Give the next free name of a pattern such as segment-*.arrow."""
    used = {path.name for path in folder.glob(pattern)} | {*taken}
    number = 1 + len(used)
    while (name := pattern.replace("*", f"{number:06d}")) in used:
        number += 1
    return name


def damaged(path: Path, error: object) -> RunError:
    """The error for a file that is not as it was written."""
    return RunError(
        str(path),
        f"contents that cannot be ({error})",
        "the file as caes wrote it",
        "Copy it again from where it was made, or build the index again.",
    )


def arrow() -> Any:
    """Give pyarrow, which an extra brings."""
    try:
        import pyarrow as pa
        import pyarrow.ipc
    except ImportError:
        raise missing("pyarrow") from None
    return pa
