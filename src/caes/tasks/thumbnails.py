"""Small pictures of some rows, opened again as they were opened before."""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from caes.data import ImageSet, Skipped, stream
from caes.report.pictures import Tile, in_bytes, seen
from caes.runs.pictures import Opening
from caes.tasks.encode import cut

LARGE, SMALL = 64, 32
"""Most pixels of a small picture's longer side; the latter where there are many."""
MANY = 2_500


def side_for(pictures: int) -> int:
    """Give the longest side of so many pictures, so that a page holds them."""
    return LARGE if pictures <= MANY else SMALL


def thumbnails(
    opening: Opening,
    names: Collection[str],
    side: int,
    shown: tuple[float, float] | None = None,
) -> dict[str, Tile]:
    """Open pictures again, and make those of some names small: at most side×side.

    ``shown`` are black and white, in the source's units; without them each picture's
    own. What is not found has none.
    """
    wanted, found = {*names}, dict[str, Tile]()
    for piece in stream(opening.source_at_hand, opening.asked(), **opening.reading):
        if isinstance(piece, Skipped):
            continue
        if opening.tile is not None:
            piece = cut(piece, opening)
        for name, pixels in zip(piece.names, piece.pixels, strict=True):
            if name in wanted:
                found[name] = _small(pixels, _range(piece, shown), side)
        if len(found) == len(wanted):
            break
    return found


def _range(images: ImageSet, shown: tuple[float, float] | None) -> tuple[float, float]:
    """Give black and white; bytes among wider pictures have their own."""
    if shown is None or (images.dtype.itemsize == 1 and shown[1] > 255):
        return images.value_range
    return shown


def _small(pixels: NDArray[Any], ends: tuple[float, float], side: int) -> Tile:
    low, high = ends
    unit = (seen(pixels).astype(np.float64) - low) / ((high - low) or 1)
    image = Image.fromarray(in_bytes(unit))
    image.thumbnail((side, side))
    return np.asarray(image)
