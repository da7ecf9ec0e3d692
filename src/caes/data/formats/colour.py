"""What pictures need before they are plain grey, colour or channels, in any type."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]  # H×W×C

_BAND = 2**16  # values that are computed with at once
_WIDER = {1: np.uint16, 2: np.uint32, 4: np.uint64}  # by bytes

PALETTE = "Palette pictures were expanded to colour"
ALPHA = "Pictures with transparency were laid on white"
CMYK = "CMYK pictures were converted to RGB"
INVERTED = "Pictures in which 0 is white were inverted"

_COLOURS = {1: "grey", 3: "colour"}

# How the eight EXIF orientations are undone, as in the TIFF standard's tag 274.
_UPRIGHT = {
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.swapaxes(0, 1),
    6: lambda picture: picture[::-1].swapaxes(0, 1),
    7: lambda picture: picture[::-1, ::-1].swapaxes(0, 1),
    8: lambda picture: picture[:, ::-1].swapaxes(0, 1),
}


def mode(
    channels: int, bits: int, *, floating: bool = False, alpha: bool = False
) -> str:
    """Write how pixels are stored; the opacity is none of the channels.

    >>> mode(1, 8), mode(3, 16, alpha=True), mode(13, 32, floating=True), mode(1, 1)
    ('grey', '16-bit colour with alpha', '32-bit float, 13 channels', '1-bit')
    """
    named = _COLOURS.get(channels)
    if bits == 1 and channels == 1:
        return "1-bit with alpha" if alpha else "1-bit"
    number = f"{bits}-bit{' float' if floating else ''}" if bits > 8 else ""
    many = f"{number}, {channels} channels" if number else f"{channels} channels"
    return (f"{number} {named}".strip() if named else many) + " with alpha" * alpha


def upright(picture: Picture, orientation: Any) -> Picture:
    """Turn a picture H×W×C as its orientation from 1 to 8 says; others say nothing."""
    turn = _UPRIGHT.get(orientation)
    return np.ascontiguousarray(turn(picture)) if turn else picture


def swaps_sides(orientation: Any) -> bool:
    """Whether the orientation makes height of width."""
    return orientation in (5, 6, 7, 8)


def on_white(picture: Picture, premultiplied: bool = False) -> Picture:
    """Lay an unsigned picture on white and drop its last channel, the opacity."""
    return _by_bands(lambda band: _on_white(band, premultiplied), picture)


def _on_white(picture: Picture, premultiplied: bool) -> Picture:
    top = np.iinfo(picture.dtype).max
    # Twice the bits hold the products; of 64 there is no double, but fractions.
    wide = _WIDER.get(picture.itemsize, np.float64)
    opacity = picture[..., -1].astype(wide)
    white = picture[..., :-1].copy()
    for channel in range(white.shape[-1]):  # contiguous ones are worked on far faster
        plane = white[..., channel].astype(wide)
        if not premultiplied:
            plane *= opacity
            plane += top // 2  # to round: nothing lies halfway between two numbers
            plane //= top
        plane += top - opacity
        white[..., channel] = np.minimum(plane, top)
    return white


def from_ink(picture: Picture) -> Picture:
    """Turn unsigned cyan, magenta, yellow and black H×W×4 into H×W×3, RGB."""
    return _by_bands(_from_ink, picture)


def _from_ink(picture: Picture) -> Picture:
    top = np.iinfo(picture.dtype).max
    paper = (top - picture) / top  # in [0, 1], what the ink leaves of the light
    light = paper[..., :3] * paper[..., 3:] * top
    return np.rint(light).astype(picture.dtype)


def _by_bands(change: Callable[[Picture], Picture], picture: Picture) -> Picture:
    """Change a picture H×W×C some rows at a time, giving one channel less.

    What is computed in between takes eight bytes a value, several times over.
    """
    height, width, channels = picture.shape
    changed = np.empty((height, width, channels - 1), picture.dtype)
    step = max(1, _BAND // (width * channels))
    for top in range(0, height, step):
        changed[top : top + step] = change(picture[top : top + step])
    return changed


def inverted(picture: Picture, bits: int | None = None) -> Picture:
    """Exchange black and white of bools or whole numbers of so many ``bits``."""
    if picture.dtype.kind == "u":
        top = 2 ** (bits or picture.dtype.itemsize * 8) - 1
        return np.array(top, picture.dtype) - picture
    return ~picture


def is_grey(palette: NDArray[Any]) -> bool:
    """Whether a palette, colours × 3, has no colour but greys."""
    return bool((palette == palette[:, :1]).all())


def painted(indices: Picture, palette: NDArray[np.uint16]) -> Picture:
    """Look up the colours of a palette, colours × 3 of 16 bits, for indices H×W×1.

    Gives H×W×3, or H×W×1 of a palette of greys: uint8 where no colour needs more, as in
    palettes of 8 bits times 256 or 257, else uint16.
    """
    low = palette & 0xFF
    if ((low == palette >> 8) | (low == 0)).all():
        palette = (palette >> 8).astype(np.uint8)
    return palette[indices[..., 0]][..., : 1 if is_grey(palette) else 3]
