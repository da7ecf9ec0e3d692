"""How many of a test picture's ten nearest are of its class, by code, PCA and pixels.

The index is built as `caes index build` does: metric and views are chosen by labels of
training pictures alone; the test pictures are asked once. Exits with 1 when codes find
less than the better of PCA of the same size and pixels, both by Euclidean distance; PCA
treated as the codes are stands beside.
"""

import sys
from pathlib import Path

import numpy as np
import tyro
from sklearn.decomposition import PCA

from caes import CAE, ImageSet, load
from caes.data.labels.labelled import labels_of
from caes.files import data_folder
from caes.tasks.index.filling import MOVES, choose, moved, precision, views_of
from caes.tasks.index.space import Points
from sheet import RESULTS, Sheet

SETS = {"mnist": "mnist", "cifar10-jpeg": str(data_folder() / "cifar10-jpeg")}


def main(
    runs: tuple[Path, ...] = (),
    asked: int = 2000,
    minutes: float = 2.0,
    out: Path = RESULTS,
) -> int:
    """Choose, measure once, judge.

    Args:
        runs: The default's runs with 64 values, on MNIST and on CIFAR-10; without them
            they are trained.
        asked: Test pictures, the first ones.
        minutes: Of a training.
        out: Folder of the result.
    """
    sheet = Sheet("Neighbours of the same class, of ten, in per cent")
    rows = []
    for at, (name, source) in enumerate(SETS.items()):
        train, test = load(source), load(source, f"test[:{asked}]")
        cae = (
            CAE.load(runs[at])
            if runs
            else CAE(code=64, minutes=minutes, random_state=0).fit(train)
        )
        row, codes, best = _measured(name, cae, train, test)
        rows.append(row)
        sheet.judge(
            f"{name}: codes {codes:.2f} %, must {best:.2f} %, the better of PCA and "
            f"pixels (aim {best + 1:.2f} %: "
            f"{'reached' if codes >= best + 1 else 'not reached'})",
            codes >= best,
        )
    head = ["set", "metric", "queries", "codes, as chosen", "codes, Euclidean"]
    head += ["PCA", "pixels", "PCA, as chosen"]
    sheet.table(head, rows)
    return sheet.finish(out)


def _measured(
    name: str, cae: CAE, train: ImageSet, test: ImageSet
) -> tuple[list[str], float, float]:
    chosen = choose(cae, train)
    labels = labels_of(train), labels_of(test)
    codes, queries = cae.transform(train), views_of(cae, test, chosen.views)
    ours = precision(codes, queries, *labels, chosen.metric)
    plain = precision(codes, queries[:, 0], *labels)
    pixels, others = _flat(train), _flat(test)
    pca = PCA(codes.shape[1], svd_solver="randomized", random_state=0)
    pca.fit(pixels[:: max(1, len(pixels) // 20_000)])
    table = pca.transform(pixels).astype(np.float32)
    each = [_flat(moved(test, *move)) for move in MOVES[chosen.views]]
    views = np.stack([pca.transform(one).astype(np.float32) for one in each], 1)
    found = [
        ours,
        plain,
        precision(table, views[:, 0], *labels),
        precision(pixels, others, *labels),
        precision(table, views, *labels, chosen.metric),
    ]
    told = [f"{100 * share:.2f}" for share in found]
    best = 100 * max(found[2:4])
    return [name, chosen.metric, chosen.views, *told], 100 * ours, best


def _flat(images: ImageSet) -> Points:
    flat = np.asarray(images.pixels).reshape(len(images), -1)
    return np.asarray(flat / 255, np.float32)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
