"""Reconstructions in the source's type, and how far off each one is."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from caes.data import ImageSet
from caes.estimators import CAE
from caes.files import write_atomically

GAP = 2
"""Columns of mid-grey between a picture and its reconstruction."""
AT_ONCE = 256
TABLE = "errors.csv"
FILES = (TABLE, "*.png", "*.tif")
"""All that the folder of reconstructions holds."""
COLUMNS = ("name", "mse", "psnr", "rmse", "mae", "max")


def reconstruct(cae: CAE, images: ImageSet, folder: Path) -> NDArray[np.float64]:
    """Write each picture's reconstruction, a pair to look at, and errors.csv.

    ``NAME.reconstructed.png`` or ``.tif`` is the reconstruction in the source's units
    and type: PNG for grey of up to 16 bits without sign and for colour of 8, TIFF for
    all else. ``NAME.png`` shows the original left and the reconstruction right: 8 bits,
    scaled as `Scaling.shown` says; of two, or of more than three channels, the first or
    the first three.

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
    scaling = cae.scaling_
    rows: list[tuple[float, ...]] = []
    for start in range(0, len(images), AT_ONCE):
        part = images[start : start + AT_ONCE]
        before, after = cae.to_unit(part), cae.reconstruct(part)
        errors = ((before - after).astype(np.float64) ** 2).mean((1, 2, 3))
        again = scaling.to_source(after, part.dtype)
        for at, name in enumerate(part.names):
            pair = scaling.shown(before[at]), scaling.shown(after[at])
            _write_pair(folder / picture_path(name), *pair)
            write_picture(folder / picture_path(name, "reconstructed"), again[at])
            measured = _measured(part.pixels[at], again[at], scaling.span)
            rows.append((float(errors[at]), *measured))
    with write_atomically(folder / TABLE) as file:
        file.write(_table(images.names, rows).encode())
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
    from tifffile import imwrite  # late: only pictures that need it pay for it

    colour = "rgb" if pixels.shape[2] == 3 else "minisblack"
    if pixels.dtype == np.bool_:
        kept = kept.astype(np.uint8)
    together = None if kept.ndim == 2 else "contig"
    memory = io.BytesIO()  # it asks a file for its name, and an open one has none
    imwrite(memory, kept, photometric=colour, planarconfig=together)
    with write_atomically(path.with_suffix(".tif")) as file:
        file.write(memory.getbuffer())


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


def _measured(
    pixels: NDArray[Any], again: NDArray[Any], span: float
) -> tuple[float, float, float, float]:
    """Give psnr, rmse, mae and max of a picture, in the source's units."""
    apart = np.abs(again.astype(np.float64) - pixels.astype(np.float64))
    rmse = math.sqrt(np.square(apart).mean())
    psnr = 20 * math.log10(span / rmse) if rmse > 0 else math.inf
    return psnr, rmse, float(apart.mean()), float(apart.max())


def _table(names: Sequence[str], rows: Sequence[tuple[float, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, (mse, psnr, *others) in zip(names, rows, strict=True):
        errors = (f"{each:.8g}" for each in others)
        writer.writerow([name, f"{mse:.8g}", f"{psnr:.4f}", *errors])
    return text.getvalue()
