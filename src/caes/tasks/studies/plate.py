"""Rows of filters, one row an auto-encoder, each filter on its own scale."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from caes.report.canvas import MARGIN, SHARPNESS, Theme, blank

FACTOR = 4
"""Page pixels a weight."""
GAP = 4
TITLE = 20


def draw(rows: Mapping[str, NDArray[np.float32]], theme: Theme) -> Figure:
    """Draw each auto-encoder's filters in a row under its name.

    Args:
        rows: By name maps×k×k×C, any range; grey is 0, and each filter's largest weight
            is black or white, or, of three channels, full colour.
        theme: Colours.
    """
    strips = [_strip(filters) for filters in rows.values()]
    tall, wide = strips[0].shape[0] // SHARPNESS, strips[0].shape[1] // SHARPNESS
    step = tall + TITLE + GAP
    height = len(strips) * step + 2 * MARGIN
    figure = blank(theme, wide + 2 * MARGIN, height)
    for index, (title, strip) in enumerate(zip(rows, strips, strict=True)):
        top = height - MARGIN - index * step
        figure.text(
            MARGIN / (wide + 2 * MARGIN),
            (top - TITLE + 6) / height,
            title,
            color=theme.ink,
            fontsize=8,
        )
        below = (top - TITLE - tall) * SHARPNESS
        figure.figimage(strip, MARGIN * SHARPNESS, below)
    return figure


def _strip(filters: NDArray[np.float32]) -> NDArray[np.float64]:
    """Lay maps×k×k×C side by side, enlarged, in colours: rows×columns×3."""
    count, side, _, channels = filters.shape
    reach = np.abs(filters).reshape(count, -1).max(1)[:, None, None, None]
    unit = 0.5 + 0.5 * filters / np.where(reach > 0, reach, 1)
    unit = unit[..., :3] if channels >= 3 else unit[..., :1].repeat(3, -1)
    factor = FACTOR * SHARPNESS
    large = unit.repeat(factor, 1).repeat(factor, 2)
    gap = GAP * SHARPNESS
    strip = np.ones((side * factor, count * (side * factor + gap) - gap, 3))
    for index, tile in enumerate(large):
        left = index * (side * factor + gap)
        strip[:, left : left + side * factor] = tile
    return strip
