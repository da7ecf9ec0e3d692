"""Pictures from all over a set, side by side: what is in it, at one look."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from caes.data import ImageSet, Skipped, Survey
from caes.data.decode.resize import resized
from caes.report.canvas import LIGHT, MARGIN, SHARPNESS, blank, png
from caes.report.gallery import write
from caes.report.lettering import drawable, labels, short
from caes.report.tiles import LARGEST, Tile, in_bytes, seen

MOST = 100
"""Pictures on a sheet."""
COLUMNS = 10
LEAST = 4
"""Columns of the narrowest sheet, so that its title has room."""
CELL = LARGEST // SHARPNESS
"""Page pixels that a picture has to lie in, both ways."""
GAP = 8
NAME = 16
"""Page pixels below a picture, for its class."""
HEADING = 26


@dataclass(frozen=True, eq=False)
class Kept:
    """A picture, made small.

    Args:
        pixels: H×W or H×W×3, in the source's type and units.
        form: Its type and number of channels.
        label: Its class; empty without one.
    """

    pixels: NDArray[Any]
    form: tuple[str, int]
    label: str


class ContactSheet:
    """Takes a set's pictures in, in order, and keeps some, evenly spread.

    Where one of these cannot be read, the next that can stands in.

    Args:
        total: How many pictures come, those that cannot be read among them.
    """

    def __init__(self, total: int) -> None:
        count = min(total, MOST)
        self.wanted = [int((2 * at + 1) * total / (2 * count)) for at in range(count)]
        self.kept: list[Kept] = []
        self.done = 0

    def take(self, piece: ImageSet | Skipped) -> None:
        """Take pictures in, or note that one cannot be read."""
        if isinstance(piece, Skipped):
            self.done += 1
            return
        last = -1
        while self.wanted and self.wanted[0] < self.done + len(piece):
            row = max(self.wanted[0] - self.done, last + 1)
            if row >= len(piece):
                break  # two are due, and the next one comes later
            self.wanted.pop(0)
            self.kept.append(_small(piece, row))
            last = row
        self.done += len(piece)

    def png(self, found: Survey) -> bytes:
        """Draw the sheet, once everything was taken in; a PNG file's bytes.

        Args:
            found: The set's survey: its ranges are shown as black to white.
        """
        return png(self._draw(found))

    def _draw(self, found: Survey) -> Figure:
        columns = min(COLUMNS, max(len(self.kept), LEAST))
        rows = -(-len(self.kept) // columns)
        below = NAME if any(each.label for each in self.kept) else 0
        step = CELL + GAP
        width = 2 * MARGIN + columns * step - GAP
        height = 2 * MARGIN + HEADING + rows * (step + below)
        figure = blank(LIGHT, width, height)
        title = self._title(found)
        write(figure, MARGIN, MARGIN + 6, title, weight="bold", color=LIGHT.ink)
        shown = zip(self._tiles(found), self._names(), strict=True)
        for at, (picture, name) in enumerate(shown):
            left = MARGIN + at % columns * step
            top = MARGIN + HEADING + at // columns * (step + below)
            _place(figure, picture, left, top)
            write(figure, left + CELL / 2, top + CELL + NAME / 2, name, ha="center")
        return figure

    def _title(self, found: Survey) -> str:
        name = short(found.source, 40)
        said = f"{len(self.kept):,} of {found.pictures:,} pictures, evenly spread"
        if len(self.kept) == found.pictures:
            said = f"{found.pictures:,} pictures"
        return f"{name}: {said}" if drawable(name) else said

    def _names(self) -> list[str]:
        """Write each picture's class; one that the font lacks by its number."""
        every = list(dict.fromkeys(each.label for each in self.kept if each.label))
        written = dict(zip(every, labels(every, longest=12), strict=True))
        return [written.get(each.label, "") for each in self.kept]

    def _tiles(self, found: Survey) -> Iterator[Tile]:
        for each in self.kept:
            low, high = _shown_range(found, each.form)
            wide = each.pixels.astype(np.float64)
            yield in_bytes((wide - low) / ((high - low) or 1))


def _small(images: ImageSet, row: int) -> Kept:
    pixels = np.asarray(images.pixels[row])
    label = -1 if images.labels is None else int(images.labels[row])
    name = images.classes[label] if label >= 0 else ""
    form = str(pixels.dtype), pixels.shape[2]
    shown = seen(pixels)
    height, width = shown.shape[:2]
    scale = LARGEST / max(height, width)
    if scale < 1:
        size = max(1, round(height * scale)), max(1, round(width * scale))
        shown = seen(resized(shown.reshape(height, width, -1), size))
    return Kept(shown.copy(), form, name)  # a view would keep the whole set


def _shown_range(found: Survey, form: tuple[str, int]) -> tuple[float, float]:
    """Give what is black and what is white: bytes as they are, others as they reach."""
    values = found.values[form]
    if form[0] in ("uint8", "bool") and values.nominal is not None:
        return values.nominal
    alike = [each for each in found.values.values() if each.dtype == form[0]]
    return min(each.low for each in alike), max(each.high for each in alike)


def _place(figure: Figure, shown: Tile, left: int, top: int) -> None:
    """Put a tile into the middle of a cell, enlarged by a whole factor."""
    factor = max(1, LARGEST // max(shown.shape[:2]))
    large = shown.repeat(factor, axis=0).repeat(factor, axis=1)
    if large.ndim == 2:
        large = large[..., None].repeat(3, axis=2)
    tall, wide = large.shape[:2]
    x = left * SHARPNESS + (LARGEST - wide) // 2
    y = top * SHARPNESS + (LARGEST - tall) // 2
    figure.figimage(large, x, round(figure.bbox.height) - y - tall)
