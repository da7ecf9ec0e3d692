"""A study: the same network from a trained stack and from random weights, in pairs.

Where the one from the stack learns from pictures without labels too, by its own sure
answers on them, there are two controls: random weights on the labels alone, and random
weights that learn from their own sure answers.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from caes.data import ImageSet, load
from caes.errors import RunError
from caes.estimators import CAE, CAEClassifier
from caes.options import values
from caes.report.pages.label_curve import CurveRun, Summary, summarise
from caes.report.statistics import accuracy_interval
from caes.runs.ledger import Ledger, Row, pass_on_interruption
from caes.tasks.label_curve import trained, with_length
from caes.train.options import Options
from caes.train.recipes import StartName

KEYS = ("table", "labels", "seed", "start", "recipe")
FIGURES = ("error", "test_pictures", "epochs", "seconds", "data", "stack")
STARTS: tuple[StartName, ...] = ("stack", "random")
TAUGHT = "random, own answers"
"""Random weights that learn from their own sure answers, as the stack does."""
Run = tuple[int, int, str]
"""Number of labels, seed, and a start or `TAUGHT`."""
RETRIED = "(recipe changed after a test error)"
CONTROLS = {"random": "from random weights", TAUGHT: "… that learn from own answers"}
COMPARED = ("difference", "p", "seeds")
EARLIER: Mapping[str, str] = {
    "83515dff": "e5d4f5a3",
    "bd97659b": "be08fa4b",
    "91361478": "7fa725d9",
    "8dd078d0": "7fef6424",
    "2aeefef3": "ea5dc529",
    "ae13e5c8": "600d1114",
    "2bfc91cd": "ede5c65b",
    "63e4a032": "e16198d6",
    "b8226c2c": "a69991b9",
    "515202c7": "8da49ff6",
}
"""How the rows of a recipe were marked when only what it changed was counted."""


@dataclass(frozen=True)
class Table:
    """One table of a study: how its networks are trained, and with how many labels."""

    name: str  # what it is called in the results
    data: str  # source, as for `caes.load`
    # Splits: learned from, without labels by the stack, with some by the classifiers;
    # and measured on, once.
    learn: str
    test: str
    stack: Mapping[str, Any]  # arguments of the `CAE`
    classifier: Mapping[str, Any]  # arguments of the `CAEClassifier`
    # By number of labels: how many seeds, of labels, weights and order; arguments of
    # the classifier that differ; and errors in per cent to print beside, by name.
    seeds: Mapping[int, int]
    changes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    published: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    # Numbers of labels with which pictures whose labels are not drawn are learned from,
    # too, from the stack and by one of two controls.
    beside: frozenset[int] = frozenset()
    # Numbers of labels whose recipe was changed after a test error had been seen.
    retried: frozenset[int] = frozenset()

    def plan(self) -> Iterator[Run]:
        """Give number of labels, seed and start of each run, pair by pair."""
        for labels, seeds in self.seeds.items():
            starts = (*STARTS, TAUGHT) if labels in self.beside else STARTS
            yield from product([labels], range(seeds), starts)

    def options(self, labels: int) -> dict[str, Any]:
        """Give the arguments of the classifiers with so many labels."""
        return {**self.classifier, **self.changes.get(labels, {})}

    def recipe(self, labels: int) -> str:
        """Give what tells a run's recipe from an earlier one: 8 hexadecimal digits."""
        chosen = resolved(self.stack, self.options(labels))
        return digest(self.learn, self.test, *chosen, labels in self.beside)


def study(table: Table, folder: Path, say: Callable[[str], None]) -> Ledger:
    """Make all runs of a table that are not there yet; open nothing without need."""
    ledger = Ledger(folder / "runs.csv", KEYS, FIGURES)
    keys = [_key(table, run, ledger) for run in table.plan()]
    if all(ledger.find(**key) for key in keys):
        return ledger
    ledger.claim()
    images, test = load(table.data, table.learn), load(table.data, table.test)
    wanted = CAE(**table.stack, random_state=0)
    stack = kept_or_trained(wanted, folder, table.name, images, say)

    def figures(key: Mapping[str, Any]) -> dict[str, object]:
        began = time.perf_counter()
        _, labels, seed, arm, _ = key.values()
        options = table.options(labels)
        beside = labels in table.beside and arm != "random"
        start: StartName = "stack" if arm == "stack" else "random"
        classifier = trained(stack, images, labels, seed, start, options, beside=beside)
        return {
            "error": f"{100 * (1 - classifier.score(test)):.4f}",
            "test_pictures": len(test),
            "epochs": len(classifier.history_.rows),
            "seconds": f"{time.perf_counter() - began:.1f}",
            "data": images.source,
            "stack": stack.arch,
        }

    def tell(row: Row) -> None:
        run = f"{int(row['labels']):,} labels, seed {row['seed']}, {row['start']}"
        error = f"error {float(row['error']):.2f} % ({float(row['seconds']):.0f} s)"
        say(f"{table.name}: {run}: {error}")

    ledger.fill(keys, figures, tell)
    return ledger


def _key(table: Table, run: Run, ledger: Ledger) -> dict[str, Any]:
    """Name a run, as its row is marked if it is there already."""
    recipe = table.recipe(run[0])
    key: dict[str, Any] = dict(zip(KEYS, (table.name, *run, recipe), strict=True))
    marked = key | {"recipe": EARLIER.get(recipe)}
    return marked if ledger.find(**marked) else key


def resolved(
    stack: Mapping[str, Any], classifier: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give all options of a stack and of its fine-tuning, defaults filled in."""
    fine = CAEClassifier(**with_length(classifier)).resolved()
    return resolved_stack(stack), _on(vars(fine))


def resolved_stack(stack: Mapping[str, Any]) -> dict[str, Any]:
    """Give all options of a stack that has an ``arch``, defaults filled in."""
    network = CAE(**stack).resolved((28, 28, 1))  # of any size
    return _on(values(network, Options))


def _on(options: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is off: a new option that is off makes no new recipe."""
    return {name: value for name, value in options.items() if value}


def digest(*made_of: Any) -> str:
    """Give 8 hexadecimal digits that tell one recipe from another."""
    text = json.dumps(made_of, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def kept_or_trained(
    wanted: CAE, folder: Path, name: str, images: ImageSet, say: Callable[[str], None]
) -> CAE:
    """Train a stack, or read it where an earlier call has kept it."""
    place = folder / f"{name}-stack"
    with suppress(RunError):
        kept = CAE.load(place)
        same = kept.provenance_["data fingerprint"] == f"sha256:{images.fingerprint}"
        if same and kept.get_params() == wanted.get_params():
            return kept
    say(f"{name}: training the stack {wanted.arch}")
    pass_on_interruption(wanted.fit(images).history_)
    wanted.save(place, force=True)
    return wanted


def runs_of(table: Table, ledger: Ledger) -> list[Row]:
    """Give the runs of a table's recipe, without those of an earlier one."""

    def marks(row: Row) -> tuple[str, ...]:
        recipe = table.recipe(int(ledger.number(row, "labels")))
        return recipe, EARLIER.get(recipe, "")

    rows = (row for row in ledger if row["table"] == table.name)
    return [row for row in rows if row["recipe"] in marks(row)]


def errors_in(table: Table, ledger: Ledger) -> list[CurveRun]:
    """Give the errors of a table's recipe, a start being a contender."""
    return [
        CurveRun(
            row["start"],
            int(ledger.number(row, "labels")),
            int(ledger.number(row, "seed")),
            ledger.number(row, "error"),
        )
        for row in runs_of(table, ledger)
    ]


def markdown(table: Table, ledger: Ledger) -> list[str]:
    """Write a table's errors, mean ± sd over the seeds, with the paired test."""
    runs = errors_in(table, ledger)
    counts = [int(row["test_pictures"] or 0) for row in runs_of(table, ledger)]
    tested = max(counts, default=0)
    return summary_lines(table.published, runs, table.retried, tested)


def summary_lines(
    published: Mapping[int, Mapping[str, float]],
    runs: Sequence[CurveRun],
    retried: Container[int] = (),
    tested: int = 0,
) -> list[str]:
    """Write a table: a row for each number of labels.

    A difference is the mean over seeds that both have, the stack minus a control, in
    percentage points; p is that of the paired t-test, corrected for all of the table. A
    single run has its 95 % interval (Wilson) over so many test pictures instead of a
    spread. Rows of recipes that were ``retried`` say so.
    """
    others = list(dict.fromkeys(name for row in published.values() for name in row))
    there = {run.contender for run in runs}
    controls = [name for name in CONTROLS if name == "random" or name in there]
    head = ["labels", "from the stack"]
    for name in controls:
        head += [CONTROLS[name], *COMPARED]
    lines = [_row([*head, *others]), _row(["---"] * (len(head) + len(others)))]
    # In summaries all others are compared with the first contender: "stack".
    rows = summarise(sorted(runs, key=lambda run: run.contender != "stack"))
    found = {(row.labels, row.contender): row for row in rows}
    for labels in sorted({run.labels for run in runs}):
        cells = [f"{labels:,}" + f" {RETRIED}" * (labels in retried)]
        cells.append(_spread(found.get((labels, "stack")), tested))
        for name in controls:
            control = found.get((labels, name))
            cells += [_spread(control, tested), *_compared(control)]
        told = published.get(labels, {})
        cells += [f"{told[name]:.2f}" if name in told else "" for name in others]
        lines.append(_row(cells))
    return lines


def _compared(control: Summary | None) -> tuple[str, str, str]:
    """Write the difference to a control, its p, and the seeds of both."""
    if control is None or not control.pairs:
        return "", "", "0"
    p = "" if math.isnan(control.p) else f"{control.p:.2g}"
    return f"{0 - control.difference:+.2f}", p, f"{control.pairs}"


def _spread(row: Summary | None, tested: int) -> str:
    if row is None:
        return ""
    if row.n > 1:
        return f"{row.mean:.2f} ± {row.sd:.2f}"
    return f"{row.mean:.2f}" + (f" {within(row.mean, tested)}" if tested else "")


def within(error: float, tested: int) -> str:
    """Write the 95 % interval (Wilson) of one run's error, in per cent."""
    right = tested - round(error * tested / 100)
    low, high = accuracy_interval(right, tested)
    return f"({100 - 100 * high:.2f} to {100 - 100 * low:.2f})"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
