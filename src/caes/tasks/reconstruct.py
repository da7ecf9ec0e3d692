"""Reconstructions in the source's type, and how far off each one is."""

import math
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from caes.data import ImageSet, Skipped
from caes.estimators import CAE
from caes.files import TableWriter, write_atomically

GAP = 2
"""Columns of mid-grey between a picture and its reconstruction."""
AT_ONCE = 256
TABLE = "errors.csv"
FILES = (TABLE, "*.png", "*.tif")
"""All that the folder of reconstructions holds."""
COLUMNS = ("name", "mse", "psnr", "rmse", "mae", "max")
PNG = {1: ("bool", "uint8", "uint16"), 3: ("uint8",)}
"""The types that PNG holds, by the number of channels."""
LARGEST = 2000
"""Longest side of a picture to look at, in pixels."""

Band = NDArray[np.float32]
"""Rows of a picture as the network sees it, h×W×C."""
Work = Iterable[tuple[str, NDArray[Any], Iterable[tuple[Band, Band]]]]
"""Name, pixels in the source's units, and bands with their reconstruction."""


def reconstruct(cae: CAE, images: ImageSet, folder: Path) -> NDArray[np.float64]:
    """Write each picture's reconstruction, a pair to look at, and errors.csv.

    ``NAME.reconstructed.png`` or ``.tif`` is the reconstruction in the source's units
    and type: PNG for grey of up to 16 bits without sign and for colour of 8, TIFF for
    all else. ``NAME.png`` shows the original left and the reconstruction right: 8 bits,
    scaled as `Scaling.shown` says; of two, or of more than three channels, the first or
    the first three; a picture with a side above `LARGEST` pixels is shrunk by a
    whole factor.

    The table's columns are name; mse, in squared units of the network, [0, 1] but for
    the scales that reach beyond it; and, all of the reconstruction as it was written
    and in the source's units, psnr (dB, the peak being the width of the training
    pictures' value range), rmse, mae (mean absolute error) and max (the largest).

    Returns:
        N mean squared errors, float64, in squared units of the network.
    """

    def work() -> Work:
        for start in range(0, len(images), AT_ONCE):
            part = images[start : start + AT_ONCE]
            bands = zip(cae.to_unit(part), cae.reconstruct(part), strict=True)
            for name, pixels, each in zip(part.names, part.pixels, bands, strict=True):
                yield name, pixels, [each]

    return _write_all(cae, work(), folder)


def reconstruct_each(
    cae: CAE,
    pieces: Iterable[ImageSet | Skipped],
    folder: Path,
    tile: int | None = None,
    overlap: int | None = None,
) -> NDArray[np.float64]:
    """Do the same for pictures of any sizes, holding one of them at a time.

    Beside a picture only its reconstruction in the source's type is held whole.
    """

    def work() -> Work:
        for images in pieces:
            if not isinstance(images, Skipped):
                bands = cae.bands(images, tile=tile, overlap=overlap)
                yield from zip(images.names, images.pixels, bands, strict=True)

    return _write_all(cae, work(), folder)


def _write_all(cae: CAE, work: Work, folder: Path) -> NDArray[np.float64]:
    found = []
    with TableWriter(folder / TABLE) as table:
        table.row(COLUMNS)
        for name, pixels, bands in work:
            mse, psnr, *others = _write(cae, name, pixels, bands, folder)
            errors = (f"{each:.8g}" for each in others)
            table.row([name, f"{mse:.8g}", f"{psnr:.4f}", *errors])
            found.append(mse)
    return np.array(found)


def _write(
    cae: CAE,
    name: str,
    pixels: NDArray[Any],
    bands: Iterable[tuple[Band, Band]],
    folder: Path,
) -> tuple[float, ...]:
    """Write what there is of one picture; give its row of the table.

    That is mse in the network's units; in the source's psnr, rmse, mae and max.
    """
    scaling, again = cae.scaling_, np.empty_like(pixels)
    left, right = Thumbnail(*pixels.shape), Thumbnail(*pixels.shape)
    done, largest, sums = 0, 0.0, np.zeros(3)
    for before, after in bands:
        here = slice(done, done := done + len(after))
        again[here] = scaling.to_source(after, pixels.dtype)
        left.add(scaling.shown(before))
        right.add(scaling.shown(after))
        apart = np.abs(again[here].astype(np.float64) - pixels[here].astype(np.float64))
        network = np.square(before - after, dtype=np.float64)
        sums += network.sum(), np.square(apart).sum(), apart.sum()
        largest = max(largest, float(apart.max()))
    gap = np.full((len(left.rows), GAP, pixels.shape[2]), 0.5, np.float32)
    pair = np.concatenate([left.picture(), gap, right.picture()], axis=1)
    shown = pair[..., :3] if pair.shape[2] >= 3 else pair[..., 0]
    looked_at = Image.fromarray(np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8))
    with write_atomically(folder / picture_path(name)) as file:
        looked_at.save(file, "PNG")
    write_picture(folder / picture_path(name, "reconstructed"), again)
    mse, square, mae = (sums / pixels.size).tolist()
    rmse = math.sqrt(square)
    psnr = 20 * math.log10(scaling.span / rmse) if rmse > 0 else math.inf
    return mse, psnr, rmse, mae, largest


def picture_path(name: str, kind: str = "") -> PurePosixPath:
    """Turn a picture's name into a path below the output folder, whatever it holds.

    >>> str(picture_path("cats/a.jpg")), str(picture_path("../../etc/passwd"))
    ('cats/a.jpg.png', 'etc/passwd.png')
    >>> str(picture_path("cats/a.jpg", "reconstructed"))
    'cats/a.jpg.reconstructed.png'
    """
    text = name.replace("\\", "_").replace("\0", "")
    parts = [part for part in PurePosixPath(text).parts if part not in ("..", "/")]
    *folders, last = parts or ["picture"]
    ending = f".{kind}.png" if kind else ".png"
    return PurePosixPath(*folders, f"{last}{ending}")


def write_picture(path: Path, pixels: NDArray[Any]) -> Path:
    """Write H×W×C of any real number type in that type; give the path.

    As TIFF where PNG cannot hold it: ``.tif`` takes the place of the path's ending.
    """
    kept = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    if str(pixels.dtype) in PNG.get(pixels.shape[2], ()):
        with write_atomically(path) as file:
            Image.fromarray(kept).save(file, "PNG")
        return path
    from tifffile import FileHandle, imwrite  # late: only what needs it pays for it

    colour = "rgb" if pixels.shape[2] == 3 else "minisblack"
    if pixels.dtype == np.bool_:
        kept = kept.astype(np.uint8)
    together = None if kept.ndim == 2 else "contig"
    path = path.with_suffix(".tif")
    with write_atomically(path) as file:
        named = FileHandle(file, name=path.name)  # it asks for one, and this has none
        imwrite(named, kept, photometric=colour, planarconfig=together)
    return path


class Thumbnail:
    """Gathers a picture's bands of rows into a picture to look at.

    Each pixel is the mean over a square of the picture's, at the lower and right edges
    over what is left of one.
    """

    def __init__(self, height: int, width: int, channels: int) -> None:
        self.factor = math.ceil(max(height, width) / LARGEST)
        self.starts = np.arange(0, width, self.factor)
        self.columns = np.diff([*self.starts, width])
        self.rows = np.zeros(-(-height // self.factor))
        self.sums = np.zeros((len(self.rows), len(self.starts), channels))
        self.done = 0

    def add(self, band: NDArray[np.float32]) -> None:
        """Take in the next rows, h×W×C."""
        row = (self.done + np.arange(len(band))) // self.factor
        first, starts = np.unique(row, return_index=True)
        sums = np.add.reduceat(band, starts, axis=0, dtype=np.float64)
        self.sums[first] += np.add.reduceat(sums, self.starts, axis=1)
        self.rows[first] += np.diff([*starts, len(band)])
        self.done += len(band)

    def picture(self) -> NDArray[np.float32]:
        """Give what was gathered, H'×W'×C."""
        counts = self.rows[:, None, None] * self.columns[:, None]
        return (self.sums / counts).astype(np.float32)
