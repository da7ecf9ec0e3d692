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
from caes.nn.linear import CHUNK, Subspace, mean_squares, sample
from caes.report.numbers import listed
from caes.train.history import History


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

    @property
    def chosen_(self) -> Mapping[str, Any]:
        """The settings by name, what was not said filled in."""

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


def baseline(cae: Fitted, train: ImageSet, test: ImageSet, code_size: int) -> Baseline:
    """Fit PCA on the training pictures and try it on the test pictures.

    Both are on the network's scale. Beside a network whose pictures lie in [0, 1],
    PCA's are clipped to it likewise, which only makes it better. At most `MATRIX`
    numbers are learned from: of larger sets a sample of pictures with a fixed seed.
    """
    clipped = cae.architecture_.bounded
    features = int(np.prod(train.shape[1:]))
    seen = train[sample(len(train), features)]
    subspace = Subspace.fit(cae.to_unit(seen).reshape(-1, features), code_size)
    step, each = max(1, CHUNK // features), []
    for at in range(0, len(test), step):
        rows = cae.to_unit(test[at : at + step]).reshape(-1, features)
        own = subspace.errors(rows, clipped=clipped)
        each.append((own, mean_squares(rows - subspace.mean)))
    errors, mean_errors = map(np.concatenate, zip(*each, strict=True))
    return Baseline(
        asked=code_size,
        components=len(subspace.components),
        features=features,
        rows=len(seen),
        available=len(train),
        errors=errors,
        mean_errors=mean_errors,
        clipped=clipped,
    )


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
