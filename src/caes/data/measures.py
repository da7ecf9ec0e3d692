"""What pictures' values are like, channel by channel, in bounded memory.

Pixels may be a read-only memory-mapped file much larger than memory: they are gone
through in chunks, once or a few times, and never copied whole.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.mapped import lazily, parts

AT_ONCE = 2**20  # values, of all channels together, that are looked at at once
SAMPLE = 2**24  # values of a channel of which all percentiles are exact
DIGEST = 16  # bytes of a picture's digest

PerChannel = NDArray[np.float64]  # C, in the pictures' units
Pair = tuple[PerChannel, PerChannel]
Ranked = Callable[[int], PerChannel]  # the values at a rank, from 0, of each channel


class Statistics:
    """What is known of pixels N×H×W×C, each found once, when it is first asked for."""

    def __init__(self, pixels: Any) -> None:
        self.pixels = pixels

    def __reduce__(self) -> tuple[Any, ...]:
        return Statistics, (self.pixels,)  # what a hash has seen cannot be pickled

    @cached_property
    def extremes(self) -> Pair:
        """Each channel's smallest and largest value; NaN where one is none."""
        return extremes(lazily(self.pixels))

    @cached_property
    def moments(self) -> Pair:
        """Each channel's mean and standard deviation (of the whole, not a sample).

        Numbers of 8 and 16 bits are summed without any rounding. Other chunks are put
        together as Chan et al. 1983 do, on a scale on which no square can overflow and
        no large offset costs digits.
        """
        pixels = lazily(self.pixels)
        if _exact(pixels.dtype):
            return _exact_moments(pixels)
        return _moments(pixels, *self.extremes)

    @property
    def finite(self) -> bool:
        """Whether all values are finite numbers."""
        return self.pixels.dtype.kind != "f" or bool(np.isfinite(self.extremes).all())

    @property
    def nominal(self) -> tuple[float, float]:
        """The values that stand for black and white.

        The type's range for uint8, uint16 and bool; (0, 1) when every value lies in it;
        else the extremes, kept apart by 1 when all values are the same.
        """
        dtype = self.pixels.dtype
        if dtype == np.bool_:
            return 0.0, 1.0
        if dtype in (np.uint8, np.uint16):
            return 0.0, float(np.iinfo(dtype).max)
        low, high = float(self.extremes[0].min()), float(self.extremes[1].max())
        if low >= 0 and high <= 1:
            return 0.0, 1.0
        return (low, high) if high > low else (low, low + 1.0)

    @cached_property
    def digests(self) -> bytes:
        """`DIGEST` bytes a picture: the same for the same values, size and type."""
        # The same bytes in another shape or type are another picture.
        form = f"{self.pixels.shape[1:]} {self.pixels.dtype.str}".encode()
        start = hashlib.blake2b(form, digest_size=DIGEST)
        found, content = bytearray(), self._form()
        for part in map(np.ascontiguousarray, parts(self.pixels)):
            content.update(part.data)  # on the way
            for picture in part.reshape(len(part), -1):
                digest = start.copy()
                digest.update(picture.data)
                found += digest.digest()
        self.__dict__.setdefault("content", content)
        return bytes(found)

    @cached_property
    def content(self) -> Any:
        """SHA-256 of shape, type and every pixel, to be copied and gone on with."""
        content = self._form()
        for part in parts(self.pixels):
            content.update(np.ascontiguousarray(part).data)
        return content

    def _form(self) -> Any:
        return hashlib.sha256(f"{self.pixels.shape}{self.pixels.dtype.str}".encode())


def coloured(pixels: Any) -> NDArray[np.bool_]:
    """Tell which of N×H×W×3 are in colour: their channels differ somewhere."""
    differ = [(part[..., :1] != part[..., 1:]).any((1, 2, 3)) for part in parts(pixels)]
    return np.concatenate(differ)


def extremes(pixels: NDArray[Any]) -> Pair:
    """Find each channel's smallest and largest value of finite pixels N×H×W×C."""
    found = [(chunk.min(1), chunk.max(1)) for chunk in _chunks(pixels)]
    lows, highs = (np.array(side, np.float64) for side in zip(*found, strict=True))
    return lows.min(0), highs.max(0)


def _exact(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "bui" and dtype.itemsize <= 2


def _moments(pixels: NDArray[Any], low: PerChannel, high: PerChannel) -> Pair:
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


def _exact_moments(pixels: NDArray[Any]) -> Pair:
    """Find the same of 8 or 16 bits: sums over a chunk are whole and below 2**53."""
    count = math.prod(pixels.shape[:3])
    sums, squares = [0] * pixels.shape[3], [0] * pixels.shape[3]
    for chunk in _chunks(pixels):
        for channel, values in enumerate(chunk.astype(np.float64)):
            sums[channel] += int(values.sum())
            squares[channel] += int(values @ values)
    both = zip(sums, squares, strict=True)
    spreads = [math.sqrt(count * square - total**2) / count for total, square in both]
    return np.array([total / count for total in sums]), np.array(spreads)


def percentiles(pixels: NDArray[Any], shares: Sequence[float]) -> list[PerChannel]:
    """Find percentiles of each channel, as `numpy.percentile` does, linearly between.

    Exact for whole numbers of 8 and 16 bits, and for up to `SAMPLE` values a channel;
    else those of a sample of about as many, taken evenly from all pictures. Shares are
    in [0, 100]; for each there are C values.
    """
    at, count = _counted(pixels) if _exact(pixels.dtype) else _sorted(pixels)
    found, last = [], count - 1
    for share in shares:
        place = share / 100 * last
        below, above = at(int(place)), at(min(int(place) + 1, last))
        found.append(below + (above - below) * (place - int(place)))
    return found


def _counted(pixels: NDArray[Any]) -> tuple[Ranked, int]:
    """Find values of 8 or 16 bits by how often each stands."""
    plain = np.uint8 if pixels.dtype.kind == "b" else pixels.dtype
    low, high = int(np.iinfo(plain).min), int(np.iinfo(plain).max)
    counts = np.zeros((pixels.shape[3], high - low + 1), np.int64)
    for chunk in _chunks(pixels):
        for channel, column in enumerate(chunk.astype(np.intp) - low):
            counts[channel] += np.bincount(column, minlength=counts.shape[1])
    ends = counts.cumsum(1)  # C×values: how many are no larger

    def at(rank: int) -> PerChannel:
        return np.array([low + np.searchsorted(e, rank, "right") for e in ends], float)

    return at, int(ends[0, -1])


def _sorted(pixels: NDArray[Any]) -> tuple[Ranked, int]:
    """Find values by sorting them, or a sample where they are very many."""
    step = -(-math.prod(pixels.shape[:3]) // SAMPLE)
    taken = [chunk[:, ::step].astype(np.float64) for chunk in _chunks(pixels)]
    values = np.sort(np.concatenate(taken, axis=1), axis=1)
    return lambda rank: values[:, rank], values.shape[1]


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
