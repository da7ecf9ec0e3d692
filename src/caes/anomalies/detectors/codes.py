"""The distance of codes: how far a picture, or a place, is from the normal ones."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from caes.anomalies.detectors.detector import (
    Detector,
    Maps,
    Normals,
    Pictures,
    Scores,
    State,
    View,
)
from caes.estimators import CAE
from caes.nn.autoencoder import Autoencoder
from caes.nn.inference import infer
from caes.nn.layers import Dense, inside, outside, pad

DistanceName = Literal["mahalanobis", "neighbours"]
NEIGHBOURS = 3
MEMORY, PLACE_MEMORY = 10_000, 2_000
"""Codes of pictures, and of places, that are kept to search among."""
PLACES = 60_000
"""Codes of places that mean and covariance are found from."""
SHRUNK = 0.01
"""Of the mean variance, added to each: codes may lie in fewer dimensions."""


class Whitening:
    """Codes in the basis in which those of normal pictures are spread alike.

    Distances in it are Mahalanobis's (1936).
    """

    def __init__(self, mean: NDArray[np.float32], matrix: NDArray[np.float32]) -> None:
        self.mean, self.matrix = mean, matrix

    @classmethod
    def fit(cls, codes: NDArray[np.float32]) -> "Whitening":
        """Find it from N×D codes."""
        wide: NDArray[np.float64] = codes.astype(np.float64)
        mean: NDArray[np.float64] = wide.mean(axis=0)
        centred = wide - mean
        covariance = centred.T @ centred / max(len(codes) - 1, 1)
        floor = SHRUNK * max(float(np.trace(covariance)) / len(covariance), 1e-12)
        values, vectors = np.linalg.eigh(covariance)
        spread = np.sqrt(np.maximum(values, 0) + floor)
        return cls(mean.astype(np.float32), (vectors / spread).astype(np.float32))

    def __call__(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give N×D codes in that basis."""
        return np.asarray((codes - self.mean) @ self.matrix, np.float32)


class _Distances(Detector):
    """Distances from codes, whitened, to their mean or to the nearest of some."""

    most = MEMORY

    def __init__(self, distance: DistanceName) -> None:
        self.distance = distance

    def _learn(self, codes: NDArray[np.float32], random: np.random.Generator) -> None:
        self.whitening = Whitening.fit(codes)
        rows = random.permutation(len(codes))[: self.most]
        kept = self.whitening(codes[rows]) if self.distance == "neighbours" else None
        self._remember(kept)

    def _remember(self, memory: NDArray[np.float32] | None) -> None:
        self.memory = memory
        if memory is not None:
            nearest = NearestNeighbors(
                n_neighbors=min(NEIGHBOURS, len(memory)), algorithm="brute"
            )
            self.nearest = nearest.fit(memory)

    def _distances(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give N distances of N×D codes."""
        white = self.whitening(codes)
        if self.memory is None:
            return np.asarray(np.sqrt(np.square(white).sum(axis=1)), np.float32)
        found, _ = self.nearest.kneighbors(white)
        return np.asarray(found.mean(axis=1), np.float32)

    def state(self) -> State:
        """Give mean, basis and the codes that are remembered."""
        found = {"mean": self.whitening.mean, "matrix": self.whitening.matrix}
        return found if self.memory is None else {**found, "memory": self.memory}

    def restore(self, state: State, view: View, cae: CAE) -> None:
        """Take them back."""
        self.cae = cae
        self.whitening = Whitening(state["mean"], state["matrix"])
        self._remember(state.get("memory"))


class PictureCodes(_Distances):
    """The code of the whole picture; pictures are small and of one size.

    Args:
        distance: "mahalanobis", or "neighbours": the mean distance to three of those
            learnt from.
    """

    local = False

    def __init__(self, distance: DistanceName) -> None:
        super().__init__(distance)
        self.name = f"codes of pictures by {distance}"

    def fit(self, normals: Normals) -> None:
        """Learn what codes are usual."""
        self.cae = normals.cae
        codes = np.concatenate([self.cae.transform(part) for part in normals.batches()])
        self._learn(codes, np.random.default_rng(normals.seed))

    def scores(self, pictures: Pictures, maps: Maps | None) -> Scores:
        """Give the distances of the pictures' codes."""
        found: NDArray[np.float32] = self.cae.transform(pictures)
        return self._distances(found).astype(np.float64)


class PlaceCodes(_Distances):
    """The maps of all levels at each place, coarse ones repeated over fine ones.

    Wherever the place is, its code is compared with those of all places.

    Args:
        distance: As of `PictureCodes`.
    """

    most = PLACE_MEMORY

    def __init__(self, distance: DistanceName) -> None:
        super().__init__(distance)
        self.name = f"codes of places by {distance}"

    def fit(self, normals: Normals) -> None:
        """Learn what codes of places are usual, from some of each picture."""
        self.cae = normals.cae
        random = np.random.default_rng(normals.seed)
        each = max(1, PLACES // len(normals.album))
        self._learn(np.concatenate([*self._some(normals, each, random)]), random)

    def _some(
        self, normals: Normals, each: int, random: np.random.Generator
    ) -> Iterator[NDArray[np.float32]]:
        for part in normals.batches():
            for codes in place_codes(self.cae, part):
                flat = codes.reshape(-1, codes.shape[2])
                yield flat[random.permutation(len(flat))[:each]]

    def maps(self, pictures: Pictures) -> Maps:
        """Give each place's distance, over the pixels that its code stands for."""
        codes = place_codes(self.cae, pictures)
        n, tall, wide, values = codes.shape
        found = self._distances(codes.reshape(-1, values)).reshape(n, tall, wide)
        return enlarged(gaussian_filter(found, (0, 1, 1)), pictures.shape[1:3])


class PlacedCodes(Detector):
    """The same codes, each compared with those of its own place: small pictures only.

    Mahalanobis's distance to the place's mean, with a covariance of its own, in the
    directions in which codes differ most (PaDiM: Defard et al. 2021).
    """

    name = "codes of each place"

    def fit(self, normals: Normals) -> None:
        """Learn what codes are usual at each place."""
        self.cae = normals.cae
        parts = [place_codes(self.cae, part) for part in normals.batches()]
        codes = np.concatenate(parts)
        flat = codes.reshape(-1, codes.shape[3])
        random = np.random.default_rng(normals.seed)
        whitening = Whitening.fit(flat[random.permutation(len(flat))[:PLACES]])
        most = whitening.matrix[:, -DIRECTIONS:]
        self.whitening = Whitening(whitening.mean, np.ascontiguousarray(most))
        white = self._white(codes)
        self.means = white.mean(axis=0)
        self.matrices = np.stack([self._inverse(each) for each in self._places(white)])

    def maps(self, pictures: Pictures) -> Maps:
        """Give each place's distance, over the pixels that its code stands for."""
        centred = self._places(
            self._white(place_codes(self.cae, pictures)) - self.means
        )
        squares = np.square(centred @ self.matrices).sum(axis=2)
        tall, wide, _ = self.means.shape
        found = np.sqrt(squares).T.reshape(-1, tall, wide)
        return enlarged(gaussian_filter(found, (0, 1, 1)), pictures.shape[1:3])

    def state(self) -> State:
        """Give the basis, and each place's mean and matrix."""
        return {
            "mean": self.whitening.mean,
            "matrix": self.whitening.matrix,
            "means": self.means,
            "matrices": self.matrices,
        }

    def restore(self, state: State, view: View, cae: CAE) -> None:
        """Take them back."""
        self.cae = cae
        self.whitening = Whitening(state["mean"], state["matrix"])
        self.means, self.matrices = state["means"], state["matrices"]

    def _white(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        n, tall, wide, values = codes.shape
        return self.whitening(codes.reshape(-1, values)).reshape(n, tall, wide, -1)

    def _places(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give N×h×w×D as places×N×D."""
        return codes.reshape(len(codes), -1, codes.shape[3]).swapaxes(0, 1)

    def _inverse(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the root of a place's inverse covariance, D×D, of N×D codes there.

        A tenth of the usual variance, which is 1, is added: some places never change.
        """
        found = np.cov(codes, rowvar=False).reshape(codes.shape[1], -1)
        values, vectors = np.linalg.eigh(found)
        root: NDArray[np.float32] = vectors / np.sqrt(np.maximum(values, 0) + 0.1)
        return root.astype(np.float32)


DIRECTIONS = 24
"""In which codes differ most, that are looked at of each place."""


def place_codes(cae: CAE, pictures: Pictures) -> NDArray[np.float32]:
    """Give the maps of every convolutional level, N×h×w×(all maps).

    As fine as the second level's, if there is one; dense layers above are left out.
    """
    model = cae.model_
    if not isinstance(model, Autoencoder):
        raise TypeError("codes of places come from the mirrored auto-encoder")
    levels = [part for part in model.encoder if not isinstance(part, Dense)]

    def all_maps(batch: Tensor) -> Tensor:
        here, found = pad(inside(batch), model.arch), []
        for level in levels:
            here = level(here)
            found.append(here)
        size = found[min(1, len(found) - 1)].shape[-2:]
        spread = [F.adaptive_avg_pool2d(found[0], size)]
        spread += [F.interpolate(each, size=size) for each in found[1:]]
        return outside(torch.cat(spread, dim=1))

    batch = (torch.from_numpy(pictures),)
    (found,) = infer(nn.Sequential(*levels), all_maps, [batch], torch.device("cpu"))
    return np.asarray(found)


def enlarged(maps: Maps, size: tuple[int, ...]) -> Maps:
    """Bring N×h×w to N×H×W, smoothly, as the codes' cells lie over the pixels."""
    tensor = torch.from_numpy(np.ascontiguousarray(maps))[:, None]
    found = F.interpolate(tensor, size=tuple(size), mode="bilinear")
    return np.asarray(found[:, 0].numpy(), np.float32)
