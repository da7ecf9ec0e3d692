"""From the source's own units to the network's, and back."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.data.mapped import lazily
from caes.data.measures import Pair, percentiles
from caes.data.scales import Scale, parse_scale

Values = float | tuple[float, ...]
"""One number for all channels, or one for each."""


@dataclass(frozen=True)
class Scaling:
    """The straight line that takes ``low`` to 0 and ``high`` to 1, or one a channel.

    It belongs to the model and is saved with it. Where only a part of a type's range is
    in use, what lies beyond ``low`` and ``high`` is ``clipped`` to them; else nothing
    is on the way in, and it lies beyond 0 and 1.
    """

    low: Values  # in the source's units
    high: Values  # above low
    kind: str = "auto"  # how they were found, as `caes.data.scales.Scale` writes it
    value_range: tuple[float, float] | None = None
    """The training pictures' black and white; old runs keep neither it nor the type."""
    dtype: str | None = None
    clipped: bool = False

    def to_unit(
        self, pixels: NDArray[Any], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Scale pixels …×C, of any real number type, for the network, in their shape.

        Where all channels have one line, they may have any shape.
        """
        if out is None:
            out = np.empty(pixels.shape, np.float32)
        if self._divides(pixels.dtype):
            np.divide(pixels, self._span.astype(np.float32), out=out, dtype=np.float32)
            return np.clip(out, 0, 1, out=out) if self.clipped else out
        # In 64 bits, since large values and offsets would not survive 32.
        above = np.subtract(pixels, self._low, dtype=np.float64)
        np.divide(above, self._span, out=out, casting="unsafe")
        return np.clip(out, 0, 1, out=out) if self.clipped else out

    @property
    def of_bytes(self) -> NDArray[np.float32] | None:
        """What each of the 256 bytes is scaled to; None where channels differ."""
        if np.size(self.low) > 1 or np.size(self.high) > 1:
            return None
        return self.to_unit(np.arange(256, dtype=np.uint8))

    def _divides(self, dtype: np.dtype[Any]) -> bool:
        """Tell whether a division in 32 bits gives what one in 64 bits would."""
        if np.any(self._low) or (dtype.itemsize > 2 and dtype != np.float32):
            return False
        with np.errstate(over="ignore"):  # a span beyond 32 bits is not itself there
            exact = bool(np.all(self._span.astype(np.float32) == self._span))
        return dtype.itemsize <= 2 or exact

    def beyond(self, pixels: NDArray[Any]) -> int:
        """Count the values of pixels that are clipped on the way in."""
        if not self.clipped:
            return 0
        return int(((pixels < self.low) | (pixels > self.high)).sum())

    def from_unit(self, unit: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scale the network's pictures back; they are neither rounded nor clipped."""
        return unit.astype(np.float64) * self._span + self._low

    def to_source(
        self, unit: NDArray[np.float32], dtype: np.dtype[Any] | str | None = None
    ) -> NDArray[Any]:
        """Scale the network's pictures back into a type, as `as_type` does.

        None is that of the training pictures, or float64 where the run did not keep it.
        """
        return as_type(self.from_unit(unit), np.dtype(dtype or self.dtype or "f8"))

    def shown(self, unit: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the network's pictures as they are to be looked at: black 0, white 1.

        For "standard" that is by the value range; all other kinds are so already.
        """
        if self.kind != "standard":
            return unit
        return Scaling(*self.extent).to_unit(self.from_unit(unit))

    @property
    def peak(self) -> float:
        """The peak of the PSNR in the network's units: the value range's width there.

        By the channels' mean square where their lines differ.
        """
        low, high = self.extent
        return float((high - low) / np.sqrt(np.mean(self._span**2)))

    @property
    def span(self) -> float:
        """Width of the value range, black to white, in the source's units."""
        low, high = self.extent
        return float(high - low)

    @property
    def extent(self) -> tuple[float, float]:
        """The values that stand for black and white, in the source's units."""
        if self.value_range is not None:
            return self.value_range
        return float(np.min(self.low)), float(np.max(self.high))

    @cached_property
    def _low(self) -> NDArray[np.float64]:
        return np.asarray(self.low, np.float64)

    @cached_property
    def _span(self) -> NDArray[np.float64]:
        return np.asarray(self.high, np.float64) - self._low


def scaling_of(images: ImageSet, text: str = "auto") -> Scaling:
    """Find the scaling that a word asks for, from the training pictures.

    Where two percentiles of a channel coincide its extremes stand in; where all its
    values are the same, "high" is 1 above "low", or a little more where that makes no
    difference.
    """
    scale = parse_scale(text)
    found = partial(Scaling, kind=str(scale), dtype=str(images.dtype))
    known = images.value_range
    if scale.kind == "dtype" and images.dtype.kind in "iu":
        bounds = np.iinfo(images.dtype)
        known = float(bounds.min), float(bounds.max)
    if scale.kind == "auto" and (used := _in_use(images)):
        return found(*used, value_range=used, clipped=True)
    if scale.kind in ("auto", "dtype"):
        return found(*known, value_range=known)
    low, high = _lines(images, scale)
    lines = tuple(low.tolist()), tuple(high.tolist())
    return found(*lines, value_range=known)


def _in_use(images: ImageSet) -> tuple[float, float] | None:
    """Give the part in use of a whole-number type's range, where less than half is.

    It has a margin of a twentieth on both sides: other pictures may reach further.
    """
    if images.dtype.kind != "u":
        return None
    lows, highs = images.statistics.extremes
    low, high = float(lows.min()), float(highs.max())
    darkest, brightest = images.value_range
    margin = (high - low) / 20
    if not 0 < high - low < (brightest - darkest) / 2:
        return None
    return max(low - margin, darkest), min(high + margin, brightest)


def as_type(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Bring values to a type: held in it, whole numbers rounded, NaN being 0 there."""
    if dtype.kind == "f":
        most = float(min(np.finfo(dtype).max, np.finfo(np.float64).max))
        return np.clip(values, -most, most).astype(dtype)
    bounds = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
    low, high = bounds.min, 1 if dtype.kind == "b" else bounds.max
    top = float(high)
    if int(top) > high:  # of 64 bits: no float64 lies as high
        top = float(np.nextafter(top, 0))
    return np.rint(np.clip(np.nan_to_num(values), low, top)).astype(dtype)


def _lines(images: ImageSet, scale: Scale) -> Pair:
    """Give what becomes 0 and what becomes 1 of each channel."""
    if scale.kind == "standard":
        mean, deviation = images.statistics.moments
        return mean, _apart(mean, mean + deviation)
    low, high = images.statistics.extremes
    if scale.kind == "percentiles":
        below, above = percentiles(lazily(images.pixels), scale.shares)
        # Nearly the same ones would take the others beyond the network's numbers.
        differ = above - below > (high - low) * 2.0**-120
        low, high = np.where(differ, below, low), np.where(differ, above, high)
    return low, _apart(low, high)


def _apart(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(high > low, high, low + np.maximum(1, np.abs(low) * 2**-20))
