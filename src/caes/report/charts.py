"""Every chart, drawn once: as an SVG file on light paper, in a page light or dark."""

import html
import io
import math
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from caes.report.numbers import figure as written
from caes.report.pictures import FAINT, INK, LINES, PALETTE, PAPER, RULE, width
from caes.report.statistics import Bin

FIRST, SECOND = LINES[:2]
STYLES = {"training": (FIRST, "-"), "validation": (SECOND, "--")}
DASHES = ("-", "--", "-.", ":")
MARKERS = "osD^vPX"
STEPS = (1, 2, 5, 10)
"""Between ticks, times a power of ten."""
DOTS = 100
"""Page pixels in one of matplotlib's inches."""
CHART = (384, 284)
"""Page pixels of a chart, width and height."""
STYLE = Path(__file__).with_name("charts.mplstyle")
COLOURS: dict[Any, Any] = {"grid.color": RULE, "text.color": INK} | dict.fromkeys(
    ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), FAINT
)
MARKED = 12
"""Up to so many epochs each one gets a dot."""
APART = 10
"""From this ratio of the largest value to the smallest on, the axis is logarithmic."""
LADDERS = ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0))
"""Ticks, times a power of ten: the first that gives enough."""
TICKS = (4, 8)
"""Ticks of a logarithmic axis, at least and at most."""
DIGIT = 7
"""Page pixels of a digit, and of the room at its side."""
BARS = 40
"""Of the histogram."""
WEIGHTS = colormaps["RdBu_r"]
FILTERS = 256
"""Filters drawn; the page says how many there are."""


@dataclass(frozen=True)
class Chart:
    """One chart, drawn."""

    name: str  # of its file, without ``.svg``
    svg: str  # the file's text
    alt: str  # what a reader who cannot see it should know
    caption: str = ""  # what to read it by

    @property
    def inline(self) -> str:
        """The same inside a page, in the page's own colours."""
        _, _, body = self.svg.partition("<svg ")
        head, _, body = body.partition(">")
        body = re.sub(r"(?s)<defs>\s*<style.*?</style>\s*</defs>", "", body)
        body = re.sub(r' id="[a-zA-Z0-9_.]*_\d+"', "", body)
        body = re.sub(r'style="[^"]*"', _recoloured, body)
        points = re.findall(r'(?:width|height)="([\d.]+)pt"', head)
        wide, tall = (round(float(each) / 72 * DOTS) for each in points)
        (view,) = re.findall(r'viewBox="[^"]*"', head)
        opening = f'<svg {view} width="{wide}" height="{tall}" role="img" aria-label='
        return f'{opening}"{html.escape(self.alt)}">{body.strip()}'


def _recoloured(style: re.Match[str]) -> str:
    text = style[0]
    for name, (light, _) in PALETTE.items():
        text = text.replace(light, f"var(--{name})")
    return text


def chart(name: str, draw: Callable[[], Figure], alt: str, caption: str = "") -> Chart:
    """Draw a chart; the same figure gives the same text."""
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    stream = io.StringIO()
    with rc_context({**COLOURS, "svg.hashsalt": name}, STYLE):
        draw().savefig(stream, format="svg", metadata=nothing)
    return Chart(name, stream.getvalue(), alt, caption)


class Stretch(NamedTuple):
    """One phase of a training in a chart.

    Its curves, "training" and perhaps "validation", have a value for each epoch, NaN
    where there is none.
    """

    name: str  # what learned; empty where nothing else did
    short: str  # the same where there is no room
    curves: Mapping[str, NDArray[np.float64]]
    kept: int = 0  # the epoch to mark, whose weights were kept
    steps: int = 0  # of each value, where they are not of epochs


def course(stretches: Sequence[Stretch], title: str) -> Figure:
    """Draw what each epoch brought: the stretches side by side, each as wide."""
    figure = _blank(title)
    many = len(stretches)
    room = (CHART[0] - 60) / many
    axes = figure.subplots(1, many, sharey=True, squeeze=False)[0]
    fits = all(width(each.name) + DIGIT < room for each in stretches)
    for at, (panel, stretch) in enumerate(zip(axes, stretches, strict=True)):
        named = at % math.ceil(2 * DIGIT / room) == 0
        panel.set_title(named * (stretch.name if fits else stretch.short))
        _plot(panel, stretch, room if named else 0)
        panel.spines.left.set(visible=at > 0, color=RULE)
    steps = {each.steps for each in stretches} - {0}
    unit = f"stretch of {min(steps):,} steps" if steps else "epoch"
    axes[0].set_xlabel(unit, loc="left" if many > 1 else "center")
    finite = _finite(stretches)
    _fit(axes[0], finite, logarithmic=far_apart(stretches))
    rows = [row for each in stretches for row in each.curves.values()]
    if not np.isfinite(np.concatenate(rows)).all():
        some, none = "gaps: not a finite number", "no epoch has a finite value"
        axes[0].plot([], " ", label=some if finite.size else none)
    _legend(figure, axes, most=3)
    return figure


def far_apart(stretches: Sequence[Stretch]) -> bool:
    """Whether the values are so far apart that the axis is logarithmic."""
    finite = _finite(stretches)
    return bool(finite.size and 0 < finite.min() < finite.max() / APART)


def _blank(title: str, wide: float = CHART[0], tall: float = CHART[1]) -> Figure:
    """Give an empty figure of so many page pixels."""
    figure = Figure((wide / DOTS, tall / DOTS), layout="constrained", facecolor=PAPER)
    figure.suptitle(title, x=0.005, ha="left")
    return figure


def _legend(figure: Figure, axes: Sequence[Axes], most: int = 1) -> None:
    """Name each kind of line once, below; a line that is alone needs no name."""
    handles = [each.get_legend_handles_labels() for each in axes]
    kinds = {name: line for pair in handles for line, name in zip(*pair, strict=True)}
    if len(kinds) > 1 or axes[0].patches:
        columns = min(most, 2) if len(kinds) > 3 else most  # 3 of 4 do not fit
        lines, names = [*kinds.values()], [*kinds]
        figure.legend(lines, names, loc="outside lower left", ncols=columns)


def _finite(stretches: Sequence[Stretch]) -> NDArray[np.float64]:
    rows = [row for each in stretches for row in each.curves.values()]
    return np.array([value for row in rows for value in row if math.isfinite(value)])


def _plot(axes: Axes, stretch: Stretch, room: float) -> None:
    n = len(stretch.curves["training"])
    for name, row in stretch.curves.items():
        values = np.where(np.isfinite(row), row, np.nan)
        (line,) = axes.plot(np.arange(1, n + 1), values, label=name)
        line.set(color=STYLES[name][0], linestyle=STYLES[name][1])
        line.set_marker("o" if n <= MARKED else "")
    if stretch.kept:
        steps = stretch.kept * stretch.steps
        where = f"step {steps:,}" if steps else f"epoch {stretch.kept}"
        name = "weights kept" + f": {where}" * (not stretch.name)
        axes.axvline(stretch.kept, color=FAINT, lw=0.9, ls=":", label=name, zorder=1)
    edge = 0.04 * n if n > 2 else 0.5
    axes.set_xlim(1 - edge, n + edge)
    axes.set_xticks(epochs := _epochs(n, room), [f"{epoch:,}" for epoch in epochs])


def _epochs(n: int, room: float) -> list[int]:
    """Choose round numbers from 1 to n; where there is room for none of them, n."""
    most = min(8, int(room / DIGIT / (len(f"{n:,}") + 1.5)))
    steps = MaxNLocator(max(1, most), integer=True, steps=STEPS, min_n_ticks=1)
    tried = [round(tick) for tick in steps.tick_values(1, n)]
    return [epoch for epoch in tried if 1 <= epoch <= n] or [n] if room else []


def _fit(axes: Axes, finite: NDArray[np.float64], *, logarithmic: bool) -> None:
    """Fit the upward axis to values."""
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if logarithmic:
        _logarithmic(axes, low, high, (high / low) ** 0.06)
        return
    room = 0.06 * (high - low) or 0.05 * max(abs(high), 1e-6)
    axes.set_ylim(low - room, high + room)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=STEPS))
    axes.ticklabel_format(axis="y", useOffset=False, scilimits=(-3, 5))


def _logarithmic(axes: Axes, low: float, high: float, room: float) -> None:
    axes.set_yscale("log")
    axes.set_ylim(low / room, high * room)
    rungs = ticks(low / room, high * room)
    axes.set_yticks(rungs, [f"{rung:g}" for rung in rungs])
    axes.yaxis.set_minor_locator(NullLocator())


def ticks(low: float, high: float) -> list[float]:
    """Choose round numbers for a logarithmic axis.

    >>> ticks(0.8, 30), ticks(4.1, 5.2)
    ([1.0, 2.0, 5.0, 10.0, 20.0], [4.2, 4.4, 4.6, 4.8, 5.0, 5.2])
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    tried = [[step * 10.0**p for p in powers for step in each] for each in LADDERS]
    steps = MaxNLocator(nbins=TICKS[1], steps=STEPS).tick_values(low, high)
    within = [
        [float(f"{rung:.9g}") for rung in rungs if low <= rung <= high]
        for rungs in [*tried, steps]
    ]
    found = next((rungs for rungs in within if len(rungs) >= TICKS[0]), within[-1])
    return found[:: math.ceil(len(found) / TICKS[1])]


def histogram(errors: NDArray[np.float64], pca_median: float) -> Figure:
    """Draw the histogram of the finite errors, with their median and PCA's."""
    finite = errors[np.isfinite(errors)]
    figure = _blank("Test pictures by their error")
    axes = figure.subplots()
    axes.set_xlabel("mean squared error")
    highest = float(np.max(finite, initial=pca_median)) or 1e-6
    counts, _, _ = axes.hist(finite, BARS, range=(0, highest), color=FIRST, alpha=0.45)
    axes.set_ylim(0, max(1, np.max(counts)) * 1.05)
    medians = {"PCA": (pca_median, SECOND, "--")}
    if finite.size:
        medians = {"autoencoder": (float(np.median(finite)), FIRST, "-")} | medians
    for name, (median, colour, dashes) in medians.items():
        label = f"median of {name}: {written(median)}"
        axes.axvline(median, color=colour, linestyle=dashes, label=label)
    axes.set_xlim(-0.01 * highest, 1.04 * highest)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=STEPS))
    whole = MaxNLocator(nbins=5, integer=True, min_n_ticks=1, steps=STEPS)
    axes.yaxis.set_major_locator(whole)
    axes.ticklabel_format(axis="x", useOffset=False, scilimits=(-4, 4))
    _legend(figure, [axes])
    return figure


def strangeness(
    normal: NDArray[np.float64], planted: NDArray[np.float64], threshold: float
) -> Figure:
    """Draw the scores of normal pictures and of planted defects, and the threshold."""
    figure = _blank("Pictures by strangeness (% of each)")
    axes = figure.subplots()
    axes.set_xlabel("strangeness")
    every = np.concatenate([normal, planted])
    ends = float(every.min()), float(every.max())
    for scores, colour, name in (
        (normal, FIRST, "normal pictures"),
        (planted, SECOND, "with planted defects"),
    ):
        share = np.full(len(scores), 100 / len(scores))
        look: dict[str, Any] = {"color": colour, "alpha": 0.45, "label": name}
        axes.hist(scores, BARS, range=ends, weights=share, **look)
    axes.axvline(threshold, color=INK, lw=1.2, ls=":", label="threshold")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, min_n_ticks=1, steps=STEPS))
    _legend(figure, [axes], most=3)
    return figure


class Filters(NamedTuple):
    """Filters ready to draw, on one symmetric scale."""

    tiles: NDArray[np.float64]  # M×k×k×3 in [0, 1]; a weight of 0 has the middle
    strongest: float  # the weight that gets the strongest colour
    channels: int  # of the weights
    total: int  # filters there are


def coloured(weights: NDArray[np.float32]) -> Filters:
    """Colour filters maps×k×k×C.

    Of two channels the first is shown, of more than three the first three, as red,
    green and blue.
    """
    total, _, _, channels = weights.shape
    shown = weights[:FILTERS, :, :, : 3 if channels >= 3 else 1].astype(np.float64)
    shown = np.nan_to_num(shown, posinf=0.0, neginf=0.0)
    strongest = float(np.abs(shown).max())
    unit = 0.5 + 0.5 * shown / (strongest or 1.0)
    tiles = unit if channels >= 3 else WEIGHTS(unit[..., 0])[..., :3]
    return Filters(tiles, strongest, channels, total)


def filters(found: Filters) -> Figure:
    """Draw filters side by side, one pixel a weight, over their scale."""
    count, side = found.tiles.shape[:2]
    columns = min(count, max(8, math.ceil(math.sqrt(count))))
    rows = -(-count // columns)
    mosaic = np.zeros((rows * (side + 1), columns * (side + 1), 4))
    for at, tile in enumerate(found.tiles):
        top, left = ((side + 1) * place for place in divmod(at, columns))
        mosaic[top : top + side, left : left + side, :3] = tile
        mosaic[top : top + side, left : left + side, 3] = 1
    factor = max(1, min(60, 560 // columns) // (side + 1))
    tall, wide = (factor * length for length in mosaic.shape[:2])
    figure = _blank("First-level filters", max(wide, 220) + 12, tall + 70)
    scaled = found.channels < 3
    axes, *scale = figure.subplots(
        1 + scaled, squeeze=False, height_ratios=[tall, 8][: 1 + scaled]
    )[:, 0]
    axes.imshow(mosaic[:-1, :-1], interpolation="none")
    axes.set_anchor("W")
    axes.set_axis_off()
    for each in scale:
        each.imshow(np.linspace(0, 1, 256)[None], WEIGHTS, aspect="auto")
        ends = f"−{found.strongest:.2g}", "0", f"{found.strongest:.2g}"
        each.set_xticks([0, 127.5, 255], ends)
        each.set_yticks([])
        each.spines.bottom.set_visible(False)
        each.tick_params(length=0)
    return figure


def confusion(
    counts: NDArray[np.int64], kept: NDArray[np.intp], classes: Sequence[str]
) -> Figure:
    """Draw some classes of a confusion matrix: shares as colours, counts as numbers.

    The colour goes with the square root of the share of the row's pictures, or the few
    mistakes of a good classifier could not be seen.
    """
    k, names = len(kept), [classes[at] for at in kept]
    cell = min(max(440 // k, 27), 64)
    room = max(map(width, names)) + 8
    upright = room <= cell + 4
    page = cell * k + room + 40, cell * k + (20 if upright else room) + 60
    title = "Test pictures by true class and answer"
    figure = _blank(title, max(page[0], 330), page[1])
    axes = figure.subplots()
    axes.set(xlabel="answer", ylabel="true class")
    axes.set_xticks(range(k), names, rotation=0 if upright else 90, color=INK)
    axes.set_yticks(range(k), names, color=INK)
    between = np.arange(k - 1) + 0.5
    axes.set_xticks(between, minor=True)
    axes.set_yticks(between, minor=True)
    axes.tick_params(which="both", length=0)
    axes.grid(visible=False)
    axes.grid(visible=True, which="minor", axis="both")
    axes.spines[:].set(visible=True, color=RULE)
    axes.set(xlim=(-0.5, k - 0.5), ylim=(k - 0.5, -0.5), aspect="equal", anchor="W")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    square = np.ix_(kept, kept)
    size = min(8.0, 1.1 * cell / len(str(counts.max())))
    counts, shares = counts[square], shares[square]
    down, across = np.nonzero(counts)
    colours = [
        to_rgba(FIRST if i == j else SECOND, math.sqrt(shares[i, j]))
        for i, j in zip(down, across, strict=True)
    ]
    axes.bar(across, 1, 1, down - 0.5, color=colours)
    for i, j in zip(down.tolist(), across.tolist(), strict=True):
        text = axes.text(j, i, str(counts[i, j]), ha="center", va="center")
        text.set(color=PAPER if shares[i, j] > 0.4 else INK, fontsize=size)
    return figure


def reliability(bins: Sequence[Bin]) -> Figure:
    """Draw the accuracy of each bin over its confidence (Guo et al. 2017, fig. 1)."""
    figure = _blank("Right answers by confidence (%)")
    axes = figure.subplots()
    axes.set_xlabel("confidence (%)")
    full = [part for part in bins if part.count]
    rows = [(part.low, part.high, part.accuracy, part.confidence) for part in full]
    low, high, right, sure = 100 * np.array(rows).T
    look: dict[str, Any] = {"color": FIRST, "alpha": 0.45, "edgecolor": PAPER}
    axes.bar(low, right, high - low, align="edge", **look)
    label = "right, at the bin's mean confidence"
    axes.plot(sure, right, "o", color=FIRST, markersize=4, label=label)
    ends, label = (0, 100), "right as often as sure"
    axes.plot(ends, ends, "--", color=SECOND, lw=1.2, label=label)
    tens = range(0, 101, 20)
    axes.set(xlim=ends, ylim=ends, xticks=tens, yticks=tens)
    _legend(figure, [axes])
    return figure


class Curve(NamedTuple):
    """One contender's line in a label curve; errors in per cent."""

    name: str
    labels: NDArray[np.float64]  # M, ascending
    means: NDArray[np.float64]  # M, above 0
    spread: NDArray[np.float64]  # 2×M, down and up; NaN for one run


def label_curve(lines: Sequence[Curve]) -> Figure:
    """Draw errors over numbers of labels, on logarithmic axes."""
    title = "Error on the test pictures (%), mean ± standard deviation"
    figure = _blank(title, 910, max(430, 60 + 36 * len(lines)))
    axes = figure.subplots()
    axes.set_xlabel("labelled pictures")
    tried = np.unique(np.concatenate([line.labels for line in lines]))
    room = max((tried[-1] / tried[0]) ** 0.05, 1.2)
    axes.set(xscale="log", xlim=(tried[0] / room, tried[-1] * room))
    shown = apart(tried, room, 600)
    axes.set_xticks(shown, [f"{place:,.0f}" for place in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    down, up = np.nan_to_num(np.concatenate([line.spread for line in lines], axis=1))
    means = np.concatenate([line.means for line in lines])
    low, high = float(np.min(means - down)), float(np.max(means + up))
    _logarithmic(axes, low, high, max((high / low) ** 0.06, 1.05))
    for at, line in enumerate(lines):
        # A little beside each other, so that no bar hides another.
        step = 0.008 * (at - (len(lines) - 1) / 2)
        aside = (tried[-1] / tried[0] * room**2) ** step
        axes.errorbar(
            line.labels * aside,
            line.means,
            line.spread,
            color=LINES[at % len(LINES)],
            linestyle=DASHES[at % len(DASHES)],
            marker=MARKERS[at % len(MARKERS)],
            markersize=4.5,
            elinewidth=1,
            capsize=2.5,
            label="\n".join(textwrap.wrap(line.name, 34)),
        )
    # In the order in which the lines end.
    ends = np.argsort([-line.means[-1] for line in lines], kind="stable")
    handles, names = axes.get_legend_handles_labels()
    legend = [handles[at] for at in ends], [names[at] for at in ends]
    figure.legend(*legend, loc="outside right upper", labelspacing=1)
    return figure


def apart(tried: NDArray[np.float64], room: float, across: float) -> list[float]:
    """Leave out those of a logarithmic axis whose numbers would run into each other.

    The axis has so many page pixels across, and goes on by a factor at both ends.
    """
    scale = across / math.log(tried[-1] / tried[0] * room**2)
    kept = [float(tried[0])]
    for place in tried[1:]:
        digits = len(f"{place:,.0f}") + len(f"{kept[-1]:,.0f}")
        if math.log(place / kept[-1]) * scale > DIGIT * digits / 2 + 8:
            kept.append(float(place))
    return kept
