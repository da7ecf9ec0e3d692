"""The honest baseline: PCA with as many code values, on the same test pictures."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.report.fitted import Fitted

MATRIX = 50_000_000
"""Most numbers in the training matrix: 200 MB, all of MNIST."""
SIDE = 4096
"""Most features whose covariance is decomposed; beyond, the pictures' own products."""
DUAL_ROWS = 3000
"""Most pictures whose products are decomposed."""
CHUNK = 4_000_000
"""Numbers that are worked on at a time."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """PCA beside the autoencoder.

    Args:
        asked: Code values of the autoencoder.
        components: Code values that PCA used: fewer where there are no more to be had.
        features: Numbers in one picture.
        rows: Training pictures that PCA saw.
        available: Training pictures there were.
        errors: N float64, each test picture's mean squared error, on the network's
            scale.
        mean_errors: The same for the mean training picture as the only answer.
        clipped: Whether its answers were held in [0, 1], as the autoencoder's are.
    """

    asked: int
    components: int
    features: int
    rows: int
    available: int
    errors: NDArray[np.float64]
    mean_errors: NDArray[np.float64]
    clipped: bool = False

    @property
    def learned(self) -> int:
        """Numbers that PCA learned: its components and the mean picture."""
        return (self.components + 1) * self.features


@dataclass(frozen=True, eq=False)
class Subspace:
    """A mean and orthonormal directions from it.

    Args:
        mean: D float32.
        components: K×D float32, by falling variance.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]

    def errors(
        self, rows: NDArray[np.float32], clipped: bool = False
    ) -> tuple[NDArray[np.float64], ...]:
        """Give each row's mean squared distance to the subspace, and to the mean.

        Args:
            rows: N×D.
            clipped: Whether the nearest points are held in [0, 1] first.
        """
        centred = rows - self.mean
        residue = centred - (centred @ self.components.T) @ self.components
        if clipped:
            residue = rows - (rows - residue).clip(0, 1)
        return _mean_squares(residue), _mean_squares(centred)


def baseline(cae: Fitted, train: ImageSet, test: ImageSet, code_size: int) -> Baseline:
    """Fit PCA on the training pictures and try it on the test pictures.

    Both are on the network's scale. Beside a network whose pictures lie in [0, 1],
    PCA's are clipped to it likewise, which only makes it better. At most `MATRIX`
    numbers are learned from: of larger sets a sample of pictures with a fixed seed.
    """
    features = int(np.prod(train.shape[1:]))
    sample = train[_sample(len(train), features)]
    clipped = cae.architecture_.bounded
    subspace = fit(cae.to_unit(sample).reshape(len(sample), features), code_size)
    step = max(1, CHUNK // features)
    parts = [
        subspace.errors(
            cae.to_unit(test[at : at + step]).reshape(-1, features), clipped
        )
        for at in range(0, len(test), step)
    ]
    errors, mean_errors = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Baseline(
        asked=code_size,
        components=len(subspace.components),
        features=features,
        rows=len(sample),
        available=len(train),
        errors=errors,
        mean_errors=mean_errors,
        clipped=clipped,
    )


def fit(rows: NDArray[np.float32], components: int) -> Subspace:
    """Find the directions of largest variance.

    Args:
        rows: N×D; centred in place.
        components: How many at most; fewer come where N or D is smaller.
    """
    n, features = rows.shape
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows -= mean
    components = min(components, n, features)
    if not rows.any():
        return Subspace(mean, rows[:0])
    if features <= SIDE and features < n:
        return Subspace(mean, _by_covariance(rows, components))
    return Subspace(mean, _by_products(rows, components))


def _sample(available: int, features: int) -> slice | NDArray[np.int64]:
    limit = max(2, MATRIX // features)
    if features > SIDE:
        limit = min(limit, DUAL_ROWS)
    if available <= limit:
        return slice(None)
    chosen = np.random.default_rng(0).choice(available, limit, replace=False)
    return np.sort(chosen)


def _by_covariance(rows: NDArray[np.float32], components: int) -> NDArray[np.float32]:
    from sklearn.decomposition import PCA

    pca = PCA(components, svd_solver="covariance_eigh").fit(rows)
    return np.asarray(pca.components_, dtype=np.float32)


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


def _mean_squares(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(np.square(rows, dtype=np.float64).mean(axis=1))
