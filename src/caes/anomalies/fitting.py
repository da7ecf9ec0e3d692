"""From normal pictures to detectors that answer together, and how sure they are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caes.anomalies.album import Album
from caes.anomalies.choice import Choice, Scale, choose
from caes.anomalies.detectors.detector import (
    PIECE,
    SMALL,
    Detector,
    Normals,
    Pictures,
    Scores,
    View,
)
from caes.anomalies.detectors.discriminator import Discriminator
from caes.anomalies.ensemble import NOVELTIES, Ensemble, HeatScale, candidates
from caes.anomalies.planted import KINDS, WHOLE, strange
from caes.data import ImageSet
from caes.data.scaling import scaling_of
from caes.errors import ArgumentError, DataError
from caes.estimators import CAE
from caes.train.progress import Progress

LEAST = 8
"""Normal pictures, or groups of them, that there must be at least."""
PIECES = 2_000
"""Squares that the auto-encoder of larger pictures learns from."""
NETWORK = "24C3-MP2-32C3-MP2-48C3-16C1"
"""That auto-encoder: fully convolutional, a quarter as many values as pixels."""
PASSES, BATCH = 5, 64
STEPS = 1_500
"""Steps of the auto-encoder of small pictures, at most."""
PLANTED = 100
"""Pictures with a planted defect of each kind, at most."""
MAPPING = "reconstruction by pixels"
"""Tells where, if none of the detectors asked for does."""
UNMET = ("stains", "moved pieces", "shades")
"""Kinds of defects that the choice is made by, and that none of the networks met."""
MET = tuple(kind for kind in KINDS if kind not in UNMET)


class Parts(NamedTuple):
    """Rows of normal pictures: what is learnt from, chosen on, and calibrated on."""

    learn: NDArray[np.int64]
    choose: NDArray[np.int64]
    calibrate: NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """How to fit.

    Args:
        detectors: Names of those to use; empty for those that are chosen.
        novelties: Whether strange wholes are looked for; None where pictures are small
            and of one size.
        kept: Share of the normal pictures that nothing is learnt from; half of them
            choose, the others calibrate.
        seed: Of all that is drawn.
        progress: Makes what tells of a training.
        tell: Is told what is done.
        cae: An auto-encoder that has learnt already; None to train one.
        steps: Of each network; None for what suits its kind.
    """

    detectors: tuple[str, ...]
    kept: float
    seed: int
    progress: Callable[[], Progress]
    tell: Callable[[str], None]
    cae: CAE | None = None
    novelties: bool | None = None
    steps: int | None = None


def parts(count: int, groups: Sequence[str], kept: float, seed: int) -> Parts:
    """Draw the three parts; pictures of one group stay together."""
    names = np.asarray(groups if groups else [str(n) for n in range(count)])
    every = np.random.default_rng(seed).permutation(np.unique(names))
    if len(every) < LEAST:
        what = "group" if groups else "sample"
        raise DataError(
            "X",
            f"{len(every)} {what}{'' if len(every) == 1 else 's'} of normal pictures",
            f"at least {LEAST}, of which some are kept apart",
            "Take more normal pictures.",
        )
    apart = max(2, round(kept * len(every)))
    half = max(1, apart // 2)
    drawn = every[apart:], every[:half], every[half:apart]
    return Parts(*(np.flatnonzero(np.isin(names, each)) for each in drawn))


def fitted(album: Album, rows: Parts, plan: Plan) -> Ensemble:
    """Fit every candidate, and choose."""
    learnt, seen = album[rows.learn], seen_as(album, plan.seed)
    detectors = candidates(seen)
    names = plan.detectors
    novel = seen.whole is not None if plan.novelties is None else plan.novelties
    if not names and novel and seen.whole:
        names = NOVELTIES
    if names:
        _check_names(names, detectors)
        plan = replace(plan, detectors=names)
        if not any(detectors[name].local for name in names):
            names = (*names, MAPPING)
        detectors = {name: detectors[name] for name in names}
    cae = plan.cae or _autoencoder(learnt, seen, plan)
    normals = Normals(learnt, seen, cae, plan.seed, plan.progress, plan.steps)
    for name, detector in detectors.items():
        plan.tell(f"learning: {name} …")
        if isinstance(detector, Discriminator):
            detector.kinds = MET
        detector.fit(normals)
    plan.tell(
        "choosing on normal pictures kept apart, plain and with planted defects …"
    )
    ensemble = _chosen(album[rows.choose], seen, cae, detectors, plan)
    plan.tell(ensemble.choice.said())
    return ensemble


def _check_names(names: Sequence[str], known: Mapping[str, Detector]) -> None:
    """Refuse detectors that do not suit the pictures."""
    for name in names:
        if name not in known:
            raise ArgumentError(
                "detectors",
                repr(name),
                ", ".join(known),
                "Leave detectors out to have them chosen.",
            )


def seen_as(album: Album, seed: int) -> View:
    """Say how pictures are seen: small ones of one size whole, others by places."""
    size = album.size
    whole = size if size is not None and max(size) <= PIECE else None
    least = min(each.shape[0] * each.shape[1] for each in album.pictures)
    half = whole is None and least >= 4 * SMALL
    random = np.random.default_rng(seed)
    if isinstance(album.pictures, np.ndarray):
        sample = ImageSet.from_pixels(album.pictures)
    else:
        sample = album.crops(PIECES, PIECE, random)
    return View(scaling_of(sample), whole is None, whole, album.channels, half)


def _autoencoder(album: Album, view: View, plan: Plan) -> CAE:
    """Train the auto-encoder that detectors share, on pictures as they are seen."""
    plan.tell("learning: the auto-encoder …")
    verbose = type(plan.progress()) is not Progress
    if view.whole:
        cae = CAE(steps=plan.steps or STEPS, random_state=plan.seed, verbose=verbose)
        return cae.fit(view.together(album))
    random = np.random.default_rng(plan.seed)
    steps = plan.steps or PASSES * PIECES // BATCH
    side = 2 * PIECE if view.half else PIECE
    pieces = album.crops(min(PIECES, steps * BATCH), side, random)
    cae = CAE(
        NETWORK,
        epochs=max(1, round(steps * BATCH / len(pieces))),
        batch_size=BATCH,
        loss="mse",
        random_state=plan.seed,
        verbose=verbose,
    )
    return cae.fit(view(pieces.pixels))


def _chosen(
    album: Album, view: View, cae: CAE, detectors: dict[str, Detector], plan: Plan
) -> Ensemble:
    every = Ensemble(view, cae, detectors, {}, {}, Choice({}, ()))
    local = [name for name, each in detectors.items() if each.local]
    heats = {name: _heat(every, name, album) for name in local}
    every = replace(every, heats=heats)
    raw = _raw(every, map(view.scaling.to_unit, album.batches()))
    scales = {name: Scale.of(found) for name, found in raw.items()}
    normal = {name: scales[name](found) for name, found in raw.items()}
    kinds = (*UNMET, *WHOLE) if view.whole else UNMET
    planted: dict[str, dict[str, Scores]] = {name: {} for name in detectors}
    for kind in kinds:
        found = _raw(every, planted_in(album, view, kind, plan.seed))
        for name, scores in found.items():
            planted[name][kind] = scales[name](scores)
    weights = {name: each.weight for name, each in detectors.items()}
    plain = [name for name, each in detectors.items() if each.plain]
    choice = choose(normal, planted, plan.detectors, weights, plain)
    mapping = tuple(name for name in choice.used if name in local)
    if not mapping and local:
        mapping = (max(local, key=choice.mean),)
    used = {*choice.used, *mapping}
    return Ensemble(
        view,
        cae,
        {name: each for name, each in detectors.items() if name in used},
        {name: each for name, each in scales.items() if name in used},
        {name: heats[name] for name in mapping},
        choice,
        mapping,
    )


def _heat(every: Ensemble, name: str, album: Album) -> HeatScale:
    """Find the units of a detector's heatmaps."""
    maps = (every.maps(name, every.view(batch)) for batch in album.batches())
    told = (each for each in maps if each is not None)
    return HeatScale.of(told, every.view.whole is not None)


def _raw(every: Ensemble, batches: Iterator[Pictures]) -> dict[str, Scores]:
    """Score pictures by each detector, in units of its own."""
    found: dict[str, list[Scores]] = {name: [] for name in every.detectors}
    for batch in batches:
        for name, (scores, _) in every.told(batch, every.detectors).items():
            found[name].append(scores)
    return {name: np.concatenate(each) for name, each in found.items()}


def planted_in(album: Album, view: View, kind: str, seed: int) -> Iterator[Pictures]:
    """Give pictures in [0, 1], with a defect of a kind planted into each."""
    random = np.random.default_rng([seed, *kind.encode()])
    made = []
    for row in random.permutation(len(album))[:PLANTED]:
        other = album.pictures[int(random.integers(len(album)))]
        unit = view.unit(album.pictures[int(row)]), view.unit(other)
        made.append(strange(*unit, kind, random)[None])
    return iter([np.concatenate(made)] if view.whole else made)
