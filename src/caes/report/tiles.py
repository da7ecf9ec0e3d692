"""Pictures small enough for a page, by whole factors, so that no pixel is invented."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from caes.data.imageset import ImageSet
from caes.report.fitted import Fitted

LARGEST = 160
"""Longest side of a tile in pixels; larger pictures are reduced by a whole factor."""
AREA = 128 * 96
"""Most pixels in a tile, so that a page of photographs stays near 2 MB."""
COMFORTABLE = 96
"""Longest side on the page that small pictures are enlarged to, by a whole factor."""
DIFFERENCE = 0.5
"""The absolute difference, on the scale [0, 1], that gets the strongest colour."""
COLOURS = colormaps["magma"]

Tile = NDArray[np.uint8]
"""H×W (grey) or H×W×3 (red, green, blue)."""


@dataclass(frozen=True, eq=False)
class Example:
    """A test picture beside what the autoencoder made of it.

    Args:
        name: The picture's name.
        error: Its mean squared error on the network's scale.
        picture: The picture.
        again: Its reconstruction.
        difference: Their absolute difference, H×W; 255 is `DIFFERENCE` and more.
    """

    name: str
    error: float
    picture: Tile
    again: Tile
    difference: Tile


def examples(
    cae: Fitted,
    images: ImageSet,
    rows: Sequence[int],
    errors: NDArray[np.float64],
) -> list[Example]:
    """Reconstruct some pictures and make tiles of them.

    Args:
        cae: The autoencoder.
        images: The pictures.
        rows: Which of them.
        errors: N float64, every picture's mean squared error.
    """
    some = images[np.asarray(rows, dtype=np.intp)]
    seen = cae.to_unit(some), cae.reconstruct(some)
    before, after = map(cae.scaling_.shown, seen)
    apart = np.abs(before - after).mean(axis=-1) / DIFFERENCE
    return [
        Example(
            name=some.names[at],
            error=float(errors[row]),
            picture=tile(before[at]),
            again=tile(after[at]),
            difference=_reduced(apart[at]),
        )
        for at, row in enumerate(rows)
    ]


def tile(picture: NDArray[np.float32]) -> Tile:
    """Make a tile of one picture.

    Args:
        picture: H×W×C in [0, 1]; of two channels the first is shown, of more than three
            the first three. What is not finite becomes black.
    """
    return _reduced(seen(picture))


def seen(picture: NDArray[Any]) -> NDArray[Any]:
    """Give what is shown of a picture H×W×C: H×W of fewer than three channels."""
    return picture[..., :3] if picture.shape[-1] >= 3 else picture[..., 0]


def in_bytes(unit: NDArray[np.floating]) -> Tile:
    """Give values in [0, 1], H×W or H×W×3, as bytes; what is not finite as black."""
    finite = np.nan_to_num(unit, nan=0.0, posinf=1.0, neginf=0.0)
    full: Tile = np.rint(np.clip(finite, 0, 1) * 255).astype(np.uint8)
    return full


def enlargement(tile: Tile) -> int:
    """Give the whole factor by which the page enlarges a tile."""
    longest: int = max(tile.shape[:2])
    return max(1, COMFORTABLE // longest)


def per_row(tile: Tile) -> int:
    """Give how many tiles of this size stand side by side."""
    wide: int = tile.shape[1] * enlargement(tile)
    return 10 if wide <= COMFORTABLE else 5


def png(tile: Tile) -> bytes:
    """Write a tile as a PNG file's bytes."""
    return _png(Image.fromarray(tile))


def heat(difference: Tile) -> Tile:
    """Colour a difference, H×W: H×W×3."""
    coloured: Tile = COLOURS(difference, bytes=True)[..., :3]
    return coloured


def heat_png(difference: Tile) -> bytes:
    """Write a coloured difference as a PNG file's bytes; the palette keeps it small."""
    image = Image.fromarray(difference)
    image.putpalette(heat(np.arange(256, dtype=np.uint8)[None]).tobytes())
    return _png(image)


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _reduced(unit: NDArray[np.float32]) -> Tile:
    full = in_bytes(unit)
    height, width = full.shape[:2]
    factor = math.ceil(
        max(height / LARGEST, width / LARGEST, math.sqrt(height * width / AREA))
    )
    return np.asarray(Image.fromarray(full).reduce(factor)) if factor > 1 else full
