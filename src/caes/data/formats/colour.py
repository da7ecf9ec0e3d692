"""What pictures need before they are plain grey, colour or channels, in any type."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]  # H×W×C

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
    """Write how pixels are stored.

    Args:
        channels: Without the opacity.
        bits: Of each.
        floating: Whether they are no whole numbers.
        alpha: Whether there is an opacity beside them.

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
    """Lay a picture on white and drop its last channel, the opacity.

    Args:
        picture: H×W×C, unsigned whole numbers, the type's largest being white and
            opaque.
        premultiplied: Whether the colours are multiplied by the opacity already.

    Returns:
        H×W×(C − 1), in the picture's type.
    """
    top = np.iinfo(picture.dtype).max
    opacity = picture[..., -1:] / top
    colours = picture[..., :-1] * (1.0 if premultiplied else opacity)
    whole = np.rint(colours + (1 - opacity) * top)
    return np.minimum(whole, top).astype(picture.dtype)


def from_ink(picture: Picture) -> Picture:
    """Turn cyan, magenta, yellow and black into red, green and blue.

    Args:
        picture: H×W×4, unsigned whole numbers, the type's largest being full ink.

    Returns:
        H×W×3, in the picture's type.
    """
    top = np.iinfo(picture.dtype).max
    paper = (top - picture) / top  # in [0, 1], what the ink leaves of the light
    light = paper[..., :3] * paper[..., 3:] * top
    return np.rint(light).astype(picture.dtype)


def inverted(picture: Picture, bits: int | None = None) -> Picture:
    """Exchange black and white.

    Args:
        picture: H×W×C, bool or whole numbers.
        bits: Bits that are in use, where fewer than the type's.
    """
    if picture.dtype.kind == "u":
        top = 2 ** (bits or picture.dtype.itemsize * 8) - 1
        return np.array(top, picture.dtype) - picture
    return ~picture


def is_grey(palette: NDArray[Any]) -> bool:
    """Whether a palette, colours × 3, has no colour but greys."""
    return bool((palette == palette[:, :1]).all())


def painted(indices: Picture, palette: NDArray[np.uint16]) -> Picture:
    """Look up the colours of a palette.

    Args:
        indices: H×W×1, whole numbers.
        palette: Colours × 3, 16 bits each.

    Returns:
        H×W×3, or H×W×1 of a palette of greys: uint8 where no colour needs more, as in
        palettes of 8 bits times 256 or 257, else uint16.
    """
    low = palette & 0xFF
    if ((low == palette >> 8) | (low == 0)).all():
        palette = (palette >> 8).astype(np.uint8)
    return palette[indices[..., 0]][..., : 1 if is_grey(palette) else 3]
