"""caes reconstruct: pictures beside their reconstructions, and a table of errors."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from caes.errors import ArgumentError


@dataclass(frozen=True, kw_only=True)
class Reconstruct:
    """Write pictures beside their reconstructions, and errors.csv.

    Args:
        model: The folder of a run.
        source: Pictures: digits, mnist, cifar10, or a path.
        out: Folder to write to.
        split: Which part; without it the test pictures, or, if there are none, all.
        size: HEIGHTxWIDTH to resize every picture to; without it, the size they
            have where the network can take it, else the size it was trained on.
        force: Replace the folder if it exists.
        strict: Stop at the first picture that cannot be read, instead of skipping
            it.
        in_memory: Decode picture files into memory, and keep nothing of them in the
            cache, however many they are.
        quiet: Print nothing but errors and the table's path.
    """

    model: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    out: Path
    split: str | None = None
    size: Annotated[str | None, tyro.conf.arg(metavar="HxW")] = None
    force: bool = False
    strict: bool = False
    in_memory: bool = False
    quiet: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.cli.sources import announce, opened_for_model
        from caes.estimators import CAE
        from caes.files import new_folder
        from caes.tasks.reconstruct import TABLE, reconstruct

        if Path(self.source).resolve().is_relative_to(self.out.resolve()):
            raise ArgumentError(
                "--out",
                f"{str(self.out)!r}, in which the pictures are",
                "a folder beside them",
                "Try --out reconstructions.",
            )
        cae = CAE.load(self.model)
        images = opened_for_model(self, cae)
        if not self.quiet:
            announce(images)
        with new_folder(self.out, (TABLE, "*.png"), force=self.force) as staged:
            errors = reconstruct(cae, images, staged)
        if not self.quiet:
            print(
                f"mean squared error {errors.mean():.6f} over {len(errors):,} pictures",
                file=sys.stderr,
            )
        print(self.out / TABLE)
