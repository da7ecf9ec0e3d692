"""An index of a run: pictures into it, and what near and the same mean for them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from sklearn.decomposition import PCA

from caes.data import ImageSet
from caes.data.decode.resize import resized
from caes.estimators import CAE
from caes.report.pictures import in_bytes
from caes.runs.provenance import digest_of
from caes.tasks.index.duplicates import NEAREST
from caes.tasks.index.image_index import ImageIndex
from caes.tasks.index.search import in_blocks, measured, merged, nearest
from caes.tasks.index.space import METRICS, MetricName, Points, Space
from caes.tasks.index.twins import (
    BLURS,
    CHANGES,
    changed,
    differences,
    threshold,
)

AT_ONCE = 8192
"""Pictures of a segment, which is on disk once they are encoded."""
LARGEST = 64
"""Longest side of the small pictures that are kept."""
LEARNT, ASKED = 10_000, 1_000
"""Pictures among which is searched, and for which, to choose a metric."""
TWINS = 300
"""Pictures that are changed, to choose from where on two are the same."""
K = 10

Moves = list[tuple[int, int, float, bool]]
"""Rows down, columns right, degrees turned, and whether mirrored."""
MOVES: dict[str, Moves] = {
    "one": [(0, 0, 0.0, False)],
    "moved": [(y, x, 0.0, False) for y in (0, -1, 1) for x in (0, -1, 1)]
    + [(0, 0, -10.0, False), (0, 0, 10.0, False)],
}
MOVES["mirrored"] = MOVES["moved"] + [(*move, True) for *move, _ in MOVES["moved"]]  # type: ignore[misc]
"""How a picture that is searched for is looked at: as it is, moved, mirrored too."""


class Choice(NamedTuple):
    """A metric and ways to look, and the share of neighbours of the same class."""

    metric: MetricName
    views: str
    precision: dict[str, float]  # per cent, by what was compared


def views_of(cae: CAE, images: ImageSet, views: str) -> Points:
    """Encode each picture as it is and moved: N×views×d."""
    each = [cae.transform(moved(images, *move)) for move in MOVES[views]]
    return np.stack(each, axis=1)


def moved(images: ImageSet, y: int, x: int, degrees: float, mirror: bool) -> ImageSet:
    """Move pictures by steps of a 28th of their side, turn and mirror them."""
    pixels = np.asarray(images.pixels)
    height, width = pixels.shape[1:3]
    step = max(1, round(max(height, width) / 28))
    if x or y:
        around = ((0, 0), (step, step), (step, step), (0, 0))
        wide = np.pad(pixels, around, "edge")
        down, right = step - step * y, step - step * x
        pixels = wide[:, down : down + height, right : right + width]
    if degrees:
        pixels = _turned(pixels, degrees)
    if mirror:
        pixels = pixels[:, :, ::-1]
    return ImageSet.from_pixels(
        np.ascontiguousarray(pixels), value_range=images.value_range
    )


def _turned(pixels: NDArray[Any], degrees: float) -> NDArray[Any]:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cos, -sin], [sin, cos]])
    middle = (np.array(pixels.shape[1:3]) - 1) / 2
    matrix, offset = np.eye(4), np.zeros(4)
    matrix[1:3, 1:3], offset[1:3] = turn, middle - turn @ middle
    kind = np.float32 if pixels.dtype == np.bool_ else pixels.dtype
    found: NDArray[Any] = affine_transform(
        pixels.astype(kind), matrix, offset, order=1, mode="nearest"
    )
    return (found > 0.5) if pixels.dtype == np.bool_ else found


def choose(cae: CAE, images: ImageSet, seed: int = 0) -> Choice:
    """Choose metric and views by the labels of some pictures, tried on others.

    Where less than a hundred have labels, it is the cosine and the picture as it is.
    The same pictures choose and tell the precision: it is a little too good.
    """
    labels = images.labels
    known = np.flatnonzero(labels >= 0) if labels is not None else np.zeros(0, int)
    if labels is None or len(known) < 100:
        return Choice("cosine", "one", {})
    drawn = np.random.default_rng(seed).permutation(known)[: LEARNT + ASKED]
    asked = min(ASKED, len(drawn) // 5)
    few, many = np.sort(drawn[:asked]), np.sort(drawn[asked:])
    truth = labels[many], labels[few]
    codes, queries = cae.transform(images[many]), cae.transform(images[few])
    found = {}
    for metric in METRICS:
        found[metric] = precision(codes, queries, *truth, metric)
    best = max(METRICS, key=lambda each: found[each])
    told = {"codes": found[best]}
    views, most = "one", found[best]
    for each in ("moved", "mirrored"):
        share = precision(codes, views_of(cae, images[few], each), *truth, best)
        told[f"codes, {each}"] = share
        if share > most:
            views, most = each, share
    pixels, others = _flat(images[many]), _flat(images[few])
    size = min(codes.shape[1], *pixels.shape)
    pca = PCA(size, svd_solver="randomized", random_state=seed).fit(pixels)
    few_, many_ = (pca.transform(each).astype(np.float32) for each in (others, pixels))
    told["PCA"] = precision(many_, few_, *truth)
    told["pixels"] = precision(pixels, others, *truth)
    return Choice(best, views, {k: round(100 * v, 2) for k, v in told.items()})


def precision(
    codes: Points,
    queries: Points,
    labels: NDArray[np.int64],
    truth: NDArray[np.int64],
    metric: MetricName = "euclidean",
    k: int = K,
) -> float:
    """Give the share of the k nearest codes that have their query's label.

    Codes are N×d, queries Q×d or Q×views×d.
    """
    space = Space.fit(metric, codes)
    points = space.points(codes)
    views = queries.shape[1] if queries.ndim == 3 else 1
    asked = space.points(queries.reshape(-1, codes.shape[1]))
    rows = nearest(asked, lambda: in_blocks([points]), k)
    found = merged(measured(asked, rows, lambda at: points[at], k), views, k)
    return float((labels[found.rows] == truth[:, None]).mean())


def _flat(images: ImageSet) -> Points:
    return np.asarray(images.pixels).reshape(len(images), -1).astype(np.float32)


def fingerprint(cae: CAE) -> str:
    """Name a run by its weights, as `caes encode` does."""
    return f"sha256:{digest_of(cae.model_)}"


def begin(cae: CAE) -> ImageIndex:
    """Make an empty index for pictures of a run."""
    index = ImageIndex("cosine")
    index.about["run"] = {"fingerprint": fingerprint(cae)}
    return index


def settle(index: ImageIndex, cae: CAE, images: ImageSet, metric: str) -> str:
    """Settle what near means in an empty index; say so."""
    if metric != "auto":
        index.metric = metric  # type: ignore[assignment]
        return f"metric: {metric}"
    chosen = choose(cae, images)
    index.metric = chosen.metric
    index.about |= {"views": chosen.views, "precision": chosen.precision}
    if not chosen.precision:
        return f"metric: {chosen.metric}; few labels to choose it by"
    each = (f"{name} {share:.1f} %" for name, share in chosen.precision.items())
    told = f"neighbours of the same class, of 10: {', '.join(each)}"
    return f"metric: {chosen.metric}; {told}"


def entries(
    cae: CAE, images: ImageSet, prefix: str = ""
) -> Iterator[tuple[Points, dict[str, Any]]]:
    """Encode pictures, some thousands at a time, as `ImageIndex.add` takes them."""
    for start in range(0, len(images), AT_ONCE):
        part = images[start : start + AT_ONCE]
        digests = part.statistics.digests
        labels = None
        if part.labels is not None:
            labels = [part.classes[n] if n >= 0 else None for n in part.labels]
        step = len(digests) // len(part)
        yield (
            cae.transform(part),
            {
                "names": [f"{prefix}{name}" for name in part.names],
                "labels": labels,
                "contents": [
                    digests[at : at + step] for at in range(0, len(digests), step)
                ],
                "thumbnails": small(cae, part),
            },
        )


def small(cae: CAE, images: ImageSet) -> NDArray[np.uint8]:
    """Make small pictures to look at, N×h×w×C (1 or 3), uint8, no side above 64."""
    shown = cae.scaling_.shown(cae.to_unit(images))
    shown = shown[..., :3] if shown.shape[3] >= 3 else shown[..., :1]
    pixels = np.stack([in_bytes(each) for each in shown])
    height, width = pixels.shape[1:3]
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return np.stack([resized(each, size) for each in pixels])


def find_threshold(index: ImageIndex, seed: int = 0) -> None:
    """Find from where on two pictures are the same, by copies that are changed.

    Some pictures are scaled to half their side, compressed as JPEG, cropped by 5 % and
    made brighter; others are different ones, the nearest by code. Kept in ``about``.
    """
    draw = np.random.default_rng(seed)
    rows = np.sort(draw.permutation(index.rows)[:TWINS])
    near = index.nearest(index.take(rows), NEAREST + 1, index.live, exact=False).rows
    known = near >= 0
    contents = index.contents()
    if contents is None:
        known &= near != rows[:, None]
    else:
        known &= contents[near] != contents[rows[:, None]]
    others, to = np.unique(near[known], return_inverse=True)
    small = index.thumbnails(np.concatenate([rows, others]))
    if small is None or not len(others):
        return
    pictures, different = np.split(small, [len(rows)])
    pairs = np.stack([np.nonzero(known)[0], to], axis=1)
    beside = np.repeat(np.arange(len(rows))[:, None], 2, axis=1)
    copies = {kind: changed(pictures, each) for kind, each in CHANGES.items()}
    tried = []
    for blur in BLURS:
        same = {
            kind: differences(pictures, copy, beside, blur)
            for kind, copy in copies.items()
        }
        apart = np.full(near.shape, np.inf, np.float32)
        apart[known] = differences(pictures, different, pairs, blur)
        tried.append(threshold(same, apart, blur))
    best = max(tried, key=lambda each: sum(each.f1.values()))
    index.about["alike"] = best._asdict()


def fill(
    index: ImageIndex, cae: CAE, images: ImageSet, prefix: str = ""
) -> Iterator[int]:
    """Put pictures in that are not there yet; give how many were seen, part by part.

    What has name and values of one that is there is left out.
    """
    for codes, told in entries(cae, images, prefix):
        _add_new(index, codes, told)
        yield len(codes)


def _add_new(index: ImageIndex, codes: Points, told: dict[str, Any]) -> None:
    there = index.holds(told["names"], told["contents"])
    keep = np.flatnonzero(~there)
    if not len(keep):
        return
    picked = {
        key: None if value is None else [value[at] for at in keep]
        for key, value in told.items()
    }
    index.add(codes[keep], **picked | {"thumbnails": told["thumbnails"][keep]})
