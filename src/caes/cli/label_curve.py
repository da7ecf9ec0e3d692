"""caes label-curve: how the error falls as labels are added."""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from caes.cli.output import run_folder, run_name, say
from caes.cli.pictures import FromStack
from caes.errors import ArgumentError, OutputError
from caes.options import values, whole
from caes.train.recipes import FineTuning, StartName

if TYPE_CHECKING:
    from caes.data import ImageSet
    from caes.report.pages.label_curve import CurveRun

RUNS = "runs.csv"


@dataclass(kw_only=True)
class LabelCurve(FromStack, FineTuning):
    """Train with more and more labels, beside a network from scratch; write a report.

    Every run is kept in runs.csv as soon as it is done: the same command goes on where
    it was interrupted.

    Args:
        labels: Numbers of labels, such as 100,300,1000.
        seeds: Seeds for each number: 0, 1, and so on.
        start: Not used: both starts are trained.
        random_state: Not used: the seeds are counted.
        out: Folder of tables, figure and report, new or that of the same command;
            without it runs/NAME-curve-N, N counted up.
    """

    labels: Annotated[str, tyro.conf.arg(metavar="N,N,…")]
    seeds: int = 5
    start: tyro.conf.Suppress[StartName] = "stack"
    random_state: tyro.conf.Suppress[None] = None
    out: Path | None = None

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.estimators import CAE
        from caes.runs.ledger import Ledger
        from caes.tasks.label_curve import FIGURES, KEYS, label_curve

        counts = parse_counts(self.labels)
        whole(1)("seeds", self.seeds, "Try 5.")
        recipe = FineTuning(**values(self, FineTuning))
        recipe.resolved()
        if self.out is not None:
            check_folder(self.out)
        cae = CAE.load(self.stack)
        name = f"{run_name(self.source)}-curve"
        with run_folder(self.out, name) as folder:
            ledger = Ledger(folder / RUNS, KEYS, FIGURES)
            train, test = self.open(self.opening(cae), None, 0)
            tell = partial(say, quiet=self.quiet)
            about = counts, self.seeds, recipe, ledger, tell
            runs = label_curve(cae, train, test, *about)
            page = self._report(folder, runs, recipe, train, test, typed)
        print(page)

    def _report(
        self,
        folder: Path,
        runs: "list[CurveRun]",
        recipe: FineTuning,
        train: "ImageSet",
        test: "ImageSet",
        typed: str,
    ) -> Path:
        from caes.report.pages.label_curve import write_label_curve
        from caes.runs.ledger import made

        unused = ("random_state", "start")
        options = {k: v for k, v in vars(recipe).items() if k not in unused}
        return write_label_curve(
            folder,
            runs=runs,
            test_pictures=len(test),
            provenance={"data": f"{train.source} {train.split}", **made()},
            command=typed,
            notes=[*dict.fromkeys(train.notes + test.notes)],
            settings={"stack": str(self.stack), **options, **vars(recipe.resolved())},
        )


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something else than an earlier curve."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RUNS).exists():
        raise OutputError(
            str(folder),
            "a folder of something else",
            "a new folder, or that of an earlier run of the same command",
            "Give another one with --out.",
        )


def parse_counts(text: str) -> list[int]:
    """Read numbers of labels such as ``100,300,1000``."""
    if not re.fullmatch(r"[1-9]\d{0,8}(,[1-9]\d{0,8})*", text):
        raise ArgumentError(
            "--labels",
            repr(text),
            "whole numbers with commas between them",
            "Try --labels 100,300,1000.",
        )
    return sorted({int(number) for number in text.split(",")})
