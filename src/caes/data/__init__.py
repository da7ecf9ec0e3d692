"""Pictures from wherever they are: `load` gives an `ImageSet` of any source."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from caes.data.census.survey import Survey, survey_of, survey_of_sets
from caes.data.decode.adapt import adapted
from caes.data.decode.gather import Gatherer, Tiling
from caes.data.decode.tiling import tiled
from caes.data.imageset import ImageSet, Skipped, join
from caes.data.reading import RESIZES, Pages, Reading
from caes.data.sources import SOURCES, Source, open_source
from caes.data.sources.splits import rows_of
from caes.data.tiles import overlap_of, side_of
from caes.errors import ArgumentError

__all__ = [
    "SOURCES",
    "ImageSet",
    "Skipped",
    "Survey",
    "load",
    "split_names",
    "stream",
    "survey",
    "survey_of_sets",
]

_LONGEST = 65_535  # the longest side that JPEG knows


def load(
    source: Any,
    split: str = "train",
    *,
    size: tuple[int, int] | None = None,
    resize: str = "stretch",
    channels: int | None = None,
    tile: int | tuple[int, int] | None = None,
    overlap: int | None = None,
    seed: int = 0,
    strict: bool = False,
    pages: Pages = "pictures",
    progress: Callable[[int, int], None] | None = None,
    prepare: bool | None = None,
) -> ImageSet:
    """Read pictures from any source.

    Many picture files, or large ones, are decoded once: the cache keeps them as an
    array that is mapped into memory when they are read again (see ``prepare``).

    Args:
        source: A registered name ("digits", "mnist", "cifar10"); the path of a folder
            of pictures, a picture, a .npy, .npz, IDX, Parquet or Arrow file; what the
            Hugging Face library opens, as "hf:owner/name" or "hf:PATH"; an array N×H×W
            or N×H×W×C; a list of equal arrays; a torch tensor N×H×W or N×C×H×W; or an
            ImageSet.
        split: Which part, as in ``train``, ``test[:1000]``, ``train[10%:]+test``. Rows
            are counted before unreadable pictures are skipped.
        size: (H, W) to bring every picture to, antialiased.
        resize: How: "stretch" keeps no proportions; "crop" scales to cover the size and
            cuts off evenly what stands over; "pad" scales to lie within it, and mirrors
            the picture around; "random-crop" does not scale, but takes a piece whose
            place the seed and the picture's name draw, small pictures being mirrored.
        channels: 1 for grey, by luma, 3 for colour, by repetition; None keeps them.
        tile: A side or (H, W) to cut every picture into, of whatever size it is; the
            tiles are named picture#row,column, in pixels. Pictures are read one by one.
        overlap: Pixels that neighbouring tiles share, at least; None is an eighth.
        seed: Of random crops, a whole number of at least 0.
        strict: Whether an unreadable picture is an error, instead of being skipped.
        pages: Whether each page of a TIFF, DICOM or FITS file is a picture of its own,
            or "channels": all its pages are channels of one picture.
        progress: Called with (pictures done, pictures in all) while decoding files.
        prepare: Whether picture files are kept decoded in the cache; None for those of
            more than 2,000 files, or 256 MB. Tiles are never kept: they are cut in
            memory.

    Returns:
        Pictures in the source's own type, finite, with what was skipped and noted.

    Raises:
        ArgumentError: The split, size, resize, channels, tile, overlap, seed or pages
            cannot be, or tiles are to be prepared.
        MixedSizesError: Pictures differ in size, and no size is given.
        DataError: The source is missing, damaged, empty, or of another kind.
        OutputError: ``prepare`` is True, and the cache cannot be written.
    """
    options = _options(size, channels, strict, pages, progress, resize, seed)
    opened = open_source(source, replace(options, prepare=prepare))
    if tile is not None:
        _check_unprepared(prepare)
        images = _in_tiles(opened, split, tile, overlap)
    else:
        parts = [
            replace(_adapted(opened.read(name, rows), options), split=name)
            for name, rows in rows_of(split, opened.splits())
            if rows
        ]
        images = join(parts)
    if isinstance(source, ImageSet) and split == "train":
        split = source.split
    return replace(images, split=split)


def stream(
    source: Any,
    split: str = "train",
    *,
    size: tuple[int, int] | None = None,
    resize: str = "stretch",
    channels: int | None = None,
    seed: int = 0,
    strict: bool = False,
    pages: Pages = "pictures",
) -> Iterator[ImageSet | Skipped]:
    """Read pictures of any sizes one after the other.

    Args:
        source: As for `load`.
        split: As for `load`.
        size: As for `load`.
        resize: As for `load`.
        channels: As for `load`.
        seed: As for `load`.
        strict: As for `load`.
        pages: As for `load`.

    Yields:
        Sets of one picture, or of a few of one size where the source holds them so;
        and in their places the pictures that cannot be read.

    Raises:
        ArgumentError: As for `load`.
        DataError: As for `load`.
    """
    options = _options(size, channels, strict, pages, None, resize, seed)
    return _pieces(open_source(source, options), split)


def _pieces(opened: Source, split: str) -> Iterator[ImageSet | Skipped]:
    opened.reading = replace(opened.reading, alone=True)
    unread, found = Gatherer(0, opened.called, opened.reading.strict), False
    for name, rows in rows_of(split, opened.splits()):
        for piece in opened.stream(name, rows) if rows else ():
            if isinstance(piece, Skipped):
                unread.skip(len(unread.skipped), piece)
                yield piece
            else:
                found = True
                yield _adapted(piece, opened.reading)
    if not found:
        unread.batch([])  # says what is wrong with them


def _in_tiles(opened: Source, split: str, tile: Any, overlap: int | None) -> ImageSet:
    side = side_of(tile)
    counts = opened.splits()
    total = sum(len(rows) for _, rows in rows_of(split, counts))
    tiling = Tiling(side, overlap_of(overlap, side))
    pieces = _told(_pieces(opened, split), total, opened.reading)
    return tiled(pieces, tiling, opened.called, split, opened.reading.strict)


def _told(
    pieces: Iterator[ImageSet | Skipped], total: int, options: Reading
) -> Iterator[ImageSet | Skipped]:
    done = 0
    for piece in pieces:
        yield piece
        done += 1 if isinstance(piece, Skipped) else len(piece)
        if options.progress:
            options.progress(min(done, total), total)


def _check_unprepared(prepare: bool | None) -> None:
    if prepare:
        raise ArgumentError(
            "prepare",
            "True with tiles",
            "False or None with tiles, which are cut in memory",
            "Leave prepare or tile out.",
        )


def _adapted(images: ImageSet, options: Reading) -> ImageSet:
    return adapted(images, options.size, options.channels, options.resize, options.seed)


def split_names(source: Any, *, pages: Pages = "pictures") -> dict[str, int]:
    """Tell which splits a source has, and the rows of each, without reading pixels.

    Args:
        source: As for `load`.
        pages: As for `load`.

    Raises:
        DataError: As for `load`.
        ArgumentError: There is no such kind of pages.
    """
    return open_source(source, _options(pages=pages)).splits()


def survey(
    source: Any,
    *,
    pages: Pages = "pictures",
    progress: Callable[[int, int], None] | None = None,
    seen: Callable[[ImageSet | Skipped], None] | None = None,
) -> Survey:
    """Look every picture of a source over, whatever their sizes.

    Args:
        source: As for `load`.
        pages: As for `load`.
        progress: Called with (pictures done, pictures in all).
        seen: Called with sets of pictures of one size, and with what cannot be read, in
            order, while they are looked over.

    Raises:
        ArgumentError: There is no such kind of pages.
        DataError: As for `load`, but unreadable pictures and mixed sizes are no error.
    """
    opened = open_source(source, _options(pages=pages))
    return survey_of(opened, progress, seen)


def _options(
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    strict: bool = False,
    pages: Pages = "pictures",
    progress: Callable[[int, int], None] | None = None,
    resize: str = "stretch",
    seed: int = 0,
) -> Reading:
    if pages not in get_args(Pages):
        raise ArgumentError(
            "pages", repr(pages), "pictures or channels", 'Try pages="channels".'
        )
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
    if resize not in RESIZES:
        raise ArgumentError(
            "resize",
            repr(resize),
            f"{', '.join(RESIZES[:-1])} or {RESIZES[-1]}",
            "Try 'crop'.",
        )
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ArgumentError(
            "seed", repr(seed), "a whole number of at least 0", "Try 0."
        )
    form = size and (int(size[0]), int(size[1]))
    return Reading(form, channels, strict, progress, pages, resize, int(seed))  # type: ignore[arg-type]


def _is_size(size: Any) -> bool:
    return (
        isinstance(size, tuple | list)
        and len(size) == 2
        and all(isinstance(n, int | np.integer) and 1 <= n <= _LONGEST for n in size)
    )
