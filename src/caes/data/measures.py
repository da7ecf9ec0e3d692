"""What pictures' values are like, channel by channel: exact, in bounded memory.

Pixels may be a read-only memory-mapped file much larger than memory: they are gone
through in chunks, once or a few times, and never copied whole.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 2**20
"""Values, of all channels together, that are looked at at once."""
DIGIT = 16
"""Bits that one pass over the pictures finds of a percentile."""


def extremes(pixels: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find each channel's smallest and largest value.

    Args:
        pixels: N×H×W×C, any real number type, finite.

    Returns:
        Two arrays of C, float64, in the pictures' units.
    """
    found = [(chunk.min(1), chunk.max(1)) for chunk in _chunks(pixels)]
    lows, highs = (np.array(side, np.float64) for side in zip(*found, strict=True))
    return lows.min(0), highs.max(0)


def moments(pixels: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find each channel's mean and standard deviation (of the whole, not a sample).

    Numbers of 8 and 16 bits are summed without any rounding. Other chunks are put
    together as Chan et al. 1983 do, on a scale on which no square can
    overflow and no large offset costs digits.

    Args:
        pixels: N×H×W×C, any real number type, finite.

    Returns:
        Two arrays of C, float64, in the pictures' units.
    """
    if pixels.dtype.kind in "bui" and pixels.dtype.itemsize <= 2:
        return _exact_moments(pixels)
    low, high = extremes(pixels)
    span = np.where(high > low, high - low, 1.0)
    count, mean, square = 0, np.zeros_like(low), np.zeros_like(low)
    for chunk in _chunks(pixels):
        unit = (chunk.astype(np.float64) - low[:, None]) / span[:, None]
        n, centre = unit.shape[1], unit.mean(1)
        apart = centre - mean
        square += np.square(unit - centre[:, None]).sum(1)
        square += apart**2 * count * n / (count + n)
        mean += apart * n / (count + n)
        count += n
    return low + mean * span, np.sqrt(square / count) * span


def _exact_moments(
    pixels: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the same of 8 or 16 bits: sums over a chunk are whole and below 2**53."""
    count = math.prod(pixels.shape[:3])
    sums, squares = [0] * pixels.shape[3], [0] * pixels.shape[3]
    for chunk in _chunks(pixels):
        for channel, values in enumerate(chunk.astype(np.float64)):
            sums[channel] += int(values.sum())
            squares[channel] += int(values @ values)
    means = [total / count for total in sums]
    spreads = [
        math.sqrt(count * square - total**2) / count
        for total, square in zip(sums, squares, strict=True)
    ]
    return np.array(means), np.array(spreads)


def percentiles(
    pixels: NDArray[Any], shares: Sequence[float]
) -> list[NDArray[np.float64]]:
    """Find percentiles of each channel, as `numpy.percentile` does, linearly between.

    Args:
        pixels: N×H×W×C, any real number type, finite.
        shares: In [0, 100].

    Returns:
        For each share C values, float64, in the pictures' units.
    """
    count = math.prod(pixels.shape[:3])
    places = [share / 100 * (count - 1) for share in shares]
    ranks = sorted({min(int(p) + step, count - 1) for p in places for step in (0, 1)})
    values = dict(zip(ranks, _ordered(pixels, ranks), strict=True))
    found = []
    for place in places:
        below, above = values[int(place)], values[min(int(place) + 1, count - 1)]
        found.append(below + (above - below) * (place - int(place)))
    return found


def _ordered(
    pixels: NDArray[Any], ranks: Sequence[int]
) -> Iterator[NDArray[np.float64]]:
    """Give the values at some places of each channel's sorted order.

    A radix selection: the first pass counts the leading 16 bits of all values, so that
    the leading bits at each place are known; the next one counts the 16 bits after
    them, of the values that begin so. Values of 16 bits and less take one pass.
    """
    channels = pixels.shape[3]
    bits = 8 * _keys(np.zeros(1, pixels.dtype)).dtype.itemsize
    step = min(bits, DIGIT)
    left = np.array([ranks] * channels)  # channels × ranks, within the prefix
    prefix = np.zeros(left.shape, np.uint64)
    for shift in range(bits - step, -1, -step):
        counts = _counts(pixels, prefix, shift, step)
        for channel, row in enumerate(prefix):
            for at, known in enumerate(row.tolist()):
                below = np.cumsum(counts[channel, known])
                digit = int(np.searchsorted(below, left[channel, at], "right"))
                left[channel, at] -= below[digit - 1] if digit else 0
                prefix[channel, at] = known << step | digit
    for at in range(len(ranks)):
        yield _values(prefix[:, at], pixels.dtype).astype(np.float64)


def _counts(
    pixels: NDArray[Any], prefix: NDArray[np.uint64], shift: int, step: int
) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Count the digits that follow each prefix, by channel and prefix."""
    counts = {
        (channel, known): np.zeros(2**step, np.int64)
        for channel, row in enumerate(prefix)
        for known in set(row.tolist())
    }
    width = 8 * _keys(np.zeros(1, pixels.dtype)).dtype.itemsize
    for chunk in _chunks(pixels):
        keys = _keys(chunk)
        for (channel, known), count in counts.items():
            column = keys[channel]
            if shift + step < width:
                column = column[column >> (shift + step) == known]
            digits = (column >> shift) & (2**step - 1)
            count += np.bincount(digits.astype(np.intp), minlength=2**step)
    return counts


def _keys(values: NDArray[Any]) -> NDArray[Any]:
    """Give unsigned integers of the same width that sort as the values do.

    Negative floats sort by their bits turned round, the others above them.
    """
    values = _plain(values)
    unsigned = np.dtype(f"u{values.dtype.itemsize}")
    bits = values.view(unsigned)
    sign = unsigned.type(1 << (8 * unsigned.itemsize - 1))
    if values.dtype.kind == "u":
        return bits
    keys: NDArray[Any] = bits ^ sign
    if values.dtype.kind == "f":
        keys = np.where(bits & sign, ~bits, keys)
    return keys


def _values(keys: NDArray[np.uint64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give back the values of `_keys`, in the plain form of a type."""
    plain = _plain(np.zeros(0, dtype)).dtype
    unsigned = np.dtype(f"u{plain.itemsize}")
    bits = keys.astype(unsigned)
    sign = unsigned.type(1 << (8 * unsigned.itemsize - 1))
    if plain.kind == "i":
        bits = bits ^ sign
    elif plain.kind == "f":
        bits = np.where(bits & sign, bits ^ sign, ~bits)
    found: NDArray[Any] = bits.view(plain)
    return found


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Give booleans as bytes, and what is longer than 64 bits in 64; contiguous."""
    if values.dtype.kind == "b":
        return np.ascontiguousarray(values).view(np.uint8)
    wide = values.dtype.itemsize > 8
    return np.ascontiguousarray(values, np.float64 if wide else values.dtype)


def _chunks(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Give all values, C×n at a time; a large picture comes in several chunks."""
    n, height, width, channels = pixels.shape
    rows = max(1, AT_ONCE // (width * channels))
    pictures, strip = max(1, rows // height), min(rows, height)
    for start in range(0, n, pictures):
        for top in range(0, height, strip):
            # Pictures first: those on disk are read whole, and no others.
            part = pixels[start : start + pictures][:, top : top + strip]
            yield np.ascontiguousarray(part.reshape(-1, channels).T)
