"""The report of a label curve: how the error falls as labels are added."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from caes.report import label_chart
from caes.report.amounts import count, listed
from caes.report.facts import Fact
from caes.report.label_summary import (
    CurveRun,
    Summary,
    check,
    runs_table,
    summarise,
    summary_table,
)
from caes.report.label_verdict import fine, judge, sentences
from caes.report.plate import Plate, plate
from caes.report.publish import publish
from caes.report.templates import render

__all__ = ["CurveRun", "write_label_curve"]


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
    """Write ``report.html``, ``figures/label-curve.png`` and two tables.

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
        ArgumentError: No run, the same one twice, less than one label or test picture,
            or an error that is not in [0, 100].
        OutputError: The folder cannot be written.
    """
    check(runs, test_pictures)
    rows = summarise(runs)
    curve = _plate(rows, test_pictures)
    page = render(
        "label_curve.html",
        command=command,
        contenders=listed(list(dict.fromkeys(row.contender for row in rows))),
        curve=curve,
        data=provenance.get("data", "Label curve"),
        facts=_facts(runs, test_pictures),
        notes=notes,
        provenance=provenance,
        fine=fine(test_pictures),
        groups=[
            (name, [*group]) for name, group in groupby(rows, attrgetter("contender"))
        ],
        rows=rows,
        sentences=sentences(rows, test_pictures),
        settings=settings,
        test_pictures=test_pictures,
        verdict=judge(rows, test_pictures),
    )
    tables = {"curve": runs_table(runs), "summary": summary_table(rows)}
    return publish(folder, page, {curve.name: curve.light}, tables)


def _plate(rows: Sequence[Summary], test_pictures: int) -> Plate:
    half = 50 / test_pictures
    lines = label_chart.curves(rows, half)
    low, high = (f(row.mean for row in rows) for f in (min, max))
    alt = (
        f"Error against the number of labels, from {high:.3g}% to {low:.3g}%, "
        f"for {count(len(lines), 'contender')}."
    )
    caption = "Both axes are logarithmic."
    if low < half:
        caption += " An error of 0 is drawn as if half a picture were wrong."
    return plate("label-curve", partial(label_chart.draw, lines), alt, caption)


def _facts(runs: Sequence[CurveRun], test_pictures: int) -> Iterator[Fact]:
    labels = sorted({run.labels for run in runs})
    seeds = len({run.seed for run in runs})
    span = f"{labels[0]:,}" + (f" to {labels[-1]:,}" if len(labels) > 1 else "")
    yield Fact("Labels", span, f"{count(len(labels), 'number')} of them")
    yield Fact("Seeds", f"{seeds:,}", "runs of one seed are compared")
    yield Fact("Runs", f"{len(runs):,}", "trainings in all")
    yield Fact("Test pictures", f"{test_pictures:,}", "the same for all")
