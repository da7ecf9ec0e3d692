"""caes label-curve: how the error falls as labels are added."""

import re
import sys
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import tyro

from caes.errors import ArgumentError
from caes.recipes import FineTuning


@dataclass(frozen=True, kw_only=True)
class LabelCurve(FineTuning):
    """Train with more and more labels, beside a network from scratch; write a report.

    Every run is kept in runs.csv as soon as it is done: the same command goes on where
    it was interrupted.

    Args:
        source: digits, mnist, cifar10, or the path of pictures with labels.
        stack: The folder of the auto-encoder's run.
        labels: Numbers of labels, such as 100,300,1000.
        seeds: Seeds for each number: 0, 1, and so on.
        random_state: Not used: the seeds are counted.
        split: Which part to learn from.
        size: HEIGHTxWIDTH to resize every picture to; without it, that of the pictures
            the stack was trained on.
        hold_out: Share of the pictures kept apart to test on, where the source has no
            labelled test split.
        out: Folder of tables, figure and report; without it runs/NAME-curve-N.
        strict: Stop at the first picture that cannot be read, instead of skipping
            it.
        quiet: Print nothing but errors and the report's path.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    stack: Annotated[Path, tyro.conf.arg(name="from", metavar="RUN")]
    labels: Annotated[str, tyro.conf.arg(metavar="N,N,…")]
    seeds: int = 5
    random_state: tyro.conf.Suppress[None] = None
    split: str = "train"
    size: Annotated[str | None, tyro.conf.arg(metavar="HxW")] = None
    hold_out: float = 0.2
    out: Path | None = None
    strict: bool = False
    quiet: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.cli.labels import labelled_pictures
        from caes.cli.sources import announce, run_name
        from caes.estimators import CAE
        from caes.files import reserved
        from caes.ledger import Ledger, made
        from caes.report.label_curve import write_label_curve
        from caes.tasks.label_curve import FIGURES, KEYS, label_curve

        self.resolved()
        counts = parse_counts(self.labels)
        if self.seeds < 1:
            raise ArgumentError(
                "--seeds", str(self.seeds), "a whole number of at least 1", "Try 5."
            )
        cae = CAE.load(self.stack)
        place = (
            nullcontext(self.out)
            if self.out
            else reserved(Path("runs"), f"{run_name(self.source)}-curve")
        )
        with place as folder:
            options = _All(self)
            train, test = labelled_pictures(options, cae, 0)
            if not self.quiet:
                announce(train)
            ledger = Ledger(folder / "runs.csv", KEYS, FIGURES)
            chosen = {f.name: getattr(self, f.name) for f in fields(FineTuning)}
            recipe = FineTuning(**chosen)
            runs = label_curve(
                cae, train, test, counts, self.seeds, recipe, ledger, self._say
            )
            page = write_label_curve(
                folder,
                runs=runs,
                test_pictures=len(test),
                provenance={"data": f"{train.source} {train.split}", **made()},
                command=typed,
                notes=[*dict.fromkeys(train.notes + test.notes)],
                settings={**chosen, **vars(recipe.resolved())},
            )
        print(page)

    def _say(self, line: str) -> None:
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)


class _All:
    """The same options with all labels."""

    def __init__(self, options: LabelCurve) -> None:
        self.labels = None
        self.source, self.split = options.source, options.split
        self.size, self.hold_out = options.size, options.hold_out
        self.strict, self.quiet = options.strict, options.quiet


def parse_counts(text: str) -> list[int]:
    """Read numbers of labels such as ``100,300,1000``.

    Raises:
        ArgumentError: The text is not of that form.
    """
    if not re.fullmatch(r"[1-9]\d{0,8}(,[1-9]\d{0,8})*", text):
        raise ArgumentError(
            "--labels",
            repr(text),
            "whole numbers with commas between them",
            "Try --labels 100,300,1000.",
        )
    return sorted({int(number) for number in text.split(",")})
