"""Pictures of any sizes cut into tiles of one, without holding all of them whole."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet, Skipped, nominal_range
from caes.data.kind import too_large
from caes.data.stack import DEEPENED, REPEATED, widened
from caes.tiles import Grid, Side, mirrored

SEPARATOR = "#"
"""Between a picture's name and its tile's row and column, as in a.png#0,112."""
CONTINUED = "Pictures smaller than a tile were continued by their mirror image"


@dataclass
class Cutter:
    """Gathers the tiles of pictures that come one by one.

    Args:
        tile: (H, W) of the tiles.
        overlap: Pixels that neighbours share.
        source: What the pictures belong to.
    """

    tile: Side
    overlap: int
    source: str
    names: list[str] = field(default_factory=list)
    _tiles: list[NDArray[Any]] = field(default_factory=list)
    _labels: list[NDArray[np.int64] | None] = field(default_factory=list)
    _ranges: list[tuple[float, float]] = field(default_factory=list)
    _classes: tuple[str, ...] = ()
    _notes: Counter[str] = field(default_factory=Counter)
    _skipped: list[Skipped] = field(default_factory=list)

    def add(self, piece: ImageSet | Skipped) -> None:
        """Cut the pictures of one size that come together, or note one unreadable."""
        if isinstance(piece, Skipped):
            self._skipped.append(piece)
            return
        self._skipped += piece.skipped
        self._notes.update(piece.notes)
        self._ranges.append(piece.value_range)
        self._classes = piece.classes or self._classes
        for row in range(len(piece)):
            self._cut(piece, row)

    def images(self, split: str) -> ImageSet:
        """Give all tiles as one set; there is at least one, and it is given once.

        Raises:
            DataError: Memory does not hold the tiles.
        """
        dtypes = {each.dtype for each in self._tiles}
        pixels = self._joined()
        labelled = all(label is not None for label in self._labels)
        low, high = zip(*self._ranges, strict=True)
        alike = len(dtypes) == 1
        known = [each for each in self._labels if each is not None]
        return ImageSet.from_pixels(
            pixels,
            self.names,
            labels=np.concatenate(known) if labelled else None,
            classes=self._classes if labelled else (),
            value_range=(min(low), max(high)) if alike else nominal_range(pixels),
            source=self.source,
            split=split,
            skipped=tuple(self._skipped),
            notes=self._sentences(len(pixels)),
        )

    def _cut(self, piece: ImageSet, row: int) -> None:
        whole = mirrored(piece.pixels[row], self.tile)
        self._notes[CONTINUED] += whole.shape != piece.pixels[row].shape
        grid = Grid(whole.shape[:2], self.tile, self.overlap)
        places = [(top, left) for top in grid.rows for left in grid.columns]
        name = piece.names[row]
        self.names += [f"{name}{SEPARATOR}{top},{left}" for top, left in places]
        self._tiles.append(np.concatenate([*grid.bands(whole)]))
        labels = None if piece.labels is None else piece.labels[row : row + 1]
        self._labels.append(None if labels is None else labels.repeat(len(places)))

    def _joined(self) -> NDArray[Any]:
        """Put all tiles into one array, giving back each part once it is copied."""
        channels = max(each.shape[3] for each in self._tiles)
        dtype = np.result_type(*{each.dtype for each in self._tiles})
        form = (len(self.names), *self.tile, channels)
        try:
            pixels = np.empty(form, dtype)
        except MemoryError as error:
            raise too_large(self.source, "×".join(map(str, form))) from error
        self._tiles.reverse()
        done = 0
        while self._tiles:
            part = self._tiles.pop()
            self._notes[REPEATED] += part.shape[3] != channels
            self._notes[DEEPENED] += part.dtype != dtype
            for tile in part:
                pixels[done] = widened(tile, channels, dtype)
                done += 1
        return pixels

    def _sentences(self, count: int) -> tuple[str, ...]:
        tall, wide = self.tile
        cut = f"Cut into {count:,} tiles of {tall}×{wide}, overlapping by "
        told = [
            note if note.endswith(".") else f"{note}: {n:,}."
            for note, n in (+self._notes).items()
        ]
        return (f"{cut}{self.overlap} or more.", *told)


def whole_names(names: Iterable[str]) -> list[str]:
    """Give the names of the pictures that tiles were cut from.

    >>> whole_names(["a.png#0,0", "a.png#0,112"])
    ['a.png', 'a.png']
    """
    return [name.rpartition(SEPARATOR)[0] or name for name in names]
