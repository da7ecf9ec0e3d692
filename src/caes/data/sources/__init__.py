"""Sources of pictures, one module a kind, and which of them opens what was given."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from caes.data.formats import LISTED
from caes.data.reading import Reading
from caes.data.sources.arrays import Arrays
from caes.data.sources.base import Source
from caes.data.sources.cifar10 import Cifar10
from caes.data.sources.folder import Folder
from caes.data.sources.huggingface import HuggingFace
from caes.data.sources.idx import Idx
from caes.data.sources.memory import Memory
from caes.data.sources.parquet import Parquet
from caes.data.sources.standard import Digits, Mnist, Standard
from caes.errors import DataError

__all__ = ["SOURCES", "Source", "open_source"]

# In the order in which they are asked.
SOURCES: tuple[type[Source], ...] = (
    Memory,
    Digits,
    Mnist,
    Cifar10,
    Arrays,
    Parquet,
    Idx,
    HuggingFace,
    Folder,
)

_NAMES = [kind.name for kind in SOURCES if issubclass(kind, Standard)]
_FILES = f"a folder of pictures, or a {LISTED}, .npy, .npz, IDX or Parquet file"


def open_source(spec: Any, reading: Reading) -> Source:
    """Open a source with the first kind that does, or read one as is asked for."""
    if isinstance(spec, Source):
        return spec.read_as(reading)
    if isinstance(spec, str) and not any(kind.opens(spec) for kind in SOURCES):
        spec = Path(os.path.expanduser(spec)) if spec.strip() else spec
    if isinstance(spec, Path) and not os.path.exists(spec):
        raise _missing(spec)
    for kind in SOURCES:
        if kind.opens(spec):
            return kind(spec, reading)
    if isinstance(spec, Path):
        received = "a file of another kind"
        raise DataError(str(spec), received, _FILES, "Check the name's ending.")
    given = f"an object of type {type(spec).__name__}"
    raise DataError(
        "source",
        repr(spec) if isinstance(spec, str) else given,
        f"{', '.join(_NAMES)}, a path, an array, a tensor or a list of arrays",
        "Try the path of a folder of pictures.",
    )


def _missing(path: Path) -> DataError:
    try:
        neighbours = [str(path.parent / name) for name in os.listdir(path.parent)]
    except (OSError, ValueError):
        neighbours = []
    close = get_close_matches(str(path), [*_NAMES, *neighbours], n=1)
    return DataError(
        str(path),
        "a path that does not exist",
        f"a path that exists, or one of {', '.join(_NAMES)}",
        f"Did you mean {close[0]}?" if close else "Check the spelling.",
    )
