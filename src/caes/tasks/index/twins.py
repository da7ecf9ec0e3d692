"""Pictures that are nearly the same: changed copies, and how alike two pictures are."""

import io
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from caes.data.decode.resize import resized

WINDOWS = (0.975, 0.95, 0.925)
"""Sides of the windows in which a picture is looked for in another, of its own."""
BLURS = (0.0, 1.0, 2.0)
"""Deviations of a Gaussian, in 28ths of the side: of drawings, where a copy's edges
differ by more than those of another drawing, only what is coarse tells them apart."""
COARSE, CLOSE = 2.0, 0.75
"""Blurred by so much, two pictures correlate that much, or are not compared further."""
COMPARED = 32
"""Longest side of the pictures as they are compared."""
AT_ONCE = 256
"""Pairs that are compared at once."""
RARE = 0.01
"""Share of pictures whose nearest other may differ less than the floor."""
WORST = 3
"""Others of each picture that must not pass for copies."""
BESIDE = 5
"""Of the pictures most like one, which says how alike others are: so many less one may
be copies of it, and are still told from what is only similar."""

Pictures = NDArray[np.uint8]
"""N×h×w×C, as they are looked at: from 0 for black to 255 for white."""
Planes = NDArray[np.float32]
"""N×C×h×w, as they are compared."""
Values = NDArray[np.float32]
"""One for each of some pairs."""


class Alike(NamedTuple):
    """From where on two pictures count as the same, and what that was found on."""

    likeness: float  # as `relative` gives it
    blur: float  # of the pictures before they are compared, as `BLURS` says
    floor: float  # what hardly two different pictures differ by less than
    f1: dict[str, float]  # by the kind of change, on the pictures it was chosen on


def scaled(picture: Image.Image, share: float = 0.5) -> Image.Image:
    """Make a picture smaller."""
    width, height = picture.size
    return picture.resize((max(1, round(share * width)), max(1, round(share * height))))


def compressed(picture: Image.Image, quality: int = 40) -> Image.Image:
    """Write a picture as a JPEG file, and read it again."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert(picture.mode)


def cropped(picture: Image.Image, share: float = 0.05) -> Image.Image:
    """Cut a share of its height and width off a picture, evenly."""
    width, height = picture.size
    x, y = share * width / 2, share * height / 2
    return picture.resize(picture.size, box=(x, y, width - x, height - y))


def brightened(picture: Image.Image, factor: float = 1.3) -> Image.Image:
    """Make a picture brighter; what is beyond white is white."""
    return picture.point(lambda value: min(255, round(factor * value)))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "scaled": scaled,
    "compressed": compressed,
    "cropped": cropped,
    "brightened": brightened,
}


def changed(
    pictures: Pictures, change: Callable[[Image.Image], Image.Image]
) -> Pictures:
    """Change each picture, and bring it back to the size it had, as opening does."""
    height, width = pictures.shape[1:3]
    found = np.empty_like(pictures)
    for pixels, out in zip(pictures, found, strict=True):
        flat = pixels[..., 0] if pixels.shape[2] != 3 else pixels
        other = np.asarray(change(Image.fromarray(flat)))
        out[:] = resized(other.reshape(*other.shape[:2], -1), (height, width))
    return found


def differences(
    ones: Pictures, others: Pictures, pairs: NDArray[np.int64], blur: float = 0.0
) -> NDArray[np.float32]:
    """Compare pairs of pictures: 1 less the largest correlation of aligned values.

    Either picture is laid on the other whole and by windows of 92.5 to 97.5 % of its
    sides, at nine places: so what was cut off, scaled, compressed or made brighter is
    found again. Correlations know no brightness and no contrast.

    Args:
        ones: N×h×w×C.
        others: M×h×w×C.
        pairs: P×2, of rows of the ones and of the others.
        blur: Deviation of the Gaussian that both are blurred by first, in 28ths of the
            longest side.

    Returns:
        P values of at least 0.
    """
    found = np.empty(len(pairs), np.float32)
    coarse = [_standardised(_planes(each, COARSE)) for each in (ones, others)]
    for at, (one, other) in enumerate(pairs):
        found[at] = coarse[0][one] @ coarse[1][other]
    close = np.flatnonzero(found >= CLOSE)
    found[close] = 0
    seen, there = _planes(ones, blur), _planes(others, blur)
    both = pairs[close]
    for mine, its, ways in ((seen, there, both), (there, seen, both[:, ::-1])):
        order = np.argsort(ways[:, 0], kind="stable")  # each is cut up once
        for start in range(0, len(order), AT_ONCE):
            part = order[start : start + AT_ONCE]
            likely = _one_way(mine, its, ways[part])
            found[close[part]] = np.maximum(found[close[part]], likely)
    return np.maximum(1 - found, 0)


def relative(
    apart: Values, pairs: NDArray[np.int64], floor: float
) -> NDArray[np.float32]:
    """Give the likeness of pairs beside that of others: 1 for the same picture.

    It is 1 − d/d₅: d₅ is how much the fifth most alike of all that one of the two is
    compared with differs from it. So drawings, all of which are alike, are no twins.

    Args:
        apart: P differences.
        pairs: P×2, numbers of pictures.
        floor: The least that d₅ is taken for: there may be more than four copies.
    """
    ends, both = pairs.T.reshape(-1), np.tile(apart, 2)
    order = np.lexsort((both, ends))
    _, first, each, many = np.unique(
        ends[order], return_index=True, return_inverse=True, return_counts=True
    )
    found = both[order][first + np.minimum(many, BESIDE) - 1]
    fifth = np.where(many < BESIDE, np.float32(np.inf), found)
    of_end = np.empty(len(ends), np.float32)
    of_end[order] = fifth[each]
    return _beside(apart, of_end.reshape(2, -1).min(0), floor)


def _beside(apart: Values, fifth: Values, floor: float) -> Values:
    """Give 1 − d/d₅, where d₅ is known; else by what differs least at all."""
    known = np.where(np.isfinite(fifth), fifth, 0)
    scale: Values = np.maximum(known, floor).astype(np.float32)
    return 1 - apart / scale


def _one_way(seen: Planes, whole: Planes, pairs: NDArray[np.int64]) -> Planes:
    """Lay windows of the first picture of each pair on all of the second."""
    rows, at = np.unique(pairs[:, 0], return_inverse=True)
    windows = np.stack([_standardised(each) for each in _windows(seen[rows])], axis=1)
    there = _standardised(whole[pairs[:, 1]])
    best = np.empty(len(pairs), np.float32)
    for row in range(len(rows)):
        mine = at == row
        # Scalar products of values of mean 0 and length 1: correlations.
        best[mine] = (there[mine] @ windows[row].T).max(1)
    return best


def _planes(pictures: Pictures, blur: float) -> Planes:
    """Give pictures N×C×h×w, blurred; large ones by the means of whole blocks."""
    step = -(-max(pictures.shape[1:3]) // COMPARED)
    height, width = (side // step for side in pictures.shape[1:3])
    cut = pictures[:, : height * step, : width * step].astype(np.float32)
    blocks = cut.reshape(len(cut), height, step, width, step, -1).mean((2, 4))
    planes: Planes = blocks.transpose(0, 3, 1, 2)
    deviation = blur * max(height, width) / 28
    if blur:
        planes = gaussian_filter(planes, (0, 0, deviation, deviation))
    return np.ascontiguousarray(planes)


def _windows(planes: Planes) -> Iterator[Planes]:
    """Give the pictures whole, and by windows brought to their size: N×C×h×w each."""
    yield planes
    height, width = planes.shape[2:]
    for side in WINDOWS:
        for down in (0.0, 0.5, 1.0):
            rows: Planes = _window(height, side, down) @ planes
            for across in (0.0, 0.5, 1.0):
                seen: Planes = rows @ _window(width, side, across).T
                yield seen


def _window(size: int, side: float, place: float) -> NDArray[np.float32]:
    """Give size×size: how values in a window come of all, linearly between them."""
    at = (1 - side) * size * place + side * (np.arange(size) + 0.5) - 0.5
    at = np.clip(at, 0, size - 1)
    weights: Planes = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(size)))
    return weights.astype(np.float32)


def _standardised(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give N×C·h·w, of mean 0 and length 1; a flat picture is 0."""
    values = planes.reshape(len(planes), -1)
    values = values - values.mean(1, keepdims=True)
    length: Planes = np.linalg.norm(values, axis=1, keepdims=True)
    found: Planes = values / np.maximum(length, np.float32(1e-3))
    return found


def threshold(
    copies: dict[str, Values], others: NDArray[np.float32], blur: float
) -> Alike:
    """Choose from where on two pictures are the same: where F1 is largest.

    Args:
        copies: How much N pictures and their changed copies differ, by the kind of
            change.
        others: N×n, the same of each picture and others; infinite where there are less.
        blur: What all of them were blurred by.
    """
    near = np.sort(others, axis=1)
    near = np.pad(near, ((0, 0), (0, BESIDE)), constant_values=np.inf)
    nearest = near[:, 0][np.isfinite(near[:, 0])]
    floor = max(float(np.quantile(nearest, RARE)), 1e-6)
    # Of what is like a picture, its copy, were it there, would be first.
    same = {
        kind: _beside(apart, near[:, BESIDE - 2], floor)
        for kind, apart in copies.items()
    }
    fifth = near[:, BESIDE - 1, None]
    different = _beside(near[:, :WORST], fifth, floor)[np.isfinite(near[:, :WORST])]
    return best_cut(same, different, blur, floor)


def best_cut(
    same: dict[str, Values], different: Values, blur: float, floor: float
) -> Alike:
    """Choose the likeness where F1 is largest; in the middle where that is a range."""
    copies = np.sort(np.concatenate([*same.values()]))
    others = np.sort(different)
    values = np.unique(np.concatenate([copies, others, [1.0]]))
    cuts = (values[1:] + values[:-1]) / 2 if len(values) > 1 else values
    scores = np.array([_f1(copies, others, cut) for cut in cuts])
    best = np.flatnonzero(scores == scores.max())
    cut = float(cuts[best].mean() if np.ptp(best) == len(best) - 1 else cuts[best[-1]])
    each = {
        kind: round(_f1(np.sort(found), others, cut), 4) for kind, found in same.items()
    }
    return Alike(cut, blur, floor, each)


def _f1(
    same: NDArray[np.float32],
    different: NDArray[np.float32],
    cut: float,
) -> float:
    """Give the F1 of calling the same what is at least ``cut``; both are sorted."""
    hits = len(same) - int(np.searchsorted(same, cut))
    false = len(different) - int(np.searchsorted(different, cut))
    return 2 * hits / (len(same) + hits + false)
