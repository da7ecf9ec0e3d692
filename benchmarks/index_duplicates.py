"""Changed copies found again by an index, beside the perceptual hashes of ImageHash.

1,000 training pictures and a copy of each, changed in one way. The threshold of each
contender is the best on 1,000 others, whose copies were changed in other strengths: of
a hash for each kind of change, of the index one for all. All pairs of a group count.
Exits with 1 when F1 is below that of the best hash.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

from caes import CAE, ImageSet, load
from caes.tasks.index.filling import begin, fill, find_threshold
from caes.tasks.index.twins import (
    CHANGES,
    brightened,
    changed,
    compressed,
    cropped,
    scaled,
)
from index_precision import SETS
from sheet import RESULTS, Sheet

Pictures = NDArray[np.uint8]
TRIED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "scaled": partial(scaled, share=0.6),
    "compressed": partial(compressed, quality=50),
    "cropped": cropped,
    "brightened": partial(brightened, factor=1.2),
}
HASHES = ("average_hash", "dhash", "phash", "whash")


def main(
    runs: tuple[Path, ...] = (),
    pictures: int = 1000,
    learnt: int = 1000,
    minutes: float = 2.0,
    out: Path = RESULTS,
) -> int:
    """Find copies, judge.

    Args:
        runs: The default's runs with 64 values, on MNIST and on CIFAR-10; without them
            they are trained.
        pictures: How many have a copy.
        learnt: Pictures that thresholds are chosen on.
        minutes: Of a training.
        out: Folder of the result.
    """
    sheet = Sheet("F1 of changed copies found again")
    rows = []
    for at, (name, source) in enumerate(SETS.items()):
        train = load(source)
        cae = (
            CAE.load(runs[at])
            if runs
            else CAE(code=64, minutes=minutes, random_state=0).fit(train)
        )
        order = np.random.default_rng(14).permutation(len(train))
        others = train[np.sort(order[pictures : pictures + learnt])]
        some = train[np.sort(order[:pictures])]
        alike = _learnt(cae, others)
        sheet.say(f"- {name}: {cae.architecture_}, seed {cae.seed_}; {alike}")
        for kind, change in TRIED.items():
            ours, hashes = _found(cae, some, others, kind, change, alike)
            best = max(hashes.values())
            told = [f"{100 * share:.1f} %" for share in ours[1:]]
            cells = [f"{share:.4f}" for share in (ours[0], *hashes.values())]
            rows.append([f"{name}, {kind}", *told, *cells])
            claim = f"{name}, {kind}: F1 {ours[0]:.4f}, must {best:.4f}"
            sheet.judge(claim, ours[0] >= best)
    sheet.table(["pictures", "precision", "recall", "F1 of caes", *HASHES], rows)
    return sheet.finish(out)


def _learnt(cae: CAE, others: ImageSet) -> dict[str, Any]:
    """Find from where on two pictures are the same, as `caes index build` does."""
    index = begin(cae)
    for _ in fill(index, cae, others):
        pass
    find_threshold(index)
    found: dict[str, Any] = index.about["alike"]
    return found


def _found(
    cae: CAE,
    some: ImageSet,
    others: ImageSet,
    kind: str,
    change: Callable[[Image.Image], Image.Image],
    alike: dict[str, Any],
) -> tuple[tuple[float, float, float], dict[str, float]]:
    pixels, apart = np.asarray(some.pixels), np.asarray(others.pixels)
    copies, n = changed(pixels, change), len(pixels)
    index = begin(cae)
    for _ in fill(index, cae, ImageSet.from_pixels(np.concatenate([pixels, copies]))):
        pass
    index.about["alike"] = alike
    groups = index.duplicates()
    pairs = [
        (one.row, other.row)
        for group in groups
        for at, one in enumerate(group)
        for other in group[at + 1 :]
    ]
    hits = sum(other - one == n for one, other in pairs)
    f1 = 2 * hits / (n + len(pairs))
    hashes = {name: _hashed(name, pixels, copies, apart, kind) for name in HASHES}
    return (f1, hits / max(1, len(pairs)), hits / n), hashes


def _hashed(
    name: str, pixels: Pictures, copies: Pictures, others: Pictures, kind: str
) -> float:
    """Give a hash's F1 at the distance that is best on other pictures."""
    apart = _apart(name, others, changed(others, CHANGES[kind]))
    best = max(range(33), key=lambda cut: _f1(apart, cut))
    return _f1(_apart(name, pixels, copies), best)


def _apart(name: str, pixels: Pictures, copies: Pictures) -> NDArray[np.float32]:
    """Give the bits by which pictures and their copies differ, 2n×2n."""
    bits = []
    for each in (*pixels, *copies):
        picture = Image.fromarray(each[..., 0] if each.shape[2] == 1 else each)
        bits.append(getattr(imagehash, name)(picture).hash.reshape(-1))
    table = np.array(bits, np.float32)
    return table @ (1 - table.T) + (1 - table) @ table.T


def _f1(apart: NDArray[np.float32], cut: int) -> float:
    n = len(apart) // 2
    upper = np.triu(apart <= cut, 1)
    return 2 * int(np.diagonal(upper, n).sum()) / (n + int(upper.sum()))


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
