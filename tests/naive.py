"""The mathematics as plain loops, to hold the fast formulations against.

Maps are H×W×C NumPy arrays of one picture; kernels outputs×inputs×k×k, as in PyTorch.
"""

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float64]


def convolve(maps: Maps, weight: Maps, bias: Maps) -> Maps:
    """Convolve with zeros around so that the size stays: (k-1)//2 of them first."""
    height, width, _ = maps.shape
    outputs, inputs, k, _ = weight.shape
    before = (k - 1) // 2
    out = np.zeros((height, width, outputs))
    for y, x, o in np.ndindex(height, width, outputs):
        total = bias[o]
        for dy, dx, i in np.ndindex(k, k, inputs):
            row, col = y + dy - before, x + dx - before
            if 0 <= row < height and 0 <= col < width:
                total += maps[row, col, i] * weight[o, i, dy, dx]
        out[y, x, o] = total
    return out


def pool(maps: Maps, size: int) -> Maps:
    """Take the largest value of each size×size cell."""
    height, width, channels = maps.shape
    out = np.zeros((height // size, width // size, channels))
    for y, x, c in np.ndindex(out.shape):
        cell = maps[y * size : (y + 1) * size, x * size : (x + 1) * size, c]
        out[y, x, c] = max(cell.ravel())
    return out


def up_sample(maps: Maps, factor: int) -> Maps:
    """Repeat every value factor×factor times."""
    height, width, channels = maps.shape
    out = np.zeros((height * factor, width * factor, channels))
    for y, x, c in np.ndindex(out.shape):
        out[y, x, c] = maps[y // factor, x // factor, c]
    return out


def pad(maps: Maps, multiple: int) -> Maps:
    """Repeat the edges until both sides are multiples, the odd row last."""
    height, width, channels = maps.shape
    tall, wide = (-(-side // multiple) * multiple for side in (height, width))
    top, left = (tall - height) // 2, (wide - width) // 2
    out = np.zeros((tall, wide, channels))
    for y, x, c in np.ndindex(out.shape):
        row = min(max(y - top, 0), height - 1)
        col = min(max(x - left, 0), width - 1)
        out[y, x, c] = maps[row, col, c]
    return out
