"""Pictures of any sizes cut into tiles of one, without holding all of them whole."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.decode.gather import (
    REPEATED,
    Family,
    Stack,
    deepening,
    family_of,
    unlike,
    widened,
)
from caes.data.imageset import ImageSet, Skipped, nominal_range
from caes.data.reading import too_large
from caes.data.tiles import Grid, Side, mirrored

SEPARATOR = "#"
"""Between a picture's name and its tile's row and column, as in a.png#0,112."""
CONTINUED = "Pictures smaller than a tile were continued by their mirror image"

Tiles = NDArray[Any]
"""tiles×h×w×C, any real number type."""


@dataclass
class Group:
    """The tiles of pictures of one family, and what is known of each picture.

    Args:
        pictures: (position, name) of each picture.
        tiles: Those of each picture.
        places: (row, column) of each picture's tiles.
        labels: Each picture's label.
        ranges: The value range of each set that pictures came in.
        notes: What was done to how many pictures.
    """

    pictures: list[tuple[int, str]] = field(default_factory=list)
    tiles: list[Tiles] = field(default_factory=list)
    places: list[list[Side]] = field(default_factory=list)
    labels: list[np.int64 | None] = field(default_factory=list)
    ranges: list[tuple[float, float]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def names(self) -> list[str]:
        """A name for each tile: its picture's, and its place."""
        return [
            f"{name}{SEPARATOR}{top},{left}"
            for (_, name), places in zip(self.pictures, self.places, strict=True)
            for top, left in places
        ]

    @property
    def each_label(self) -> NDArray[np.int64] | None:
        """Each tile's label; None where a picture has none."""
        known = [label for label in self.labels if label is not None]
        if len(known) < len(self.labels):
            return None
        return np.repeat(known, [len(places) for places in self.places])

    def joined(self, source: str) -> Tiles:
        """Put all tiles into one array, giving back each part once it is copied."""
        channels = max(each.shape[3] for each in self.tiles)
        dtype = np.result_type(*{each.dtype for each in self.tiles})
        form = (sum(map(len, self.tiles)), *self.tiles[0].shape[1:3], channels)
        try:
            pixels = np.empty(form, dtype)
        except MemoryError as error:
            raise too_large(source, "×".join(map(str, form))) from error
        self.tiles.reverse()
        done = 0
        while self.tiles:
            part = self.tiles.pop()
            self.notes[REPEATED] += part.shape[3] != channels
            self.notes[deepening(dtype)] += part.dtype != dtype
            for tile in part:
                pixels[done] = widened(tile, channels, dtype)
                done += 1
        return pixels


@dataclass
class Cutter:
    """Gathers the tiles of pictures that come one by one.

    As where pictures are gathered whole (`Stack`), those that cannot be brought to most
    others' form are skipped.

    Args:
        tile: (H, W) of the tiles.
        overlap: Pixels that neighbours share.
        source: What the pictures belong to.
        strict: Whether a picture that is skipped is an error.
    """

    tile: Side
    overlap: int
    source: str
    strict: bool = False
    groups: dict[Family, Group] = field(default_factory=dict)
    _unread: list[tuple[int, Skipped]] = field(default_factory=list)
    _classes: tuple[str, ...] = ()
    _done: int = 0

    def add(self, piece: ImageSet | Skipped) -> None:
        """Cut the pictures of one size that come together, or note one unreadable."""
        if isinstance(piece, Skipped):
            self._skip(piece)
            return
        for skipped in piece.skipped:
            self._skip(skipped)
        self._classes = piece.classes or self._classes
        group = self.groups.setdefault(family_of(piece.pixels), Group())
        group.notes.update(piece.notes)
        group.ranges.append(piece.value_range)
        for row in range(len(piece)):
            self._cut(piece, row, group)

    def images(self, split: str) -> ImageSet:
        """Give all tiles as one set; there is at least one, and it is given once.

        Raises:
            DataError: Memory does not hold the tiles, or, with ``strict``, pictures
                cannot be brought to one form.
        """
        most, *odd = sorted(self.groups.values(), key=lambda each: -len(each.pictures))
        skipped = self._skipped(most, odd)
        odd.clear()
        self.groups.clear()  # gives back the tiles of the others
        alike = len({each.dtype for each in most.tiles}) == 1
        labels = most.each_label
        low, high = zip(*most.ranges, strict=True)
        pixels = most.joined(self.source)
        return ImageSet.from_pixels(
            pixels,
            most.names,
            labels=labels,
            classes=() if labels is None else self._classes,
            value_range=(min(low), max(high)) if alike else nominal_range(pixels),
            source=self.source,
            split=split,
            skipped=skipped,
            notes=self._sentences(len(pixels), most.notes),
        )

    def _skip(self, skipped: Skipped) -> None:
        self._unread.append((self._done, skipped))
        self._done += 1

    def _cut(self, piece: ImageSet, row: int, group: Group) -> None:
        whole = mirrored(piece.pixels[row], self.tile)
        group.notes[CONTINUED] += whole.shape != piece.pixels[row].shape
        grid = Grid(whole.shape[:2], self.tile, self.overlap)
        group.pictures.append((self._done, piece.names[row]))
        group.places.append([(top, left) for top in grid.rows for left in grid.columns])
        group.tiles.append(np.concatenate([*grid.bands(whole)]))
        group.labels.append(None if piece.labels is None else piece.labels[row])
        self._done += 1

    def _skipped(self, most: Group, odd: list[Group]) -> tuple[Skipped, ...]:
        others = [
            (row, Skipped(name, unlike(tiles, most.tiles[0])))
            for group in odd
            for (row, name), tiles in zip(group.pictures, group.tiles, strict=True)
        ]
        for row, skipped in sorted(others, key=lambda each: each[0]):
            Stack(0, self.source).skip(row, skipped, self.strict)
        every = sorted([*self._unread, *others], key=lambda each: each[0])
        return tuple(skipped for _, skipped in every)

    def _sentences(self, count: int, notes: Counter[str]) -> tuple[str, ...]:
        tall, wide = self.tile
        cut = f"Cut into {count:,} tiles of {tall}×{wide}, overlapping by "
        told = [
            note if note.endswith(".") else f"{note}: {n:,}."
            for note, n in (+notes).items()
        ]
        return (f"{cut}{self.overlap} or more.", *told)


def whole_names(names: Iterable[str]) -> list[str]:
    """Give the names of the pictures that tiles were cut from.

    >>> whole_names(["a.png#0,0", "a.png#0,112"])
    ['a.png', 'a.png']
    """
    return [name.rpartition(SEPARATOR)[0] or name for name in names]
