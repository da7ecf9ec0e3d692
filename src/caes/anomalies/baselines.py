"""What a detector has to beat: the simplest things that tell strange pictures."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from caes.anomalies.album import Album
from caes.anomalies.detectors.detector import Scores
from caes.data.decode.resize import resized
from caes.nn.linear import Subspace

BaselineName = Literal["PCA", "neighbours"]
SIDE = 128
"""Pictures of several sizes, and larger ones, are squeezed to squares of this side."""
COMPONENTS = 200
NEIGHBOURS = 3


class Baseline:
    """The residual of PCA, or the distance to the nearest pictures, on pixels.

    Args:
        name: "PCA": 200 components, or half as many as pictures; "neighbours": the mean
            distance to three.
    """

    def __init__(self, name: BaselineName) -> None:
        self.name = name

    def fit(self, album: Album) -> "Baseline":
        """Learn from normal pictures."""
        size = album.size
        self.size = (SIDE, SIDE) if size is None or max(size) > SIDE else size
        rows = self._rows(album)
        if self.name == "PCA":
            most = min(COMPONENTS, max(1, len(rows) // 2), rows.shape[1] // 2)
            self.subspace = Subspace.fit(rows, most)
        else:
            near = NearestNeighbors(
                n_neighbors=min(NEIGHBOURS, len(rows)), algorithm="brute"
            )
            self.nearest = near.fit(rows)
        return self

    def scores(self, album: Album) -> Scores:
        """Tell how strange pictures are, N."""
        rows = self._rows(album)
        if self.name == "PCA":
            return self.subspace.errors(rows)
        found, _ = self.nearest.kneighbors(rows)
        return np.asarray(found.mean(axis=1), np.float64)

    def _rows(self, album: Album) -> NDArray[np.float32]:
        """Give N×features float32, in the source's units."""
        found = [
            each if each.shape[:2] == self.size else resized(each, self.size)
            for each in album.pictures
        ]
        return np.stack(found).reshape(len(found), -1).astype(np.float32)
