"""The label curve: error against the number of labels."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from caes.report.canvas import MARGIN, Theme, axes_at, blank, dress, heading
from caes.report.label_summary import Summary
from caes.report.lettering import labels
from caes.report.ticks import apart, ticks

PLOT = (660, 340)
"""Page pixels of the plot, width and height."""
NAMES = 210
"""Page pixels right of it, for the contenders' names."""
LINE = 12
"""Page pixels of a line of such a name."""
WRAP = 34
"""Letters of such a line."""
MARKERS = "osD^vPX"
DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True, eq=False)
class Curve:
    """One contender's line.

    Args:
        name: As the figure writes it.
        labels: M numbers of labels, ascending.
        means: M errors in per cent, none below the floor.
        spread: 2×M, how far the bars reach down and up, in percentage points; NaN for
            one run.
    """

    name: str
    labels: NDArray[np.float64]
    means: NDArray[np.float64]
    spread: NDArray[np.float64]


def curves(rows: Sequence[Summary], floor: float) -> list[Curve]:
    """Make a line of each contender.

    Args:
        rows: As `label_summary.summarise` gives them.
        floor: Errors below it, in per cent, are drawn there: a logarithm has no 0.
    """
    names = list(dict.fromkeys(row.contender for row in rows))
    drawn = dict(zip(names, labels(names, 2 * WRAP), strict=True))
    return [
        _curve(drawn[name], [row for row in rows if row.contender == name], floor)
        for name in names
    ]


def draw(lines: Sequence[Curve], theme: Theme) -> Figure:
    """Draw the lines on logarithmic axes, each with its name at its end."""
    wide, tall = PLOT
    tall = max(tall, 3 * LINE * len(lines))
    left, bottom = MARGIN + 34, MARGIN + 42
    figure = blank(theme, left + wide + NAMES + MARGIN, bottom + tall + 34 + MARGIN)
    heading(figure, theme, "Error on the test pictures (%), mean ± standard deviation")
    axes = axes_at(figure, left, bottom, wide, tall)
    dress(axes, theme, "labelled pictures")
    axes.set_xscale("log")
    axes.set_yscale("log")
    _limit(axes, lines)
    colours = (theme.first, theme.second, *theme.others)
    for at, line in enumerate(lines):
        _plot(axes, line, colours[at % len(colours)], at, len(lines))
    _name(axes, lines, colours, tall)
    return figure


def _curve(name: str, rows: Sequence[Summary], floor: float) -> Curve:
    means = np.maximum([row.mean for row in rows], floor)
    sd = np.array([row.sd for row in rows])
    down = means - np.maximum(means - sd, floor)
    places = np.array([row.labels for row in rows], np.float64)
    return Curve(name, places, means, np.stack([down, sd]))


def _limit(axes: Axes, lines: Sequence[Curve]) -> None:
    """Choose the axes: plain numbers, at the labels that were tried."""
    tried = np.unique(np.concatenate([line.labels for line in lines]))
    reach = [line.means - np.nan_to_num(line.spread[0]) for line in lines]
    reach += [line.means + np.nan_to_num(line.spread[1]) for line in lines]
    low, high = (float(f(np.concatenate(reach))) for f in (np.min, np.max))
    room = max((high / low) ** 0.06, 1.05)
    axes.set_ylim(low / room, high * room)
    rungs = ticks(low / room, high * room)
    axes.set_yticks(rungs, [f"{rung:g}" for rung in rungs])
    axes.yaxis.set_minor_locator(NullLocator())
    room = max((tried[-1] / tried[0]) ** 0.05, 1.2)
    axes.set_xlim(tried[0] / room, tried[-1] * room)
    shown = apart(tried, room, PLOT[0])
    axes.set_xticks(shown, [f"{place:,.0f}" for place in shown])
    axes.xaxis.set_minor_locator(NullLocator())


def _plot(axes: Axes, line: Curve, colour: str, at: int, of: int) -> None:
    low, high = axes.get_xlim()
    # A little beside each other, so that no bar hides another.
    aside = (high / low) ** (0.008 * (at - (of - 1) / 2))
    axes.errorbar(
        line.labels * aside,
        line.means,
        line.spread,
        color=colour,
        linestyle=DASHES[at % len(DASHES)],
        linewidth=1.6,
        marker=MARKERS[at % len(MARKERS)],
        markersize=4.5,
        elinewidth=1,
        capsize=2.5,
    )


def _name(
    axes: Axes, lines: Sequence[Curve], colours: Sequence[str], tall: float
) -> None:
    """Write each name at the end of its line, moved apart where they would meet."""
    low, high = np.log(axes.get_ylim())
    wrapped = [textwrap.wrap(line.name, WRAP) for line in lines]
    ends = [tall * (np.log(line.means[-1]) - low) / (high - low) for line in lines]
    heights = [LINE * len(name) + 6 for name in wrapped]
    for at, middle in enumerate(_spread(ends, heights, tall)):
        colour = colours[at % len(colours)]
        place = (1 + 16 / PLOT[0], middle / tall)
        (dot,) = axes.plot(*place, transform=axes.transAxes, clip_on=False)
        dot.set(color=colour, marker=MARKERS[at % len(MARKERS)], markersize=4.5)
        text = axes.text(1 + 25 / PLOT[0], middle / tall, "\n".join(wrapped[at]))
        text.set(transform=axes.transAxes, va="center", color=colour, fontsize=7.5)
        text.set_parse_math(False)


def _spread(
    ends: Sequence[float], heights: Sequence[float], tall: float
) -> list[float]:
    """Move places apart, the lowest first, then back down from the top."""
    order = sorted(range(len(ends)), key=lambda at: ends[at])
    places = dict(enumerate(map(float, ends)))
    for below, above in pairwise(order):
        least = places[below] + (heights[below] + heights[above]) / 2
        places[above] = max(places[above], least)
    top = tall
    for at in reversed(order):
        places[at] = min(places[at], top - heights[at] / 2)
        top = places[at] - heights[at] / 2
    return [places[at] for at in range(len(ends))]
