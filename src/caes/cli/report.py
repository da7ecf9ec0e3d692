"""caes report: a run's page, written again."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caes.cli.output import announce, decoding, say, waiting
from caes.cli.pictures import OfRun
from caes.errors import MixedSizesError, RunError

if TYPE_CHECKING:
    from pathlib import Path

    from caes.data import ImageSet
    from caes.estimators import CAE


@dataclass(kw_only=True)
class Report(OfRun):
    """Write a run's report.html and figures again.

    Args:
        source: Pictures to report on; without it, those the run was trained on.
    """

    source: str | None = None

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.estimators import CAE
        from caes.report import MEASURING, write_report
        from caes.runs.checkpoint import classifies

        if classifies(self.model):
            print(self._classifier())
            return
        cae = CAE.load(self.model)
        train, test = self._opened(cae)
        announce(train)
        if f"sha256:{train.fingerprint}" != cae.provenance_["data fingerprint"]:
            say(
                f"note: these are not the pictures {self.model} was trained on, "
                "or they have changed since"
            )
        command = cae.provenance_.get("command", "")
        with waiting(MEASURING):
            page = write_report(self.model, cae, train, test, command=command)
        print(page)

    def _classifier(self) -> "Path":
        """Write a classifier's page again, with what its controls answered then."""
        from caes.estimators import CAEClassifier
        from caes.runs.pictures import labelled_pictures
        from caes.tasks.classify import kept, own_answers, write_page

        classifier = CAEClassifier.load(self.model)
        about, opening = classifier.provenance_, classifier.opening_
        if self.source is not None or opening is None or "labels" not in about:
            raise RunError(
                str(self.model),
                "a classifier with other pictures, or without what it was tested on",
                "a run of caes classify, and the pictures that it was made with",
                "For other pictures use: caes predict RUN PICTURES.",
            )
        labels = None if about["labels"] == "all" else about["labels"]
        seed, progress = classifier.seed_, decoding(quiet=False)
        train, test = labelled_pictures(opening, labels, seed, progress)
        announce(train)
        seconds, beside = kept(self.model, test, len(train.classes))
        own = [*own_answers(classifier, seconds, test, train.classes)]
        contenders = [own[0], *beside, *own[1:]]
        command, stack = about.get("command", ""), about.get("stack", "")
        return write_page(
            self.model, classifier, contenders, train, test, command, stack
        )

    def _opened(self, cae: "CAE") -> "tuple[ImageSet, ImageSet]":
        """Open pictures as for the run's training; others may come in any size."""
        from caes.runs.pictures import for_others, learnt_and_shown

        made, progress = cae.opening_, decoding(quiet=False)
        if self.source is None:
            if made is None:
                raise RunError(
                    str(self.model),
                    "a run without the command that made it",
                    "a run of caes fit, or the pictures to report on",
                    "Name them: caes report RUN --source PICTURES.",
                )
            return learnt_and_shown(made, progress)
        shape = cae.picture_shape_
        cut = {"tile": cae.tile, "overlap": cae.overlap, "split": "train"}
        size = made.size if made else None
        opening = for_others(made, self.source, shape, size=size, **cut)
        own = (shape[0], shape[1])
        dense = cae.architecture_.dense and cae.tile is None
        with suppress(MixedSizesError):
            return learnt_and_shown(opening, progress, own if dense else None)
        return learnt_and_shown(opening, progress, own)
