"""What a detector finds of planted defects, beside trivial ways; what it gives back."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from caes.anomalies.album import Album
from caes.anomalies.baselines import Baseline, BaselineName
from caes.anomalies.choice import area
from caes.anomalies.detectors.detector import Pictures, Scores, View
from caes.anomalies.detectors.reconstruction import reconstructed
from caes.anomalies.ensemble import Ensemble
from caes.anomalies.estimator import AnomalyDetector
from caes.anomalies.planted import KINDS, Planted, any_defect, plant
from caes.report.pages.anomalies import Cell, Diagnosis, Example
from caes.report.pictures import reduced, tile
from caes.tasks.anomalies import overlay

SIZES = (4, 8, 16, 32)
CONTRASTS = (0.5, 1.0, 2.0, 4.0)
EACH = 12
"""Pictures with spots of one size and contrast."""
MOST = 40
"""Pictures with a defect of one kind."""
SHOWN = 5
NEAR = 4
"""Pixels around a defect that count as on it: heatmaps are smooth."""
BASELINES: dict[str, BaselineName] = {
    "PCA's residual": "PCA",
    "k-NN on pixels": "neighbours",
}


def diagnose(
    detector: AnomalyDetector, album: Album, tell: Callable[[str], None]
) -> Diagnosis:
    """Plant defects into the normal pictures kept for the calibration, and look.

    Args:
        detector: Fitted on the album.
        album: All normal pictures.
        tell: Is told what is done.
    """
    tell("planting defects into normal pictures kept apart …")
    rows = detector.parts_
    kept, view = album[rows.calibrate], detector.ensemble_.view
    random = np.random.default_rng(detector.seed_)
    some = kept[np.arange(min(MOST, len(kept)))]
    made = {kind: _planted(some, view, kind, random) for kind in KINDS}
    planted = {kind: _scores(detector.ensemble_, each) for kind, each in made.items()}
    normal = detector.calibration_.scores
    areas = {"this detector": {k: area(normal, each) for k, each in planted.items()}}
    for name, kind in BASELINES.items():
        tell(f"beside it: {name} …")
        areas[name] = _baseline(kind, album[rows.learn], kept, made, view)
    order = np.argsort(normal, kind="stable")
    first, last = order[:SHOWN], order[::-1][:SHOWN]
    examples = [each for kind in KINDS for each in made[kind][:2]]
    titles = [kind for kind in KINDS for _ in made[kind][:2]]
    picked = random.permutation(len(examples))[: 2 * SHOWN]
    return Diagnosis(
        normal=normal,
        planted=planted,
        areas=areas,
        cells=_cells(detector, kept, random),
        most=_pictures(detector, kept, first),
        least=_pictures(detector, kept, last),
        examples=[
            _example(detector, titles[at], examples[at].picture) for at in picked
        ],
    )


def _planted(
    album: Album, view: View, kind: str, random: np.random.Generator
) -> list[Planted]:
    found = []
    for picture in album.pictures:
        other = album.pictures[int(random.integers(len(album)))]
        unit = view.unit(picture), view.unit(other)
        found.append(any_defect(*unit, (kind,), random))
    return found


def _scores(ensemble: Ensemble, made: Sequence[Planted]) -> Scores:
    parts = [ensemble.both(p.picture[None])[0] for p in made]
    return np.concatenate(parts)


def _baseline(
    name: BaselineName,
    learnt: Album,
    kept: Album,
    made: dict[str, list[Planted]],
    view: View,
) -> dict[str, float]:
    """Give the area by kind, on the same pictures scaled alike."""

    def unit(album: Album) -> Album:
        return replace(album, pictures=[view.unit(each) for each in album.pictures])

    baseline = Baseline(name).fit(unit(learnt))
    normal = baseline.scores(unit(kept))
    names = kept.names
    return {
        kind: area(
            normal,
            baseline.scores(Album([p.picture for p in each], names[: len(each)])),
        )
        for kind, each in made.items()
    }


def _cells(
    detector: AnomalyDetector, kept: Album, random: np.random.Generator
) -> list[Cell]:
    """Plant spots of each size and contrast in turn."""
    longest = kept.shorter_side / 2
    sizes = [size for size in SIZES if size <= longest] or [SIZES[0]]
    return [
        _cell(detector, kept, size, contrast, random)
        for size in sizes
        for contrast in CONTRASTS
    ]


def _cell(
    detector: AnomalyDetector,
    kept: Album,
    size: int,
    contrast: float,
    random: np.random.Generator,
) -> Cell:
    view, ensemble = detector.ensemble_.view, detector.ensemble_
    flagged, located, given = [], [], []
    for picture in kept.pictures[:EACH]:
        clean = view.unit(picture)
        made = plant(clean, clean, "spots", size=size, contrast=contrast, random=random)
        before, after = view.seen(clean[None]), view.seen(made.picture[None])
        score, maps = ensemble.both(made.picture[None])
        flagged.append(score[0] > detector.threshold_)
        near = binary_dilation(made.mask, iterations=NEAR)
        located.append(near.flat[maps[0].argmax()])
        given.append(_given_back(ensemble, before, after))
    return Cell(size, contrast, *(float(np.mean(x)) for x in (flagged, located, given)))


def _given_back(ensemble: Ensemble, before: Pictures, after: Pictures) -> float:
    """Give the share of a defect that the auto-encoder reconstructs, held in [0, 1].

    It is the defect's own direction in the change of the reconstruction:
    ⟨r(x + d) - r(x), d⟩ / ⟨d, d⟩.
    """
    defect = after - before
    change = reconstructed(ensemble.cae, after) - reconstructed(ensemble.cae, before)
    whole = float(np.square(defect).sum())
    share = float((change * defect).sum()) / whole if whole else 0.0
    return min(max(share, 0.0), 1.0)


def _pictures(
    detector: AnomalyDetector, kept: Album, rows: NDArray[np.intp]
) -> list[Example]:
    view = detector.ensemble_.view
    return [
        _example(detector, kept.names[row], view.unit(kept.pictures[row]))
        for row in rows
    ]


def _example(
    detector: AnomalyDetector, name: str, picture: NDArray[np.float32]
) -> Example:
    ensemble = detector.ensemble_
    scores, maps = ensemble.both(picture[None])
    coloured = overlay(picture, maps[0], detector.place_threshold_)
    p_value = float(detector.p_values_of(scores)[0])
    shown = reduced(coloured.astype(np.float32) / 255)
    return Example(name, tile(picture), shown, float(scores[0]), p_value)
