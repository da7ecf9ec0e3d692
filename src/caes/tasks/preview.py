"""A large picture made small for looking at, band by band."""

import math

import numpy as np
from numpy.typing import NDArray

LARGEST = 2000
"""Longest side that is shown, in pixels; larger pictures shrink by a whole factor."""


class Preview:
    """Gathers a picture's bands of rows into a picture to look at.

    Each pixel is the mean over a square of the picture's, at the lower and right edges
    over what is left of one.

    Args:
        height: Of the whole picture, in pixels.
        width: Of the whole picture, in pixels.
        channels: Of the whole picture.
    """

    def __init__(self, height: int, width: int, channels: int) -> None:
        self.factor = math.ceil(max(height, width) / LARGEST)
        self.starts = np.arange(0, width, self.factor)
        self.columns = np.diff([*self.starts, width])
        self.rows = np.zeros(-(-height // self.factor))
        self.sums = np.zeros((len(self.rows), len(self.starts), channels))
        self.done = 0

    def add(self, band: NDArray[np.float32]) -> None:
        """Take in the next rows, h×W×C."""
        row = (self.done + np.arange(len(band))) // self.factor
        first, starts = np.unique(row, return_index=True)
        sums = np.add.reduceat(band, starts, axis=0, dtype=np.float64)
        self.sums[first] += np.add.reduceat(sums, self.starts, axis=1)
        self.rows[first] += np.diff([*starts, len(band)])
        self.done += len(band)

    def picture(self) -> NDArray[np.float32]:
        """Give what was gathered, H'×W'×C."""
        counts = self.rows[:, None, None] * self.columns[:, None]
        return (self.sums / counts).astype(np.float32)
