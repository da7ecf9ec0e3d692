"""What a person gets of a few labels without options, beside plain means.

On every set, at several numbers of labels a class, a classifier is trained with the
defaults on draws of labels and tried once on test pictures that nothing was chosen on.
Beside it stand nearest neighbours and logistic regression on pixels, and logistic
regression and a random forest on texture and shape statistics, on the same labels. Each
draw is a row of a table as soon as it is done; what is there is not run again. Exits
with 1 where the mean error is more than a point above the best plain means', and the
paired 95 % interval of the difference does not hold 0.
"""

import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tyro
from scipy.stats import t as student

from caes import CAE, CAEClassifier, ImageSet, load
from caes.data.labels.draws import hold_out, only_of_each
from caes.data.labels.labelled import labels_of
from caes.files import data_folder
from caes.report.comparison import Contender
from caes.report.statistics import PAIRS
from caes.runs.ledger import Ledger, Row
from caes.tasks.classify import own_answers, plain_means
from sheet import RESULTS, Sheet

TESTED = 2000
"""Test pictures, at most, drawn once."""
KEYS = ("set", "labels_a_class", "draw", "minutes")
OWN = ("network", "codes", "statistics", "kernel")
PLAIN = ("neighbours", "pixels", "statistics_regression", "forest")
FIGURES = (
    *("tested", "classifier", "answer"),
    *OWN,
    *PLAIN,
    *("steps", "augment", "rounds", "seconds"),
)
POINT = 1.0
"""Per cent of errors above the best plain means' that are allowed."""


class Case(NamedTuple):
    """Pictures with all their labels, to learn from and to test on."""

    train: ImageSet
    test: ImageSet


def main(
    only: tuple[str, ...] = (),
    draws: int = 5,
    minutes: float = 5.0,
    out: Path = RESULTS,
) -> int:
    """Train, measure, print, judge.

    Args:
        only: Sets, or sets and labels a class, as digits or digits/30; else all.
        draws: Draws of labels, numbered from 0, which is also the training's seed.
        minutes: Of a training, at most, and of the auto-encoder's.
        out: Folder of the table and the result.
    """
    ledger = Ledger(out / "few_labels.csv", KEYS, FIGURES)
    ledger.claim()
    for draw in range(draws):
        for name, count in _wanted(only):
            key = dict(zip(KEYS, (name, count, draw, minutes), strict=True))
            if ledger.find(**key) is None:
                row = ledger.add(key, _measured(name, count, draw, minutes))
                print(*row.values(), flush=True)
    return _judge(ledger, out)


def _wanted(only: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    for name, (_, counts) in SETS.items():
        for count in counts:
            if not only or name in only or f"{name}/{count}" in only:
                yield name, count


def _measured(name: str, count: int, draw: int, minutes: float) -> Mapping[str, object]:
    case = _case(name, draw if name == "tiles" else 0)
    few = only_of_each(case.train, count, draw)
    stack = _stack(name, draw if name == "tiles" else 0, minutes)
    start = time.perf_counter()
    classifier = CAEClassifier(stack, minutes=minutes, random_state=draw, verbose=True)
    classifier.fit(few)
    seconds = time.perf_counter() - start
    truth = labels_of(case.test)

    def error(contender: Contender) -> str:
        return f"{100 * float((contender.answers != truth).mean()):.3f}"

    first, *others = own_answers(classifier, seconds, case.test, few.classes)
    about = classifier.answers_
    names = ["network", *(about.readouts if about else ())]
    names.remove(classifier.answer_)
    errors = dict(zip(names, map(error, others), strict=True))
    plain = plain_means(classifier, few, case.test)
    chosen = classifier.chosen_
    return {
        "tested": len(truth),
        "classifier": error(first),
        "answer": classifier.answer_,
        **errors,
        classifier.answer_: error(first),
        **dict(zip(PLAIN, map(error, plain), strict=True)),
        **{each: chosen[each] for each in ("steps", "augment", "rounds")},
        "seconds": f"{seconds:.0f}",
    }


@cache
def _case(name: str, seed: int) -> Case:
    opened: Callable[[int], tuple[ImageSet, ImageSet]] = SETS[name][0]
    train, test = opened(seed)
    rows = np.random.default_rng(0).permutation(len(test))[:TESTED]
    return Case(train, test[np.sort(rows)])


@cache
def _stack(name: str, seed: int, minutes: float) -> CAE:
    """Fit the default auto-encoder to all training pictures, without labels."""
    return CAE(minutes=minutes, random_state=seed).fit(_case(name, seed).train)


def _standard(name: str, split: str = "train") -> tuple[ImageSet, ImageSet]:
    return load(name, split), load(name, "test")


def _cifar() -> tuple[ImageSet, ImageSet]:
    return _standard(str(data_folder() / "cifar10-jpeg"), "train[:20000]")


def _tiles(seed: int) -> tuple[ImageSet, ImageSet]:
    """Normal tiles, blowholes and breaks, squeezed; four tenths apart to test on."""
    images = load(data_folder() / "magnetic-tiles", size=(64, 64))
    kinds = ("normal", "blowhole", "break")
    found = [_kind(name, kinds) for name in images.names]
    rows = np.flatnonzero([each is not None for each in found])
    labels = np.array([kinds.index(str(found[row])) for row in rows], np.int64)
    return hold_out(replace(images[rows], labels=labels, classes=kinds), 0.4, seed)


def _kind(name: str, kinds: tuple[str, ...]) -> str | None:
    """Tell a tile's kind by its path; None for a mask."""
    if name.startswith("masks"):
        return None
    return next(kind for kind in kinds if kind in name.lower())


SETS = {
    "digits": (lambda _: _standard("digits"), (10, 30, 100)),
    "mnist": (lambda _: _standard("mnist"), (10, 30, 100)),
    "cifar10": (lambda _: _cifar(), (100,)),
    "tiles": (_tiles, (10, 30)),
}


def _judge(ledger: Ledger, out: Path) -> int:
    sheet = Sheet("A few labels without options, beside plain means")
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in ledger:
        groups[row["set"], row["labels_a_class"], row["minutes"]].append(row)
    columns = ("classifier", *OWN, *PLAIN)
    head = ["set", "labels a class", "minutes", "draws", *columns]
    means = {
        at: {
            name: float(np.mean([ledger.number(row, name) for row in rows]))
            for name in columns
        }
        for at, rows in groups.items()
    }
    sheet.table(
        head,
        [
            (*at, str(len(groups[at])), *(f"{found[name]:.1f}" for name in columns))
            for at, found in means.items()
        ],
    )
    for at, rows in groups.items():
        best = min(PLAIN, key=lambda name: means[at][name])
        apart = [
            ledger.number(row, "classifier") - ledger.number(row, best) for row in rows
        ]
        about = f"{at[0]}, {at[1]} a class: points above {best}, the best plain means"
        most = max(POINT, _half_interval(apart))
        sheet.at_most(about, float(np.mean(apart)), most, "{:.2f}")
    return sheet.finish(out)


def _half_interval(apart: list[float]) -> float:
    """Give half the width of the 95 % interval of a mean, by the t-distribution.

    Of fewer than three draws there is none to speak of.
    """
    if len(apart) < PAIRS:
        return 0.0
    spread = float(np.std(apart, ddof=1)) / math.sqrt(len(apart))
    return spread * float(student.ppf(0.975, len(apart) - 1))


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
