"""What the anomaly detectors find, beside the trivial ways: tiles, digits, photographs.

Detectors are fitted with the defaults and chosen without a test picture. Each fit is a
row of a table as soon as it is done; what is there is not run again. Exits with 1 when
a figure falls short of what it must be.
"""

import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from caes import AnomalyDetector
from caes.anomalies.album import Album
from caes.anomalies.baselines import Baseline
from caes.data import load, stream
from caes.files import data_folder
from caes.runs.ledger import Ledger
from sheet import RESULTS, Sheet

KEYS = ("set", "kind", "seed")
FIGURES = (
    "learned",
    "tested",
    "strange",
    "auroc",
    "pixels",
    "pca",
    "neighbours",
    "flagged_normal",
    "flagged_strange",
    "fit_seconds",
    "picture_seconds",
    "detectors",
)
SETS = ("tiles", "mnist", "cifar10")
CLASSES = {"mnist": "digit", "cifar10": "class"}
MUST = {"tiles": 80.0, "mnist": 96.5, "cifar10": 62.0}
AIM = {"tiles": 90.0, "mnist": 98.5, "cifar10": 75.0}
RATE = 0.05
"""False alarms that the thresholds are to hold."""


def main(
    only: tuple[str, ...] = (), seeds: tuple[int, ...] = (0, 1, 2), out: Path = RESULTS
) -> int:
    """Fit, measure, print, judge.

    Args:
        only: Sets, or sets and classes, such as tiles or mnist/3; all if not said.
        seeds: Of splits, weights, order and planted defects.
        out: Folder of the table and the result.
    """
    ledger = Ledger(out / "anomalies.csv", KEYS, FIGURES)
    ledger.claim()
    for seed in seeds:
        if _wanted("tiles", "", only):
            _tiles(ledger, seed)
        for name in CLASSES:
            for kind in range(10):
                if _wanted(name, str(kind), only):
                    _one_class(ledger, name, kind, seed)
    return _judge(ledger, out)


def _wanted(name: str, kind: str, only: tuple[str, ...]) -> bool:
    return not only or name in only or f"{name}/{kind}" in only


def _tiles(ledger: Ledger, seed: int) -> None:
    """Learn from four fifths of the normal tiles; tell the others from two defects."""
    keys = [{"set": "tiles", "kind": k, "seed": seed} for k in ("blowhole", "break")]
    if all(ledger.find(**key) for key in keys):
        return
    place = data_folder() / "magnetic-tiles"
    every = Album.gathered(stream(place / "normal"), "magnetic-tiles")
    order = np.random.default_rng(seed).permutation(len(every))
    most = int(0.8 * len(every))
    learn, normal = every[np.sort(order[:most])], every[np.sort(order[most:])]
    detector, seconds = _fitted(learn, seed)
    rivals = {each: Baseline(each).fit(learn) for each in ("PCA", "neighbours")}
    plain = [*_examined(detector, normal)]
    for key in keys:
        folder = place / "defects" / str(key["kind"])
        strange = Album.gathered(stream(folder), str(folder))
        began = time.perf_counter()
        found = [*_examined(detector, strange)]
        each = (time.perf_counter() - began) / len(strange)
        masks = [*_masks(place / "masks" / str(key["kind"]), strange.names)]
        heats = [heat for _, heat in (*plain, *found)]
        empty = [np.zeros(heat.shape, bool) for _, heat in plain]
        truth = np.concatenate([m.ravel() for m in (*empty, *masks)])
        pixels = 100 * roc_auc_score(truth, np.concatenate([h.ravel() for h in heats]))
        scores = [np.array([s for s, _ in some]) for some in (plain, found)]
        beside = {
            name: _area(rival.scores(normal), rival.scores(strange))
            for name, rival in rivals.items()
        }
        figures = _figures(detector, learn, scores, beside, seconds, each)
        row = ledger.add(key, figures | {"pixels": f"{pixels:.2f}"})
        print(*row.values(), flush=True)


def _one_class(ledger: Ledger, name: str, kind: int, seed: int) -> None:
    """Learn from the training pictures of one class; tell it from the nine others."""
    key = {"set": name, "kind": kind, "seed": seed}
    if ledger.find(**key):
        return
    source = "mnist" if name == "mnist" else data_folder() / "cifar10-jpeg"
    train, test = load(source, "train"), load(source, "test")
    assert train.labels is not None
    assert test.labels is not None
    learn = Album.of(train[np.flatnonzero(train.labels == kind)])
    strange = test.labels != kind
    detector, seconds = _fitted(learn, seed)
    began = time.perf_counter()
    found = detector.strangeness(test)
    each = (time.perf_counter() - began) / len(test)
    album, beside = Album.of(test), {}
    for rival in ("PCA", "neighbours"):
        scores = Baseline(rival).fit(learn).scores(album)
        beside[rival] = _area(scores[~strange], scores[strange])
    parts = [found[~strange], found[strange]]
    figures = _figures(detector, learn, parts, beside, seconds, each)
    print(*ledger.add(key, figures | {"pixels": ""}).values(), flush=True)


def _fitted(learn: Album, seed: int) -> tuple[AnomalyDetector, float]:
    began = time.perf_counter()
    detector = AnomalyDetector(false_alarms=RATE, random_state=seed, verbose=True)
    return detector.fit(learn), time.perf_counter() - began


def _figures(
    detector: AnomalyDetector,
    learn: Album,
    scores: list[NDArray[np.float64]],
    beside: Mapping[str, float],
    seconds: float,
    each: float,
) -> dict[str, object]:
    normal, strange = scores
    flagged = [float((some > detector.threshold_).mean()) for some in scores]
    return {
        "learned": len(learn),
        "tested": len(normal) + len(strange),
        "strange": len(strange),
        "auroc": f"{_area(normal, strange):.2f}",
        "pca": f"{beside['PCA']:.2f}",
        "neighbours": f"{beside['neighbours']:.2f}",
        "flagged_normal": f"{flagged[0]:.4f}",
        "flagged_strange": f"{flagged[1]:.4f}",
        "fit_seconds": f"{seconds:.0f}",
        "picture_seconds": f"{each:.4f}",
        "detectors": " + ".join(detector.ensemble_.choice.used),
    }


def _examined(
    detector: AnomalyDetector, album: Album
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    for scores, maps in detector.examined(album):
        yield from zip(scores.tolist(), maps, strict=True)


def _masks(folder: Path, names: object) -> Iterator[NDArray[np.bool_]]:
    for name in names:  # type: ignore[attr-defined]
        with Image.open(folder / re.sub(r"\.jpg$", ".png", name)) as image:
            yield np.asarray(image.convert("L")) > 127


def _area(normal: NDArray[np.float64], strange: NDArray[np.float64]) -> float:
    truth = np.r_[np.zeros(len(normal)), np.ones(len(strange))]
    return 100 * float(roc_auc_score(truth, np.r_[normal, strange]))


def _judge(ledger: Ledger, out: Path) -> int:
    sheet = Sheet("Anomalies: what is found beside the trivial ways")
    head = ["set", "kind", "seeds", "AUROC", "pixels", "PCA", "k-NN", "false alarms"]
    head += ["found", "fit s", "ms a picture"]
    cells = []
    for name, kind in dict.fromkeys((row["set"], row["kind"]) for row in ledger):
        rows = [row for row in ledger if (row["set"], row["kind"]) == (name, kind)]

        def mean(column: str, rows: list[dict[str, str]] = rows) -> float:
            return float(np.mean([ledger.number(row, column) for row in rows]))

        told = "auroc", "pca", "neighbours"
        found = {column: mean(column) for column in told}
        pixels = mean("pixels") if name == "tiles" else float("nan")
        cells.append(
            (
                name,
                kind,
                str(len(rows)),
                f"{found['auroc']:.1f}",
                "" if name != "tiles" else f"{pixels:.1f}",
                f"{found['pca']:.1f}",
                f"{found['neighbours']:.1f}",
                f"{100 * mean('flagged_normal'):.1f} %",
                f"{100 * mean('flagged_strange'):.1f} %",
                f"{mean('fit_seconds'):.0f}",
                f"{1000 * mean('picture_seconds'):.1f}",
            )
        )
        if name == "tiles":
            best = max(found["pca"], found["neighbours"])
            title = f"{kind}: AUROC above the best trivial way's {best:.1f}"
            _at_least(sheet, title, found["auroc"], best)
            _at_least(sheet, f"{kind}: AUROC of pixels", pixels, 75)
    sheet.table(head, cells)
    for name in SETS:
        some = [ledger.number(row, "auroc") for row in ledger if row["set"] == name]
        if some:
            title = f"{name}: mean AUROC over {len(some)} fits"
            mean_area = float(np.mean(some))
            _at_least(sheet, title, mean_area, MUST[name], AIM[name])
    return sheet.finish(out)


def _at_least(
    sheet: Sheet, claim: str, value: float, must: float, aim: float | None = None
) -> None:
    sheet.judge(f"{claim}: {value:.1f}, must {must:.1f}", value >= must)
    if aim is not None:
        reached = "reached" if value >= aim else "not reached"
        sheet.say(f"  - aim {aim:g}: {reached}")


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
