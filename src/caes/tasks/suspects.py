"""Training pictures that are not like the others, by detectors that never saw them."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from caes.anomalies.album import Album
from caes.anomalies.detector import PIECE
from caes.anomalies.estimator import AnomalyDetector
from caes.files import TableWriter

FOLDS = 3
WHOLE = ("reconstruction by structure", "codes of pictures by mahalanobis")
LOCAL = ("reconstruction by structure", "codes of places by mahalanobis")
"""Detectors that a few strange pictures among those learnt from mislead little."""


class Suspect(NamedTuple):
    """One training picture."""

    name: str
    strangeness: float
    p_value: float


def suspects(
    album: Album, *, seed: int, steps: int | None, tell: Callable[[str], None]
) -> list[Suspect]:
    """Rank pictures by how strange each is to those of other parts of the set.

    The set is cut into three at random; each third is scored by a detector of the other
    two (cross-fitting), so that none has been learnt from.

    Args:
        album: The pictures.
        seed: Of all that is drawn.
        steps: Of each network's training; None for as many as suit its kind.
        tell: Is told what is done.

    Returns:
        All pictures, the strangest first.
    """
    order = np.random.default_rng(seed).permutation(len(album))
    names = WHOLE if album.size and max(album.size) <= PIECE else LOCAL
    found: list[Suspect] = []
    for number, held in enumerate(np.array_split(order, FOLDS), start=1):
        tell(f"part {number} of {FOLDS}: learning from the others …")
        detector = AnomalyDetector(names, steps=steps, random_state=seed)
        detector.fit(album[np.setdiff1d(order, held)])
        part = album[np.sort(held)]
        strangeness = detector.strangeness(part)
        chances = detector.p_values_of(strangeness)
        rows = zip(part.names, strangeness.tolist(), chances.tolist(), strict=True)
        found += [Suspect(*row) for row in rows]
    return sorted(found, key=lambda each: -each.strangeness)


def write_suspects(found: list[Suspect], path: Path) -> None:
    """Write a table: rank, name, strangeness, p_value."""
    with TableWriter(path) as table:
        table.row(("rank", *Suspect._fields))
        for rank, each in enumerate(found, start=1):
            figures = f"{each.strangeness:.3f}", f"{each.p_value:.6g}"
            table.row((rank, each.name, *figures))
