"""caes predict: the class of each picture, as a table."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from caes.cli.pages import Pages


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Write the class and its probability for each picture.

    Args:
        model: The folder of a classifier's run.
        source: Pictures: digits, mnist, cifar10, or a path.
        out: The table to write.
        split: Which part; without it the test pictures, or, if there are none, all.
        size: HEIGHTxWIDTH to resize every picture to; without it, that of the pictures
            the classifier was trained on.
        resize: How to bring pictures to that size: stretch, crop (evenly), pad (by
            their mirror image) or random-crop (a piece, not scaled); without it
            as in the run's training.
        force: Replace the table if it exists.
        pages: Whether each page of a TIFF, DICOM or FITS file is a picture, or all are
            channels of one.
        strict: Stop at the first picture that cannot be read, instead of skipping
            it.
        in_memory: Decode picture files into memory, and keep nothing of them in the
            cache, however many they are.
        quiet: Print nothing but errors and the table's path.
    """

    model: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    out: Path = Path("predictions.csv")
    split: str | None = None
    size: Annotated[str | None, tyro.conf.arg(metavar="HxW")] = None
    resize: Annotated[str | None, tyro.conf.arg(metavar="HOW")] = None
    force: bool = False
    pages: Pages = "pictures"
    strict: bool = False
    in_memory: bool = False
    quiet: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.cli.sources import announce, opened_for_model
        from caes.estimators import CAEClassifier
        from caes.files import check_new
        from caes.tasks.predict import predict, write_predictions

        check_new(self.out, self.force)
        classifier = CAEClassifier.load(self.model)
        images = opened_for_model(self, classifier, fixed=True)
        if not self.quiet:
            announce(images)
        predictions = predict(classifier, images)
        write_predictions(predictions, self.out)
        if predictions.accuracy is not None and not self.quiet:
            error = 100 * (1 - predictions.accuracy)
            print(f"error {error:.2f} % of the labelled pictures", file=sys.stderr)
        print(self.out)
