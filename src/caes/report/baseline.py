"""The honest baseline, PCA with as many values, and what a stack is told beside."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.data.scaling import Scaling
from caes.nn.architecture import Architecture, Shape
from caes.report.numbers import listed
from caes.train.history import History

MATRIX = 50_000_000
"""Most numbers in the training matrix: 200 MB, all of MNIST."""
SIDE = 4096
"""Most features whose covariance is decomposed; beyond, the pictures' own products."""
DUAL_ROWS = 3000
"""Most pictures whose products are decomposed."""
CHUNK = 4_000_000
"""Numbers that are worked on at a time."""


class Fitted(Protocol):
    """What a report asks of a trained autoencoder; `caes.CAE` offers it once fitted."""

    @property
    def architecture_(self) -> Architecture:
        """The encoder as it was written."""

    @property
    def picture_shape_(self) -> tuple[int, int, int]:
        """(H, W, C) of the pictures it was trained on."""

    @property
    def scaling_(self) -> Scaling:
        """From the pictures' units to the network's."""

    @property
    def history_(self) -> History:
        """How the training went."""

    @property
    def provenance_(self) -> Mapping[str, str]:
        """How it was made: versions, machine, seed, data, ready to print."""

    def get_params(self) -> Mapping[str, Any]:
        """Give the settings by name."""

    def to_unit(self, images: ImageSet) -> NDArray[np.float32]:
        """Scale to what the network sees: N×H×W×C float32, in new memory."""

    def reconstruct(self, images: ImageSet) -> NDArray[np.float32]:
        """Encode and decode: N×H×W×C, on the network's scale."""

    def transform(self, images: ImageSet) -> NDArray[np.float32]:
        """Encode: N×code, the maps h×w×maps of each picture flattened, or units."""

    def inverse_transform(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Decode codes of pictures of the training size: N×H×W×C."""

    def errors(self, images: ImageSet) -> NDArray[np.float64]:
        """Give each picture's mean squared error, N values, on the network's scale."""

    def first_filters(self) -> NDArray[np.float32] | None:
        """Give the first level's kernels, maps×k×k×C, or None without any."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """PCA beside the autoencoder."""

    asked: int  # code values of the autoencoder
    components: int  # those that PCA used: fewer where there are no more to be had
    features: int  # numbers in one picture
    rows: int  # training pictures that PCA saw
    available: int  # training pictures there were
    errors: NDArray[np.float64]  # N mean squared errors, on the network's scale
    mean_errors: NDArray[np.float64]  # N, of the mean training picture as the answer
    clipped: bool = False  # whether answers were held in [0, 1], as the network's are

    @property
    def learned(self) -> int:
        """Numbers that PCA learned: its components and the mean picture."""
        return (self.components + 1) * self.features


@dataclass(frozen=True, eq=False)
class Subspace:
    """A mean and orthonormal directions from it."""

    mean: NDArray[np.float32]  # D
    components: NDArray[np.float32]  # K×D, by falling variance

    def errors(
        self, rows: NDArray[np.float32], *, clipped: bool = False
    ) -> tuple[NDArray[np.float64], ...]:
        """Give each row's mean squared distance to the subspace, and to the mean.

        The points of the subspace may be held in [0, 1] first.
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
    clipped = cae.architecture_.bounded
    features = int(np.prod(train.shape[1:]))
    sample = train[_sample(len(train), features)]
    subspace = fit(cae.to_unit(sample).reshape(len(sample), features), code_size)
    step = max(1, CHUNK // features)
    some = (cae.to_unit(test[at : at + step]) for at in range(0, len(test), step))
    each = [subspace.errors(x.reshape(-1, features), clipped=clipped) for x in some]
    errors, mean_errors = map(np.concatenate, zip(*each, strict=True))
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
    """Find the directions of largest variance of N×D rows, centred in place.

    There are at most so many, and fewer where N or D is smaller.
    """
    n, features = rows.shape
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows -= mean
    components = min(components, n, features)
    if not rows.any():
        return Subspace(mean, rows[:0])
    if features > SIDE or features >= n:
        return Subspace(mean, _by_products(rows, components))
    from sklearn.decomposition import PCA

    pca = PCA(components, svd_solver="covariance_eigh").fit(rows)
    return Subspace(mean, np.asarray(pca.components_, dtype=np.float32))


def _sample(available: int, features: int) -> slice | NDArray[np.int64]:
    limit = max(2, MATRIX // features)
    if features > SIDE:
        limit = min(limit, DUAL_ROWS)
    if available <= limit:
        return slice(None)
    chosen = np.random.default_rng(0).choice(available, limit, replace=False)
    return np.sort(chosen)


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


def from_code(cae: Fitted, test: ImageSet) -> NDArray[np.float64] | None:
    """Decode nothing but the codes, and measure the N errors: PCA's fair rival.

    None for pictures of another size than the training ones: no decoder fits.
    """
    picture = cae.picture_shape_
    if tuple(test.shape[1:]) != tuple(picture):
        return None
    step, parts = max(1, CHUNK // math.prod(picture)), []
    for images in (test[at : at + step] for at in range(0, len(test), step)):
        codes = np.asarray(cae.transform(images))
        again = np.asarray(cae.inverse_transform(codes)).reshape(images.shape)
        apart = np.subtract(again, cae.to_unit(images), dtype=np.float64)
        parts.append(np.square(apart).mean(axis=(1, 2, 3)))
    return np.concatenate(parts)


@dataclass(frozen=True)
class Places:
    """The places that one level hands from the way up to the way down."""

    level: int  # counted from 1
    count: int  # values that have one
    among: int  # places that each of them chooses from


@dataclass(frozen=True)
class Winners:
    """What of a code reconstructs, and what it is told beside."""

    used: int  # code values that take part in a reconstruction, at most
    size: int  # code values there are
    places: Sequence[Places] = ()  # the lowest level first; none if mirrored

    @property
    def partial(self) -> bool:
        """Whether a part of the code never reconstructs."""
        return self.used < self.size

    @property
    def count(self) -> int:
        """Places of all levels."""
        return sum(each.count for each in self.places)

    @property
    def words(self) -> str:
        """The places of each level, as a sentence has them."""
        counts = [f"{each.count:,} at level {each.level}" for each in self.places]
        among = [f"{each.among:,}" for each in self.places]
        one_of = among[0] if len({*among}) == 1 else f"{listed(among)} in turn"
        return f"{listed(counts)}, each one of {one_of}"


def winners(arch: Architecture, picture: Shape, *, sparse: bool) -> Winners:
    """Count what a reconstruction is made from.

    In a stack a pooled value goes back to where in its cell it was the largest; with
    winner-take-all sparsity only the largest of each map goes back, to where it was.
    """
    code = arch.code_shape(picture)
    size = math.prod(code)
    if arch.decoder == "mirror":
        return Winners(size, size)
    used = code[-1] if sparse and len(code) == 3 else size
    found = []
    stages = zip(arch.levels, arch.encoder(picture), strict=False)
    for at, (level, stage) in enumerate(stages, start=1):
        values, cell = math.prod(stage.output), level.pool**2
        if sparse:
            values, cell = level.maps, cell * values // level.maps
        if cell > 1:
            found.append(Places(at, values, cell))
    return Winners(used, size, found)
