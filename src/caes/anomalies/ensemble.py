"""Fitted detectors that answer together: scores, and heatmaps, in common units."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.anomalies.album import Album
from caes.anomalies.choice import LEAST, Choice, Scale
from caes.anomalies.codes import PictureCodes, PlaceCodes, PlacedCodes
from caes.anomalies.detector import Detector, Maps, Pictures, Scores, View
from caes.anomalies.discriminator import Discriminator
from caes.anomalies.reconstruction import Reconstruction, WholeReconstruction
from caes.anomalies.transformations import Transformations
from caes.data.tiles import Grid
from caes.estimators import CAE

WHOLE: tuple[Any, ...] = (
    partial(Reconstruction, "pixels"),
    partial(Reconstruction, "structure"),
    partial(Reconstruction, "edges"),
    partial(PictureCodes, "mahalanobis"),
    partial(PictureCodes, "neighbours"),
    PlacedCodes,
    Discriminator,
    Transformations,
)
"""What may be chosen for small pictures of one size."""
NOVELTIES = (
    "reconstruction by structure",
    "codes of pictures by neighbours",
    "transformations",
)
"""What tells strange wholes: of all combinations the one that told a digit from the
other digits best, on training pictures of MNIST (docs/anomalies.md)."""
LOCAL: tuple[Any, ...] = (
    partial(Reconstruction, "pixels"),
    partial(Reconstruction, "structure"),
    partial(Reconstruction, "edges"),
    WholeReconstruction,
    partial(PlaceCodes, "mahalanobis"),
    partial(PlaceCodes, "neighbours"),
    Discriminator,
)
"""What may be chosen for large pictures, and those of several sizes."""


TILE, SHARED = 1024, 64
"""Side of the tiles that larger pictures are looked at by, and what neighbours share,
in pixels."""


def candidates(view: View) -> dict[str, Detector]:
    """Give the detectors that suit pictures, not fitted, by name."""
    made = [make() for make in (WHOLE if view.whole else LOCAL)]
    return {each.name: each for each in made}


@dataclass(frozen=True)
class HeatScale:
    """Units of a detector's heatmaps: what normal pictures have, and how it varies.

    At each place where all pictures are of one size, H×W; else over all places, 1×1.
    """

    middle: NDArray[np.float32]
    spread: NDArray[np.float32]

    @classmethod
    def of(cls, maps: Iterator[Maps], whole: bool) -> "HeatScale":
        """Find it from heatmaps of normal pictures, n×H×W some at a time."""
        count, total, squares = 0, 0.0, 0.0
        for part in maps:
            wide = part.astype(np.float64)
            axes = (0,) if whole else (0, 1, 2)
            count += len(wide) if whole else wide.size
            total = total + wide.sum(axes)
            squares = squares + np.square(wide).sum(axes)
        middle = np.atleast_2d(total / count)
        spread = np.sqrt(np.maximum(np.atleast_2d(squares / count) - middle**2, 0))
        floor = max(float(np.sqrt(np.square(spread).mean())) / 10, LEAST)
        return cls(middle.astype("f4"), np.maximum(spread, floor).astype("f4"))

    def __call__(self, maps: Maps) -> Maps:
        """Give heatmaps N×H×W in these units."""
        found: Maps = (maps - self.middle) / self.spread
        return found


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Detectors that have learnt, the units of their answers, and which are used.

    Args:
        view: How pictures are seen.
        cae: The auto-encoder that the detectors share.
        detectors: By name; all that were tried, or only those that are used.
        scales: Of their scores.
        heats: Of the heatmaps of those that tell where.
        choice: Which are used, and why.
        mapping: Those whose heatmaps are used.
    """

    view: View
    cae: CAE
    detectors: Mapping[str, Detector]
    scales: Mapping[str, Scale]
    heats: Mapping[str, HeatScale]
    choice: Choice
    mapping: tuple[str, ...] = field(default=())

    def scores(self, pictures: Pictures, names: Any = None) -> dict[str, Scores]:
        """Score pictures as they are seen, by each detector, in common units."""
        found = {}
        for name in names or self.choice.used:
            detector = self.detectors[name]
            raw = detector.scores(pictures, self.maps(name, pictures))
            found[name] = self.scales[name](raw)
        return found

    def maps(self, name: str, pictures: Pictures) -> Maps | None:
        """Give a detector's heatmaps, N×H×W; of large pictures by tiles, blended."""
        detector, size = self.detectors[name], pictures.shape[1:3]
        if max(size) <= TILE or not detector.local:
            return detector.maps(pictures)

        def work(tiles: Pictures) -> Maps:
            found = [detector.maps(tile[None]) for tile in tiles]
            return np.concatenate([e for e in found if e is not None])[..., None]

        grid = Grid(
            (size[0], size[1]), (min(size[0], TILE), min(size[1], TILE)), SHARED
        )
        bands = (np.concatenate([*grid.blend(each, work)]) for each in pictures)
        return np.stack([each[..., 0] for each in bands])

    def both(self, pictures: Pictures) -> tuple[Scores, Maps]:
        """Give N scores, and N×H×W heatmaps, of pictures as they are seen."""
        names = (*self.choice.used, *self.mapping)
        maps = {name: self.maps(name, pictures) for name in {*names}}
        scores = [
            self.scales[name](self.detectors[name].scores(pictures, maps[name]))
            for name in self.choice.used
        ]
        found = (maps[name] for name in self.mapping)
        heats = [
            self.heats[name](each)
            for name, each in zip(self.mapping, found, strict=True)
            if each is not None
        ]
        return self.together(scores), np.mean(heats, axis=0, dtype=np.float32)

    def score(self, album: Album) -> Scores:
        """Score all pictures of an album, N."""
        parts = [
            self.together([*self.scores(self.view(batch)).values()])
            for batch in album.batches()
        ]
        return np.concatenate(parts)

    def together(self, scores: list[Scores]) -> Scores:
        """Give the mean of the used ones' scores, each with its weight.

        Without digits that 32 bits do not know.
        """
        weights = [self.detectors[name].weight for name in self.choice.used]
        found: Scores = np.average(scores, axis=0, weights=weights).round(3)
        return found
