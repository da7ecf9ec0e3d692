"""Fitted detectors that answer together: scores, and heatmaps, in common units."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from caes.anomalies.album import Album
from caes.anomalies.choice import LEAST, Choice, Scale
from caes.anomalies.detectors.codes import (
    PictureCodes,
    PlaceCodes,
    PlacedCodes,
    enlarged,
)
from caes.anomalies.detectors.detector import Detector, Maps, Pictures, Scores, View
from caes.anomalies.detectors.discriminator import Discriminator
from caes.anomalies.detectors.reconstruction import Reconstruction, WholeReconstruction
from caes.anomalies.detectors.shapes import Shapes
from caes.anomalies.detectors.transformations import Transformations
from caes.data.decode.tiles import Grid
from caes.estimators import CAE

WHOLE: tuple[Any, ...] = (
    partial(Reconstruction, "pixels"),
    partial(Reconstruction, "structure"),
    partial(Reconstruction, "edges"),
    partial(PictureCodes, "mahalanobis"),
    partial(PictureCodes, "neighbours"),
    PlacedCodes,
    Shapes,
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


TILE, SHARED = 2048, 64
"""Side in pixels of the tiles that larger pictures are looked at by, and what
neighbours share in pixels as they are seen."""


def candidates(view: View) -> dict[str, Detector]:
    """Give the detectors that suit pictures, not fitted, by name."""
    made = [make() for make in (WHOLE if view.whole else LOCAL)]
    return {each.name: each for each in made}


@dataclass(frozen=True)
class HeatScale:
    """Units of a detector's heatmaps: what normal pictures have, and how it varies.

    At each place of small pictures of one size, H×W. In others at `POINTS`×`POINTS`
    points that lie alike in each, and between them: what is usual at an edge is not in
    the middle.
    """

    middle: NDArray[np.float32]
    spread: NDArray[np.float32]

    @classmethod
    def of(cls, maps: Iterator[Maps], whole: bool) -> "HeatScale":
        """Find it from heatmaps of normal pictures, n×H×W some at a time."""
        count, total, squares = 0, np.zeros(()), np.zeros(())
        for part in maps:
            wide = (part if whole else _at_points(part)).astype(np.float64)
            count += len(wide)
            total = total + wide.sum(axis=0)
            squares = squares + np.square(wide).sum(axis=0)
        middle = total / count
        varied = np.maximum(squares / count - middle**2, 0)
        if not whole:
            every = float(varied.mean() + middle.var())
            known = count / (count + FEW)
            middle = known * gaussian_filter(middle, 1) + (1 - known) * middle.mean()
            varied = known * gaussian_filter(varied, 1.5) + (1 - known + 0.1) * every
        spread = np.sqrt(varied)
        floor = max(float(np.sqrt(varied.mean())) / 10, LEAST)
        return cls(middle.astype("f4"), np.maximum(spread, floor).astype("f4"))

    def __call__(self, maps: Maps) -> Maps:
        """Give heatmaps N×H×W in these units."""
        middle, spread = (
            each if each.shape == maps.shape[1:] else _between(each, maps.shape[1:])
            for each in (self.middle, self.spread)
        )
        found: Maps = (maps - middle) / spread
        return found


POINTS, FEW = 32, 10
"""Points along each side of pictures of several sizes; pictures from which on what is
usual at a point counts more than what is usual anywhere."""


def _at_points(maps: Maps) -> Maps:
    """Give N×H×W at points that lie alike in all pictures, N×POINTS×POINTS."""
    rows, columns = (
        np.linspace(0, side - 1, POINTS).round().astype(int) for side in maps.shape[1:]
    )
    return maps[:, rows[:, None], columns]


def _between(points: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Give what lies between points, H×W."""
    grid = torch.from_numpy(points)[None, None]
    found = F.interpolate(grid, size=size, mode="bilinear", align_corners=True)
    return np.asarray(found[0, 0].numpy())


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
        tile: Side in pixels of the tiles that larger pictures are looked at by.
    """

    view: View
    cae: CAE
    detectors: Mapping[str, Detector]
    scales: Mapping[str, Scale]
    heats: Mapping[str, HeatScale]
    choice: Choice
    mapping: tuple[str, ...] = field(default=())
    tile: int = TILE

    def told(
        self, unit: Pictures, names: Iterable[str]
    ) -> dict[str, tuple[Scores, Maps | None]]:
        """Let detectors tell of pictures that are scaled only.

        Scores in units of each detector's own. Of those that tell where also heatmaps,
        as large as pictures are seen: in units of normal pictures'.
        """
        seen, found = self.view.seen(unit), {}
        for name in names:
            detector, heat = self.detectors[name], self.heats.get(name)
            maps = None if detector.plain else self.maps(name, seen)
            heated = maps if maps is None or heat is None else heat(maps)
            if self.view.whole is None:  # in whole ones all places count alike
                maps = heated
            given = unit if detector.plain else seen
            found[name] = detector.scores(given, maps), heated
        return found

    def maps(self, name: str, pictures: Pictures) -> Maps | None:
        """Give a detector's heatmaps, N×H×W; of large pictures by tiles, blended."""
        detector, size = self.detectors[name], pictures.shape[1:3]
        side = self.tile // 2 if self.view.half else self.tile
        shared = min(SHARED, side // 3)
        if max(size) <= side or not detector.local:
            return detector.maps(pictures)

        def work(tiles: Pictures) -> Maps:
            found = [detector.maps(tile[None]) for tile in tiles]
            return np.concatenate([e for e in found if e is not None])[..., None]

        grid = Grid(
            (size[0], size[1]), (min(size[0], side), min(size[1], side)), shared
        )
        bands = (np.concatenate([*grid.blend(each, work)]) for each in pictures)
        return np.stack([each[..., 0] for each in bands])

    def both(self, unit: Pictures) -> tuple[Scores, Maps]:
        """Give N scores, and N×H×W heatmaps, of pictures that are scaled only."""
        told = self.told(unit, dict.fromkeys((*self.choice.used, *self.mapping)))
        scores = [self.scales[name](told[name][0]) for name in self.choice.used]
        every = [(self.detectors[name].weight, told[name][1]) for name in self.mapping]
        heats = [weight * maps for weight, maps in every if maps is not None]
        heat = np.sum(heats, axis=0) / sum(weight for weight, _ in every)
        return self.together(scores), enlarged(heat.astype("f4"), unit.shape[1:3])

    def score(self, album: Album) -> Scores:
        """Score all pictures of an album, N."""
        parts = []
        for batch in album.batches():
            told = self.told(self.view.scaling.to_unit(batch), self.choice.used)
            found = [self.scales[name](raw) for name, (raw, _) in told.items()]
            parts.append(self.together(found))
        return np.concatenate(parts)

    def together(self, scores: list[Scores]) -> Scores:
        """Give the mean of the used ones' scores, each with its weight.

        Without digits that 32 bits do not know.
        """
        weights = [self.detectors[name].weight for name in self.choice.used]
        found: Scores = np.average(scores, axis=0, weights=weights).round(3)
        return found
