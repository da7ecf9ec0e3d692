"""The page of a label curve: how the error falls as labels are added."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import numpy as np

from caes.report import charts
from caes.report.charts import Chart, Curve, chart
from caes.report.numbers import capital, cell, count, listed, p_words, percent, points
from caes.report.page import Fact, Table, Verdict, publish, render
from caes.report.pictures import labels as written
from caes.report.statistics import CHANCE, paired

FINE = 10_000
"""Means over seeds are written as if there were at least so many test pictures."""
NAME = 68
"""Letters of a contender's name in the figure."""


@dataclass(frozen=True)
class CurveRun:
    """One training and its error."""

    contender: str  # who was trained, such as "the classifier"
    labels: int  # labelled pictures it learned from
    seed: int  # of labels drawn and of training; runs of one seed are compared
    error: float  # on the test pictures, in per cent


@dataclass(frozen=True)
class Summary:
    """The runs of one contender with one number of labels; errors in per cent."""

    contender: str
    labels: int
    n: int  # runs
    mean: float
    sd: float  # of n − 1; NaN for one run
    pairs: int  # seeds that the first contender was trained with too
    difference: float  # over these, the mean of the error minus the first's, or NaN
    p: float  # of the paired t-test; NaN where it cannot be made


def summarise(runs: Sequence[CurveRun]) -> list[Summary]:
    """Put the runs together, contender by contender, the fewest labels first."""
    names = list(dict.fromkeys(run.contender for run in runs))
    counts = sorted({run.labels for run in runs})
    return [
        _summary(name, labels, own, {} if name == names[0] else first)
        for name in names
        for labels in counts
        if (own := _errors(runs, name, labels))
        for first in [_errors(runs, names[0], labels)]
    ]


def summary_table(rows: Sequence[Summary]) -> Table:
    """Lay the summary out for a file; what is not defined is left empty."""
    head = ("contender", "labels", "n", "mean", "sd", "difference", "p")
    numbers = [map(cell, (row.mean, row.sd, row.difference, row.p)) for row in rows]
    whole = [(row.contender, row.labels, row.n) for row in rows]
    return [head, *((*a, *b) for a, b in zip(whole, numbers, strict=True))]


def _errors(runs: Sequence[CurveRun], name: str, labels: int) -> dict[int, float]:
    """Give the errors by seed."""
    wanted = (run for run in runs if (run.contender, run.labels) == (name, labels))
    return {run.seed: run.error for run in wanted}


def _summary(
    name: str, labels: int, own: Mapping[int, float], first: Mapping[int, float]
) -> Summary:
    errors = np.array(list(own.values()))
    seeds = [seed for seed in own if seed in first]
    difference, p = paired([own[at] for at in seeds], [first[at] for at in seeds])
    return Summary(
        contender=name,
        labels=labels,
        n=len(errors),
        mean=float(errors.mean()),
        sd=float(errors.std(ddof=1)) if len(errors) > 1 else math.nan,
        pairs=len(seeds),
        difference=difference,
        p=p,
    )


def write_label_curve(
    folder: Path,
    *,
    runs: Sequence[CurveRun],
    test_pictures: int,
    provenance: Mapping[str, str],
    command: str,
    notes: Sequence[str],
    settings: Mapping[str, object],
) -> Path:
    """Write ``report.html``, ``figures/label-curve.svg`` and two tables.

    ``curve.csv`` has a row a run, ``summary.csv`` one for each contender and number of
    labels: n, mean and sd of the errors in per cent, the mean difference to the first
    contender over the seeds that both have, and the p of the paired t-test.

    Args:
        folder: Where to; files of the same names are replaced.
        runs: All trainings; the first one's contender is what the others are compared
            with.
        test_pictures: Pictures that every error was measured on.
        provenance: How it was made, ready to print.
        command: The command that made it, for the reader to copy.
        notes: What a reader should know beside all that, a sentence each.
        settings: Of the trainings, by name.

    Returns:
        The path of the page.

    Raises:
        OutputError: The folder cannot be written.
    """
    rows = summarise(runs)
    curve = draw(rows, test_pictures)
    page = render(
        "label_curve.html",
        command=command,
        contenders=listed(list(dict.fromkeys(row.contender for row in rows))),
        curve=curve,
        data=provenance.get("data", "Label curve"),
        parts={},
        facts=_facts(runs, test_pictures),
        notes=notes,
        provenance=provenance,
        fine=fine(test_pictures),
        groups=[
            (name, [*group]) for name, group in groupby(rows, attrgetter("contender"))
        ],
        first=rows[0].contender,
        sentences=sentences(rows, test_pictures),
        settings=settings,
        test_pictures=test_pictures,
        verdict=judge(rows, test_pictures),
    )
    every = [(run.contender, run.labels, run.seed, run.error) for run in runs]
    tables = {
        "curve": [("contender", "labels", "seed", "error"), *every],
        "summary": summary_table(rows),
    }
    return publish(folder, page, [curve], tables=tables)


def draw(rows: Sequence[Summary], test_pictures: int) -> Chart:
    """Draw a line for each contender."""
    half = 50 / test_pictures
    lines = curves(rows, half)
    low, high = (f(row.mean for row in rows) for f in (min, max))
    alt = (
        f"Error against the number of labels, from {high:.3g}% to {low:.3g}%, "
        f"for {count(len(lines), 'contender')}."
    )
    caption = "Both axes are logarithmic."
    if low < half:
        caption += " An error of 0 is drawn as if half a picture were wrong."
    return chart("label-curve", partial(charts.label_curve, lines), alt, caption)


def curves(rows: Sequence[Summary], floor: float) -> list[Curve]:
    """Make a line of each contender, nowhere below the floor: a logarithm has no 0."""
    names = list(dict.fromkeys(row.contender for row in rows))
    drawn = dict(zip(names, written(names, NAME), strict=True))
    return [
        _curve(drawn[name], [row for row in rows if row.contender == name], floor)
        for name in names
    ]


def _curve(name: str, rows: Sequence[Summary], floor: float) -> Curve:
    means = np.maximum([row.mean for row in rows], floor)
    sd = np.array([row.sd for row in rows])
    down = means - np.maximum(means - sd, floor)
    places = np.array([row.labels for row in rows], np.float64)
    return Curve(name, places, means, np.stack([down, sd]))


def _facts(runs: Sequence[CurveRun], test_pictures: int) -> Iterator[Fact]:
    labels = sorted({run.labels for run in runs})
    seeds = len({run.seed for run in runs})
    span = f"{labels[0]:,}" + (f" to {labels[-1]:,}" if len(labels) > 1 else "")
    yield Fact("Labels", span, f"{count(len(labels), 'number')} of them")
    yield Fact("Seeds", f"{seeds:,}", "runs of one seed are compared")
    yield Fact("Runs", f"{len(runs):,}", "trainings in all")
    yield Fact("Test pictures", f"{test_pictures:,}", "the same for all")


def judge(rows: Sequence[Summary], test_pictures: int) -> Verdict:
    """Say which contender needs fewer labels, as far as can be told."""
    first = rows[0].contender
    controls = list(dict.fromkeys(row.contender for row in rows))[1:]
    leads = [
        f"{'It' if at else capital(first)} {_against(name, rows)}."
        for at, name in enumerate(controls)
    ]
    lead = " ".join(leads) or _alone(rows, test_pictures)
    runs = {row.n for row in rows}
    few, many = min(runs), max(runs)
    over = f"{few} to {count(many, 'seed')}" if few < many else count(few, "seed")
    on = count(test_pictures, "test picture")
    figures = f"Errors are means over {over}, on {on}."
    return Verdict(lead, figures, " ".join(_caveats(rows)))


def sentences(rows: Sequence[Summary], test_pictures: int) -> list[str]:
    """Say how they stand with each number of labels, one sentence a number."""
    counts = sorted({row.labels for row in rows})
    groups = ([row for row in rows if row.labels == labels] for labels in counts)
    return [_sentence(group, rows[0].contender, test_pictures) for group in groups]


def fine(test_pictures: int) -> int:
    """Say as a share of how many pictures a mean error is written."""
    return max(test_pictures, FINE)


def _against(control: str, rows: Sequence[Summary]) -> str:
    tried = [row for row in rows if row.contender == control]
    apart = [row for row in tried if row.p < CHANCE]
    less = [row.labels for row in apart if row.difference > 0]
    more = [row.labels for row in apart if row.difference < 0]
    if not apart:
        return f"is not to be told apart from {control}"
    parts = [
        f"errs {word} than {control} with {_labels(numbers, len(tried))}"
        for word, numbers in (("less", less), ("more", more))
        if numbers
    ]
    return listed(parts)


def _labels(numbers: Sequence[int], tried: int) -> str:
    if len(numbers) == tried > 1:
        return f"every number of labels tried, {numbers[0]:,} to {numbers[-1]:,}"
    shown = listed([f"{number:,}" for number in numbers])
    return f"{shown} label" + ("" if shown == "1" else "s")


def _alone(rows: Sequence[Summary], n: int) -> str:
    fewest, most = rows[0], rows[-1]
    name = capital(fewest.contender)
    begin = f"{name} errs on {_percent(fewest, n)} with {count(fewest.labels, 'label')}"
    if fewest.labels == most.labels:
        return f"{begin}."
    return f"{begin}, and on {_percent(most, n)} with {most.labels:,}."


def _sentence(group: Sequence[Summary], first: str, n: int) -> str:
    parts = [
        f"{row.contender} {'' if at else 'errs '}on {_percent(row, n)}"
        + ("" if row.contender == first else f", {_beside(row, n)}")
        for at, row in enumerate(group)
    ]
    return f"With {count(group[0].labels, 'label')} {'; '.join(parts)}."


def _beside(row: Summary, n: int) -> str:
    if not row.pairs:
        return "with no seed in common"
    if not row.difference:
        return "no more and no fewer"
    more = "more" if row.difference > 0 else "fewer"
    much = f"{points(abs(row.difference) / 100, fine(n))} points {more}"
    if row.pairs == 1:
        return f"{much}, and one seed cannot say whether this is chance"
    if math.isnan(row.p):
        return f"{much} with every seed"
    sure = "more than chance" if row.p < CHANCE else "which may be chance"
    return f"{much}, {sure} {p_words(row.p)}"


def _percent(row: Summary, n: int) -> str:
    return percent(row.mean / 100, fine(n))


def _caveats(rows: Sequence[Summary]) -> Iterator[str]:
    tests = sum(not math.isnan(row.p) for row in rows)
    if tests > 1:
        yield (
            f"Of {tests} comparisons without any difference, one in "
            f"{round(1 / CHANCE)} would still be called more than chance."
        )
    if all(row.n == 1 for row in rows):
        yield "One seed makes an anecdote, not a measurement."
