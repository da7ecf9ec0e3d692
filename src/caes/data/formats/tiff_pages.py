"""Which pages of a TIFF make up which picture: its axes say so."""

import re
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from caes.data.formats.format import UnreadableError

_REDUCED, _MASK = 1, 4  # bits of the tag NewSubfileType
_SEEN_AT_ONCE = 1_000_000  # pages that a description may speak of


@dataclass(frozen=True)
class Plane:
    """One page as stored, or the like of it behind it where only one has a header."""

    page: Any  # tifffile's page, whose header holds
    offset: int | None = None  # where its values start in the file, without a header


Picture = list[Plane]  # the planes that are its channels, in order


def pictures_of(tiff: Any, size: int) -> list[Picture]:
    """Find the pictures of a TIFF: C and S are channels, Y and X, and all others pages.

    Axes are those of ImageJ, OME or tifffile where the file has such a description,
    else each page is a picture. Thumbnails, masks, the smaller levels of pyramids, and
    pages that are in other files are left out.
    """
    found = [each for series in tiff.series for each in _pictures(series, size) if each]
    kept = [each for each in found if not _is_extra(each[0])] or found
    if not kept:
        raise UnreadableError("no pages")
    return sorted(kept, key=lambda each: (each[0].page.index, each[0].offset or 0))


def believable(description: str) -> bool:
    """Whether OME's description speaks of no more pages than memory should list."""
    numbers = re.findall(r'Size[CZT]\s*=\s*["\'](\d+)', description)
    sizes = [int(number[:9]) for number in numbers]
    # Three for each image, which may stand in any order.
    return all(prod(sizes[i : i + 3]) <= _SEEN_AT_ONCE for i in range(len(sizes)))


def _pictures(series: Any, size: int) -> list[Picture]:
    lengths = [
        (axis, length)
        for axis, length in zip(series.axes, series.shape, strict=True)
        if axis not in "YXS"
    ]
    count = prod(length for _, length in lengths)
    planes = _planes(series, count, size)
    order = np.arange(count).reshape([length for _, length in lengths])
    for place, (axis, _) in enumerate(lengths):
        if axis == "C":
            order = np.moveaxis(order, place, -1).reshape(-1, order.shape[place])
            break
    else:
        order = order.reshape(-1, 1)
    # A picture that lacks a plane, which is in another file, is none.
    rows = [[planes[i] for i in row] for row in order.tolist()]
    return [[p for p in row if p is not None] if all(row) else [] for row in rows]


def _planes(series: Any, count: int, size: int) -> list[Plane | None]:
    pages = list(series.pages)
    if len(pages) == count:
        return [Plane(page) if page is not None else None for page in pages]
    start, length = series.dataoffset, pages[0].nbytes
    if len(pages) > 1 or start is None:
        raise UnreadableError(f"{len(pages):,} pages for {count:,} pictures")
    if start + count * length > size:
        raise UnreadableError("truncated")
    return [Plane(pages[0], start + index * length) for index in range(count)]


def _is_extra(plane: Plane) -> bool:
    kind = getattr(plane.page.keyframe, "subfiletype", 0) or 0
    return bool(int(kind) & (_REDUCED | _MASK))
