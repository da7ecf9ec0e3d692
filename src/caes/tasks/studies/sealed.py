"""A study whose every choice is committed before anything is measured.

Each start chooses its own learning rate and length from one grid, by its own error on
pictures kept apart for that. The choice is written into the source and committed; only
then are errors computed, once, on the test pictures and on sealed ones that nothing
was ever chosen on.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.metrics import log_loss

from caes.data import load
from caes.data.labels.labelled import labels_of
from caes.errors import ArgumentError
from caes.estimators import CAE, CAEClassifier
from caes.report.pages.label_curve import CurveRun
from caes.runs.ledger import Ledger, Row, commit
from caes.tasks.label_curve import trained
from caes.tasks.studies.study import (
    KEYS,
    STARTS,
    digest,
    kept_or_trained,
    resolved,
    summary_lines,
)
from caes.train.recipes import StartName

CHOICE_KEYS = ("table", "labels", "start", "learning_rate", "epochs", "recipe")
CHOICE_FIGURES = ("error", "log_loss", "watched_pictures", "seconds", "data", "stack")
FIGURES = (
    "sealed_error",
    "sealed_pictures",
    "error",
    "test_pictures",
    "learning_rate",
    "epochs",
    "seconds",
    "data",
    "stack",
)
CHOOSING = 0
"""Seed of the stack, the labels and the training that the choice is made with."""


class Setting(NamedTuple):
    """What each start chooses."""

    learning_rate: float
    epochs: int

    def __str__(self) -> str:
        return f"rate {self.learning_rate:g}, {self.epochs} epochs"


@dataclass(frozen=True)
class SealedTable:
    """A table: what is learned from, chosen on and measured on, and what was chosen."""

    name: str
    data: str  # source, as for `caes.load`
    # Splits: learned from, without labels by the stack, with some by the classifiers;
    # chosen on; and measured on, once.
    learn: str
    watch: str
    sealed: str
    test: str
    stack: Mapping[str, Any]  # arguments of the `CAE`
    classifier: Mapping[str, Any]  # arguments of the `CAEClassifier`
    # By number of labels: what each start chooses from; what it has chosen, by start;
    # how many seeds, of labels, weights and order; and errors to print beside.
    grid: Mapping[int, tuple[Setting, ...]]
    chosen: Mapping[int, Mapping[StartName, Setting]]
    seeds: Mapping[int, int]
    published: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    stacks: int = 3  # that seeds take in turn: seed 3 that of seed 0

    def options(self, setting: Setting) -> dict[str, Any]:
        """Give the arguments of a classifier of that setting."""
        return {**self.classifier, **setting._asdict()}

    def recipe(self, setting: Setting, *splits: str) -> str:
        """Give what tells a run's recipe from an earlier one: 8 hexadecimal digits."""
        chosen = resolved(self.stack, self.options(setting))
        return digest(self.learn, splits, *chosen)

    def choices(self, labels: int) -> list[dict[str, Any]]:
        """Give the keys of the rows that are chosen from."""
        every = product(STARTS, self.grid[labels])
        return [
            dict(
                zip(
                    CHOICE_KEYS, (self.name, labels, start, *setting, mark), strict=True
                )
            )
            for start, setting in every
            for mark in [self.recipe(setting, self.watch)]
        ]

    def runs(self, labels: int) -> list[dict[str, Any]]:
        """Give the keys of the rows that are measured, pair by pair."""
        return [
            dict(zip(KEYS, (self.name, labels, seed, start, mark), strict=True))
            for seed, start in product(range(self.seeds[labels]), STARTS)
            for mark in [
                self.recipe(self.chosen[labels][start], self.sealed, self.test)
            ]
        ]


def choice_ledger(folder: Path) -> Ledger:
    """Open the table of what was chosen from."""
    return Ledger(folder / "choice.csv", CHOICE_KEYS, CHOICE_FIGURES)


def run_ledger(folder: Path) -> Ledger:
    """Open the table of what was measured."""
    return Ledger(folder / "runs.csv", KEYS, FIGURES)


def measure(table: SealedTable, folder: Path, say: Callable[[str], None]) -> Ledger:
    """Let each start choose, and, where its choice is committed, measure it.

    Raises:
        ArgumentError: What was chosen is not in the source yet, or not committed.
    """
    choices, runs = choice_ledger(folder), run_ledger(folder)
    for ledger in (choices, runs):
        ledger.claim()
    work = _Work(table, folder, say)
    for labels in table.grid:
        choices.fill(table.choices(labels), work.choice, partial(_tell, say))
        check_committed(table, labels, best(table, choices, labels), say)
        runs.fill(table.runs(labels), work.run, partial(_tell, say))
    return runs


def best(table: SealedTable, choices: Ledger, labels: int) -> dict[StartName, Setting]:
    """Give what each start chooses: the smallest error, of equal ones by log loss."""

    def errs(row: Row) -> tuple[float, float]:
        return choices.number(row, "error"), choices.number(row, "log_loss")

    found = {}
    for start in STARTS:
        keys = [key for key in table.choices(labels) if key["start"] == start]
        rows = [row for key in keys if (row := choices.find(**key))]
        if len(rows) == len(keys):
            row = min(rows, key=errs)
            found[start] = Setting(float(row["learning_rate"]), int(row["epochs"]))
    return found


def check_committed(
    table: SealedTable,
    labels: int,
    wanted: Mapping[StartName, Setting],
    say: Callable[[str], None],
) -> None:
    """Refuse to measure what has not been chosen and committed before.

    Where the choice in the source was made on another machine, this one may choose
    otherwise: that is said, and the committed one holds.
    """
    listed = "; ".join(f"{start}: {setting}" for start, setting in wanted.items())
    if labels not in table.chosen:
        raise ArgumentError(
            f"the choice for {labels:,} labels of {table.name}",
            f"{listed}, which is not in the source",
            "a choice that was committed before anything is measured",
            "Write it into the table's chosen, commit, and run the same again.",
        )
    if commit().endswith("+"):
        raise ArgumentError(
            "the source",
            f"commit {commit()}, changed since",
            "committed code, whose commit stands in each row",
            "Commit, and run the same again.",
        )
    if table.chosen[labels] != wanted:
        say(f"{table.name}: here the choice is {listed}; the committed one is measured")


class _Work:
    """Trains and measures; opens pictures and trains stacks when they are needed."""

    def __init__(
        self, table: SealedTable, folder: Path, say: Callable[[str], None]
    ) -> None:
        self.table, self.folder, self.say = table, folder, say
        self.open = cache(partial(load, table.data))

    def choice(self, key: Mapping[str, Any]) -> dict[str, object]:
        """Train, and give the errors on the pictures that are chosen on."""
        began = time.perf_counter()
        setting = Setting(key["learning_rate"], key["epochs"])
        classifier = self.train(key["labels"], CHOOSING, key["start"], setting)
        watched = self.open(self.table.watch)
        told = classifier.predict_proba(watched)
        classes = classifier.classes_
        loss = log_loss(labels_of(watched), told, labels=classes)
        return {
            "error": _error(classifier, watched),
            "log_loss": f"{loss:.5f}",
            "watched_pictures": len(watched),
            **self.about(began),
        }

    def run(self, key: Mapping[str, Any]) -> dict[str, object]:
        """Train, and give the errors on sealed and test pictures."""
        began, table = time.perf_counter(), self.table
        setting = table.chosen[key["labels"]][key["start"]]
        classifier = self.train(key["labels"], key["seed"], key["start"], setting)
        sealed, test = self.open(table.sealed), self.open(table.test)
        return {
            "sealed_error": _error(classifier, sealed),
            "sealed_pictures": len(sealed),
            "error": _error(classifier, test),
            "test_pictures": len(test),
            **setting._asdict(),
            **self.about(began),
        }

    def train(
        self, labels: int, seed: int, start: StartName, setting: Setting
    ) -> CAEClassifier:
        table, images = self.table, self.open(self.table.learn)
        own = seed % table.stacks
        wanted, name = CAE(**table.stack, random_state=own), f"{table.name}-{own}"
        stack = kept_or_trained(wanted, self.folder, name, images, self.say)
        options = table.options(setting)
        return trained(stack, images, labels, seed, start, options, beside=False)

    def about(self, began: float) -> dict[str, object]:
        """Give what both kinds of rows say; a stack trained meanwhile is counted."""
        return {
            "seconds": f"{time.perf_counter() - began:.1f}",
            "data": self.table.data,
            "stack": self.table.stack["arch"],
        }


def _error(classifier: CAEClassifier, images: Any) -> str:
    return f"{100 * (1 - classifier.score(images)):.4f}"


def _tell(say: Callable[[str], None], row: Row) -> None:
    run = f"{int(row['labels']):,} labels, {row['start']}"
    seed = f", seed {row['seed']}" if "seed" in row else ""
    setting = Setting(float(row["learning_rate"]), int(row["epochs"]))
    sealed = f", sealed {row['sealed_error']} %" if "sealed_error" in row else ""
    say(
        f"{row['table']}: {run}{seed}, {setting}: error {row['error']} %{sealed} "
        f"({float(row['seconds']):.0f} s)"
    )


def runs_of(table: SealedTable, runs: Ledger) -> list[Row]:
    """Give the runs of what is chosen now."""
    keys = [key for labels in table.chosen for key in table.runs(labels)]
    return [row for key in keys if (row := runs.find(**key))]


def lines(table: SealedTable, choices: Ledger, runs: Ledger) -> list[str]:
    """Write as Markdown: errors on sealed pictures, on test pictures, the choosing."""
    rows, parts = runs_of(table, runs), []
    for words, column, count in (
        ("sealed pictures", "sealed_error", "sealed_pictures"),
        ("test pictures", "error", "test_pictures"),
    ):
        errors = [
            CurveRun(
                row["start"],
                int(row["labels"]),
                int(row["seed"]),
                runs.number(row, column),
            )
            for row in rows
        ]
        tested = max((int(row[count]) for row in rows), default=0)
        if errors:
            body = summary_lines(table.published, errors, (), tested)
            parts += [f"On {tested:,} {words}:", "", *body, ""]
    return [*parts, *_choosing(table, choices)]


def _choosing(table: SealedTable, choices: Ledger) -> list[str]:
    """Write a row for each setting that was tried, the chosen ones marked."""
    head = "| labels | start | learning rate | epochs | error | log loss | |"
    found = [head, "|---|---|---|---|---|---|---|"]
    for labels in table.grid:
        wanted = best(table, choices, labels)
        for key in table.choices(labels):
            if row := choices.find(**key):
                setting = Setting(float(row["learning_rate"]), int(row["epochs"]))
                start: StartName = "stack" if row["start"] == "stack" else "random"
                mark = "chosen" if wanted.get(start) == setting else ""
                error = f"{choices.number(row, 'error'):.2f}"
                cells = (*setting, error, row["log_loss"], mark)
                shown = " | ".join(map(str, (f"{labels:,}", start, *cells)))
                found.append(f"| {shown} |")
    return found if len(found) > 2 else []
