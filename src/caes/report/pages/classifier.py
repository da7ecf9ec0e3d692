"""The page of a classifier: what it gets wrong, beside its controls."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from caes.data.imageset import ImageSet
from caes.data.scaling import Scaling
from caes.report import charts, training
from caes.report.charts import Chart, chart
from caes.report.comparison import (
    Contender,
    Standing,
    check,
    judge,
    simplest,
    standings,
)
from caes.report.layout import Fact, Table, publish, render, sources
from caes.report.numbers import capital, cell, count, duration, percent, sure
from caes.report.phases import Phase, one_phase
from caes.report.pictures import (
    SHARPNESS,
    Strip,
    Tile,
    enlarged,
    enlargement,
    labels,
    montage,
    tile,
)
from caes.report.statistics import BINS, Bin, calibration_error, reliability
from caes.train.history import History

COUNTED = "The share of training pictures named correctly, counted as they were met."
WITH = "to learn from, with their class"
WITHOUT = "seen without their class"
ROUNDS = "in the last round, over all that had a label"
DRAWN = 30
"""Classes drawn; the table beside the page has all."""
SHOWN = 24
"""Mistakes shown, at most."""
COLUMNS = 8
"""Of them side by side."""
SLIGHT = 0.005
"""Confidence and accuracy that differ by less are called alike."""


class Score(NamedTuple):
    """How one class fared; what there is nothing to take a share of is NaN."""

    number: int  # counted from 1
    name: str
    precision: float
    recall: float
    f1: float
    support: int  # its test pictures
    taken_for: str  # what it was most often mistaken for; empty without a mistake
    taken: int  # how often


def scores(confused: NDArray[np.int64], classes: Sequence[str]) -> list[Score]:
    """Score each class by K×K counts, the true class down, the answer across."""
    k = len(confused)
    truth, answers = np.divmod(np.arange(k * k), k)
    measured = precision_recall_fscore_support(
        truth,
        answers,
        labels=np.arange(k),
        sample_weight=confused.ravel(),  # each cell stands for so many pictures
        zero_division=np.nan,
    )
    mistakes = confused - np.diag(np.diag(confused))
    taken = mistakes.max(axis=1).tolist()
    rivals = [
        classes[rival] if most else ""
        for rival, most in zip(mistakes.argmax(axis=1), taken, strict=True)
    ]
    *shares, support = (each.tolist() for each in measured)
    columns = range(1, k + 1), classes, *shares, map(int, support), rivals, taken
    return [Score(*row) for row in zip(*columns, strict=True)]


def mean_f1(rows: Sequence[Score]) -> float:
    """Average F1 over the classes that have test pictures."""
    return float(np.mean([row.f1 for row in rows if row.support]))


def scores_table(rows: Sequence[Score]) -> Table:
    """Lay the scores out for a file; what is not defined is left empty."""
    cells = [(row.name, *map(cell, row[2:5]), row.support) for row in rows]
    return [("class", *Score._fields[2:6]), *cells]


class Mistake(NamedTuple):
    """A test picture that got a wrong answer; classes are indices."""

    name: str
    true: int
    answer: int
    probability: float  # of that answer
    picture: Tile


def mistakes(
    images: ImageSet, truth: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> list[Mistake]:
    """Give the mistakes with the highest probability, the highest first."""
    answers, surest = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != truth)
    rows = wrong[np.argsort(-surest[wrong], kind="stable")][:SHOWN]
    some = images[rows]
    unit = Scaling(*images.value_range).to_unit(some.pixels)
    return [
        Mistake(
            name=some.names[at],
            true=int(truth[row]),
            answer=int(answers[row]),
            probability=float(surest[row]),
            picture=tile(unit[at]),
        )
        for at, row in enumerate(rows)
    ]


@dataclass(frozen=True, eq=False)
class Results:
    """A classifier on its test pictures, beside its controls, measured once."""

    classes: Sequence[str]
    rows: Sequence[Standing]  # the classifier and its controls
    rule: Standing  # the simplest rule beside them
    counts: NDArray[np.int64]  # K×K, the true class down, the answer across
    drawn: NDArray[np.intp]  # the classes with the most mistakes, in their order
    scores: Sequence[Score]
    bins: Sequence[Bin]
    calibration: float
    mistakes: Sequence[Mistake]

    @property
    def own(self) -> Standing:
        """The classifier itself."""
        return self.rows[0]

    @property
    def shown(self) -> list[Score]:
        """The scores of the classes that are drawn."""
        return [self.scores[at] for at in self.drawn]


def examine(
    images: ImageSet,
    truth: NDArray[np.int64],
    classes: Sequence[str],
    contenders: Sequence[Contender],
) -> Results:
    """Measure the classifier and its controls.

    Raises:
        ArgumentError: A probability is not finite.
    """
    for each in contenders:
        check(each)
    rows = standings(contenders, truth)
    probabilities, answers = contenders[0].probabilities, contenders[0].answers
    counts = confusion_matrix(truth, answers, labels=np.arange(len(classes)))
    return Results(
        classes=classes,
        rows=rows,
        rule=simplest(rows[0], truth, classes),
        counts=counts,
        drawn=most_confused(counts),
        scores=scores(counts, classes),
        bins=reliability(probabilities, truth),
        calibration=calibration_error(probabilities, truth),
        mistakes=mistakes(images, truth, probabilities),
    )


def most_confused(counts: NDArray[np.int64]) -> NDArray[np.intp]:
    """Choose the classes to draw: all, or those with the most mistakes."""
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    return np.sort(np.argsort(-wrong, kind="stable")[:DRAWN])


def write_classification_report(
    folder: Path,
    *,
    images: ImageSet,  # the N test pictures
    truth: NDArray[np.int64],  # their classes, N indices in [0, K)
    classes: tuple[str, ...],  # K names
    contenders: Sequence[Contender],  # the classifier itself, then its controls
    history: History,  # its training's; its epochs may be none
    settings: Mapping[str, object],
    provenance: Mapping[str, str],
    command: str,  # that made it, for the reader to copy
    notes: Sequence[str],  # what a reader should know beside all that, a sentence each
    labelled: int,  # pictures it learned from with their class
    unlabelled: int,  # and without
    judged: Mapping[str, tuple[float, float]] | None = None,  # see `CAEClassifier`
    answer: str = "",  # what predicts, within a sentence; empty for the network
    length: str = "as asked",  # what the number of its epochs, or steps, is like
    tell: Callable[[str], None] | None = None,  # called with the first sentences
) -> Path:
    """Write ``report.html``, ``figures/``, ``confusion.csv``, ``per_class.csv``."""
    results = examine(images, truth, classes, contenders)
    unseen = [score.name for score in results.scores if not score.support]
    verdict = judge(results.rows, results.rule, unseen)
    if tell is not None:
        tell(" ".join(filter(None, (verdict.lead, verdict.advice))))
    asked, rows = settings.get("epochs"), history.rows
    phase = one_phase(history, asked if isinstance(asked, int) else len(rows), length)
    in_rounds = bool(settings.get("rounds") and unlabelled)
    curves = training.draw([phase], "cross-entropy", COUNTED)
    drawn = {each.name: each for each in [*draw(results), *curves]}
    drawn.pop("psnr", None)
    page = render(
        "classifier.html",
        charts=drawn,
        command=command,
        facts=[
            *facts(results),
            Fact("Labelled", count(labelled, "picture"), WITH),
            Fact("Unlabelled", count(unlabelled, "picture"), WITHOUT),
            _length(phase, in_rounds),
            Fact("Time", duration(results.own.seconds or 0), "for training"),
        ],
        images=images,
        last=rows[-1] if rows else None,
        learned=f"{count(labelled, 'picture')} with labels, {unlabelled:,} without",
        loss="cross-entropy",
        provenance=provenance,
        reliable=how_reliable(results.bins),
        results=results,
        settings=settings,
        verdict=verdict,
        judged=judged or {},
        weaker=weaker(judged or {}, answer or "the network"),
        answer=capital(answer or "the network"),
        **sources({"Test": images}, notes),
    )
    shown = {"mistakes": surest(results)} if results.mistakes else {}
    named = zip(classes, results.counts.tolist(), strict=True)
    counts = [[name, *row] for name, row in named]
    tables = {
        "confusion": [["true class", *classes], *counts],
        "per_class": scores_table(results.scores),
    }
    return publish(folder, page, drawn.values(), shown, tables)


def _length(phase: Phase, in_rounds: bool) -> Fact:
    """Tell how long it learned; after rounds of self-training, in the last of them."""
    if not in_rounds:
        return training.epochs([phase])
    steps = phase.rows[-1].steps if phase.rows else None
    learned = steps or len(phase.rows)
    return Fact("Steps" if steps else "Epochs", f"{learned:,}", ROUNDS)


def weaker(judged: Mapping[str, tuple[float, float]], answer: str) -> bool:
    """Tell whether another answer erred less than the one that predicts."""
    best = min((error for error, _ in judged.values()), default=0.0)
    return answer in judged and judged[answer][0] > best


def facts(results: Results) -> Iterator[Fact]:
    """Give the headline figures of the test."""
    own = results.own
    low, high = (percent(1 - bound, own.n) for bound in reversed(own.interval))
    right, wrong = percent(1 - own.error, own.n), percent(own.error, own.n)
    yield Fact("Accuracy", right, f"95% confidence: {low} to {high}")
    yield Fact("Error", wrong, f"{own.wrong:,} of {count(own.n, 'test picture')}")
    mean = mean_f1(results.scores)
    yield Fact("F1", f"{mean:.3f}", f"mean over {count(len(results.classes), 'class')}")
    note = f"expected, {BINS} bins"
    yield Fact("Calibration error", f"{results.calibration:.1%}", note)


def draw(results: Results) -> Iterator[Chart]:
    """Draw the confusion matrix and the reliability diagram."""
    k, total = len(results.drawn), len(results.classes)
    caption = (
        "Numbers are pictures; an empty cell has none. The stronger a cell's colour, "
        "the larger its share of the row (on a scale of square roots, so that few "
        "mistakes show): blue is right, orange wrong."
    )
    if k < total:
        caption = f"The {k} of {total} classes with the most mistakes. {caption}"
    alt = (
        f"Confusion matrix of {count(k, 'class')}: {results.own.wrong:,} of "
        f"{count(results.own.n, 'test picture')} lie off its diagonal."
    )
    matrix = results.counts, results.drawn, labels(results.classes)
    yield chart("confusion", partial(charts.confusion, *matrix), alt, caption)
    alt = f"Reliability diagram. {how_reliable(results.bins)}"
    yield chart("reliability", partial(charts.reliability, results.bins), alt)


def surest(results: Results) -> bytes:
    """Lay the mistakes side by side, each over its class, its answer and how sure."""
    names, found = labels(results.classes), results.mistakes
    factor = SHARPNESS * enlargement(found[0].picture)
    strips = [Strip([], "Most confident mistakes: true class → answer")]
    for at in range(0, len(found), COLUMNS):
        some = found[at : at + COLUMNS]
        texts = [
            f"{names[each.true]} → {names[each.answer]}\n{sure(each.probability)} sure"
            for each in some
        ]
        strips.append(Strip([enlarged(e.picture, factor) for e in some], texts=texts))
    return montage(strips)


def how_reliable(bins: Sequence[Bin]) -> str:
    """Say in one sentence whether the classifier is too sure of itself."""
    full = [part for part in bins if part.count]
    n = sum(part.count for part in full)
    certain = math.fsum(part.count * part.confidence for part in full) / n
    right = math.fsum(part.count * part.accuracy for part in full) / n
    apart = certain - right
    if abs(apart) < SLIGHT:
        words = "it knows how often it errs"
    elif apart > 0:
        words = f"too sure of itself, by {100 * apart:.1f} points"
    else:
        words = f"too modest, by {-100 * apart:.1f} points"
    return f"On average it is {certain:.1%} sure and {right:.1%} right: {words}."
