"""What each epoch brought, level by level: one after the other on one axis."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from caes.report import curves
from caes.report.canvas import CHART, STEPS, Theme, chart, make_room
from caes.report.lettering import width
from caes.report.ticks import ticks

APART = 10
"""From this ratio of the largest value to the smallest on, the axis is logarithmic."""
EDGE = 0.04
"""Share of a phase's room that stays free at either end."""
DIGIT = 7
"""Page pixels of a digit, and of the room at its side."""
NAME = 14
"""Page pixels that the shortest of names wants."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """One phase of a training in a chart.

    Args:
        name: What learned.
        short: The same where there is no room.
        curves: "training" and perhaps "validation": a value for each epoch, at least
            one; NaN where there is none.
        kept: The epoch to mark, whose weights were kept; 0 for none.
    """

    name: str
    short: str
    curves: Mapping[str, NDArray[np.float64]]
    kept: int = 0

    @property
    def places(self) -> NDArray[np.float64]:
        """Where each epoch stands in the stretch's room, from 0 to 1."""
        n = len(next(iter(self.curves.values())))
        return EDGE + (1 - 2 * EDGE) * (np.arange(n) + 0.5) / n


def draw(stretches: Sequence[Stretch], theme: Theme, *, title: str) -> Figure:
    """Draw the stretches one after the other, each as wide as the others.

    Args:
        stretches: At least one.
        theme: The colours.
        title: What is drawn.
    """
    figure, axes = chart(theme, title, "epoch")
    axes.xaxis.label.set(x=0, horizontalalignment="left")
    for at, stretch in enumerate(stretches):
        _plot(axes, theme, at, stretch)
    values = _finite(stretches)
    axes.set_xlim(0, len(stretches))
    _fit(axes, values, logarithmic=apart(stretches))
    curves.name_gaps(axes, theme, values)
    make_room(axes, theme)
    room = axes.get_position().width * CHART[0] / len(stretches)
    _count(axes, stretches, room)
    _name(axes, theme, stretches, room)
    _legend(axes, theme)
    return figure


def apart(stretches: Sequence[Stretch]) -> bool:
    """Whether the values are so far apart that the axis is logarithmic."""
    values = _finite(stretches)
    finite = values[~np.isnan(values)]
    return bool(finite.size and 0 < finite.min() < finite.max() / APART)


def _finite(stretches: Sequence[Stretch]) -> NDArray[np.float64]:
    """Give all values; NaN for what is not finite."""
    values = np.concatenate([row for each in stretches for row in each.curves.values()])
    return np.where(np.isfinite(values), values, np.nan)


def _plot(axes: Axes, theme: Theme, at: int, stretch: Stretch) -> None:
    styles = dict(zip(("training", "validation"), curves.styles(theme), strict=True))
    places = at + stretch.places
    for name, row in stretch.curves.items():
        values = np.where(np.isfinite(row), row, np.nan)
        curves.plot(axes, places, values, name, styles[name])
    if stretch.kept:
        mark = axes.axvline(places[stretch.kept - 1], color=theme.faint, zorder=1)
        mark.set(linewidth=0.9, linestyle=":", label="weights kept")
    if at:
        axes.axvline(at, color=theme.rule, linewidth=1, zorder=0)


def _fit(axes: Axes, values: NDArray[np.float64], *, logarithmic: bool) -> None:
    if not logarithmic:
        curves.fit(axes, values)
        return
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = (high / low) ** 0.06
    axes.set_yscale("log")
    axes.set_ylim(low / room, high * room)
    rungs = ticks(low / room, high * room)
    axes.set_yticks(rungs, [f"{rung:g}" for rung in rungs])
    axes.yaxis.set_minor_locator(NullLocator())


def _count(axes: Axes, stretches: Sequence[Stretch], room: float) -> None:
    """Number the epochs of each stretch, as far as there is room."""
    placed: dict[float, str] = {}
    for at, stretch in enumerate(stretches[:: _every(room)]):
        places = at * _every(room) + stretch.places
        for epoch in _epochs(len(places), room):
            placed[float(places[epoch - 1])] = f"{epoch:,}"
    axes.set_xticks([*placed], [*placed.values()])


def _epochs(n: int, room: float) -> list[int]:
    """Choose round numbers from 1 to n; where there is room for none of them, n."""
    most = max(1, int(room / DIGIT / (len(f"{n:,}") + 1.5)))
    locator = MaxNLocator(nbins=most, integer=True, steps=STEPS, min_n_ticks=1)
    tried = [round(tick) for tick in locator.tick_values(1, n)]
    return [epoch for epoch in tried if 1 <= epoch <= n] or [n]


def _every(room: float) -> int:
    """Give the step from one stretch that is named to the next."""
    return math.ceil(NAME / room)


def _name(axes: Axes, theme: Theme, stretches: Sequence[Stretch], room: float) -> None:
    """Write the names above, or what is short for them."""
    fits = all(width(each.name) < room for each in stretches)
    for at in range(0, len(stretches), _every(room)):
        name = stretches[at].name if fits else stretches[at].short
        text = axes.text(at + 0.5, 1.02, name, transform=axes.get_xaxis_transform())
        text.set(color=theme.ink, fontsize=7.5, ha="center", va="bottom")


def _legend(axes: Axes, theme: Theme) -> None:
    """Name the kinds of lines once each, beside the axis's own name."""
    handles, names = axes.get_legend_handles_labels()
    kinds = dict(zip(names, handles, strict=True))
    if len(kinds) > 1:
        axes.legend(
            kinds.values(),
            kinds.keys(),
            loc="upper right",
            bbox_to_anchor=(1, -0.135),
            ncols=len(kinds),
            fontsize=7.5,
            labelcolor=theme.ink,
            frameon=False,
            borderaxespad=0,
            borderpad=0.1,
            handlelength=2.2,
            columnspacing=1.4,
        )
