"""From the source's own units to the network's, and back."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.data.mapped import lazily
from caes.data.measures import percentiles
from caes.data.scales import Scale, parse_scale

Values = float | tuple[float, ...]
"""One number for all channels, or one for each."""


@dataclass(frozen=True)
class Scaling:
    """The straight line that takes ``low`` to 0 and ``high`` to 1, or one a channel.

    It belongs to the model and is saved with it. Nothing is ever clipped on the way
    in: what lies beyond ``low`` and ``high`` lies beyond 0 and 1.

    Args:
        low: What becomes 0, in the source's units; C values where channels differ.
        high: What becomes 1; larger than ``low``.
        kind: How they were found, as `caes.data.scales.Scale` writes it.
        value_range: The training pictures' values for black and white, in the source's
            units; None in runs that did not keep it: then ``low`` and ``high``.
        dtype: Number type of the training pictures; None in runs that did not keep it.
    """

    low: Values
    high: Values
    kind: str = "auto"
    value_range: tuple[float, float] | None = None
    dtype: str | None = None

    def to_unit(
        self, pixels: NDArray[Any], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Scale pixels for the network.

        Args:
            pixels: …×C, of any real number type, in the source's units; of any shape
                where all channels have one line.
            out: Where to write the result, of the same shape.

        Returns:
            The same shape, float32; in [0, 1] for pixels in [low, high].
        """
        if out is None:
            out = np.empty(pixels.shape, np.float32)
        if pixels.dtype.itemsize <= 2 and not np.any(self._low):
            np.divide(pixels, self._span.astype(np.float32), out=out, dtype=np.float32)
            return out
        # In 64 bits, since large values and offsets would not survive 32.
        above = np.subtract(pixels, self._low, dtype=np.float64)
        np.divide(above, self._span, out=out, casting="unsafe")
        return out

    def from_unit(self, unit: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scale the network's pictures back.

        Args:
            unit: As `to_unit` gives them.

        Returns:
            The same shape, float64, in the source's units; neither rounded nor clipped.
        """
        return unit.astype(np.float64) * self._span + self._low

    def to_source(
        self, unit: NDArray[np.float32], dtype: np.dtype[Any] | str | None = None
    ) -> NDArray[Any]:
        """Scale the network's pictures back into the source's type.

        Args:
            unit: As `to_unit` gives them.
            dtype: The type; None for that of the training pictures, or float64 where
                the run did not keep it.

        Returns:
            The same shape, in the source's units; whole numbers are rounded and held in
            the type's range, NaN among them becoming 0.
        """
        return as_type(self.from_unit(unit), np.dtype(dtype or self.dtype or "f8"))

    def shown(self, unit: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the network's pictures as they are to be looked at.

        Args:
            unit: As `to_unit` gives them.

        Returns:
            The same shape, with black at 0 and white at 1: for "standard" by the value
            range, for all other kinds ``unit`` itself.
        """
        if self.kind != "standard":
            return unit
        return Scaling(*self._extent).to_unit(self.from_unit(unit))

    @property
    def peak(self) -> float:
        """The peak of the PSNR in the network's units: the value range's width there.

        By the channels' mean square where their lines differ.
        """
        low, high = self._extent
        return float((high - low) / np.sqrt(np.mean(self._span**2)))

    @property
    def span(self) -> float:
        """Width of the value range, black to white, in the source's units."""
        low, high = self._extent
        return float(high - low)

    @property
    def _extent(self) -> tuple[float, float]:
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

    Statistics are taken in bounded memory, and exact but for percentiles of very many
    wide numbers (see `percentiles`), which are those of an even sample.

    Args:
        images: The training pictures.
        text: As `parse_scale` reads it. Where two percentiles of a channel coincide
            its extremes stand in; where all its values are the same, "high" is 1
            above "low", or a little more where that makes no difference.

    Raises:
        ArgumentError: The text cannot be read.
    """
    scale = parse_scale(text)
    found = partial(Scaling, kind=str(scale), dtype=str(images.dtype))
    known = images.value_range
    if scale.kind in ("auto", "dtype"):
        known = _type_range(images.dtype, known) if scale.kind == "dtype" else known
        return found(*known, value_range=known)
    low, high = _lines(images, scale)
    lines = tuple(low.tolist()), tuple(high.tolist())
    return found(*lines, value_range=known)


def as_type(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Bring values to a type: rounded where it is one of whole numbers, and held in it.

    Args:
        values: Any shape, float64.
        dtype: A real number type.

    Returns:
        The same shape, of that type.
    """
    if dtype.kind == "f":
        most = float(min(np.finfo(dtype).max, np.finfo(np.float64).max))
        return np.clip(values, -most, most).astype(dtype)
    low, high = (
        (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    )
    top = float(high)
    if int(top) > high:  # of 64 bits: no float64 lies as high
        top = float(np.nextafter(top, 0))
    return np.rint(np.clip(np.nan_to_num(values), low, top)).astype(dtype)


def _lines(
    images: ImageSet, scale: Scale
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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


def _type_range(
    dtype: np.dtype[Any], known: tuple[float, float]
) -> tuple[float, float]:
    """Give the range of a type of whole numbers; of others, as for "auto"."""
    if dtype.kind not in "iu":
        return known
    return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
