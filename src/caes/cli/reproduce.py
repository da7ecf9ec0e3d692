"""caes reproduce: a paper's tables and figure, made again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from caes.errors import ArgumentError

Paper = Literal["masci2011", "successors", "one-class"]


TABLES = ("mnist", "cifar10")
"""Tables of every paper."""
OWN = {"masci2011": "mnist-sealed", "successors": "codes", "one-class": "tiles"}
"""Tables of one alone."""
SEEDS, QUICK = 3, 100
"""Seeds of the tables of one-class, and steps of the quick one."""


@dataclass(frozen=True, kw_only=True)
class Reproduce:
    """Make the tables and the figure of Masci et al. 2011 again.

    Every run is kept in runs.csv as soon as it is done: the same command goes on where
    it was interrupted. "successors" trains with the system's default recipe instead,
    against what came after the paper. "one-class" tells one class of ten from the nine
    others, and tiles with defects from normal ones, with caes.AnomalyDetector.

    Args:
        paper: masci2011, successors, or one-class.
        table: mnist or cifar10: errors with few and with all labels, from the stack and
            from random weights, in pairs; codes, of the successors: the error of a
            linear classifier on codes of MNIST; mnist-sealed, of masci2011: each start
            chooses rate and length by itself, and is measured on pictures that nothing
            was chosen on; tiles, of one-class: magnetic tiles.
        figure: filters: those of four auto-encoders, clean and noisy, with and without
            pooling.
        quick: A small version on 5,000 digits, in minutes: table and figure.
        out: Folder of runs, tables and figures.
    """

    paper: Annotated[Paper, tyro.conf.Positional]
    table: Literal["mnist", "cifar10", "mnist-sealed", "codes", "tiles"] | None = None
    figure: Literal["filters"] | None = None
    quick: bool = False
    out: Path = Path("runs/reproduce")

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.cli.output import say
        from caes.tasks.studies import codes, masci2011, successors
        from caes.tasks.studies.filters import draw_filters
        from caes.tasks.studies.study import markdown, study

        if not (self.table or self.figure or self.quick):
            raise ArgumentError(
                "reproduce",
                "neither a table nor a figure",
                "--table mnist, --table cifar10, --figure filters or --quick",
                "Try --quick, which takes a few minutes.",
            )
        if self.figure and self.paper != "masci2011":
            raise ArgumentError(
                "--figure",
                f"{self.figure!r} with {self.paper}",
                "no figure",
                "Leave it out.",
            )
        there = (*TABLES, OWN[self.paper])
        if self.table not in (None, *there):
            raise ArgumentError(
                "--table",
                f"{self.table!r} with {self.paper}",
                ", ".join(there),
                "Try --table mnist.",
            )
        if self.paper == "one-class":
            self._one_class(say)
            return
        module = masci2011 if self.paper == "masci2011" else successors
        if self.table == "mnist-sealed":
            self._sealed(say)
        elif self.table == "codes" and not self.quick:
            ledger = codes.measure(self.out, say)
            print("\n".join([*codes.lines(ledger), str(ledger.path)]))
        elif self.table or self.quick:
            table = module.QUICK if self.quick else module.TABLES[str(self.table)]
            ledger = study(table, self.out, say)
            print("\n".join([*markdown(table, ledger), str(ledger.path)]))
        if self.figure or (self.quick and module is masci2011 and not self.table):
            draw_filters(self.out, quick=self.quick, say=say)

    def _sealed(self, say: Callable[[str], None]) -> None:
        from caes.tasks.studies import masci2011, sealed

        table = masci2011.SEALED_QUICK if self.quick else masci2011.SEALED
        ledger = sealed.measure(table, self.out, say)
        choices = sealed.choice_ledger(self.out)
        print("\n".join([*sealed.lines(table, choices, ledger), str(ledger.path)]))

    def _one_class(self, say: Callable[[str], None]) -> None:
        from caes.runs.ledger import Ledger
        from caes.tasks.studies.one_class import FIGURES, KEYS, KINDS, lines, measure

        name = "digits" if self.quick else str(self.table)
        kinds = KINDS[name][3:4] if self.quick else KINDS[name]
        ledger = Ledger(self.out / "one-class.csv", KEYS, FIGURES)
        for seed in range(1 if self.quick else SEEDS):
            measure(name, kinds, seed, ledger, say, QUICK if self.quick else None)
        print("\n".join([*lines(name, ledger), str(ledger.path)]))
