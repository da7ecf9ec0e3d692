"""The mathematics as plain loops, to hold the fast formulations against.

Maps are H×W×C NumPy arrays of one picture; kernels outputs×inputs×k×k, as in PyTorch.
"""

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float64]


def convolve(maps: Maps, weight: Maps, bias: Maps, padding: str = "same") -> Maps:
    """Convolve, with zeros around so that the size stays, (k-1)//2 of them first.

    Or without any ("valid"): both sides shrink by k-1.
    """
    height, width, _ = maps.shape
    outputs, inputs, k, _ = weight.shape
    before, lost = ((k - 1) // 2, 0) if padding == "same" else (0, k - 1)
    out = np.zeros((height - lost, width - lost, outputs))
    for y, x, o in np.ndindex(out.shape):
        total = bias[o]
        for dy, dx, i in np.ndindex(k, k, inputs):
            row, col = y + dy - before, x + dx - before
            if 0 <= row < height and 0 <= col < width:
                total += maps[row, col, i] * weight[o, i, dy, dx]
        out[y, x, o] = total
    return out


def convolve_back(maps: Maps, weight: Maps, bias: Maps, padding: str = "same") -> Maps:
    """Convolve each map with its flipped kernel, zeros of k-1 around, and add all up.

    Equation 5 of Masci et al. 2011. After a "same" convolution the frame that this one
    adds is cut off again.
    """
    outputs, inputs, k, _ = weight.shape
    flipped = weight[:, :, ::-1, ::-1]
    around = np.pad(maps, ((k - 1, k - 1), (k - 1, k - 1), (0, 0)))
    height, width = maps.shape[0] + k - 1, maps.shape[1] + k - 1
    out = np.zeros((height, width, inputs))
    for y, x, i in np.ndindex(out.shape):
        total = bias[i]
        for dy, dx, o in np.ndindex(k, k, outputs):
            total += around[y + dy, x + dx, o] * flipped[o, i, dy, dx]
        out[y, x, i] = total
    if padding == "valid":
        return out
    before, after = (k - 1) // 2, k // 2
    return out[before : height - after, before : width - after]


def pool(maps: Maps, size: int) -> Maps:
    """Take the largest value of each size×size cell."""
    height, width, channels = maps.shape
    out = np.zeros((height // size, width // size, channels))
    for y, x, c in np.ndindex(out.shape):
        cell = maps[y * size : (y + 1) * size, x * size : (x + 1) * size, c]
        out[y, x, c] = max(cell.ravel())
    return out


def erase(maps: Maps, size: int) -> Maps:
    """Set all but the (first) largest value of each size×size cell to 0."""
    out = np.zeros_like(maps)
    for y, x, c in np.ndindex(
        maps.shape[0] // size, maps.shape[1] // size, maps.shape[2]
    ):
        rows, cols = slice(y * size, (y + 1) * size), slice(x * size, (x + 1) * size)
        cell = maps[rows, cols, c]
        dy, dx = divmod(int(cell.argmax()), size)
        out[y * size + dy, x * size + dx, c] = cell[dy, dx]
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
