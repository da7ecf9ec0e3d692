"""One look for every chart: colours for light and dark paper, axes, PNG."""

import io
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

SHARPNESS = 2
"""Pixels of the PNG for one pixel on the page, so that print and fine screens gain."""
MARGIN = 12
"""Page pixels around every figure; the page takes them back (page.css)."""
CHART = (384, 284)
"""Page pixels of a chart, width and height."""
STEPS = (1, 2, 5, 10)
"""Between ticks, times a power of ten."""
DOTS = 100
"""Page pixels in one of matplotlib's inches."""
Place = Literal["upper right", "upper left"]


@dataclass(frozen=True)
class Theme:
    """The colours of a chart, the same as the page's (page.css).

    Args:
        paper: Behind everything.
        ink: Text.
        faint: Ticks and notes.
        rule: Lines that only guide the eye.
        first: The autoencoder, training.
        second: What it is compared with. Both are told apart by colour-blind readers
            (after Okabe & Ito), and lines differ by their dashes too.
        others: Where more than two are compared.
    """

    paper: str
    ink: str
    faint: str
    rule: str
    first: str
    second: str
    others: tuple[str, ...]


LIGHT = Theme(
    paper="#ffffff",
    ink="#1b1d21",
    faint="#5c616b",
    rule="#e2e4e8",
    first="#0067a5",
    second="#c4500a",
    others=("#00795c", "#93479b", "#7a6600", "#5c616b"),
)
DARK = Theme(
    paper="#14161a",
    ink="#e7e8ea",
    faint="#a0a5ae",
    rule="#2e3238",
    first="#63b3ed",
    second="#f0a35a",
    others=("#4fc79b", "#d99be0", "#d9c84a", "#a0a5ae"),
)


def blank(theme: Theme, width: float, height: float) -> Figure:
    """Give an empty figure of so many page pixels."""
    size = (width / DOTS, height / DOTS)
    return Figure(figsize=size, dpi=DOTS * SHARPNESS, facecolor=theme.paper)


def axes_at(
    figure: Figure, left: float, bottom: float, width: float, height: float
) -> Axes:
    """Add axes at a place in page pixels from the left and the bottom."""
    wide, tall = figure.get_size_inches() * DOTS
    place = (left / wide, bottom / tall, width / wide, height / tall)
    return figure.add_axes(place, facecolor=figure.get_facecolor())


def heading(figure: Figure, theme: Theme, title: str) -> None:
    """Write a title in the upper left corner."""
    wide, tall = figure.get_size_inches() * DOTS
    text = figure.text(MARGIN / wide, 1 - (MARGIN + 4) / tall, title, va="top")
    text.set(color=theme.ink, fontsize=8.5, fontweight="bold")


def chart(theme: Theme, title: str, xlabel: str) -> tuple[Figure, Axes]:
    """Give a figure with one pair of axes in the house's look."""
    figure = blank(theme, *CHART)
    heading(figure, theme, title)
    axes = axes_at(figure, 48, 54, 324, 184)
    dress(axes, theme, xlabel)
    return figure, axes


def dress(axes: Axes, theme: Theme, xlabel: str) -> None:
    """Give axes the house's look."""
    axes.set_xlabel(xlabel, color=theme.faint, fontsize=7.5, labelpad=4)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(theme.faint)
    axes.grid(axis="y", color=theme.rule, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.faint, labelsize=7.5, length=0, pad=5)
    axes.tick_params(axis="x", length=3)


def make_room(axes: Axes, theme: Theme) -> None:
    """Begin the axes just right of their longest tick label; tone its power down."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set(color=theme.faint, fontsize=7.5)
    ticks = axes.yaxis.get_major_formatter().format_ticks(list(axes.get_yticks()))
    digit = 6.7
    left = (MARGIN + digit * max(map(len, ticks)) + 8) / CHART[0]
    _, bottom, right, top = axes.get_position().extents
    axes.set_position((left, bottom, right - left, top - bottom))


def legend(axes: Axes, theme: Theme, place: Place = "upper right") -> None:
    """Name the lines, at a place where they leave room."""
    axes.legend(
        loc=place,
        fontsize=7.5,
        labelcolor=theme.ink,
        facecolor=theme.paper,
        edgecolor="none",
        framealpha=0.85,
        borderpad=0.3,
        handlelength=2.2,
    )


def png(figure: Figure) -> bytes:
    """Draw a figure as a PNG file's bytes, the same for the same figure."""
    stream = io.BytesIO()
    figure.savefig(
        stream,
        format="png",
        dpi=DOTS * SHARPNESS,
        facecolor=figure.get_facecolor(),
        metadata={"Software": None},
    )
    return stream.getvalue()
