"""Pictures from wherever they are: `load` gives an `ImageSet` of any source."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from caes.data.census.survey import Survey, survey_of
from caes.data.decode.gather import Gatherer, Tiling, tiled
from caes.data.decode.resize import adapted
from caes.data.imageset import ImageSet, Skipped, join
from caes.data.reading import Pages, Progress, Reading, ResizeName, Side
from caes.data.sources import Source, open_source
from caes.data.sources.splits import rows_of


def load(
    source: Any,
    split: str = "train",
    *,
    size: Side | None = None,
    resize: ResizeName = "stretch",
    channels: int | None = None,
    tile: int | Side | None = None,
    overlap: int | None = None,
    seed: int = 0,
    strict: bool = False,
    pages: Pages = "pictures",
    progress: Progress | None = None,
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
    reading = Reading(
        size=size, resize=resize, channels=channels, tile=tile, overlap=overlap,
        seed=seed, strict=strict, pages=pages, progress=progress, prepare=prepare,
    )  # fmt: skip
    opened = open_source(source, reading)
    if reading.tiles is not None:
        images = _in_tiles(opened, split, *reading.tiles)
    else:
        parts = [
            replace(adapted(opened.read(name, rows), reading), split=name)
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
    size: Side | None = None,
    resize: ResizeName = "stretch",
    channels: int | None = None,
    seed: int = 0,
    strict: bool = False,
    pages: Pages = "pictures",
) -> Iterator[ImageSet | Skipped]:
    """Read pictures of any sizes one after the other; arguments are those of `load`.

    Yields:
        Sets of one picture, or of a few of one size where the source holds them so;
        and in their places the pictures that cannot be read.

    Raises:
        ArgumentError: As for `load`.
        DataError: As for `load`.
    """
    reading = Reading(
        size=size, resize=resize, channels=channels, seed=seed, strict=strict,
        pages=pages,
    )  # fmt: skip
    return _streamed(open_source(source, reading), split)


def split_names(source: Any, *, pages: Pages = "pictures") -> dict[str, int]:
    """Tell which splits a source has, and the rows of each, without reading pixels.

    Arguments and errors are those of `load`.
    """
    return open_source(source, Reading(pages=pages)).splits()


def survey(
    source: Any,
    *,
    pages: Pages = "pictures",
    progress: Progress | None = None,
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
    return survey_of(open_source(source, Reading(pages=pages)), progress, seen)


def _streamed(opened: Source, split: str) -> Iterator[ImageSet | Skipped]:
    reading = replace(opened.reading, alone=True)
    opened = opened.read_as(reading)
    unread, found = Gatherer(0, opened.called, reading.strict), False
    for name, rows in rows_of(split, opened.splits()):
        for piece in opened.stream(name, rows) if rows else ():
            if isinstance(piece, Skipped):
                unread.skip(len(unread.skipped), piece)
                yield piece
            else:
                found = True
                yield adapted(piece, reading)
    if not found:
        unread.batch([])  # says what is wrong with them


def _in_tiles(opened: Source, split: str, tile: Side, overlap: int) -> ImageSet:
    total = sum(len(rows) for _, rows in rows_of(split, opened.splits()))
    pieces, tell = _streamed(opened, split), opened.reading.progress

    def told() -> Iterator[ImageSet | Skipped]:
        done = 0
        for piece in pieces:
            yield piece
            done += 1 if isinstance(piece, Skipped) else len(piece)
            if tell:
                tell(min(done, total), total)

    tiling = Tiling(tile, overlap)
    return tiled(told(), tiling, opened.called, split, opened.reading.strict)
