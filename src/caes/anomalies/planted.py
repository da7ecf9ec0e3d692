"""Defects planted into normal pictures: shapes of many sizes, filled in many ways.

Nothing but the set's own pictures is used (after Zavrtanik et al. 2021, section 3.2,
who take foreign textures). They teach a network what a defect might be, and measure
detectors without a single real one.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.draw import line, polygon

Plane = NDArray[np.float32]
"""H×W or H×W×C."""
Random = np.random.Generator


class Planted(NamedTuple):
    """A picture with a defect, and where that is."""

    picture: Plane  # H×W×C, in [0, 1] as the one it was planted in
    mask: NDArray[np.bool_]  # H×W


class Kind(NamedTuple):
    """A sort of defect: how it lies, and what fills it."""

    shape: Callable[[tuple[int, int], float, Random], Plane]
    fill: Callable[[Plane, Plane, float, Random], Plane]


def plant(
    picture: Plane,
    other: Plane,
    kind: str,
    *,
    size: float,
    contrast: float,
    random: Random,
) -> Planted:
    """Plant one defect.

    Args:
        picture: H×W×C float32 in [0, 1], a normal picture.
        other: Another one, h×w×C; what is swapped comes from it.
        kind: One of `KINDS`.
        size: How long the defect is, in pixels.
        contrast: How much it differs: of what is added in standard deviations of the
            picture, of what takes a place the share of the old that is covered.
        random: Draws place, form and sign.

    Returns:
        The picture, and where it has changed, by at least a tenth of the most that it
        has: never empty.
    """
    shape, fill = KINDS[kind]
    tall, wide = picture.shape[:2]
    weight = shape((tall, wide), min(size, 0.9 * min(tall, wide)), random)
    made = picture + weight[..., None] * fill(picture, other, contrast, random)
    changed = np.clip(made, 0, 1).astype(np.float32)
    apart = np.abs(changed - picture).max(2)
    if not apart.max() > 0:  # black on black
        changed = np.clip(picture - (made - picture), 0, 1).astype(np.float32)
        apart = np.abs(changed - picture).max(2)
    return Planted(changed, (apart > apart.max() / 10) | (weight >= weight.max()))


def any_defect(
    picture: Plane, other: Plane, kinds: tuple[str, ...], random: Random
) -> Planted:
    """Plant a defect of any of some kinds, sizes and contrasts, as `plant` does.

    It is 3 pixels to half a side long, small ones as often as large ones; what is added
    is from half to four standard deviations.
    """
    longest = max(min(picture.shape[:2]) / 2, 4.0)
    return plant(
        picture,
        other,
        kinds[random.integers(len(kinds))],
        size=float(np.exp(random.uniform(np.log(3), np.log(longest)))),
        contrast=float(np.exp(random.uniform(np.log(0.5), np.log(4)))),
        random=random,
    )


def _blob(shape: tuple[int, int], size: float, random: Random) -> Plane:
    """A spot with an irregular outline: noise above a threshold, within an ellipse."""
    rows, columns = _from_centre(shape, random)
    angle, aspect = random.uniform(0, np.pi), random.uniform(0.4, 1)
    along = rows * np.sin(angle) + columns * np.cos(angle)
    across = (columns * np.sin(angle) - rows * np.cos(angle)) / aspect
    radius = np.sqrt(along**2 + across**2) / max(size / 2, 1)
    noise = gaussian_filter(random.standard_normal(shape), max(size / 6, 0.7))
    rough = noise / (noise.std() or 1) * random.uniform(0, 0.25)
    return _softened(radius + rough < 1, random)


def _piece(shape: tuple[int, int], size: float, random: Random) -> Plane:
    """A piece with straight edges: three to six corners about a centre."""
    row, column = random.uniform(0, 1, 2) * shape
    angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 7)))
    radius = size / 2 * random.uniform(0.6, 1.2, len(angles))
    inside = np.zeros(shape, bool)
    corners = row + radius * np.sin(angles), column + radius * np.cos(angles)
    inside[polygon(*corners, shape)] = True
    inside[min(int(row), shape[0] - 1), min(int(column), shape[1] - 1)] = True
    return _softened(inside, random)


def _scratch(shape: tuple[int, int], size: float, random: Random) -> Plane:
    """A straight line, one to three pixels wide."""
    return _drawn(shape, size, 0.0, random)


def _crack(shape: tuple[int, int], size: float, random: Random) -> Plane:
    """A line that changes its direction as it goes."""
    return _drawn(shape, size, 0.5, random)


def _drawn(shape: tuple[int, int], size: float, bends: float, random: Random) -> Plane:
    steps = max(int(1.5 * size / 3), 1)
    turns = random.normal(0, bends, steps).cumsum() + random.uniform(0, 2 * np.pi)
    path = np.cumsum(3 * np.stack([np.sin(turns), np.cos(turns)]), axis=1)
    path = np.rint(
        path - path.mean(1)[:, None] + (random.uniform(0, 1, 2) * shape)[:, None]
    )
    inside = np.zeros(shape, bool)
    ends = [*path.T.astype(int), path.T.astype(int)[-1] + [1, 1]]
    for (top, left), (bottom, right) in pairwise(ends):
        rows, columns = line(top, left, bottom, right)
        there = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        inside[rows[there], columns[there]] = True
    if not inside.any():
        inside[shape[0] // 2, shape[1] // 2] = True
    wide = random.uniform(0.4, 1.2)
    soft = gaussian_filter(inside.astype(np.float32), wide)
    found: Plane = np.minimum(soft / soft.max() * 1.5, 1)
    return found


def _shade(shape: tuple[int, int], size: float, random: Random) -> Plane:
    """A soft shade without an edge, twice as long as other defects are."""
    rows, columns = _from_centre(shape, random)
    angle, aspect = random.uniform(0, np.pi), random.uniform(0.3, 1)
    along = rows * np.sin(angle) + columns * np.cos(angle)
    across = (columns * np.sin(angle) - rows * np.cos(angle)) / aspect
    found: Plane = np.exp(-(along**2 + across**2) / (2 * max(size / 2, 1) ** 2)).astype(
        np.float32
    )
    return found


def _from_centre(shape: tuple[int, int], random: Random) -> tuple[Plane, Plane]:
    """Give each pixel's rows and columns from a centre that lies anywhere."""
    row, column = random.uniform(0, 1, 2) * shape
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return rows - np.floor(row), columns - np.floor(column)


def _softened(inside: NDArray[np.bool_], random: Random) -> Plane:
    found: Plane = gaussian_filter(inside.astype(np.float32), random.uniform(0, 1))
    return found


def _lighter_or_darker(
    picture: Plane, other: Plane, contrast: float, random: Random
) -> Plane:
    change = contrast * max(float(picture.std()), 0.02) * random.choice([-1, 1])
    return np.full(picture.shape[2], change, np.float32)


def _rough(picture: Plane, other: Plane, contrast: float, random: Random) -> Plane:
    """Lighter or darker, and grainy."""
    grain = gaussian_filter(
        random.standard_normal(picture.shape[:2]), random.uniform(0.5, 2)
    )
    base = _lighter_or_darker(picture, other, contrast, random)
    uneven = 1 + grain / (grain.std() or 1) * random.uniform(0.2, 0.6)
    found: Plane = (uneven[..., None] * base).astype(np.float32)
    return found


def _missing(picture: Plane, other: Plane, contrast: float, random: Random) -> Plane:
    """What is there gives way to one value that the picture has somewhere."""
    row, column = random.integers(picture.shape[:2])
    values = [picture.min((0, 1)), picture.max((0, 1)), picture[row, column]]
    value: Plane = values[int(random.integers(3))]
    return _covering(contrast) * (value - picture)


def _moved(picture: Plane, other: Plane, contrast: float, random: Random) -> Plane:
    """What is there gives way to what is elsewhere in the picture."""
    by = [random.integers(side // 8, side - side // 8) for side in picture.shape[:2]]
    turned = np.roll(picture, by, (0, 1))
    if random.random() < 0.5:
        turned = turned[::-1]
    return _covering(contrast) * (turned - picture)


def _swapped(picture: Plane, other: Plane, contrast: float, random: Random) -> Plane:
    """What is there gives way to another picture's texture, turned on its side."""
    turned = other.swapaxes(0, 1)[:: random.choice([-1, 1])]
    tall, wide = picture.shape[:2]
    repeats = -(-tall // turned.shape[0]), -(-wide // turned.shape[1]), 1
    return _covering(contrast) * (np.tile(turned, repeats)[:tall, :wide] - picture)


def _covering(contrast: float) -> float:
    return min(contrast / 2, 1.0)


KINDS = {
    "spots": Kind(_blob, _lighter_or_darker),
    "stains": Kind(_blob, _rough),
    "cracks": Kind(_crack, _lighter_or_darker),
    "scratches": Kind(_scratch, _rough),
    "missing pieces": Kind(_piece, _missing),
    "moved pieces": Kind(_piece, _moved),
    "swapped textures": Kind(_blob, _swapped),
    "shades": Kind(_shade, _lighter_or_darker),
}


def _halves(picture: Plane, other: Plane, random: Random) -> Plane:
    """One half of the picture beside the other half of another."""
    across = int(random.integers(2))
    middle = picture.shape[across] // 2
    first, last = (picture, other) if random.random() < 0.5 else (other, picture)
    parts = np.split(first, [middle], across)[0], np.split(last, [middle], across)[1]
    return np.concatenate(parts, across)


def _overlay(picture: Plane, other: Plane, random: Random) -> Plane:
    """Two pictures on top of each other: everywhere what is less usual."""
    usual = np.median(picture, axis=(0, 1))
    stronger = np.abs(other - usual) > np.abs(picture - usual)
    return np.where(stronger, other, picture)


def _warped(picture: Plane, other: Plane, random: Random) -> Plane:
    """The picture, bent."""
    tall, wide = picture.shape[:2]
    side = min(tall, wide)
    bent = []
    for length in (tall, wide):
        noise = gaussian_filter(random.standard_normal((tall, wide)), side / 6)
        bent.append(noise / (np.abs(noise).max() or 1) * length / 5)
    rows, columns = np.mgrid[:tall, :wide]
    at = np.stack([rows + bent[0], columns + bent[1]])
    planes = [
        map_coordinates(picture[..., each], at, order=1, mode="nearest")
        for each in range(picture.shape[2])
    ]
    return np.stack(planes, axis=2).astype(np.float32)


WHOLE = {"halves": _halves, "overlays": _overlay, "warps": _warped}
"""What makes the whole of a small picture strange: picture, another, random."""


def strange(picture: Plane, other: Plane, kind: str, random: Random) -> Plane:
    """Make a picture H×W×C strange in one of the ways of `KINDS` or `WHOLE`."""
    if kind in WHOLE:
        return WHOLE[kind](picture, other, random).astype(np.float32)
    return any_defect(picture, other, (kind,), random).picture
