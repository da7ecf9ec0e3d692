"""Pictures beside their reconstructions, and how far off each one is."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from caes.data import ImageSet, Skipped
from caes.estimators import CAE
from caes.files import write_atomically
from caes.tasks.preview import Preview

GAP = 2
"""Columns of mid-grey between a picture and its reconstruction."""
AT_ONCE = 256
TABLE = "errors.csv"


def reconstruct(cae: CAE, images: ImageSet, folder: Path) -> NDArray[np.float64]:
    """Write a PNG a picture, original left and reconstruction right, and errors.csv.

    The PNGs are for looking at: 8 bits, scaled to the value range; of two, or of more
    than three channels, the first or the first three. The table's columns are name,
    mse (in squared units of [0, 1]), psnr (dB) and rmse (in the source's units).

    Args:
        cae: The trained auto-encoder.
        images: The pictures, in the source's units.
        folder: Where to write.

    Returns:
        N mean squared errors, float64, in squared units of [0, 1].

    Raises:
        DataError: The pictures do not suit the auto-encoder.
        OutputError: The folder cannot be written.
    """
    errors = []
    for start in range(0, len(images), AT_ONCE):
        part = images[start : start + AT_ONCE]
        before, after = cae.to_unit(part), cae.reconstruct(part)
        errors.append(((before - after).astype(np.float64) ** 2).mean((1, 2, 3)))
        for name, left, right in zip(part.names, before, after, strict=True):
            _write_pair(folder / picture_path(name), left, right)
    found = np.concatenate(errors)
    _write_table(folder, cae, images.names, found)
    return found


def reconstruct_each(
    cae: CAE,
    pieces: Iterable[ImageSet | Skipped],
    folder: Path,
    tile: int | None = None,
    overlap: int | None = None,
) -> NDArray[np.float64]:
    """Do the same for pictures of any sizes, holding one of them at a time.

    Pairs of pictures with a side above `preview.LARGEST` pixels are shrunk by a whole
    factor.

    Args:
        cae: The trained auto-encoder.
        pieces: The pictures as `caes.data.stream` gives them; at least one.
        folder: Where to write.
        tile: As for `CAE.reconstruct`.
        overlap: As for `CAE.reconstruct`.

    Returns:
        N mean squared errors, float64, in squared units of [0, 1].

    Raises:
        ArgumentError: Tiles that do not suit the auto-encoder.
        DataError: The pictures do not suit it.
        OutputError: The folder cannot be written.
    """
    names: list[str] = []
    errors = []
    for images in pieces:
        if isinstance(images, Skipped):
            continue
        each = cae.bands(images, tile=tile, overlap=overlap)
        for name, bands in zip(images.names, each, strict=True):
            squares = 0.0
            left, right = Preview(*images.shape[1:]), Preview(*images.shape[1:])
            for before, after in bands:
                squares += np.square(before - after, dtype=np.float64).sum()
                left.add(before)
                right.add(after)
            names.append(name)
            errors.append(squares / math.prod(images.shape[1:]))
            _write_pair(folder / picture_path(name), left.picture(), right.picture())
    found = np.array(errors)
    _write_table(folder, cae, names, found)
    return found


def _write_table(
    folder: Path, cae: CAE, names: Sequence[str], errors: NDArray[np.float64]
) -> None:
    span = cae.scaling_.high - cae.scaling_.low
    with write_atomically(folder / TABLE) as file:
        file.write(_table(names, errors, span).encode())


def picture_path(name: str) -> PurePosixPath:
    """Turn a picture's name into a path below the output folder, whatever it holds.

    >>> str(picture_path("cats/a.jpg")), str(picture_path("../../etc/passwd"))
    ('cats/a.jpg.png', 'etc/passwd.png')
    """
    text = name.replace("\\", "_").replace("\0", "")
    parts = [part for part in PurePosixPath(text).parts if part not in ("..", "/")]
    *folders, last = parts or ["picture"]
    return PurePosixPath(*folders, f"{last}.png")


def _write_pair(
    path: Path, left: NDArray[np.float32], right: NDArray[np.float32]
) -> None:
    gap = np.full((left.shape[0], GAP, left.shape[2]), 0.5, np.float32)
    pair = np.concatenate([left, gap, right], axis=1)
    shown = pair[..., :3] if pair.shape[2] >= 3 else pair[..., 0]
    pixels = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)
    with write_atomically(path) as file:
        Image.fromarray(pixels).save(file, "PNG")


def _table(names: Sequence[str], errors: NDArray[np.float64], span: float) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "mse", "psnr", "rmse"])
    for name, mse in zip(names, errors.tolist(), strict=True):
        psnr = -10 * math.log10(mse) if mse > 0 else math.inf
        writer.writerow(
            [name, f"{mse:.8g}", f"{psnr:.4f}", f"{math.sqrt(mse) * span:.6g}"]
        )
    return text.getvalue()
