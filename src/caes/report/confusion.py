"""Which class is taken for which: counts, and their figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from caes.report.canvas import MARGIN, Theme, axes_at, blank, heading
from caes.report.lettering import labels, width
from caes.report.publish import Table

MOST = 30
"""Classes drawn; the table beside the page has all."""
SIDE = 440
"""Page pixels that the cells fill, as far as `CELL` lets them."""
CELL = (27, 64)
"""Page pixels of a cell's side, at least and at most."""
HEADING = 30
TITLE = 18
"""Page pixels for the name of an axis."""
NARROWEST = 330
"""Page pixels that the heading needs."""


@dataclass(frozen=True, eq=False)
class Confusion:
    """The part of the confusion matrix that is drawn.

    Args:
        kept: Indices of the classes drawn, in their order.
        names: The classes drawn, at most `MOST`, as the figure writes them.
        counts: Their pictures, the true class down, the answer across.
        shares: The same as shares of all test pictures of the true class, in [0, 1];
            0 without any.
        total: Classes there are.
    """

    kept: NDArray[np.intp]
    names: Sequence[str]
    counts: NDArray[np.int64]
    shares: NDArray[np.float64]
    total: int


def count_confusions(
    truth: NDArray[np.int64], answers: NDArray[np.int64], k: int
) -> NDArray[np.int64]:
    """Count the pictures of each class by the answer they got.

    Args:
        truth: N class indices.
        answers: N class indices.
        k: Classes.

    Returns:
        K×K counts, the true class down, the answer across.
    """
    return np.bincount(truth * k + answers, minlength=k * k).reshape(k, k)


def confusion(counts: NDArray[np.int64], classes: Sequence[str]) -> Confusion:
    """Choose what is drawn: all classes, or those with the most mistakes.

    Args:
        counts: K×K counts, the true class down, the answer across.
        classes: K names.
    """
    mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    kept = np.sort(np.argsort(-mistakes, kind="stable")[:MOST])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    square = np.ix_(kept, kept)
    names = labels(classes)
    drawn = [names[at] for at in kept]
    return Confusion(kept, drawn, counts[square], shares[square], len(classes))


def table(counts: NDArray[np.int64], classes: Sequence[str]) -> Table:
    """Lay the whole matrix out for a file."""
    rows = zip(classes, counts.tolist(), strict=True)
    return [["true class", *classes], *([name, *row] for name, row in rows)]


def draw(confused: Confusion, theme: Theme) -> Figure:
    """Draw the matrix: shares as colours, counts as numbers."""
    names = confused.names
    cell = min(max(SIDE // len(names), CELL[0]), CELL[1])
    side = cell * len(names)
    room = max(map(width, names)) + 8
    upright = room <= cell + 4
    left = MARGIN + TITLE + room
    bottom = MARGIN + TITLE + (16 if upright else room)
    across = max(left + side + MARGIN, NARROWEST)
    figure = blank(theme, across, bottom + side + HEADING + MARGIN)
    heading(figure, theme, "Test pictures by true class and answer")
    axes = axes_at(figure, left, bottom, side, side)
    axes.imshow(_colours(confused.shares, theme), interpolation="nearest")
    _name(axes, names, theme, upright)
    _number(axes, confused, theme, cell)
    return figure


def _colours(shares: NDArray[np.float64], theme: Theme) -> NDArray[np.float64]:
    """Mix paper with one colour on the diagonal and another off it.

    The mix goes with the square root, or the few mistakes of a good classifier could
    not be seen.
    """
    paper, first, second = map(to_rgb, (theme.paper, theme.first, theme.second))
    strong = np.full((*shares.shape, 3), second)
    strong[np.eye(len(shares), dtype=bool)] = first
    amount = np.sqrt(shares)[..., None]
    mixed: NDArray[np.float64] = (1 - amount) * np.array(paper) + amount * strong
    return mixed


def _name(axes: Axes, names: Sequence[str], theme: Theme, upright: bool) -> None:
    places = range(len(names))
    axes.set_xticks(places, names, rotation=0 if upright else 90, parse_math=False)
    axes.set_yticks(places, names, parse_math=False)
    axes.set_xlabel("answer", color=theme.faint, fontsize=7.5, labelpad=4)
    axes.set_ylabel("true class", color=theme.faint, fontsize=7.5, labelpad=4)
    axes.tick_params(colors=theme.ink, labelsize=7, length=0, pad=4)
    axes.spines[:].set_color(theme.rule)
    between = np.arange(len(names) - 1) + 0.5
    axes.set_xticks(between, minor=True)
    axes.set_yticks(between, minor=True)
    axes.grid(which="minor", color=theme.rule, linewidth=0.5)
    axes.tick_params(which="minor", length=0)


def _number(axes: Axes, confused: Confusion, theme: Theme, cell: int) -> None:
    """Write the counts; nothing stands for 0."""
    longest = len(str(confused.counts.max()))
    size = min(8.0, 1.1 * cell / longest)
    for down, across in np.argwhere(confused.counts):
        full = confused.shares[down, across] > 0.4
        count = str(confused.counts[down, across])
        text = axes.text(across, down, count, ha="center", va="center")
        text.set(color=theme.paper if full else theme.ink, fontsize=size)
