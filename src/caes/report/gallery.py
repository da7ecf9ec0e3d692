"""Test pictures over their reconstructions, as one figure for papers and slides."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from caes.report.amounts import figure as written
from caes.report.canvas import LIGHT, MARGIN, SHARPNESS, blank
from caes.report.tiles import DIFFERENCE, Example, Tile, enlargement, heat

Band = tuple[str, Sequence[Example]]
"""A title, and the examples that stand side by side under it."""

GAP = 6
LABELS = 84
"""Page pixels left of the pictures, for the names of the rows."""
HEADING = 30
CAPTION = 20
ROWS = ("picture", "reconstruction", f"difference,\n0 to {DIFFERENCE}")


def gallery(bands: Sequence[Band]) -> Figure:
    """Draw bands of examples: picture, reconstruction and difference of each.

    Args:
        bands: At least one example in all; all pictures of one size.
    """
    first = next(example for _, examples in bands for example in examples)
    factor = enlargement(first.picture)
    tall, wide = (side * factor for side in first.picture.shape[:2])
    columns = max(len(examples) for _, examples in bands)
    step = max(wide, 52) + GAP
    band = HEADING + 3 * (tall + GAP) + CAPTION
    width = 2 * MARGIN + LABELS + columns * step - GAP
    height = 2 * MARGIN + len(bands) * band
    figure = blank(LIGHT, width, height)
    for at, (title, examples) in enumerate(bands):
        top = MARGIN + at * band
        write(figure, MARGIN, top + 14, title, weight="bold", color=LIGHT.ink)
        for row, name in enumerate(ROWS):
            middle = top + HEADING + row * (tall + GAP) + tall / 2
            write(figure, MARGIN, middle, name)
        write(figure, MARGIN, top + HEADING + 3 * (tall + GAP) + 5, "squared error")
        for column, example in enumerate(examples):
            left = MARGIN + LABELS + column * step
            _column(figure, example, left, top + HEADING, factor)
    return figure


def _column(figure: Figure, example: Example, left: int, top: int, factor: int) -> None:
    tall = example.picture.shape[0] * factor
    tiles = (example.picture, example.again, heat(example.difference))
    for row, tile in enumerate(tiles):
        paste(figure, tile, left, top + row * (tall + GAP), factor)
    write(figure, left, top + 3 * (tall + GAP) + 5, written(example.error))


def paste(figure: Figure, tile: Tile, left: int, top: int, factor: int) -> None:
    """Put a tile at a place in page pixels from the left and the top.

    Args:
        figure: Where to.
        tile: The picture.
        left: Its left edge.
        top: Its upper edge.
        factor: By which it is enlarged.
    """
    large = _coloured(tile).repeat(factor * SHARPNESS, axis=0)
    large = large.repeat(factor * SHARPNESS, axis=1)
    below = _height(figure) - top - tile.shape[0] * factor
    # At the drawing's own resolution: matplotlib resamples nothing.
    figure.figimage(large, left * SHARPNESS, round(below) * SHARPNESS)


def write(figure: Figure, x: float, y: float, text: str, **look: str) -> None:
    """Write at a place in page pixels from the left and the top."""
    upwards = (_height(figure) - y) * SHARPNESS
    written = figure.text(x * SHARPNESS, upwards, text, fontsize=7.5, va="center")
    written.set(transform=None, color=LIGHT.faint, parse_math=False)
    written.set(**look)


def _coloured(tile: Tile) -> NDArray[np.uint8]:
    return tile if tile.ndim == 3 else tile[..., None].repeat(3, axis=2)


def _height(figure: Figure) -> float:
    return float(figure.bbox.height) / SHARPNESS
