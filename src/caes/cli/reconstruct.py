"""caes reconstruct: reconstructions in the source's type, and a table of errors."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from caes.cli.pages import Pages
from caes.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from caes.estimators import CAE


@dataclass(frozen=True, kw_only=True)
class Reconstruct:
    """Write reconstructions, pictures beside them, and errors.csv.

    NAME.reconstructed.png or .tif is in the source's units and type; NAME.png, to look
    at, has the original left and the reconstruction right. errors.csv has mse in the
    network's units; psnr (dB, of the value range); and in the source's units rmse,
    mae and max.

    Args:
        model: The folder of a run.
        source: Pictures: digits, mnist, cifar10, or a path.
        out: Folder to write to.
        split: Which part; without it the test pictures, or, if there are none, all.
        size: HEIGHTxWIDTH to resize every picture to; without it, the size they
            have where the network can take it, else the size it was trained on.
        resize: How to bring pictures to that size: stretch, crop (evenly), pad (by
            their mirror image) or random-crop (a piece, not scaled); without it
            as in the run's training.
        tile: Side in pixels of the tiles that pictures of any size are worked on by,
            one picture at a time; without it the run's own, if it has some.
        overlap: Pixels that tiles share where they have to be blended, with dense
            layers or sparsity; without it the run's own, or an eighth of the tile.
        force: Replace the folder if it exists.
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
    out: Path
    split: str | None = None
    size: Annotated[str | None, tyro.conf.arg(metavar="HxW")] = None
    resize: Annotated[str | None, tyro.conf.arg(metavar="HOW")] = None
    tile: int | None = None
    overlap: int | None = None
    force: bool = False
    pages: Pages = "pictures"
    strict: bool = False
    in_memory: bool = False
    quiet: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.estimators import CAE
        from caes.files import new_folder
        from caes.tasks.reconstruct import FILES, TABLE

        if Path(self.source).resolve().is_relative_to(self.out.resolve()):
            raise ArgumentError(
                "--out",
                f"{str(self.out)!r}, in which the pictures are",
                "a folder beside them",
                "Try --out reconstructions.",
            )
        cae = CAE.load(self.model)
        tiled = self.tile is not None or cae.tile is not None
        work = self._by_tiles if tiled else self._whole
        with new_folder(self.out, FILES, force=self.force) as staged:
            errors = work(cae, staged)
        if not self.quiet:
            print(
                f"mean squared error {errors.mean():.6f} over {len(errors):,} pictures",
                file=sys.stderr,
            )
        print(self.out / TABLE)

    def _whole(self, cae: "CAE", folder: Path) -> "NDArray[np.float64]":
        from caes.cli.sources import announce, opened_for_model
        from caes.tasks.reconstruct import reconstruct

        images = opened_for_model(self, cae)
        if not self.quiet:
            announce(images)
        return reconstruct(cae, images, folder)

    def _by_tiles(self, cae: "CAE", folder: Path) -> "NDArray[np.float64]":
        from caes.cli.sources import say
        from caes.cli.streams import streamed_for_model, told
        from caes.data.tiles import side_of
        from caes.tasks.reconstruct import reconstruct_each

        tall, wide = side_of(cae.tile if self.tile is None else self.tile)
        say(f"{self.source}: one picture at a time, tiles of {tall}×{wide}", self.quiet)
        pieces = told(streamed_for_model(self, cae), self.quiet)
        return reconstruct_each(cae, pieces, folder, self.tile, self.overlap)
