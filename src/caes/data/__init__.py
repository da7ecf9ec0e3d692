"""Pictures from wherever they are: `load` gives an `ImageSet` of any source.

A new kind of source is one file with a `Kind` and one line in `KINDS`.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from caes.data.adapt import adapted
from caes.data.arrays import Arrays
from caes.data.cifar10 import Cifar10
from caes.data.digits import Digits
from caes.data.folder import Folder
from caes.data.idx import Idx
from caes.data.imageset import ImageSet, Skipped, join, nominal_range
from caes.data.kind import Kind, Named, Options
from caes.data.memory import Memory
from caes.data.mnist import Mnist
from caes.data.parquet import Parquet
from caes.data.pictures import FORMATS
from caes.data.splits import rows_of
from caes.data.surveying import Survey, survey_of
from caes.errors import ArgumentError, DataError

__all__ = [
    "KINDS",
    "ImageSet",
    "Skipped",
    "Survey",
    "load",
    "nominal_range",
    "split_names",
    "survey",
]

_LONGEST = 65_535  # the longest side that JPEG knows
_FILES = f"a folder of pictures, or a {FORMATS}, .npy, .npz, IDX or Parquet file"

# In the order in which they are asked.
KINDS: tuple[type[Kind], ...] = (
    Memory,
    Digits,
    Mnist,
    Cifar10,
    Arrays,
    Parquet,
    Idx,
    Folder,
)


def load(
    source: Any,
    split: str = "train",
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
    prepare: bool | None = None,
) -> ImageSet:
    """Read pictures from any source.

    Many picture files, or large ones, are decoded once: the cache keeps them as an
    array that is mapped into memory when they are read again (see ``prepare``).

    Args:
        source: A registered name ("digits", "mnist", "cifar10"); the path of a folder
            of pictures, a picture, a .npy, .npz, IDX or Parquet file; an array N×H×W
            or N×H×W×C; a list of equal arrays; a torch tensor N×H×W or N×C×H×W; or an
            ImageSet.
        split: Which part, as in ``train``, ``test[:1000]``, ``train[10%:]+test``. Rows
            are counted before unreadable pictures are skipped.
        size: (H, W) to resize every picture to, antialiased, proportions not kept.
        channels: 1 for grey, by luma, 3 for colour, by repetition; None keeps them.
        strict: Whether an unreadable picture is an error, instead of being skipped.
        progress: Called with (pictures done, pictures in all) while decoding files.
        prepare: Whether picture files are kept decoded in the cache; None for those of
            more than 2,000 files, or 256 MB.

    Returns:
        Pictures in the source's own type, finite, with what was skipped and noted.

    Raises:
        ArgumentError: The split, size or channels cannot be.
        MixedSizesError: Pictures differ in size, and no size is given.
        DataError: The source is missing, damaged, empty, or of another kind.
        OutputError: ``prepare`` is True, and the cache cannot be written.
    """
    options = replace(_options(size, channels, strict, progress), prepare=prepare)
    kind = _open(source, options)
    parts = [
        replace(adapted(kind.read(name, rows), size, channels), split=name)
        for name, rows in rows_of(split, kind.splits())
        if rows
    ]
    if isinstance(source, ImageSet) and split == "train":
        split = source.split
    return replace(join(parts), split=split)


def split_names(source: Any) -> dict[str, int]:
    """Tell which splits a source has, and the rows of each, without reading pixels.

    Args:
        source: As for `load`.

    Raises:
        DataError: As for `load`.
    """
    return _open(source, Options()).splits()


def survey(source: Any) -> Survey:
    """Look every picture of a source over, whatever their sizes.

    Args:
        source: As for `load`.

    Raises:
        DataError: As for `load`, but unreadable pictures and mixed sizes are no error.
    """
    return survey_of(_open(source, Options()), str(source))


def _options(
    size: tuple[int, int] | None,
    channels: int | None,
    strict: bool,
    progress: Callable[[int, int], None] | None,
) -> Options:
    if channels not in (None, 1, 3):
        raise ArgumentError(
            "channels",
            repr(channels),
            "1 (grey) or 3 (colour)",
            "Leave it out to keep them.",
        )
    if size is not None and not _is_size(size):
        raise ArgumentError(
            "size",
            repr(size),
            f"height and width, two whole numbers from 1 to {_LONGEST:,}",
            "Try size=(64, 96).",
        )
    return Options(size and (int(size[0]), int(size[1])), channels, strict, progress)


def _is_size(size: Any) -> bool:
    return (
        isinstance(size, tuple | list)
        and len(size) == 2
        and all(isinstance(n, int | np.integer) and 1 <= n <= _LONGEST for n in size)
    )


def _open(source: Any, options: Options) -> Kind:
    names = [kind.name for kind in KINDS if issubclass(kind, Named)]
    if isinstance(source, str) and source not in names:
        source = Path(os.path.expanduser(source)) if source.strip() else source
    if isinstance(source, Path) and not os.path.exists(source):
        raise _missing(source, names)
    for kind in KINDS:
        if kind.opens(source):
            return kind(source, options)
    if isinstance(source, Path):
        raise DataError(
            str(source), "a file of another kind", _FILES, "Check the name's ending."
        )
    raise DataError(
        "source",
        repr(source)
        if isinstance(source, str)
        else f"an object of type {type(source).__name__}",
        f"{', '.join(names)}, a path, an array, a tensor or a list of arrays",
        "Try the path of a folder of pictures.",
    )


def _missing(path: Path, names: list[str]) -> DataError:
    try:
        neighbours = [str(path.parent / name) for name in os.listdir(path.parent)]
    except (OSError, ValueError):
        neighbours = []
    close = get_close_matches(str(path), [*names, *neighbours], n=1)
    return DataError(
        str(path),
        "a path that does not exist",
        f"a path that exists, or one of {', '.join(names)}",
        f"Did you mean {close[0]}?" if close else "Check the spelling.",
    )
