"""The atlas on a page and as a picture: points, and pictures that cover no other."""

import base64
import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from caes.files import write_whole
from caes.report.layout import Fact, Verdict, render
from caes.report.numbers import count
from caes.report.pictures import FAINT, PAPER, Tile, labels

COLOURED = 20
"""Most classes with a colour of their own; the others share one."""
SIDE = 1200
"""Pixels of the picture that the points lie in, across and down."""
CELL = 40
"""Pixels of the cells of which each shows one picture at most."""
EDGE = 20
SCRIPT = Path(__file__).parents[1] / "templates" / "atlas.js"


@dataclass(frozen=True)
class Points:
    """What is drawn of N rows."""

    names: Sequence[str]  # N
    labels: Sequence[str | None]  # N
    errors: NDArray[np.float64] | None  # N, or none
    places: NDArray[np.float32]  # N×2, in any units
    tiles: Mapping[int, Tile]  # pictures of some rows, by row

    @cached_property
    def unit(self) -> NDArray[np.float64]:
        """N×2 in [0, 1], on one scale for both axes, centred; y goes up."""
        places = self.places.astype(np.float64)
        low, high = places.min(0), places.max(0)
        span = float((high - low).max()) or 1.0
        unit: NDArray[np.float64] = 0.5 + (places - (low + high) / 2) / span
        return unit

    @cached_property
    def groups(self) -> list["Group"]:
        """The classes with a colour, in the order of their names; then the others."""
        counts = Counter(label for label in self.labels if label is not None)
        named = sorted(name for name, _ in counts.most_common(COLOURED))
        ramp = colormaps["tab10" if len(named) <= 10 else "tab20"]
        found = [Group(n, counts[n], to_hex(ramp(at))) for at, n in enumerate(named)]
        if rest := len(counts) - len(named):
            total = sum(counts.values()) - sum(each.pictures for each in found)
            found.append(Group(count(rest, "other class"), total, FAINT))
        if unknown := self.labels.count(None):
            text = "no label" if found else ""
            found.append(Group(text, unknown, FAINT if found else "#0067a5"))
        return found

    @cached_property
    def group_of(self) -> NDArray[np.uint8]:
        """N positions in `groups`."""
        own = {group.name: at for at, group in enumerate(self.groups)}
        last = len(self.groups) - 1
        others = last - (None in self.labels)
        each = (
            last if label is None else own.get(label, others) for label in self.labels
        )
        return np.fromiter(each, np.uint8, len(self.labels))


@dataclass(frozen=True)
class Group:
    """Points of one colour."""

    name: str
    pictures: int
    colour: str


def atlas_png(points: Points) -> bytes:
    """Draw all points and, where pictures are known, some that do not cover another.

    The square has cells of `CELL` pixels; each shows the picture whose point is nearest
    to its middle, framed in the colour of its class.
    """
    named = [group for group in points.groups if group.name]
    rows = math.ceil(len(named) / 5)
    tall = SIDE + 2 * EDGE + 34 * rows
    figure = Figure(((SIDE + 2 * EDGE) / 100, tall / 100), dpi=100, facecolor=PAPER)
    box = EDGE / (SIDE + 2 * EDGE), 1 - (SIDE + EDGE) / tall
    axes = figure.add_axes((*box, SIDE / (SIDE + 2 * EDGE), SIDE / tall))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    colours = np.array([group.colour for group in points.groups])[points.group_of]
    size = float(np.clip(40_000 / len(points.names), 1, 30))
    x, y = points.unit.T
    axes.scatter(x, y, size, colours, linewidths=0, clip_on=False)
    if named:
        dots = [axes.scatter([], [], 60, group.colour) for group in named]
        texts = labels([group.name for group in named])
        figure.legend(
            dots, texts, loc="lower left", ncols=5, frameon=False, fontsize=13,
            bbox_to_anchor=(0.01, 0), handletextpad=0.2, columnspacing=1.2,
        )  # fmt: skip
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100)
    sheet = Image.open(stream).convert("RGB")
    for (column, down), row in cells(points).items():
        group = points.groups[points.group_of[row]]
        place = EDGE + column * CELL, EDGE + down * CELL
        sheet.paste(_framed(points.tiles[row], group.colour), place)
    written = io.BytesIO()
    sheet.save(written, "PNG", optimize=True)
    return written.getvalue()


def cells(points: Points) -> dict[tuple[int, int], int]:
    """Give the row whose picture a cell shows, by column and row of the square."""
    many = SIDE // CELL
    rows = np.array(sorted(points.tiles), np.int64)
    if not len(rows):
        return {}
    grid = points.unit[rows] * (1, -1) * many + (0, many)  # down from the top
    at = np.clip(grid.astype(np.int64), 0, many - 1)
    away = np.square(grid - at - 0.5).sum(1)
    found: dict[tuple[int, int], int] = {}
    for index in np.argsort(away, kind="stable"):
        column, down = at[index].tolist()
        found.setdefault((column, down), int(rows[index]))
    return found


def _framed(tile: Tile, colour: str) -> Image.Image:
    """Give a picture in a cell's frame, two pixels less than the cell."""
    inside = CELL - 6
    frame = Image.new("RGB", (CELL - 2, CELL - 2), colour)
    image = Image.fromarray(tile).convert("RGB")
    scale = inside / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    grown = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
    place = (CELL - 2 - size[0]) // 2, (CELL - 2 - size[1]) // 2
    frame.paste(image.resize(size, grown), place)
    return frame


def write_atlas(
    folder: Path,
    points: Points,
    *,
    verdict: Verdict,
    facts: Sequence[Fact],
    heading: str,
    about: str,
    command: str,
    notes: Sequence[str],
    settings: Mapping[str, object],
    provenance: Mapping[str, str],
) -> None:
    """Write ``index.html`` and ``atlas.png``."""
    script = SCRIPT.read_text("utf-8")
    digest = hashlib.sha256(script.encode()).digest()
    page = render(
        "atlas.html",
        verdict=verdict,
        facts=facts,
        heading=heading,
        about=about,
        command=command,
        notes=notes,
        parts={},
        settings=settings,
        provenance=provenance,
        groups=[group for group in points.groups if group.name],
        pictures=len(points.tiles),
        script=script,
        digest=base64.b64encode(digest).decode(),
        data=_embedded(points),
    )
    write_whole(folder / "atlas.png", atlas_png(points))
    write_whole(folder / "index.html", page.encode())


def _embedded(points: Points) -> str:
    """Give all that the script draws, as JSON that ends no element."""
    rows = sorted(points.tiles) or range(min(len(points.names), 10_000))
    unit = np.rint(points.unit * 65_535).astype("<u2")
    about: dict[str, Any] = {
        "x": _packed(unit[:, 0]),
        "y": _packed(unit[:, 1]),
        "group": _packed(points.group_of),
        "colours": [group.colour for group in points.groups],
        "rows": _packed(np.array(rows, "<u4")),
        "names": [points.names[row] for row in rows],
        "labels": [points.labels[row] for row in rows],
        "errors": None
        if points.errors is None
        else [f"{points.errors[row]:.3g}" for row in rows],
        **_sheet([points.tiles[row] for row in sorted(points.tiles)]),
    }
    return json.dumps(about, separators=(",", ":")).replace("<", "\\u003c")


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _sheet(tiles: Sequence[Tile]) -> dict[str, Any]:
    """Lay pictures out in cells of one sheet: as PNG if grey, else as JPEG."""
    if not tiles:
        return {"sheet": None, "side": 0, "across": 0, "sizes": []}
    side = max(max(tile.shape[:2]) for tile in tiles)
    across = math.ceil(math.sqrt(len(tiles)))
    grey = all(tile.ndim == 2 for tile in tiles)
    size = across * side, math.ceil(len(tiles) / across) * side
    sheet = Image.new("L" if grey else "RGB", size)
    for at, tile in enumerate(tiles):
        down, column = divmod(at, across)
        sheet.paste(Image.fromarray(tile), (column * side, down * side))
    stream = io.BytesIO()
    kind = "png" if grey else "jpeg"
    sheet.save(stream, kind, quality=88, subsampling=0, optimize=True)
    text = base64.b64encode(stream.getvalue()).decode()
    sizes = [[tile.shape[1], tile.shape[0]] for tile in tiles]
    alike = len({*map(tuple, sizes)}) == 1
    return {
        "sheet": f"data:image/{kind};base64,{text}",
        "side": side,
        "across": across,
        "sizes": sizes[:1] if alike else sizes,
    }
