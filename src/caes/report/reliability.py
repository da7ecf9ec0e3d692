"""Whether a classifier is right as often as it is sure: the reliability diagram."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from caes.report.canvas import Theme, chart, legend, make_room
from caes.report.judgement import Bin

BARS = 0.78
"""Share of the height for bars; the legend stands above."""
SLIGHT = 0.005
"""Confidence and accuracy that differ by less are called alike."""


def draw(bins: Sequence[Bin], theme: Theme) -> Figure:
    """Draw the accuracy of each bin over its confidence (Guo et al. 2017, fig. 1).

    Args:
        bins: As `judgement.reliability` gives them.
        theme: The colours.
    """
    figure, axes = chart(theme, "Right answers by confidence (%)", "confidence (%)")
    full = [part for part in bins if part.count]
    axes.bar(
        [100 * part.low for part in full],
        [100 * part.accuracy for part in full],
        [100 * (part.high - part.low) for part in full],
        align="edge",
        color=theme.first,
        alpha=0.45,
        edgecolor=theme.paper,
    )
    (dots,) = axes.plot(
        [100 * part.confidence for part in full],
        [100 * part.accuracy for part in full],
        label="right, at the bin's mean confidence",
    )
    dots.set(color=theme.first, linestyle="", marker="o", markersize=4)
    (line,) = axes.plot([0, 100], [0, 100], label="right as often as sure")
    line.set(color=theme.second, linestyle="--", linewidth=1.2)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100 / BARS)
    axes.set_xticks(range(0, 101, 20))
    axes.set_yticks(range(0, 101, 20))
    make_room(axes, theme)
    legend(axes, theme, "upper left")
    return figure


def described(bins: Sequence[Bin]) -> str:
    """Say in one sentence whether the classifier is too sure of itself."""
    full = [part for part in bins if part.count]
    n = sum(part.count for part in full)
    sure = math.fsum(part.count * part.confidence for part in full) / n
    right = math.fsum(part.count * part.accuracy for part in full) / n
    apart = sure - right
    if abs(apart) < SLIGHT:
        told = "it knows how often it errs"
    elif apart > 0:
        told = f"too sure of itself, by {100 * apart:.1f} points"
    else:
        told = f"too modest, by {-100 * apart:.1f} points"
    return f"On average it is {sure:.1%} sure and {right:.1%} right: {told}."
