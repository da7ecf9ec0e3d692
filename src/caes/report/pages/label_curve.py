"""The page of a label curve: how the error falls as labels are added."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from caes.report import charts
from caes.report.charts import Chart, Curve, chart
from caes.report.layout import Fact, Table, Verdict, publish, render
from caes.report.numbers import capital, cell, count, listed, p_words, percent, points
from caes.report.pictures import labels as written
from caes.report.statistics import CHANCE, PAIRS, holm, paired

FINE = 10_000
"""Means over seeds are written as if there were at least so many test pictures."""
NAME = 68
"""Letters of a contender's name in the figure."""


class CurveRun(NamedTuple):
    """One training and its error."""

    contender: str  # who was trained, such as "the classifier"
    labels: int  # labelled pictures it learned from
    seed: int  # of labels drawn and of training; runs of one seed are compared
    error: float  # on the test pictures, in per cent


class Summary(NamedTuple):
    """The runs of one contender with one number of labels; errors in per cent."""

    contender: str
    labels: int
    n: int  # runs
    mean: float
    sd: float  # of n − 1; NaN for one run
    difference: float  # over the pairs, the mean of the error minus the first's, or NaN
    p: float  # of the paired t-test, corrected (`holm`); NaN where it cannot be made
    pairs: int  # seeds that the first contender was trained with too


def summarise(runs: Sequence[CurveRun]) -> list[Summary]:
    """Put the runs together, contender by contender, the fewest labels first.

    Each p is corrected for the number of all.
    """
    errors: dict[tuple[str, int], dict[int, float]] = {}
    for run in runs:
        errors.setdefault((run.contender, run.labels), {})[run.seed] = run.error
    names = list(dict.fromkeys(run.contender for run in runs))
    found = []
    for name, labels in sorted(errors, key=lambda at: (names.index(at[0]), at[1])):
        own = errors[name, labels]
        first = {} if name == names[0] else errors.get((names[0], labels), {})
        seeds = [seed for seed in own if seed in first]
        tested = paired([own[at] for at in seeds], [first[at] for at in seeds])
        each = np.array([*own.values()])
        sd = float(each.std(ddof=1)) if len(each) > 1 else math.nan
        mean = float(each.mean())
        found.append(Summary(name, labels, len(each), mean, sd, *tested, len(seeds)))
    corrected = holm([row.p for row in found])
    return [row._replace(p=p) for row, p in zip(found, corrected, strict=True)]


def summary_table(rows: Sequence[Summary]) -> Table:
    """Lay the summary out for a file; what is not defined is left empty."""
    return [Summary._fields[:-1], *((*row[:3], *map(cell, row[3:-1])) for row in rows)]


def write_label_curve(
    folder: Path,
    *,
    runs: Sequence[CurveRun],  # others are compared with the first one's contender
    test_pictures: int,  # that every error was measured on
    provenance: Mapping[str, str],
    command: str,  # that made it, for the reader to copy
    notes: Sequence[str],  # what a reader should know beside all that, a sentence each
    settings: Mapping[str, object],
) -> Path:
    """Write ``report.html``, ``figures/label-curve.svg`` and two tables.

    ``curve.csv`` has a row a run, ``summary.csv`` one for each contender and number of
    labels: n, mean and sd of the errors in per cent, the mean difference to the first
    contender over the seeds that both have, and the p of the paired t-test, by Holm's
    correction for all of them.
    """
    rows = summarise(runs)
    curve, groups = draw(rows, test_pictures), _by_contender(rows)
    page = render(
        "label_curve.html",
        command=command,
        contenders=listed([*groups]),
        curve=curve,
        data=provenance.get("data", "Label curve"),
        parts={},
        facts=_facts(runs, test_pictures),
        notes=notes,
        provenance=provenance,
        fine=max(test_pictures, FINE),
        groups=groups.items(),
        first=rows[0].contender,
        sentences=sentences(rows, test_pictures),
        settings=settings,
        test_pictures=test_pictures,
        verdict=judge(rows, test_pictures),
    )
    tables = {"curve": [CurveRun._fields, *runs], "summary": summary_table(rows)}
    return publish(folder, page, [curve], tables=tables)


def _by_contender(rows: Sequence[Summary]) -> dict[str, list[Summary]]:
    groups = groupby(rows, attrgetter("contender"))
    return {name: [*group] for name, group in groups}


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
    groups, found = _by_contender(rows), []
    for name, group in zip(written([*groups], NAME), groups.values(), strict=True):
        _, labels, _, mean, sd, *_ = zip(*group, strict=True)
        means = np.maximum(mean, floor)
        down = means - np.maximum(means - sd, floor)
        found.append(Curve(name, np.array(labels, float), means, np.stack([down, sd])))
    return found


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
    first, *controls = _by_contender(rows).items()
    leads = [
        f"{'It' if at else capital(first[0])} {_against(*control)}."
        for at, control in enumerate(controls)
    ]
    lead = " ".join(leads) or _alone(rows, max(test_pictures, FINE))
    runs = {row.n for row in rows}
    over = f"{min(runs)} to " * (len(runs) > 1) + count(max(runs), "seed")
    on = count(test_pictures, "test picture")
    figures = f"Errors are means over {over}, on {on}."
    return Verdict(lead, figures, " ".join(_caveats(rows)))


def sentences(rows: Sequence[Summary], test_pictures: int) -> list[str]:
    """Say how they stand with each number of labels, one sentence a number."""
    first, fine = rows[0].contender, max(test_pictures, FINE)
    by_labels = sorted(rows, key=attrgetter("labels"))
    groups = groupby(by_labels, attrgetter("labels"))
    return [_sentence(labels, group, first, fine) for labels, group in groups]


def _against(control: str, tried: Sequence[Summary]) -> str:
    apart = [row for row in tried if row.p < CHANCE]
    ranks = {
        "less": [row.labels for row in apart if row.difference > 0],
        "more": [row.labels for row in apart if row.difference < 0],
    }
    parts = []
    for word, labels in ranks.items():
        shown = listed([f"{number:,}" for number in labels]) if labels else ""
        shown += " label" + "s" * (shown != "1")
        if len(labels) == len(tried) > 1:
            shown = f"every number of labels tried, {labels[0]:,} to {labels[-1]:,}"
        if labels:
            parts.append(f"errs {word} than {control} with {shown}")
    return listed(parts) if parts else f"is not to be told apart from {control}"


def _alone(rows: Sequence[Summary], n: int) -> str:
    fewest, most = rows[0], rows[-1]
    few, many = (percent(row.mean / 100, n) for row in (fewest, most))
    more = f", and on {many} with {most.labels:,}" * (fewest.labels < most.labels)
    labels = count(fewest.labels, "label")
    return f"{capital(fewest.contender)} errs on {few} with {labels}{more}."


def _sentence(labels: int, group: Iterable[Summary], first: str, n: int) -> str:
    parts = [
        f"{row.contender} {'' if at else 'errs '}on {percent(row.mean / 100, n)}"
        + ("" if row.contender == first else f", {_beside(row, n)}")
        for at, row in enumerate(group)
    ]
    return f"With {count(labels, 'label')} {'; '.join(parts)}."


def _beside(row: Summary, n: int) -> str:
    if not row.pairs:
        return "with no seed in common"
    if not row.difference:
        return "no more and no fewer"
    more = "more" if row.difference > 0 else "fewer"
    much = f"{points(abs(row.difference) / 100, n)} points {more}"
    if row.pairs < PAIRS:
        seeds = "one seed" if row.pairs == 1 else "two seeds"
        return f"{much}, and {seeds} cannot say whether this is chance"
    if math.isnan(row.p):
        return f"{much} with every seed"
    sure = "more than chance" if row.p < CHANCE else "which may be chance"
    return f"{much}, {sure} {p_words(row.p)}"


def _caveats(rows: Sequence[Summary]) -> Iterator[str]:
    tests = sum(not math.isnan(row.p) for row in rows)
    if tests > 1:
        yield f"Every p is corrected for {tests} comparisons (Holm 1979)."
    if all(row.n == 1 for row in rows):
        yield "One seed makes an anecdote, not a measurement."
