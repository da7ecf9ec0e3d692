"""caes reconstruct: reconstructions in the source's type, and a table of errors."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from caes.cli.output import announce, decoding, say, told
from caes.cli.pictures import OfRun, Pictures
from caes.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from caes.estimators import CAE


@dataclass(kw_only=True)
class Reconstruct(Pictures, OfRun):
    """Write reconstructions, pictures beside them, and errors.csv.

    NAME.reconstructed.png or .tif is in the source's units and type; NAME.png, to look
    at, has the original left and the reconstruction right. errors.csv has mse in the
    network's units; psnr (dB, of the value range); and in the source's units rmse,
    mae and max.

    Args:
        size: HEIGHTxWIDTH to resize every picture to; without it, the size they
            have where the network can take it, else the size it was trained on.
        out: Folder to write to.
        tile: Side in pixels of the tiles that pictures of any size are worked on by,
            one picture at a time; without it the run's own, if it has some.
        overlap: Pixels that tiles share where they have to be blended, with dense
            layers or sparsity; without it the run's own, or an eighth of the tile.
        force: Replace the folder if it exists.
    """

    out: Path
    tile: int | None = None
    overlap: int | None = None
    force: bool = False

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
        over = f"over {len(errors):,} pictures"
        say(f"mean squared error {errors.mean():.6f} {over}", self.quiet)
        print(self.out / TABLE)

    def _whole(self, cae: "CAE", folder: Path) -> "NDArray[np.float64]":
        from caes.data.decode.resize import SHRUNK
        from caes.tasks.reconstruct import reconstruct

        given = {**self.given(), "progress": decoding(self.quiet)}
        images = cae.open(self.source, **given, whole=True)
        announce(images, self.quiet)
        tall, wide, _ = cae.picture_shape_
        tiled = tall == wide or not cae.architecture_.dense
        if tiled and any(note.startswith(SHRUNK) for note in images.notes):
            side = min(tall, wide)
            say(f"--tile {side} reconstructs them as large as they are", self.quiet)
        return reconstruct(cae, images, folder)

    def _by_tiles(self, cae: "CAE", folder: Path) -> "NDArray[np.float64]":
        from caes.data.reading import side_of
        from caes.runs.pictures import for_others, streamed
        from caes.tasks.reconstruct import reconstruct_each

        tall, wide = side_of(cae.tile if self.tile is None else self.tile)
        say(f"{self.source}: one picture at a time, tiles of {tall}×{wide}", self.quiet)
        shape = cae.picture_shape_
        opening = for_others(cae.opening_, self.source, shape, **self.given())
        pieces = told(streamed(opening, shape, cae.scaling_.dtype), self.quiet)
        return reconstruct_each(cae, pieces, folder, self.tile, self.overlap)
