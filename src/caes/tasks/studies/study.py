"""A study: the same network from a trained stack and from random weights, in pairs."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from caes.data import ImageSet, load
from caes.data.labels.draws import only
from caes.data.labels.labelled import labelled_only
from caes.errors import RunError
from caes.estimators import CAE, CAEClassifier
from caes.runs.ledger import Ledger, Row, pass_on_interruption
from caes.tasks.studies.summary import Errors, summary_lines
from caes.train.recipes import StartName

KEYS = ("table", "labels", "seed", "start", "recipe")
FIGURES = ("error", "test_pictures", "epochs", "seconds", "data", "stack")
STARTS: tuple[StartName, ...] = ("stack", "random")
Run = tuple[int, int, StartName]
"""Number of labels, seed and start."""


@dataclass(frozen=True)
class Table:
    """One table of a study: how its networks are trained, and with how many labels.

    Args:
        name: What it is called in the results.
        data: Source, as for `caes.load`.
        learn: Split that is learned from: without labels by the stack, with some of
            them by the classifiers.
        test: Split that every error is measured on, once.
        stack: Arguments of the `CAE`.
        classifier: Arguments of the `CAEClassifier`.
        seeds: For each number of labels the seeds: of labels, weights and order.
        changes: For a number of labels, arguments of the classifier that differ.
        beside: Whether the pictures whose labels are not drawn are learned from, too,
            by the classifier that starts from the stack.
        published: Errors in per cent to print beside, by number of labels and name.
    """

    name: str
    data: str
    learn: str
    test: str
    stack: Mapping[str, Any]
    classifier: Mapping[str, Any]
    seeds: Mapping[int, int]
    changes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    beside: bool = False
    published: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    def plan(self) -> Iterator[Run]:
        """Give number of labels, seed and start of each run, pair by pair."""
        for labels, seeds in self.seeds.items():
            for seed in range(seeds):
                for start in STARTS:
                    yield labels, seed, start

    def options(self, labels: int) -> dict[str, Any]:
        """Give the arguments of the classifiers with so many labels."""
        return {**self.classifier, **self.changes.get(labels, {})}

    def recipe(self, labels: int) -> str:
        """Give what tells a run's recipe from an earlier one: 8 hexadecimal digits."""
        options = self.options(labels)
        return digest(self.learn, self.test, self.stack, options, self.beside)


@dataclass
class Study:
    """Runs of a table, each one kept as soon as it is done.

    Args:
        table: What is made.
        folder: Where the stack and the runs are kept.
        say: Told of every step, a line each.
    """

    table: Table
    folder: Path
    say: Callable[[str], None]

    def run(self) -> Ledger:
        """Make all runs that are not there yet.

        Raises:
            DataError: The pictures are missing, or the table of runs is another one.
            OutputError: The folder cannot be written.
        """
        ledger = Ledger(self.folder / "runs.csv", KEYS, FIGURES)
        missing = [key for key in self.table.plan() if not self._done(ledger, key)]
        if not missing:
            return ledger
        ledger.claim()
        images, test = self._load(self.table.learn), self._load(self.table.test)
        name = self.table.name
        wanted = CAE(**self.table.stack, random_state=0)
        stack = kept_or_trained(wanted, self.folder, name, images, self.say)
        for key in missing:
            self._one(ledger, key, stack, images, test)
        return ledger

    def _done(self, ledger: Ledger, key: Run) -> bool:
        return ledger.find(**self._key(key)) is not None

    def _key(self, run: Run) -> dict[str, object]:
        labels = run[0]
        values = (self.table.name, *run, self.table.recipe(labels))
        return dict(zip(KEYS, values, strict=True))

    def _load(self, split: str) -> ImageSet:
        return load(self.table.data, split)

    def _one(
        self,
        ledger: Ledger,
        key: Run,
        stack: CAE,
        images: ImageSet,
        test: ImageSet,
    ) -> None:
        labels, seed, start = key
        began = time.perf_counter()
        classifier = fitted(self.table, stack, images, labels, seed, start)
        pass_on_interruption(classifier.history_)
        error = 100 * (1 - classifier.score(test))
        seconds = time.perf_counter() - began
        figures = {
            "error": f"{error:.4f}",
            "test_pictures": len(test),
            "epochs": len(classifier.history_.rows),
            "seconds": f"{seconds:.1f}",
            "data": images.source,
            "stack": stack.arch,
        }
        ledger.add(self._key(key), figures)
        self.say(
            f"{self.table.name}: {labels:,} labels, seed {seed}, {start}: "
            f"error {error:.2f} % ({seconds:.0f} s)"
        )


def digest(*made_of: Any) -> str:
    """Give 8 hexadecimal digits that tell one recipe from another."""
    text = json.dumps(made_of, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def kept_or_trained(
    wanted: CAE, folder: Path, name: str, images: ImageSet, say: Callable[[str], None]
) -> CAE:
    """Train a stack, or read it where an earlier call has kept it."""
    place = folder / f"{name}-stack"
    try:
        kept = CAE.load(place)
    except RunError:
        kept = None
    if (
        kept is not None
        and kept.get_params() == wanted.get_params()
        and kept.provenance_["data fingerprint"] == f"sha256:{images.fingerprint}"
    ):
        return kept
    say(f"{name}: training the stack {wanted.arch}")
    pass_on_interruption(wanted.fit(images).history_)
    wanted.save(place, force=True)
    return wanted


def fitted(
    table: Table,
    stack: CAE,
    images: ImageSet,
    labels: int,
    seed: int,
    start: StartName,
) -> CAEClassifier:
    """Train one classifier of a table.

    Both starts of a seed see the same labels in the same order.
    """
    options = table.options(labels)
    classifier = CAEClassifier(stack, start=start, random_state=seed, **options)
    few = only(images, labels, seed)
    if not (table.beside and start == "stack"):
        few = labelled_only(few)
    return classifier.fit(few)


def markdown(table: Table, ledger: Ledger) -> list[str]:
    """Write a table's errors, mean ± sd over the seeds, with the paired test."""
    return summary_lines(table.published, errors_in(table, ledger))


def runs_of(table: Table, ledger: Ledger) -> list[Row]:
    """Give the runs of a table's recipe, without those of an earlier one.

    Raises:
        DataError: The ledger was damaged by hand.
    """
    return [
        row
        for row in ledger
        if row["table"] == table.name
        and row["recipe"] == table.recipe(int(ledger.number(row, "labels")))
    ]


def errors_in(table: Table, ledger: Ledger) -> Errors:
    """Sort the errors of a table's recipe by number of labels, start and seed.

    Raises:
        DataError: The ledger was damaged by hand.
    """
    found: Errors = {}
    for row in runs_of(table, ledger):
        labels, seed = (int(ledger.number(row, key)) for key in ("labels", "seed"))
        runs = found.setdefault(labels, {}).setdefault(row["start"], {})
        runs[seed] = ledger.number(row, "error")
    return dict(sorted(found.items()))
