"""caes info: what a run is, or what is in some pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from caes.cli.pages import Pages


@dataclass(frozen=True, kw_only=True)
class Info:
    """Print a run's summary, or what is in some pictures.

    For a run: layer, output shape, parameters. For pictures: count, sizes, channels,
    range, classes, and what cannot be read.

    Args:
        source: The folder of a run, or pictures: digits, mnist, cifar10, or a path.
        pages: Whether each page of a TIFF, DICOM or FITS file is a picture, or all are
            channels of one.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    pages: Pages = "pictures"

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.tasks.info import print_pictures, print_run

        if (Path(self.source) / "model.json").exists():
            print_run(Path(self.source))
        else:
            print_pictures(self.source, self.pages)
