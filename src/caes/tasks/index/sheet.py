"""Sheets of what was found: queries and their neighbours, groups of duplicates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.report.pictures import (
    Strip,
    Tile,
    drawable,
    enlarged,
    montage,
    short,
)
from caes.tasks.index.duplicates import Group
from caes.tasks.index.image_index import ImageIndex
from caes.tasks.index.results import Answer

ACROSS = 11
"""Pictures beside one another."""
GROUPS = 20
"""Groups on a sheet."""
ROOM = 140
"""Longest side that a small picture is enlarged to, by a whole factor."""


def sheet_of_neighbours(index: ImageIndex, shown: Sequence[Answer]) -> bytes:
    """Draw queries left, their neighbours beside, nearest first; a PNG file's bytes."""
    strips = []
    for each in shown:
        there = each.found.rows[0] >= 0
        tiles = [_tile(each.picture)]
        texts = [f"{_name(each.name)}\nquery"]
        tiles += _tiles(index, each.found.rows[0][there])
        for name, label, distance in zip(
            each.found.names[0][there],
            each.found.labels[0][there],
            each.found.distances[0][there],
            strict=True,
        ):
            texts.append(f"{_name(label or name)}\n{distance:.3g}")
        strips += _wrapped(tiles, texts)
    return _drawn(strips, "no queries")


def sheet_of_groups(
    index: ImageIndex, other: ImageIndex | None, groups: Sequence[Group]
) -> bytes:
    """Draw groups, the first picture left; those that are least alike come first."""
    strips: list[Strip] = []
    order = sorted(groups, key=lambda group: min(each.likeness for each in group[1:]))
    for group in order[:GROUPS]:
        tiles, texts = [], []
        for each in group[:ACROSS]:
            where = other if each.against and other is not None else index
            tiles += _tiles(where, np.array([each.row]))
            near = "" if np.isnan(each.likeness) else f" {each.likeness:.3f}"
            texts.append(
                f"{_name(each.name)}\n{each.kind}{near * (each.kind == 'near')}"
            )
        strips += _wrapped(tiles, texts)
    return _drawn(strips, "no two pictures are the same")


def _drawn(strips: list[Strip], nothing: str) -> bytes:
    return montage(strips or [Strip([], nothing)], cell=(ROOM, ROOM), centred=True)


def _wrapped(tiles: list[Tile], texts: list[str]) -> list[Strip]:
    return [
        Strip(tiles[at : at + ACROSS], texts=texts[at : at + ACROSS])
        for at in range(0, len(tiles), ACROSS)
    ]


def _tiles(index: ImageIndex, rows: NDArray[np.int64]) -> list[Tile]:
    pictures = index.thumbnails(rows)
    if pictures is None:
        blank = np.full((ROOM, ROOM), 230, np.uint8)
        return [blank for _ in rows]
    return [_tile(each) for each in pictures]


def _tile(picture: NDArray[Any]) -> Tile:
    shown: Tile = picture if picture.shape[2] == 3 else picture[..., 0]
    return enlarged(shown, max(1, ROOM // max(shown.shape[:2])))


def _name(text: str) -> str:
    name = short(text, 14)
    return name if drawable(name) else "–"
