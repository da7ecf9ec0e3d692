"""The straight way to a code and back: PCA, and a path beside a network that begins so.

A network has to learn first what linear algebra knows at once: the directions in which
pictures differ most. With the path z = W(x - m) + f(x), x̂ = Vz + n + g(z) it begins at
PCA's answer, and all that it learns is better than that.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor, nn

from caes.nn.architecture import Shape

MATRIX = 50_000_000
"""Most numbers in the training matrix: 200 MB, all of MNIST."""
SIDE = 4096
"""Most features whose covariance is decomposed; beyond, the pictures' own products."""
DUAL_ROWS = 3000
"""Most pictures whose products are decomposed."""
CHUNK = 4_000_000
"""Numbers that are worked on at a time."""


@dataclass(frozen=True, eq=False)
class Subspace:
    """A mean and orthonormal directions from it: PCA's answer."""

    mean: NDArray[np.float32]  # D
    components: NDArray[np.float32]  # K×D, by falling variance
    variance: float = 0.0  # mean of the K directions'

    @classmethod
    def fit(cls, rows: NDArray[np.float32], components: int) -> Self:
        """Find the directions of largest variance of N×D rows, centred in place.

        There are at most so many, and fewer where N or D is smaller.
        """
        n, features = rows.shape
        mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        rows -= mean
        components = min(components, n, features)
        if not rows.any():
            return cls(mean, rows[:0])
        if features > SIDE or features >= n:
            found = _by_products(rows, components)
        else:
            found = _by_covariance(rows, components)
        codes = rows[:: math.ceil(n / 10_000)] @ found.T
        return cls(mean, found, float(np.square(codes).mean()))

    def project(
        self, rows: NDArray[np.float32], *, clipped: bool = False
    ) -> NDArray[np.float32]:
        """Give each row's nearest point of the subspace, held in [0, 1] if wanted."""
        codes = (rows - self.mean) @ self.components.T
        found = np.asarray(codes @ self.components + self.mean, np.float32)
        return found.clip(0, 1) if clipped else found

    def errors(
        self, rows: NDArray[np.float32], *, clipped: bool = False
    ) -> NDArray[np.float64]:
        """Give the mean squared error, N, of each row's nearest point."""
        return mean_squares(rows - self.project(rows, clipped=clipped))


def mean_squares(rows: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Give the mean of the squares in each of N rows."""
    return np.asarray(np.square(rows, dtype=np.float64).mean(axis=1))


def sample(available: int, features: int) -> slice | NDArray[np.int64]:
    """Give the rows to fit on: all, or as many of large sets as `MATRIX` holds."""
    limit = max(2, MATRIX // features)
    if features > SIDE:
        limit = min(limit, DUAL_ROWS)
    if available <= limit:
        return slice(None)
    chosen = np.random.default_rng(0).choice(available, limit, replace=False)
    return np.sort(chosen)


def _by_covariance(rows: NDArray[np.float32], components: int) -> NDArray[np.float32]:
    """Decompose the D×D covariance, the wanted directions alone.

    scikit-learn finds all of them: of 4,096 features three times as long. As there the
    largest value of each direction is positive.
    """
    covariance = rows.T @ rows
    wanted = len(covariance) - components, len(covariance) - 1
    vectors = eigh(covariance, subset_by_index=wanted, overwrite_a=True)[1]
    found = np.ascontiguousarray(vectors.T[::-1])
    largest = np.abs(found).argmax(axis=1)[:, None]
    return np.asarray(found * np.sign(np.take_along_axis(found, largest, 1)))


def _by_products(rows: NDArray[np.float32], components: int) -> NDArray[np.float32]:
    """Decompose the N×N products instead of the D×D covariance (Turk & Pentland 1991).

    scikit-learn's solvers for wide matrices are slower or, when randomized, weaker than
    this, which would flatter the autoencoder.
    """
    n, features = rows.shape
    products = np.zeros((n, n))
    step = max(1, CHUNK // n)
    for at in range(0, features, step):
        # float64, or the directions of small variance would not be orthogonal.
        part = rows[:, at : at + step].astype(np.float64)
        products += part @ part.T
    variances, vectors = np.linalg.eigh(products)
    order = np.argsort(variances)[::-1][:components]
    kept = order[variances[order] > max(variances[-1], 0) * n * 1e-12]
    weights = vectors[:, kept] / np.sqrt(variances[kept])
    return np.asarray(weights.T.astype(np.float32) @ rows, dtype=np.float32)


class LinearPath(nn.Module):
    """From the whole picture to the code and back, to be added to what a network gives.

    The weights are learned with the network's; there is no activation.
    """

    def __init__(self, picture: Shape, units: int) -> None:
        super().__init__()
        values = math.prod(picture)
        self.picture = picture
        self.weight = nn.Parameter(torch.empty(units, values))  # W
        self.bias = nn.Parameter(torch.empty(units))  # -Wm
        self.weight_back = nn.Parameter(torch.empty(units, values))  # V, transposed
        self.bias_back = nn.Parameter(torch.empty(values))  # n

    def encode(self, pictures: Tensor) -> Tensor:
        """Give N×units of pictures N×H×W×C."""
        return F.linear(pictures.flatten(1), self.weight, self.bias)

    def decode(self, codes: Tensor) -> Tensor:
        """Give pictures N×H×W×C of N×units."""
        back = F.linear(codes, self.weight_back.t(), self.bias_back)
        return back.view(-1, *self.picture)

    @torch.no_grad()
    def begin(self, subspace: Subspace) -> None:
        """Begin at PCA's answer, in units in which a code's values are about 1.

        One unit for all of them: distances between codes are PCA's. Values for which
        there was no direction are left to the network.
        """
        unit = math.sqrt(subspace.variance) or 1.0
        found = len(subspace.components)
        directions = torch.from_numpy(subspace.components)
        for weight, scaled in (
            (self.weight, directions / unit),
            (self.weight_back, directions * unit),
        ):
            weight.zero_()
            weight[:found] = scaled
        mean = torch.from_numpy(subspace.mean)
        self.bias.copy_(-self.weight @ mean)
        self.bias_back.copy_(mean)
