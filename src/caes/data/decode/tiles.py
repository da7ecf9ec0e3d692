"""The arithmetic of tiles: where they stand, and how they are blended without seams.

A tile is an H×W window. Tiles stand in steps of tile - overlap; the last of a row or
column is shifted back to end with the picture, so that nothing is lost and nothing is
invented. Only a picture smaller than a tile is continued, by its mirror image.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.reading import Side

Patch = NDArray[Any]  # H×W×C, any real number type

_SEPARATOR = "#"
_STEPS = 4096  # weights are multiples of 1/4096: products of two are exact in 32 bits


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Give where tiles begin along one axis; the last is shifted back to end with it.

    >>> starts(300, 128, 16), starts(100, 128, 16)
    ([0, 112, 172], [0])
    """
    last = max(length - tile, 0)
    return [*range(0, last, tile - overlap), last]


def weights(begins: list[int], tile: int) -> NDArray[np.float32]:
    """Weigh the pixels of tiles along one axis, for blending.

    Where two tiles overlap, one fades into the other along a raised cosine; where more
    do, only two neighbours share any pixel. The weights at each pixel sum to exactly 1,
    and so do products of two axes' weights.
    """
    each = np.ones((len(begins), tile), np.float32)  # in steps of 1/4096
    for at, begin in enumerate(begins[1:], start=1):
        before = begins[at - 1]
        end = before + tile if at + 1 == len(begins) else begins[at + 1]
        end = min(end, before + tile)
        ramp = _ramp(end - begin)
        each[at, : end - begin] = ramp
        each[at - 1, begin - before : end - before] = 1 - ramp
        each[at - 1, end - before :] = 0
    return each


def mirrored(picture: Patch, least: Side) -> Patch:
    """Continue a picture below and right by its mirror image, to at least (H, W)."""
    below, right = (max(least[axis] - picture.shape[axis], 0) for axis in (0, 1))
    if not (below or right):
        return picture
    return np.pad(picture, [(0, below), (0, right), (0, 0)], mode="symmetric")


def tile_name(picture: str, place: Side) -> str:
    """Name a tile by its picture, and its row and column in pixels.

    >>> tile_name("a.png", (0, 112))
    'a.png#0,112'
    """
    return f"{picture}{_SEPARATOR}{place[0]},{place[1]}"


def whole_names(names: Iterable[str]) -> list[str]:
    """Give the names of the pictures that tiles were cut from.

    >>> whole_names(["a.png#0,0", "a.png#0,112"])
    ['a.png', 'a.png']
    """
    return [name.rpartition(_SEPARATOR)[0] or name for name in names]


@dataclass(frozen=True)
class Grid:
    """Tiles over a picture."""

    size: Side  # of the picture; at least a tile (see `mirrored`)
    tile: Side
    overlap: int = 0  # pixels that neighbours share, at least

    @property
    def rows(self) -> list[int]:
        """First pixel row of each row of tiles."""
        return starts(self.size[0], self.tile[0], self.overlap)

    @property
    def columns(self) -> list[int]:
        """First pixel column of each column of tiles."""
        return starts(self.size[1], self.tile[1], self.overlap)

    def bands(self, picture: Patch) -> Iterator[Patch]:
        """Give each row of tiles, from the top: tiles×h×w×C."""
        tall, wide = self.tile
        for row in self.rows:
            each = [picture[row : row + tall, c : c + wide] for c in self.columns]
            yield np.stack(each)

    def blend(
        self, picture: Patch, work: Callable[[Patch], NDArray[np.float32]]
    ) -> Iterator[NDArray[np.float32]]:
        """Work on a picture row of tiles by row of tiles, and blend what comes out.

        ``work`` takes tiles n×h×w×C, gives n×h×w×D float32, and only one row of them is
        held; bands of finished rows come out, h×W×D float32, from the top.
        """
        tall, wide = self.tile
        down, across = weights(self.rows, tall), weights(self.columns, wide)
        rest = np.zeros((0, 0, 0), np.float32)
        for at, tiles in enumerate(self.bands(picture)):
            done = work(tiles)
            band = np.zeros((tall, self.size[1], done.shape[3]), np.float32)
            band[: len(rest)] += rest.reshape(len(rest), *band.shape[1:])
            for part, column, ramp in zip(done, self.columns, across, strict=True):
                weight = down[at][:, None] * ramp
                band[:, column : column + wide] += part * weight[..., None]
            last = at + 1 == len(self.rows)
            end = tall if last else self.rows[at + 1] - self.rows[at]
            rest = band[end:]
            yield band[:end]


def _ramp(length: int) -> NDArray[np.float32]:
    """Rise from 0 to 1, both excluded, along half a cosine."""
    places = (np.arange(length) + 0.5) / length
    rise = 0.5 - 0.5 * np.cos(np.pi * places)
    return (np.rint(rise * _STEPS) / _STEPS).astype(np.float32)
