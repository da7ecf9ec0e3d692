"""caes classify: a few labels on top of a trained auto-encoder, and the report."""

import os
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from caes.cli.output import run_folder, run_name, say
from caes.cli.pictures import Labelled
from caes.options import values
from caes.train.recipes import FineTuning

if TYPE_CHECKING:
    from caes.data import ImageSet
    from caes.estimators import CAEClassifier
    from caes.report.comparison import Contender


@dataclass(kw_only=True)
class Classify(Labelled, FineTuning):
    """Train a classifier that starts from a trained auto-encoder; write its report.

    Writes a folder with model.safetensors, model.json, history.csv, tables, figures
    and report.html, which compares it with the same network from random weights and
    with logistic regression.

    Args:
        labels: A number: so many labels, as many of each class, are drawn from those
            there are. Or a table of them: a CSV file with name and label for some of
            the pictures. Without it all labels are used.
        random_state: Seed of labels, weights, order and splits.
        out: Folder of the run; without it runs/NAME-classes-N, N counted up.
        force: Replace the folder if it exists.
    """

    labels: Annotated[str | None, tyro.conf.arg(metavar="N|CSV")] = None
    random_state: Annotated[int | None, tyro.conf.arg(name="seed")] = None
    out: Path | None = None
    force: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.estimators import CAE, CAEClassifier
        from caes.estimators.base import seed_of
        from caes.files import new_folder
        from caes.runs.checkpoint import FILES
        from caes.tasks.classify import contenders

        self.resolved()
        seed = seed_of(self.random_state)
        cae = CAE.load(self.stack)
        name = f"{run_name(self.source)}-classes"
        with run_folder(self.out, name) as folder:
            with new_folder(folder, FILES, force=self.force) as staged:
                opening = self.opening(cae)
                train, test = self.open(opening, self.labels, seed)
                start = time.perf_counter()
                chosen = {**values(self, FineTuning), "random_state": seed}
                classifier = CAEClassifier(cae, **chosen, verbose=not self.quiet)
                classifier.fit(train)
                seconds = time.perf_counter() - start
                classifier.provenance_ |= {"command": typed, "folder": os.getcwd()}
                classifier.opening_ = replace(opening, folder=os.getcwd())
                classifier.write(staged)
            # The run is safe by now, whatever happens to its controls and its report.
            tell = partial(say, quiet=self.quiet)
            rivals = contenders(classifier, cae, seconds, train, test, tell)
            page = self._report(folder, classifier, [*rivals], train, test, typed)
        print(page)

    def _report(
        self,
        folder: Path,
        classifier: "CAEClassifier",
        rivals: "list[Contender]",
        train: "ImageSet",
        test: "ImageSet",
        typed: str,
    ) -> Path:
        from caes.data.labels.labelled import labels_of
        from caes.report.classifier import write_classification_report

        known, recipe = int((labels_of(train) >= 0).sum()), self.resolved()
        # Every option as it came to be; epochs as many as were asked for.
        learned = known - round(known * self.validation)
        now = {"epochs": recipe.passes(learned), "random_state": classifier.seed_}
        options = {**values(self, FineTuning), **vars(recipe), **now}
        return write_classification_report(
            folder,
            images=test,
            truth=labels_of(test),
            classes=train.classes,
            contenders=rivals,
            history=classifier.history_,
            settings={"stack": str(self.stack), **options},
            provenance=classifier.provenance_,
            command=typed,
            notes=train.notes,
            labelled=known,
            unlabelled=len(train) - known if recipe.rounds else 0,
        )
