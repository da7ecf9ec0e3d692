"""caes reconstruct: pictures beside their reconstructions, and a table of errors."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class Reconstruct:
    """Write pictures beside their reconstructions, and errors.csv."""

    model: Annotated[Path, tyro.conf.Positional]
    """The folder of a run."""
    source: Annotated[str, tyro.conf.Positional]
    """Pictures: digits, mnist, or a path."""
    out: Path
    """Folder to write to."""
    split: str | None = None
    """Which part; without it the test pictures, or, if there are none, all."""
    size: str | None = None
    """HEIGHTxWIDTH to resize every picture to; without it, the size they have where
    the network can take it, else the size it was trained on."""
    force: bool = False
    """Replace the folder if it exists."""
    strict: bool = False
    """Stop at the first picture that cannot be read, instead of skipping it."""
    quiet: bool = False
    """Print nothing but errors and the table's path."""

    def run(self) -> None:
        """Do it."""
        from caes.cli.sources import announce, opened_for_model
        from caes.estimators import CAE
        from caes.files import new_folder
        from caes.tasks.reconstruct import reconstruct

        cae = CAE.load(self.model)
        images = opened_for_model(self, cae)
        if not self.quiet:
            announce(images)
        with new_folder(self.out, force=self.force) as staged:
            errors = reconstruct(cae, images, staged)
        if not self.quiet:
            print(
                f"mean squared error {errors.mean():.6f} over {len(errors):,} pictures",
                file=sys.stderr,
            )
        print(self.out / "errors.csv")
