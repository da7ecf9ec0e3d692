"""`caes anomalies suspects`: how many strangers are among the first tenth.

Digits: of each pair of classes all 400 of the one and 21 of the other, drawn at random,
one part in twenty. Magnetic tiles: all normal ones and 40 with a defect, half of each
kind. Exits with 1 when of digits less than three quarters are found.
"""

import sys
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
import tyro

from caes import load
from caes.anomalies.album import Album
from caes.data import stream
from caes.files import data_folder
from caes.tasks.suspects import suspects
from sheet import RESULTS, Sheet

STRANGERS, MUST = 21, 0.75
DEFECTS = 20
"""Of each kind."""


def main(
    only: tuple[str, ...] = ("digits", "tiles"), seed: int = 0, out: Path = RESULTS
) -> int:
    """Mix, rank, count.

    Args:
        only: digits, tiles or both.
        seed: Of what is drawn, and of the ranking.
        out: Folder of the result.
    """
    sheet = Sheet("Suspects: strangers among the first tenth of the pictures")
    if "digits" in only:
        _digits(sheet, seed)
    if "tiles" in only:
        share = _tiles(seed)
        sheet.say(f"- magnetic tiles, {2 * DEFECTS} with defects: {share:.2f}")
    return sheet.finish(out)


def _digits(sheet: Sheet, seed: int) -> None:
    pictures = load("digits")
    labels = np.asarray(pictures.labels)
    found = np.full((10, 10), np.nan)
    for usual, strange in permutations(range(10), 2):
        draw = np.random.default_rng([seed, usual, strange])
        few = draw.permutation(np.flatnonzero(labels == strange))[:STRANGERS]
        rows = np.concatenate([np.flatnonzero(labels == usual), few])
        album = Album.of(pictures[rows])
        found[usual, strange] = _share(
            album, [pictures.names[row] for row in few], seed
        )
    head = ["most are", *(f"others {digit}" for digit in range(10)), "mean"]
    rows_ = [
        [str(usual), *map(_written, [*each, np.nanmean(each)])]
        for usual, each in enumerate(found)
    ]
    sheet.table(head, rows_)
    pairs = found[np.isfinite(found)]
    enough = int((pairs >= MUST).sum())
    sheet.say(f"- pairs with {MUST:.0%} or more: {enough} of {len(pairs)}")
    title = f"digits: mean share of strangers in the first tenth {pairs.mean():.3f}"
    sheet.judge(f"{title}, must {MUST}", float(pairs.mean()) >= MUST)


def _written(share: float) -> str:
    return "" if np.isnan(share) else f"{share:.2f}"


def _tiles(seed: int) -> float:
    place = data_folder() / "magnetic-tiles"
    names: list[str] = []
    pieces = [*stream(place / "normal")]
    draw = np.random.default_rng(seed)
    for kind in ("blowhole", "break"):
        every = [*stream(place / "defects" / kind)]
        chosen = [every[row] for row in draw.permutation(len(every))[:DEFECTS]]
        names += [name for piece in chosen for name in piece.names]
        pieces += chosen
    return _share(Album.gathered(iter(pieces), "magnetic-tiles"), names, seed)


def _share(album: Album, strangers: Sequence[str], seed: int) -> float:
    """Give the share of the strangers among the first tenth of the ranking."""
    ranked = suspects(album, seed=seed, steps=None, tell=lambda line: None)
    first = {each.name for each in ranked[: round(len(album) / 10)]}
    return len(first & {*strangers}) / len(strangers)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
