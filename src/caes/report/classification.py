"""The report of a classifier: what it gets wrong, beside its controls."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.report import confusion, mistakes, reliability, scores, training
from caes.report.amounts import count, duration, percent
from caes.report.canvas import png
from caes.report.comparison import judge
from caes.report.contender import Contender
from caes.report.facts import Fact, epochs
from caes.report.judgement import BINS
from caes.report.outcome import Outcome, examine
from caes.report.plate import Plate, plate
from caes.report.publish import publish
from caes.report.sources import Part, sources
from caes.report.templates import render
from caes.train.history import History

__all__ = ["Contender", "write_classification_report"]

ACCURACY = "The share of training pictures named correctly, counted as they were met."


def write_classification_report(
    folder: Path,
    *,
    images: ImageSet,
    truth: NDArray[np.int64],
    classes: tuple[str, ...],
    contenders: Sequence[Contender],
    history: History,
    settings: Mapping[str, object],
    provenance: Mapping[str, str],
    command: str,
    notes: Sequence[str],
    labelled: int,
    unlabelled: int,
) -> Path:
    """Write ``report.html``, ``figures/*.png``, ``confusion.csv``, ``per_class.csv``.

    Args:
        folder: Where to; files of the same names are replaced.
        images: The N test pictures.
        truth: Their classes, N indices in [0, K).
        classes: K names.
        contenders: The classifier itself, then its controls.
        history: How the classifier was trained; its epochs may be none.
        settings: The classifier's, by name.
        provenance: How it was made, ready to print.
        command: The command that made it, for the reader to copy.
        notes: What a reader should know beside all that, a sentence each.
        labelled: Pictures it learned from with their class.
        unlabelled: Pictures it learned from without.

    Returns:
        The path of the page.

    Raises:
        ArgumentError: The contenders do not answer for N pictures of K classes.
        OutputError: The folder cannot be written.
    """
    outcome = examine(images, truth, classes, contenders)
    drawn = _plates(outcome, history)
    page = render(
        "classification.html",
        command=command,
        facts=_facts(outcome, history, settings, labelled, unlabelled),
        last=history.rows[-1] if history.rows else None,
        learned=f"{count(labelled, 'picture')} with labels, {unlabelled:,} without",
        outcome=outcome,
        plates=drawn,
        provenance=provenance,
        reliable=reliability.described(outcome.bins),
        settings=settings,
        verdict=judge(outcome.rows, outcome.rule, outcome.unseen),
        **sources(Part("Test", images), notes=notes),
    )
    figures = {name: each.light for name, each in drawn.items()}
    if outcome.mistakes:
        figures["mistakes"] = png(mistakes.draw(outcome.mistakes, classes))
    tables = {
        "confusion": confusion.table(outcome.counts, classes),
        "per_class": scores.table(outcome.scores),
    }
    return publish(folder, page, figures, tables)


def _plates(outcome: Outcome, history: History) -> dict[str, Plate]:
    drawn = [_confusion(outcome), _reliability(outcome)]
    if history.rows:
        drawn.append(training.loss(history, "cross-entropy"))
        drawn.extend(training.accuracy(history, ACCURACY))
    return {each.name: each for each in drawn}


def _confusion(outcome: Outcome) -> Plate:
    confused = outcome.drawn
    caption = (
        "Numbers are pictures; an empty cell has none. The stronger a cell's colour, "
        "the larger its share of the row (on a scale of square roots, so that few "
        "mistakes show): blue is right, orange wrong."
    )
    k = len(confused.names)
    if k < confused.total:
        caption = (
            f"The {k} of {confused.total} classes with the most mistakes. {caption}"
        )
    alt = (
        f"Confusion matrix of {count(k, 'class')}: {outcome.own.wrong:,} of "
        f"{count(outcome.own.n, 'test picture')} lie off its diagonal."
    )
    return plate("confusion", partial(confusion.draw, confused), alt, caption)


def _reliability(outcome: Outcome) -> Plate:
    alt = f"Reliability diagram. {reliability.described(outcome.bins)}"
    return plate("reliability", partial(reliability.draw, outcome.bins), alt)


def _facts(
    outcome: Outcome,
    history: History,
    settings: Mapping[str, object],
    labelled: int,
    unlabelled: int,
) -> Iterator[Fact]:
    own = outcome.own
    low, high = (percent(1 - bound, own.n) for bound in reversed(own.interval))
    yield Fact(
        "Accuracy", percent(1 - own.error, own.n), f"95% confidence: {low} to {high}"
    )
    yield Fact(
        "Error",
        percent(own.error, own.n),
        f"{own.wrong:,} of {count(own.n, 'test picture')}",
    )
    mean = scores.mean_f1(outcome.scores)
    yield Fact("F1", f"{mean:.3f}", f"mean over {count(len(outcome.classes), 'class')}")
    note = f"expected, {BINS} bins"
    yield Fact("Calibration error", f"{outcome.calibration:.1%}", note)
    yield Fact(
        "Labelled", count(labelled, "picture"), "to learn from, with their class"
    )
    yield Fact("Unlabelled", count(unlabelled, "picture"), "seen without their class")
    asked = settings.get("epochs")
    run = len(history.rows)
    if settings.get("rounds") and unlabelled:
        yield Fact("Epochs", f"{run:,}", "in the last round, over all that had a label")
    else:
        yield epochs(history, asked if isinstance(asked, int) else run)
    yield Fact("Time", duration(own.seconds or 0), "for training")
