"""caes classify: a few labels on top of a trained auto-encoder, and the report."""

import os
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from caes.cli.output import decoding, introduce, run_folder, run_name, say
from caes.cli.pictures import Labelled
from caes.errors import by_signs
from caes.options import values, whole
from caes.train.recipes import FineTuning

if TYPE_CHECKING:
    from caes.data import ImageSet
    from caes.estimators import CAE, CAEClassifier
    from caes.runs.pictures import Opening

MIXED, LARGEST = 64, 128
"""Without a stack: the side that pictures of several sizes are brought to, and the
longest side that pictures keep."""


@dataclass(kw_only=True)
class Classify(Labelled, FineTuning):
    """Train a classifier that starts from a trained auto-encoder; write its report.

    Cross-validation on the labels says how long the network learns, which changes of
    the pictures keep their classes, and whether it predicts, or logistic regression or
    a kernel machine on codes and texture statistics. Writes a folder with all of them,
    tables, figures and report.html, which compares it with the same network from
    random weights and with plain means. Ctrl-C ends it with what there is. An
    auto-encoder that is trained first is kept beside it, as FOLDER-autoencoder.

    Args:
        stack: The folder of the auto-encoder's run; without it one is trained first.
        labels: A number: so many labels, as many of each class, are drawn from those
            there are; 10/class: so many of each class. Or a table of them: a CSV file
            with name and label for some of the pictures. Without it all labels are
            used.
        channels: Without --from, 1 for grey or 3 for colour; without it pictures stay
            as they are.
        suggest: Also write suggestions.csv and suggestions.png: so many pictures
            without a label that would teach most if they had one.
        random_state: Seed of labels, weights, order and splits.
        out: Folder of the run; without it runs/NAME-classes-N, N counted up.
        force: Replace the folder if it exists.
    """

    stack: Annotated[Path | None, tyro.conf.arg(name="from", metavar="RUN")] = None
    labels: Annotated[str | None, tyro.conf.arg(metavar="N|N/class|CSV")] = None
    channels: int | None = None
    suggest: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    random_state: Annotated[int | None, tyro.conf.arg(name="seed")] = None
    out: Path | None = None
    force: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.estimators import CAE, CAEClassifier
        from caes.estimators.base import seed_of
        from caes.files import new_folder
        from caes.report.numbers import duration
        from caes.runs.checkpoint import FILES
        from caes.train.answers import TRIALS
        from caes.train.options import MINUTES
        from caes.train.progress import telling

        recipe = self.resolved()
        if self.suggest is not None:
            whole(1)("suggest", self.suggest, "Try --suggest 20.")
        seed = seed_of(self.random_state)
        cae = None if self.stack is None else CAE.load(self.stack)
        name = f"{run_name(self.source)}-classes"
        out, tells = run_folder(self.out, name), telling(not self.quiet)
        with out as folder, tells as tell:
            with new_folder(folder, FILES, force=self.force) as staged:
                opening, train, test = self._opened(cae, seed)
                start = time.perf_counter()
                chosen = {**values(self, FineTuning), "random_state": seed}
                if recipe.automatic:
                    each = 60 * (self.minutes or MINUTES)
                    control = (1 - TRIALS) * each
                    most = each + control + each / 2 * (cae is None)
                    tell.expect(control=control)
                    wait = f"{duration(most)}, the control and plain means included"
                    say(f"at most about {wait}; Ctrl-C ends it", self.quiet)
                stack = self.stack
                if cae is None and self.start != "random":
                    stack = folder.with_name(f"{folder.name}-autoencoder")
                    tell.expect(classifier=60 * recipe.minutes * recipe.automatic)
                    cae = self._kept(stack, opening, train, seed)
                classifier = CAEClassifier(cae, **chosen, verbose=not self.quiet)
                classifier.fit(train)
                seconds = time.perf_counter() - start
                classifier.provenance_ |= {"command": typed, "folder": os.getcwd()}
                told = {"labels": self.labels or "all", "stack": str(stack or "none")}
                classifier.provenance_ |= told
                classifier.opening_ = replace(opening, folder=os.getcwd())
                classifier.write(staged)
            # The run is safe by now, whatever happens to its controls and its report.
            page = self._told(folder, classifier, seconds, train, test, typed)
        print(page)

    def _kept(
        self, folder: Path, opening: "Opening", train: "ImageSet", seed: int
    ) -> "CAE":
        """Train the auto-encoder, and keep it: whatever comes after, it is there."""
        from caes.estimators.classifier import default_stack
        from caes.files import new_folder
        from caes.runs.checkpoint import FILES

        with new_folder(folder, FILES, force=self.force) as staged:
            cae = default_stack(self, verbose=not self.quiet, seed=seed).fit(train)
            cae.opening_ = replace(opening, folder=os.getcwd())
            cae.write(staged)
        say(f"the auto-encoder is kept: --from {folder} takes it", self.quiet)
        return cae

    def _opened(
        self, cae: "CAE | None", seed: int
    ) -> "tuple[Opening, ImageSet, ImageSet]":
        """Open what to learn from and to test on, in a size that a network can take."""
        from caes.errors import MixedSizesError
        from caes.runs.pictures import Opening, labelled_pictures, why_grey

        progress, why, size = decoding(self.quiet), "", (MIXED, MIXED)
        if cae is not None:
            opening = self.opening(cae)
        else:
            about = {**self.given_alone(), "hold_out": self.hold_out, "seed": seed}
            opening = Opening(source=self.source, channels=self.channels, **about)
        try:
            train, test = labelled_pictures(opening, self.labels, seed, progress)
        except MixedSizesError:
            if cae is not None:
                raise
            why = "pictures of several sizes"
        else:
            sides = train.shape[1:3]
            if cae is None and self.size is None and max(sides) > LARGEST:
                why = f"pictures of {by_signs(sides)}"
                shrunk = (max(8, round(s * LARGEST / max(sides))) for s in sides)
                size = next(shrunk), next(shrunk)
        if why:
            say(f"{why}: brought to {by_signs(size)} (--size)", self.quiet)
            opening = replace(opening, size=size)
            train, test = labelled_pictures(opening, self.labels, seed, progress)
        if opening.channels is None and cae is None and (why := why_grey(train)):
            say(why, self.quiet)
            opening = replace(opening, channels=1)
            train, test = labelled_pictures(opening, self.labels, seed, progress)
        introduce(train, test, quiet=self.quiet)
        return opening, train, test

    def _told(
        self,
        folder: Path,
        classifier: "CAEClassifier",
        seconds: float,
        train: "ImageSet",
        test: "ImageSet",
        typed: str,
    ) -> Path:
        """Compare it, suggest what to label next, and write the page."""
        from caes.tasks.classify import keep, own_answers, rivals, write_page

        tell = partial(say, quiet=self.quiet)
        if classifier.judged_:
            tell(_chosen(classifier))
        beside = []
        try:
            if not classifier.history_.interrupted:
                for each in rivals(classifier, train, test, tell):
                    beside.append(each)
        except KeyboardInterrupt:
            tell("interrupted; the page has what there is")
        own = [*own_answers(classifier, seconds, test, train.classes)]
        keep(folder, test, seconds, beside)
        if self.suggest:
            from caes.tasks.suggest import suggest

            for path in suggest(classifier, train, self.suggest, folder):
                tell(f"what to label next: {path}")
        contenders = [own[0], *beside, *own[1:]]
        stack = classifier.provenance_["stack"]
        about = train, test, typed, stack, tell
        return write_page(folder, classifier, contenders, *about)


def _chosen(classifier: "CAEClassifier") -> str:
    """Say what cross-validation chose, and what it says of it."""
    from caes.tasks.classify import ANSWERS

    errors = {ANSWERS[k]: f"{100 * v[0]:.1f} %" for k, v in classifier.judged_.items()}
    told = ", ".join(f"{name} {error}" for name, error in errors.items())
    chosen = ANSWERS[classifier.answer_]
    return f"predicts: {chosen} (errors by cross-validation: {told})"
