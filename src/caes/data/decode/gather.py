"""Pictures gathered in one array, whole or cut into tiles, widened as one needs it."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caes.data.decode.resize import with_channels
from caes.data.decode.tiles import Grid, mirrored, tile_name
from caes.data.formats import LISTED
from caes.data.formats.format import Decoded
from caes.data.imageset import ImageSet, Skipped, counted
from caes.data.reading import Side, too_large
from caes.errors import DataError, by_signs

REPEATED = "Grey pictures among colour ones were repeated to three channels"
DEEPENED = "8-bit pictures among 16-bit ones were multiplied by 257"
WIDENED = "Pictures of fewer bits among floating-point ones were given as many"
CONTINUED = "Pictures smaller than a tile were continued by their mirror image"

Family = tuple[int, str]
Pieces = NDArray[Any]
"""n×h×w×C, any real number type: one whole picture, or the tiles of one."""


@dataclass(frozen=True)
class Batch:
    """What became of the pictures that were asked for."""

    pixels: NDArray[Any]  # N×H×W×C, those that could be read, or their tiles, in order
    rows: list[int]  # N positions among the pictures that were asked for, ascending
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]  # a sentence for each thing that was done to some of them
    missing: tuple[int, ...] = ()  # positions of those that were skipped, ascending
    places: tuple[Side, ...] = ()  # N places in the pictures, (row, column) in pixels


class Tiling(NamedTuple):
    """How pictures are cut: (H, W) of a tile, and what neighbours share, in pixels."""

    tile: Side
    overlap: int

    def cut(self, picture: NDArray[Any]) -> tuple[Pieces, list[Side], bool]:
        """Give a picture's tiles, their places, and whether it had to be continued."""
        whole = mirrored(picture, self.tile)
        grid = Grid(whole.shape[:2], self.tile, self.overlap)
        places = [(top, left) for top in grid.rows for left in grid.columns]
        return np.concatenate([*grid.bands(whole)]), places, whole is not picture


Empty = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]


@dataclass
class _Group:
    """The pictures of one family, in an array that grows and widens as it must."""

    count: int | None
    source: str
    empty: Empty
    pixels: Pieces
    rows: list[int] = field(default_factory=list)  # the picture of each piece
    places: list[Side] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    pictures: int = 0

    def add(self, row: int, pieces: Pieces, places: list[Side]) -> None:
        if self.rows:  # the first are there
            self._join(pieces)
        self.rows += [row] * len(pieces)
        self.places += places
        self.pictures += 1

    def _join(self, pieces: Pieces) -> None:
        old, done = self.pixels, len(self.rows)
        channels = max(old.shape[3], pieces.shape[3])
        dtype = np.promote_types(old.dtype, pieces.dtype)
        self._note(channels > old.shape[3], dtype, dtype != old.dtype, self.pictures)
        room = self._room(done + len(pieces), len(old))
        if (channels, dtype) != (old.shape[3], old.dtype) or room > len(old):
            form = (room, *old.shape[1:3], channels)
            self.pixels = self._grown(old, done, form, dtype)
        _fill(self.pixels[done : done + len(pieces)], pieces)
        self._note(pieces.shape[3] < channels, dtype, pieces.dtype != dtype, 1)

    def _grown(
        self, old: Pieces, done: int, form: tuple[int, ...], dtype: np.dtype[Any]
    ) -> Pieces:
        try:
            if self.count is None and (form[1:], dtype) == (old.shape[1:], old.dtype):
                old.resize(form, refcheck=False)  # where it is: never held twice
                return old
            pixels = self.empty(form, dtype)
        except MemoryError as error:
            raise too_large(self.source, by_signs(form)) from error
        _fill(pixels[:done], old[:done])
        return pixels

    def _room(self, needed: int, have: int) -> int:
        """Give room for more: a few odd ones, perhaps large, take none for all."""
        if needed <= have:
            return have
        if self.count is None:
            return max(needed, have + have // 4)
        return min(8 * have if have < 64 else self.count, self.count)

    def _note(self, repeat: bool, dtype: np.dtype[Any], deepen: bool, n: int) -> None:
        if repeat:
            self.notes[REPEATED] += n
        if deepen:
            self.notes[WIDENED if dtype.kind == "f" else DEEPENED] += n


def _fill(pixels: Pieces, pieces: Pieces) -> None:
    """Copy pieces into as many of a form that has more channels or bits, or as many."""
    if (pixels.shape, pixels.dtype) == (pieces.shape, pieces.dtype):
        pixels[:] = pieces
        return
    for place, piece in enumerate(pieces):
        pixels[place] = widened(piece, pixels.shape[3], pixels.dtype)


@dataclass
class Gatherer:
    """Gathers pictures; those that cannot be brought to most others' form are skipped.

    Grey goes with colour, 8 bits with 16, and floating-point numbers with each other.
    """

    count: int | None  # the most pictures that can come, if known
    source: str  # what they belong to, for errors
    strict: bool = False  # whether a picture that is skipped is an error
    tiling: Tiling | None = None  # how each is cut into tiles; None keeps it whole
    empty: Empty = np.empty  # makes an array of a shape and type
    skipped: dict[int, Skipped] = field(default_factory=dict)
    _groups: dict[Family, _Group] = field(default_factory=dict)

    def fits(self, picture: NDArray[Any]) -> bool:
        """Whether a whole picture has the height and width of its like before."""
        group = self._groups.get(_family_of(picture))
        return group is None or group.pixels.shape[1:3] == picture.shape[:2]

    def add(self, row: int, decoded: Decoded) -> None:
        """Copy a picture in, given its position among all that were asked for."""
        pieces, notes = decoded.pixels[None], decoded.notes
        places: list[Side] = []
        if self.tiling is not None:
            pieces, places, continued = self.tiling.cut(decoded.pixels)
            notes = (CONTINUED,) * continued + notes
        family = _family_of(decoded.pixels)
        if family not in self._groups:
            # Itself where it can be, as it may be large.
            kept = pieces.flags.c_contiguous and pieces.flags.writeable
            first = pieces if kept else pieces.copy()
            self._groups[family] = _Group(self.count, self.source, self.empty, first)
        self._groups[family].add(row, pieces, places)
        self._groups[family].notes.update(notes)

    def skip(self, row: int, skipped: Skipped) -> None:
        """Note a picture that cannot be read, or raise where that is an error."""
        if self.strict:
            raise unreadable(self.source, skipped)
        self.skipped[row] = skipped

    def batch(self, names: list[str]) -> Batch:
        """Give what was gathered, of the largest family, once; none is an error."""
        groups = sorted(self._groups.values(), key=lambda group: -group.pictures)
        if not groups:
            raise self._nothing()
        most, pixels = groups[0], groups[0].pixels
        odd = {row: group.pixels for group in groups[1:] for row in group.rows}
        for row in sorted(odd):
            unlike = f"{_form(odd[row])}, while most pictures have {_form(pixels)}"
            self.skip(row, Skipped(names[row], unlike))
        missing = sorted(self.skipped)
        skipped = tuple(self.skipped[row] for row in missing)
        notes, places = counted(most.notes), tuple(most.places)
        pixels = pixels[: len(most.rows)]
        return Batch(pixels, most.rows, skipped, notes, tuple(missing), places)

    def _nothing(self) -> DataError:
        first = self.skipped[min(self.skipped)]
        if len(self.skipped) == 1:
            return unreadable(self.source, first, "Mend or replace it.")
        return DataError(
            self.source,
            f"{len(self.skipped):,} pictures, all unreadable "
            f"(the first, {first.name}: {first.reason})",
            f"at least one whole {LISTED} picture",
            "Check the files.",
        )


def unreadable(
    source: str,
    skipped: Skipped,
    next_step: str = "Mend or remove it, or leave out --strict to skip it.",
) -> DataError:
    """The error for a picture that cannot be read."""
    alone = Path(source).name == skipped.name  # the source is this picture
    return DataError(
        source if alone else f"{skipped.name} in {source}",
        f"an unreadable picture ({skipped.reason})",
        f"a whole {LISTED} picture",
        next_step,
    )


def _family_of(picture: NDArray[Any]) -> Family:
    """Tell the pictures that this one, …×C, can be brought to the same form as."""
    channels, dtype = picture.shape[-1], picture.dtype
    kind = "floating" if dtype.kind == "f" else dtype.name
    kind = "unsigned" if dtype in (np.uint8, np.uint16) else kind
    return 1 if channels == 3 else channels, kind


def _form(pixels: NDArray[Any]) -> str:
    number = pixels.shape[-1]
    return f"{number} channel{'s' if number > 1 else ''} of {pixels.dtype}"


def widened(picture: NDArray[Any], channels: int, dtype: Any) -> NDArray[Any]:
    """Bring a grey or narrow picture H×W×C to more channels or bits, if it has fewer.

    Channels are as many as it has, or 3; the type is its own, or a wider one.
    """
    if picture.dtype != dtype:
        picture = picture.astype(dtype)
        if picture.dtype.kind == "u":
            picture = picture * dtype.type(257)  # 255 becomes 65,535
    return with_channels(picture, channels)


class _Picture(NamedTuple):
    """What is known of a picture, once its pixels are cut."""

    name: str
    label: Any = None
    value_range: tuple[float, float] = (0.0, 1.0)
    dtype: np.dtype[Any] | None = None


def tiled(
    pieces: Iterable[ImageSet | Skipped],
    tiling: Tiling,
    source: str,
    split: str,
    strict: bool,
) -> ImageSet:
    """Cut pictures of any sizes that come a few at a time into one set of tiles.

    Never more than one of them is held whole.
    """
    gatherer = Gatherer(None, source, strict, tiling)
    seen: list[_Picture] = []
    classes: tuple[str, ...] = ()

    def skip(skipped: Skipped) -> None:
        gatherer.skip(len(seen), skipped)
        seen.append(_Picture(skipped.name))

    for piece in pieces:
        if isinstance(piece, Skipped):
            skip(piece)
            continue
        for each in piece.skipped:
            skip(each)
        classes, notes = piece.classes or classes, piece.notes
        known = piece.value_range, piece.dtype
        for row, name in enumerate(piece.names):
            gatherer.add(len(seen), Decoded(piece.pixels[row], () if row else notes))
            label = None if piece.labels is None else piece.labels[row]
            seen.append(_Picture(name, label, *known))
    batch = gatherer.batch([picture.name for picture in seen])
    kept = [seen[row] for row in batch.rows]
    names = [picture.name for picture in kept]
    labels = [picture.label for picture in kept]
    labelled = None not in labels
    about: dict[str, Any] = {}
    if len({picture.dtype for picture in kept}) == 1:
        low, high = zip(*{picture.value_range for picture in kept}, strict=True)
        about["value_range"] = min(low), max(high)
    tall, wide = tiling.tile
    cut = f"Cut into {len(kept):,} tiles of {tall}×{wide}, overlapping by "
    return ImageSet.from_pixels(
        batch.pixels,
        [tile_name(*each) for each in zip(names, batch.places, strict=True)],
        labels=np.array(labels, np.int64) if labelled else None,
        classes=classes if labelled else (),
        source=source,
        split=split,
        skipped=batch.skipped,
        notes=(f"{cut}{tiling.overlap} or more.", *batch.notes),
        **about,
    )
