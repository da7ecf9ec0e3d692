"""Where a heatmap is above a threshold: regions, each with its box, area and score."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label, maximum


class Region(NamedTuple):
    """One region of places above the threshold, that touch at sides or corners."""

    top: int  # its box, in pixels; bottom and right are the first ones outside
    left: int
    bottom: int
    right: int
    area: int  # pixels above the threshold
    score: float  # its strangest place


def regions(heat: NDArray[np.float32], threshold: float) -> list[Region]:
    """Find the regions of a heatmap H×W, the strangest first."""
    numbered, count = label(heat > threshold, np.ones((3, 3)))
    if not count:
        return []
    areas = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    highest = maximum(heat, numbered, np.arange(1, count + 1))
    found = [
        Region(
            rows.start, columns.start, rows.stop, columns.stop, int(area), float(score)
        )
        for (rows, columns), area, score in zip(
            find_objects(numbered), areas, highest, strict=True
        )
    ]
    return sorted(found, key=lambda region: -region.score)
