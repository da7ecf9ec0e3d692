"""One class of ten, and tiles with defects: what detectors tell, beside trivial ways.

One class is learnt from, and its test pictures are told from those of the nine others
(Ruff et al. 2018, section 4.2); of magnetic tiles (Huang et al. 2020) four fifths of
the normal ones are learnt from, and the others told from two kinds of defects. Nothing
is chosen on test pictures.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from caes.anomalies.album import Album
from caes.anomalies.baselines import Baseline, BaselineName
from caes.anomalies.estimator import AnomalyDetector
from caes.data import load, stream
from caes.files import data_folder
from caes.runs.ledger import Ledger, Row

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
KINDS: dict[str, tuple[str, ...]] = {
    "tiles": ("blowhole", "break"),
    "mnist": tuple(map(str, range(10))),
    "cifar10": tuple(map(str, range(10))),
    "digits": tuple(map(str, range(10))),
}
"""By table what each row is about: a kind of defect, or the class that is learnt."""
PUBLISHED = {
    "tiles": "all five kinds of defects: GANomaly 76.6, GeoTrans 75.5, one nearest "
    "neighbour on pretrained features 80.0, DifferNet (pretrained) 97.7",
    "mnist": "Deep SVDD 94.8",
    "cifar10": "Deep SVDD 64.8, GeoTrans 86.0 (of the original pictures, not JPEGs)",
}
RATE = 0.05
"""False alarms that the thresholds are to hold."""
RIVALS: tuple[BaselineName, ...] = ("PCA", "neighbours")
Key = Mapping[str, object]


def measure(
    name: str,
    kinds: Sequence[str],
    seed: int,
    ledger: Ledger,
    say: Callable[[str], None],
    steps: int | None = None,
) -> None:
    """Make the runs of a table that are not there yet, each kept as soon as it is done.

    Args:
        name: "tiles", "mnist", "cifar10" (as JPEGs in Parquet files) or "digits".
        kinds: Of those in `KINDS`.
        seed: Of split, weights, order and planted defects.
        ledger: Where they are kept.
        say: Is told each.
        steps: Of each network; None for the default.
    """
    keys = [{"set": name, "kind": kind, "seed": seed} for kind in kinds]
    keys = [key for key in keys if ledger.find(**key) is None]
    made = AnomalyDetector(false_alarms=RATE, steps=steps, random_state=seed)
    if not keys:
        return
    ledger.claim()
    if name == "tiles":
        found = _tiles(keys, seed, made)
    else:
        found = (_one_class(name, key, made) for key in keys)
    for key, figures in zip(keys, found, strict=True):
        row = ledger.add(key, figures)
        say(f"{name}, {row['kind']}, seed {seed}: AUROC {row['auroc']}")


def _tiles(
    keys: Sequence[Key], seed: int, made: AnomalyDetector
) -> Iterator[dict[str, object]]:
    """Learn from four fifths of the normal tiles; tell the others from the defects."""
    place = data_folder() / "magnetic-tiles"
    every = Album.gathered(stream(place / "normal"), "magnetic-tiles")
    order = np.random.default_rng(seed).permutation(len(every))
    most = int(0.8 * len(every))
    learn, normal = every[np.sort(order[:most])], every[np.sort(order[most:])]
    detector, seconds = _fitted(made, learn)
    rivals = {each: Baseline(each).fit(learn) for each in RIVALS}
    plain = [*_examined(detector, normal)]
    for key in keys:
        folder = place / "defects" / str(key["kind"])
        strange = Album.gathered(stream(folder), str(folder))
        began = time.perf_counter()
        found = [*_examined(detector, strange)]
        each = (time.perf_counter() - began) / len(strange)
        masks = _masks(place / "masks" / str(key["kind"]), strange.names)
        empty = (np.zeros(heat.shape, bool) for _, heat in plain)
        truth = np.concatenate([mask.ravel() for mask in (*empty, *masks)])
        heats = np.concatenate([heat.ravel() for _, heat in (*plain, *found)])
        beside = {
            name: _area(rival.scores(normal), rival.scores(strange))
            for name, rival in rivals.items()
        }
        scores = [np.array([score for score, _ in some]) for some in (plain, found)]
        figures = _figures(detector, learn, scores, beside, seconds, each)
        pixels = 100 * roc_auc_score(truth, heats)
        yield figures | {"pixels": f"{pixels:.2f}"}


def _one_class(name: str, key: Key, made: AnomalyDetector) -> dict[str, object]:
    """Learn from the training pictures of one class; tell it from the nine others."""
    source = data_folder() / "cifar10-jpeg" if name == "cifar10" else name
    train, test = load(source, "train"), load(source, "test")
    if train.labels is None or test.labels is None:
        raise TypeError(f"{source} has no classes")
    kind = int(str(key["kind"]))
    learn = Album.of(train[np.flatnonzero(train.labels == kind)])
    strange = test.labels != kind
    detector, seconds = _fitted(made, learn)
    began = time.perf_counter()
    found = detector.strangeness(test)
    each = (time.perf_counter() - began) / len(test)
    album, beside = Album.of(test), {}
    for rival in RIVALS:
        scores = Baseline(rival).fit(learn).scores(album)
        beside[rival] = _area(scores[~strange], scores[strange])
    parts = [found[~strange], found[strange]]
    return _figures(detector, learn, parts, beside, seconds, each) | {"pixels": ""}


def _fitted(made: AnomalyDetector, learn: Album) -> tuple[AnomalyDetector, float]:
    began = time.perf_counter()
    detector = AnomalyDetector(**made.get_params()).fit(learn)
    return detector, time.perf_counter() - began


def _figures(
    detector: AnomalyDetector,
    learn: Album,
    scores: Sequence[NDArray[np.float64]],
    beside: Mapping[BaselineName, float],
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


def _masks(folder: Path, names: Sequence[str]) -> Iterator[NDArray[np.bool_]]:
    for name in names:
        with Image.open((folder / name).with_suffix(".png")) as image:
            yield np.asarray(image.convert("L")) > 127


def _area(normal: NDArray[np.float64], strange: NDArray[np.float64]) -> float:
    truth = np.r_[np.zeros(len(normal)), np.ones(len(strange))]
    return 100 * float(roc_auc_score(truth, np.r_[normal, strange]))


def mean(ledger: Ledger, rows: Sequence[Row], column: str) -> float:
    """Give the mean of a column over some runs."""
    return float(np.mean([ledger.number(row, column) for row in rows]))


HEAD = (
    "learnt",
    "seeds",
    "AUROC",
    "of pixels",
    "PCA",
    "k-NN",
    f"false alarms, asked {RATE:.0%}",
    "found",
    "fit, s",
    "ms a picture",
)


def rows_of(name: str, ledger: Ledger) -> Iterator[tuple[str, ...]]:
    """Give a table's rows, means over the seeds, and a last one over all kinds."""
    every = [row for row in ledger if row["set"] == name]
    kinds = [kind for kind in KINDS[name] if kind in {row["kind"] for row in every}]
    for kind in (*kinds, "mean"):
        rows = [row for row in every if kind in ("mean", row["kind"])]
        if not rows:
            continue
        figures = {column: mean(ledger, rows, column) for column in FIGURES[3:-1]
                   if column != "pixels"}  # fmt: skip
        pixels = f"{mean(ledger, rows, 'pixels'):.1f}" if name == "tiles" else ""
        yield (
            kind,
            str(len({row["seed"] for row in rows})),
            f"{figures['auroc']:.1f}",
            pixels,
            f"{figures['pca']:.1f}",
            f"{figures['neighbours']:.1f}",
            f"{100 * figures['flagged_normal']:.1f} %",
            f"{100 * figures['flagged_strange']:.1f} %",
            f"{figures['fit_seconds']:.0f}",
            f"{1000 * figures['picture_seconds']:.1f}",
        )


def lines(name: str, ledger: Ledger) -> list[str]:
    """Write a table in Markdown, with what others have published."""
    head = [f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD)]
    rows = [f"| {' | '.join(row)} |" for row in rows_of(name, ledger)]
    told = [f"Published: {PUBLISHED[name]}."] if name in PUBLISHED else []
    return [*head, *rows, *told]
