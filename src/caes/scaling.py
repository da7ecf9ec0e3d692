"""From the source's own units to the network's [0, 1], and back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scaling:
    """The straight line that takes ``low`` to 0 and ``high`` to 1.

    It belongs to the model and is saved with it.

    Args:
        low: Value that stands for black, in the source's units.
        high: Value that stands for white; larger than ``low``.
    """

    low: float
    high: float

    def to_unit(
        self, pixels: NDArray[Any], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Scale pixels for the network.

        Args:
            pixels: Any shape and real number type, in the source's units.
            out: Where to write the result, of the same shape.

        Returns:
            The same shape, float32; in [0, 1] for pixels in [low, high].
        """
        if out is None:
            out = np.empty(pixels.shape, np.float32)
        span = self.high - self.low
        if self.low == 0 and pixels.dtype.itemsize <= 2:
            np.divide(pixels, np.float32(span), out=out, dtype=np.float32)
            return out
        # In 64 bits, since large values and offsets would not survive 32.
        above = np.subtract(pixels, self.low, dtype=np.float64)
        np.divide(above, span, out=out, casting="unsafe")
        return out

    def from_unit(self, unit: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scale the network's pictures back.

        Args:
            unit: Any shape, in [0, 1].

        Returns:
            The same shape, float64, in the source's units, in [low, high].
        """
        return unit.astype(np.float64) * (self.high - self.low) + self.low
