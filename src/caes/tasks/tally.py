"""How far off the reconstruction of one picture is, counted band by band."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = tuple[float, float, float, float, float]
"""mse in squared units of the network; in the source's psnr (dB), rmse, mae, max."""


@dataclass
class Tally:
    """Gathers the errors of a picture's bands of rows.

    Args:
        span: Width of the value range in the source's units, the peak of the PSNR.
    """

    span: float
    _count: int = 0
    _network: float = 0.0
    _squares: float = 0.0
    _sizes: float = 0.0
    _largest: float = 0.0

    def add(
        self,
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        pixels: NDArray[Any],
        again: NDArray[Any],
    ) -> None:
        """Take in the next rows.

        Args:
            before: h×W×C of the picture, as the network sees it.
            after: The same of its reconstruction.
            pixels: The same of the picture in the source's units and type.
            again: The same of its reconstruction, as it is written.
        """
        apart = np.abs(again.astype(np.float64) - pixels.astype(np.float64))
        self._count += apart.size
        self._network += float(np.square(before - after, dtype=np.float64).sum())
        self._squares += float(np.square(apart).sum())
        self._sizes += float(apart.sum())
        self._largest = max(self._largest, float(apart.max()))

    def row(self) -> Row:
        """Give what was found, once there was a band."""
        rmse = math.sqrt(self._squares / self._count)
        psnr = 20 * math.log10(self.span / rmse) if rmse > 0 else math.inf
        mse, mae = self._network / self._count, self._sizes / self._count
        return mse, psnr, rmse, mae, self._largest
