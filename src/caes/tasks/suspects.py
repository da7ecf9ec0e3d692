"""Training pictures that are not like the others, by detectors that never saw them."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from caes.anomalies.album import Album
from caes.anomalies.detectors.detector import PIECE
from caes.anomalies.detectors.shapes import Shapes
from caes.anomalies.estimator import AnomalyDetector
from caes.anomalies.fitting import LEAST, seen_as
from caes.errors import DataError
from caes.files import TableWriter
from caes.report.numbers import count

FOLDS = 3
PLACES = ("reconstruction by structure", "codes of places by mahalanobis")
"""Detectors of places that a few strange pictures among many mislead little."""


class Suspect(NamedTuple):
    """One training picture."""

    name: str
    strangeness: float
    p_value: float


def suspects(
    album: Album, *, seed: int, steps: int | None, tell: Callable[[str], None]
) -> list[Suspect]:
    """Rank pictures by how strange each is to those of other parts of the set.

    The set is cut into three at random; each third is scored by what has learnt from
    the other two (cross-fitting): small pictures of one size by their shapes, for which
    there is no network; others by two detectors of places.

    Args:
        album: The pictures.
        seed: Of all that is drawn.
        steps: Of each network's training; None for as many as suit its kind.
        tell: Is told what is done.

    Returns:
        All pictures, the strangest first.

    Raises:
        DataError: There are too few pictures.
    """
    if len(album) < LEAST:
        raise DataError(
            album.source,
            count(len(album), "picture"),
            f"at least {LEAST}, to compare each with others",
            "Add pictures to the set.",
        )
    small = album.size is not None and max(album.size) <= PIECE
    strangeness, chances = np.empty((2, len(album)))
    order = np.random.default_rng(seed).permutation(len(album))
    for number, part in enumerate(np.array_split(order, FOLDS), start=1):
        tell(f"part {number} of {FOLDS}: learning from the others …")
        held = np.sort(part)
        others = album[np.setdiff1d(order, held)]
        if small:
            shapes, view = Shapes(), seen_as(others, seed)
            shapes.learn(view.together(others))
            strangeness[held] = shapes.scores(view.together(album[held]), None)
            continue
        detector = AnomalyDetector(PLACES, steps=steps, random_state=seed)
        detector.fit(others)
        strangeness[held] = detector.strangeness(album[held])
        chances[held] = detector.p_values_of(strangeness[held])
    if small:
        chances = 1 - rankdata(strangeness, "min") / len(album) + 1 / len(album)
    rows = zip(album.names, strangeness.tolist(), chances.tolist(), strict=True)
    return sorted((Suspect(*row) for row in rows), key=lambda each: -each.strangeness)


def write_suspects(found: list[Suspect], path: Path) -> None:
    """Write a table: rank, name, strangeness, p_value."""
    with TableWriter(path) as table:
        table.row(("rank", *Suspect._fields))
        for rank, each in enumerate(found, start=1):
            figures = f"{each.strangeness:.3f}", f"{each.p_value:.6g}"
            table.row((rank, each.name, *figures))
