"""Where codes are near: the space whose Euclidean distance is the metric."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from caes.errors import ArgumentError

MetricName = Literal["euclidean", "cosine", "standardised", "whitened"]
METRICS: tuple[MetricName, ...] = get_args(MetricName)
FLOOR = 1e-3
"""Share of the largest variance that the others are at least taken for."""

Points = NDArray[np.float32]
"""N×d: codes in the space of a metric."""


@dataclass(frozen=True)
class Space:
    """Brings codes to where the Euclidean distance is that of a metric.

    euclidean: codes as they are. cosine: codes of length 1, √2 times the root of one
    minus their cosine. standardised: each value less its mean, over its deviation.
    whitened: each principal axis over the fourth root of its variance, and of length 1:
    half the way to the Mahalanobis distance, by its cosine.
    """

    metric: MetricName
    mean: Points  # d
    matrix: Points | None = None  # d×d, or None for the codes' own axes

    @classmethod
    def fit(cls, metric: MetricName, codes: Points) -> "Space":
        """Find mean and axes of codes, N×d."""
        if metric not in METRICS:
            raise ArgumentError(
                "metric", repr(metric), ", ".join(METRICS), "Try 'cosine'."
            )
        if metric in ("euclidean", "cosine"):
            return cls(metric, np.zeros(codes.shape[1], np.float32))
        wide = codes.astype(np.float64)
        mean: NDArray[np.float64] = wide.mean(0)
        if metric == "standardised":
            axes: NDArray[np.float64] = np.eye(len(mean))
            scale = _scale(wide.var(0), -0.5)
        else:
            apart = wide - mean
            variances, axes = np.linalg.eigh(apart.T @ apart / len(apart))
            scale = _scale(variances, -0.25)
        return cls(metric, mean.astype(np.float32), (axes * scale).astype(np.float32))

    def points(self, codes: Points) -> Points:
        """Bring codes, N×d, to the space; N×d float32."""
        found: Any = codes
        if self.matrix is not None:
            found = (codes - self.mean) @ self.matrix
        if self.metric in ("cosine", "whitened"):
            lengths = np.linalg.norm(found, axis=1, keepdims=True)
            found = found / np.maximum(lengths, np.finfo(np.float32).tiny)
        return np.ascontiguousarray(found, np.float32)


def _scale(variances: Any, power: float) -> NDArray[np.float64]:
    """Give variances to a power; what never changes has not quite the variance 0."""
    most = float(variances.max(initial=0.0)) or 1.0
    return np.asarray(np.maximum(variances, FLOOR * most) ** power)
