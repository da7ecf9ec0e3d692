"""Pictures on a page and in files: by whole factors, so that no pixel is invented."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

PALETTE = {
    "paper": ("#ffffff", "#14161a"),
    "ink": ("#1b1d21", "#e7e8ea"),
    "faint": ("#5c616b", "#a0a5ae"),
    "rule": ("#e2e4e8", "#2e3238"),
    "panel": ("#f5f6f8", "#1c1f24"),
    "first": ("#0067a5", "#63b3ed"),
    "second": ("#c4500a", "#f0a35a"),
    "third": ("#00795c", "#4fc79b"),
    "fourth": ("#93479b", "#d99be0"),
    "fifth": ("#7a6600", "#d9c84a"),
}
"""The page's colours by name, on light and on dark paper.

The first two are told apart by colour-blind readers (after Okabe & Ito), and lines
differ by their dashes too.
"""
PAPER, INK, FAINT, RULE, _, *LINES = (light for light, _ in PALETTE.values())
LINES.append(FAINT)
LARGEST = 160
"""Longest side of a tile in pixels; larger pictures are reduced by a whole factor."""
AREA = 128 * 96
"""Most pixels in a tile, so that a page of photographs stays near 2 MB."""
COMFORTABLE = 96
"""Longest side on the page that small pictures are enlarged to, by a whole factor."""
COLOURS = colormaps["magma"]
SHARPNESS = 2
"""Pixels of a montage for one on the page, so that print and fine screens gain."""
MARGIN = 12
GAP = 6
LINE = 14
"""Page pixels of a line of text."""
LONGEST = 20
"""Letters of a name in a figure; the page has it in full."""

Tile = NDArray[np.uint8]
"""H×W (grey) or H×W×3 (red, green, blue)."""


def tile(picture: NDArray[np.float32]) -> Tile:
    """Make a tile of one picture H×W×C in [0, 1]; what is not finite becomes black."""
    return reduced(seen(picture))


def seen(picture: NDArray[Any]) -> NDArray[Any]:
    """Give what is shown of H×W×C: its first three channels, or the first, H×W."""
    return picture[..., :3] if picture.shape[-1] >= 3 else picture[..., 0]


def in_bytes(unit: NDArray[np.floating]) -> Tile:
    """Give values in [0, 1], H×W or H×W×3, as bytes; what is not finite as black."""
    finite = np.nan_to_num(unit, nan=0.0, posinf=1.0, neginf=0.0)
    full: Tile = np.rint(np.clip(finite, 0, 1) * 255).astype(np.uint8)
    return full


def reduced(unit: NDArray[np.floating]) -> Tile:
    """Give H×W or H×W×3 in [0, 1] as bytes, large ones by the means of whole blocks."""
    full = in_bytes(unit)
    height, width = full.shape[:2]
    factor = math.ceil(
        max(height / LARGEST, width / LARGEST, math.sqrt(height * width / AREA))
    )
    return np.asarray(Image.fromarray(full).reduce(factor)) if factor > 1 else full


def enlargement(tile: Tile) -> int:
    """Give the whole factor by which the page enlarges a tile."""
    longest: int = max(tile.shape[:2])
    return max(1, COMFORTABLE // longest)


def enlarged(tile: Tile, factor: int) -> Tile:
    """Repeat every pixel."""
    return tile.repeat(factor, axis=0).repeat(factor, axis=1)


def per_row(tile: Tile) -> int:
    """Give how many tiles of this size stand side by side."""
    return 10 if tile.shape[1] * enlargement(tile) <= COMFORTABLE else 5


def heat(difference: Tile) -> Tile:
    """Colour a difference, H×W: H×W×3."""
    coloured: Tile = COLOURS(difference, bytes=True)[..., :3]
    return coloured


def png(tile: Tile) -> bytes:
    """Write a tile as a PNG file's bytes."""
    return _png(Image.fromarray(tile))


def heat_png(difference: Tile) -> bytes:
    """Write a coloured difference as a PNG file's bytes; the palette keeps it small."""
    image = Image.fromarray(difference)
    image.putpalette(heat(np.arange(256, dtype=np.uint8)[None]).tobytes())
    return _png(image)


def _png(image: Image.Image, *, optimize: bool = True) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=optimize)
    return stream.getvalue()


@dataclass(frozen=True, eq=False)
class Strip:
    """Tiles side by side in a montage."""

    tiles: Sequence[Tile]  # at the montage's own resolution, `SHARPNESS` of a page's
    title: str = ""  # above them, bold
    name: str = ""  # to the left of them
    texts: Sequence[str] = ()  # below each, one or more lines

    @property
    def above(self) -> int:
        """Pixels that the title takes."""
        return SHARPNESS * (LINE + 4) * bool(self.title)

    @property
    def below(self) -> int:
        """Pixels that the texts take."""
        lines = max((text.count("\n") + 1 for text in self.texts), default=0)
        return SHARPNESS * (lines * LINE + 2 * bool(lines))


def montage(
    strips: Sequence[Strip],
    *,
    cell: tuple[int, int] = (0, 0),
    gap: int = GAP,
    centred: bool = False,
) -> bytes:
    """Lay strips, at least one, below each other on light paper; a PNG file's bytes.

    A tile's room is a ``cell`` at least, (H, W) in the montage's pixels, and lies a
    ``gap`` of page pixels from the next; tiles and texts may be ``centred`` in it.
    """
    tiles = [each.shape[:2] for strip in strips for each in strip.tiles]
    texts = [_width(text) for strip in strips for text in strip.texts]
    tall = max([cell[0], *(height for height, _ in tiles)])
    wide = max([cell[1], *(width for _, width in tiles), *texts])
    names = max(_width(strip.name) for strip in strips)
    left = SHARPNESS * (MARGIN + gap * bool(names)) + names
    step = wide + SHARPNESS * gap
    titles = [SHARPNESS * MARGIN + _width(each.title, bold=True) for each in strips]
    across = [left + len(each.tiles) * step - SHARPNESS * gap for each in strips]
    down = [
        each.above + tall * bool(each.tiles) + each.below + SHARPNESS * gap
        for each in strips
    ]
    height = sum(down) + SHARPNESS * (2 * MARGIN - gap)
    sheet = Image.new("RGB", (max(across + titles) + SHARPNESS * MARGIN, height), PAPER)
    top = SHARPNESS * MARGIN
    for strip, taken in zip(strips, down, strict=True):
        _head(sheet, strip, top, tall)
        for at, each in enumerate(strip.tiles):
            x, y = left + at * step, top + strip.above
            down_by = (tall - each.shape[0]) // 2
            aside = (wide - each.shape[1]) // 2 * centred
            picture = Image.fromarray(each).convert("RGB")
            sheet.paste(picture, (x + aside, y + down_by))
            text = strip.texts[at] if strip.texts else ""
            middle, anchor = (wide // 2, "ma") if centred else (0, "la")
            _below(sheet, text, x + middle, y + tall, anchor)
        top += taken
    return _png(sheet, optimize=False)


def _head(sheet: Image.Image, strip: Strip, top: int, tall: int) -> None:
    draw, edge = ImageDraw.Draw(sheet), SHARPNESS * MARGIN
    draw.text((edge, top), strip.title, INK, _font(bold=True))
    middle = top + strip.above + tall // 2
    draw.text((edge, middle), strip.name, FAINT, _font(), "lm")


def _below(sheet: Image.Image, text: str, x: int, y: int, anchor: str) -> None:
    for at, line in enumerate(text.split("\n")):
        place = x, y + SHARPNESS * (2 + at * LINE)
        colour = FAINT if at else INK
        ImageDraw.Draw(sheet).text(place, line, colour, _font(), anchor)


@cache
def _font(*, bold: bool = False) -> ImageFont.FreeTypeFont:
    face = _face("bold" if bold else "normal")
    return ImageFont.truetype(findfont(face), 10.5 * SHARPNESS)


def _face(weight: str = "normal") -> FontProperties:
    return FontProperties(family="DejaVu Sans", weight=weight)


def _width(text: str, *, bold: bool = False) -> int:
    lines = text.split("\n")
    return max(math.ceil(_font(bold=bold).getlength(line)) for line in lines)


def width(line: str) -> float:
    """Give the page pixels that a line takes in a figure."""
    return _width(line) / SHARPNESS


def labels(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Write names for a figure, or their number where the font lacks letters.

    >>> labels(["cat", "猫"])
    ['cat', 'no. 2']
    """
    return [
        short(name, longest) if drawable(name) else f"no. {number}"
        for number, name in enumerate(names, start=1)
    ]


def drawable(name: str) -> bool:
    """Whether the font has every letter of a name, and there is one."""
    return bool(name.split()) and _letters().issuperset(map(ord, "".join(name.split())))


def short(name: str, longest: int) -> str:
    """Write a name on one line of at most ``longest`` letters, both ends kept.

    >>> short("a very long name of class 3", 20)
    'a very lon…f class 3'
    """
    line = " ".join(name.split())
    if len(line) <= longest:
        return line
    half = longest // 2
    return f"{line[:half]}…{line[half + 1 - longest :]}"


@cache
def _letters() -> frozenset[int]:
    """Give the code points of the font that figures are written with."""
    return frozenset(FT2Font(findfont(_face())).get_charmap())
