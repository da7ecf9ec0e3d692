"""Pictures from all over a set, side by side: what is in it, at one look."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caes.data import ImageSet, Skipped, Survey
from caes.data.decode.resize import resized
from caes.report.pictures import (
    LARGEST,
    Strip,
    Tile,
    drawable,
    enlarged,
    in_bytes,
    labels,
    montage,
    seen,
    short,
)

MOST = 100
"""Pictures on a sheet."""
COLUMNS = 10
GAP = 8


class Kept(NamedTuple):
    """A picture, made small."""

    pixels: NDArray[Any]  # H×W or H×W×3, in the source's type and units
    form: tuple[str, int]  # its type and number of channels
    label: str  # its class; empty without one


class ContactSheet:
    """Takes a set's pictures in, in order, and keeps some, evenly spread.

    Where one of these cannot be read, the next that can stands in. In ``total`` come
    so many pictures, those that cannot be read among them.
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
        """Draw the sheet, once everything was taken in; a PNG file's bytes."""
        # Each picture's class; one that the font lacks by its number.
        every = list(dict.fromkeys(each.label for each in self.kept if each.label))
        written = dict(zip(every, labels(every, longest=12), strict=True))
        names = [written.get(each.label, "") for each in self.kept]
        tiles, strips = [*self._tiles(found)], [Strip([], self._title(found))]
        for at in range(0, len(tiles), COLUMNS):
            texts = names[at : at + COLUMNS] if any(names) else ()
            strips.append(Strip(tiles[at : at + COLUMNS], texts=texts))
        return montage(strips, cell=(LARGEST, LARGEST), gap=GAP, centred=True)

    def _title(self, found: Survey) -> str:
        name = short(found.source, 40)
        said = f"{len(self.kept):,} of {found.pictures:,} pictures, evenly spread"
        if len(self.kept) == found.pictures:
            said = f"{found.pictures:,} pictures"
        return f"{name}: {said}" if drawable(name) else said

    def _tiles(self, found: Survey) -> Iterator[Tile]:
        for each in self.kept:
            low, high = _shown_range(found, each.form)
            wide = each.pixels.astype(np.float64)
            shown = in_bytes((wide - low) / ((high - low) or 1))
            yield enlarged(shown, max(1, LARGEST // max(shown.shape[:2])))


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
