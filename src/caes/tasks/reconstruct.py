"""Reconstructions in the source's type, and how far off each one is."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from caes.data import ImageSet, Skipped
from caes.estimators import CAE
from caes.files import write_atomically
from caes.tasks.preview import Preview
from caes.tasks.tally import Row, Tally

GAP = 2
"""Columns of mid-grey between a picture and its reconstruction."""
AT_ONCE = 256
TABLE = "errors.csv"
FILES = (TABLE, "*.png", "*.tif")
"""All that the folder of reconstructions holds."""
COLUMNS = ("name", "mse", "psnr", "rmse", "mae", "max")

Band = NDArray[np.float32]
"""Rows of a picture as the network sees it, h×W×C."""


def reconstruct(cae: CAE, images: ImageSet, folder: Path) -> NDArray[np.float64]:
    """Write each picture's reconstruction, a pair to look at, and errors.csv.

    ``NAME.reconstructed.png`` or ``.tif`` is the reconstruction in the source's units
    and type: PNG for grey of up to 16 bits without sign and for colour of 8, TIFF for
    all else. ``NAME.png`` shows the original left and the reconstruction right: 8 bits,
    scaled as `Scaling.shown` says; of two, or of more than three channels, the first or
    the first three; a picture with a side above `preview.LARGEST` pixels is shrunk by a
    whole factor.

    The table's columns are name; mse, in squared units of the network, [0, 1] but for
    the scales that reach beyond it; and, all of the reconstruction as it was written
    and in the source's units, psnr (dB, the peak being the width of the training
    pictures' value range), rmse, mae (mean absolute error) and max (the largest).

    Args:
        cae: The trained auto-encoder.
        images: The pictures, in the source's units.
        folder: Where to write.

    Returns:
        N mean squared errors, float64, in squared units of the network.

    Raises:
        DataError: The pictures do not suit the auto-encoder.
        OutputError: The folder cannot be written.
    """
    rows: list[Row] = []
    for start in range(0, len(images), AT_ONCE):
        part = images[start : start + AT_ONCE]
        before, after = cae.to_unit(part), cae.reconstruct(part)
        for at, name in enumerate(part.names):
            whole = [(before[at], after[at])]
            rows.append(_written(cae, name, part.pixels[at], whole, folder))
    return _tabled(folder, images.names, rows)


def reconstruct_each(
    cae: CAE,
    pieces: Iterable[ImageSet | Skipped],
    folder: Path,
    tile: int | None = None,
    overlap: int | None = None,
) -> NDArray[np.float64]:
    """Do the same for pictures of any sizes, holding one of them at a time.

    Beside a picture only its reconstruction in the source's type is held whole.

    Args:
        cae: The trained auto-encoder.
        pieces: The pictures as `caes.data.stream` gives them; at least one.
        folder: Where to write.
        tile: As for `CAE.reconstruct`.
        overlap: As for `CAE.reconstruct`.

    Returns:
        N mean squared errors, float64, in squared units of the network.

    Raises:
        ArgumentError: Tiles that do not suit the auto-encoder.
        DataError: The pictures do not suit it.
        OutputError: The folder cannot be written.
    """
    names: list[str] = []
    rows: list[Row] = []
    for images in pieces:
        if isinstance(images, Skipped):
            continue
        each = cae.bands(images, tile=tile, overlap=overlap)
        for at, (name, bands) in enumerate(zip(images.names, each, strict=True)):
            names.append(name)
            rows.append(_written(cae, name, images.pixels[at], bands, folder))
    return _tabled(folder, names, rows)


def _written(
    cae: CAE,
    name: str,
    pixels: NDArray[Any],
    bands: Iterable[tuple[Band, Band]],
    folder: Path,
) -> Row:
    """Write what there is of one picture; give its row of the table."""
    scaling = cae.scaling_
    again, tally = np.empty_like(pixels), Tally(scaling.span)
    left, right = Preview(*pixels.shape), Preview(*pixels.shape)
    done = 0
    for before, after in bands:
        here = slice(done, done := done + len(after))
        again[here] = scaling.to_source(after, pixels.dtype)
        tally.add(before, after, pixels[here], again[here])
        left.add(scaling.shown(before))
        right.add(scaling.shown(after))
    _write_pair(folder / picture_path(name), left.picture(), right.picture())
    write_picture(folder / picture_path(name, "reconstructed"), again)
    return tally.row()


def _tabled(
    folder: Path, names: Sequence[str], rows: Sequence[Row]
) -> NDArray[np.float64]:
    with write_atomically(folder / TABLE) as file:
        file.write(_table(names, rows).encode())
    return np.array([mse for mse, *_ in rows])


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


def write_picture(path: Path, pixels: NDArray[Any]) -> None:
    """Write one picture in its own type, as TIFF where PNG cannot hold it.

    Args:
        path: Where to; ``.tif`` takes the place of its ending for TIFF.
        pixels: H×W×C, any real number type.

    Raises:
        OutputError: The place cannot be written.
    """
    kept = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    if str(pixels.dtype) in PNG.get(pixels.shape[2], ()):
        with write_atomically(path) as file:
            Image.fromarray(kept).save(file, "PNG")
        return
    from tifffile import FileHandle, imwrite  # late: only what needs it pays for it

    colour = "rgb" if pixels.shape[2] == 3 else "minisblack"
    if pixels.dtype == np.bool_:
        kept = kept.astype(np.uint8)
    together = None if kept.ndim == 2 else "contig"
    path = path.with_suffix(".tif")
    with write_atomically(path) as file:
        named = FileHandle(file, name=path.name)  # it asks for one, and this has none
        imwrite(named, kept, photometric=colour, planarconfig=together)


PNG = {1: ("bool", "uint8", "uint16"), 3: ("uint8",)}
"""The types that PNG holds, by the number of channels."""


def _write_pair(
    path: Path, left: NDArray[np.float32], right: NDArray[np.float32]
) -> None:
    gap = np.full((left.shape[0], GAP, left.shape[2]), 0.5, np.float32)
    pair = np.concatenate([left, gap, right], axis=1)
    shown = pair[..., :3] if pair.shape[2] >= 3 else pair[..., 0]
    pixels = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)
    with write_atomically(path) as file:
        Image.fromarray(pixels).save(file, "PNG")


def _table(names: Sequence[str], rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, (mse, psnr, *others) in zip(names, rows, strict=True):
        errors = (f"{each:.8g}" for each in others)
        writer.writerow([name, f"{mse:.8g}", f"{psnr:.4f}", *errors])
    return text.getvalue()
