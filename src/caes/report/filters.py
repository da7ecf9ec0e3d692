"""The first level's kernels, side by side on one scale."""

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from caes.report.canvas import MARGIN, SHARPNESS, Theme, axes_at, blank, heading

MOST = 256
"""Filters drawn; the page says how many there are."""
WIDTH = 560
"""Page pixels for the grid, gaps included."""
GAP = 10
COLOURS = colormaps["RdBu_r"]
HEADING = 28
SCALE = 40
NARROWEST = 220
"""Page pixels that the heading and the scale need."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Filters ready to draw.

    Args:
        tiles: M×k×k×3 float, colours in [0, 1]; a weight of 0 has the middle one.
        reach: The weight that gets the strongest colour; -reach gets the opposite one.
        channels: C of the weights.
        total: Filters there are.
    """

    tiles: NDArray[np.float64]
    reach: float
    channels: int
    total: int

    @property
    def coloured(self) -> bool:
        """Whether red, green and blue show three channels, instead of a colour map."""
        return self.channels >= 3


def grid(weights: NDArray[np.float32]) -> Grid:
    """Colour filters on one symmetric scale.

    Args:
        weights: maps×k×k×C, any range. Of two channels the first is shown, of more than
            three the first three, as red, green and blue.
    """
    total, _, _, channels = weights.shape
    shown = weights[:MOST, :, :, : 3 if channels >= 3 else 1].astype(np.float64)
    shown = np.nan_to_num(shown, posinf=0.0, neginf=0.0)
    reach = float(np.abs(shown).max())
    unit = 0.5 + 0.5 * shown / (reach or 1.0)
    tiles = unit if channels >= 3 else COLOURS(unit[..., 0])[..., :3]
    return Grid(tiles, reach, channels, total)


def draw(filters: Grid, theme: Theme) -> Figure:
    """Draw the grid, and its scale where it has one."""
    mosaic = _mosaic(filters.tiles, _columns(len(filters.tiles)), theme)
    tall, wide = (side / SHARPNESS for side in mosaic.shape[:2])
    below = MARGIN + (0 if filters.coloured else SCALE)
    width = max(wide, NARROWEST) + 2 * MARGIN
    figure = blank(theme, width, tall + below + HEADING + MARGIN)
    heading(figure, theme, "First-level filters")
    # At the drawing's own resolution, so that no kernel's cell is blurred.
    figure.figimage(mosaic, MARGIN * SHARPNESS, below * SHARPNESS)
    if not filters.coloured:
        _scale(figure, filters.reach, theme)
    return figure


def _columns(count: int) -> int:
    return min(count, max(8, int(np.ceil(np.sqrt(count)))))


def _mosaic(
    tiles: NDArray[np.float64], columns: int, theme: Theme
) -> NDArray[np.float64]:
    """Lay tiles in rows, each cell of a kernel a whole number of pixels wide."""
    count, side = tiles.shape[:2]
    room = min(60, (WIDTH + GAP) // columns - GAP) * SHARPNESS
    factor = max(1, room // side)
    large = tiles.repeat(factor, axis=1).repeat(factor, axis=2)
    step = side * factor + GAP * SHARPNESS
    rows = -(-count // columns)
    paper = [int(theme.paper[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    canvas = np.full((rows * step, columns * step, 3), paper)
    for index, tile in enumerate(large):
        top, left = (step * place for place in divmod(index, columns))
        canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return canvas[: -GAP * SHARPNESS, : -GAP * SHARPNESS]


def _scale(figure: Figure, reach: float, theme: Theme) -> None:
    axes = axes_at(figure, MARGIN + 16, MARGIN + 16, 180, 8)
    axes.imshow(np.linspace(0, 1, 256)[None], COLOURS, aspect="auto")
    axes.set_yticks([])
    axes.set_xticks([0, 127.5, 255], [f"−{reach:.2g}", "0", f"{reach:.2g}"])
    axes.tick_params(colors=theme.faint, labelsize=7.5, length=0, pad=4)
    axes.spines[:].set_visible(False)
