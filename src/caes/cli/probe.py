"""caes probe: what the codes are worth to simple classifiers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from caes.cli.pages import Pages
from caes.options import whole


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Fit logistic regression, a linear SVM and nearest neighbours on the codes.

    The same classifiers on the pixels stand beside them.

    Args:
        source: digits, mnist, cifar10, or the path of pictures.
        stack: The folder of the auto-encoder's run.
        labels: A number of labels to draw, or a table of them; without it all are used.
        seed: Draws labels and held-out pictures.
        split: Which part to learn from.
        size: HEIGHTxWIDTH to resize every picture to; without it, that of the pictures
            the auto-encoder was trained on.
        resize: How to bring pictures to that size: stretch, crop (evenly), pad (by
            their mirror image) or random-crop (a piece, not scaled); without it
            as in the run's training.
        hold_out: Share of the labelled pictures kept apart to test on, where the
            source has no labelled test split.
        pages: Whether each page of a TIFF, DICOM or FITS file is a picture, or all are
            channels of one.
        strict: Stop at the first picture that cannot be read, instead of skipping
            it.
        in_memory: Decode picture files into memory, and keep nothing of them in the
            cache, however many they are.
        quiet: Print nothing but errors and the table.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    stack: Annotated[Path, tyro.conf.arg(name="from", metavar="RUN")]
    labels: Annotated[str | None, tyro.conf.arg(metavar="N|CSV")] = None
    seed: int = 0
    split: str = "train"
    size: Annotated[str | None, tyro.conf.arg(metavar="HxW")] = None
    resize: Annotated[str | None, tyro.conf.arg(metavar="HOW")] = None
    hold_out: float = 0.2
    pages: Pages = "pictures"
    strict: bool = False
    in_memory: bool = False
    quiet: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.cli.labels import labelled_pictures
        from caes.cli.sources import introduce
        from caes.data.labels.labelled import labels_of
        from caes.estimators import CAE
        from caes.tasks.probe import probe

        whole(0)("seed", self.seed, "Try 0.")
        cae = CAE.load(self.stack)
        train, test = labelled_pictures(self, self.labels, cae, self.seed)
        introduce(train, test, quiet=self.quiet)
        known = int((labels_of(train) >= 0).sum())
        print(f"{known:,} labels; error on {len(test):,} pictures:")
        for result in probe(cae, train, test):
            print(
                f"{result.probe:>22} on {result.features:<6}  {result.error:6.2f} %"
                f"  {result.seconds:6.1f} s",
                flush=True,
            )
