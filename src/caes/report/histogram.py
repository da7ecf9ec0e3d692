"""How the reconstruction errors spread over the test pictures."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from caes.report.amounts import figure as written
from caes.report.canvas import STEPS, Theme, chart, legend, make_room

BINS = 40
BARS = 0.76
"""Share of the height for bars; the legend stands above."""


def histogram(errors: NDArray[np.float64], pca_median: float, theme: Theme) -> Figure:
    """Draw the errors' histogram, with their median and PCA's.

    Args:
        errors: N float64, each picture's mean squared error; what is not finite is left
            out.
        pca_median: The median of PCA's errors on the same pictures.
        theme: The colours.
    """
    finite = errors[np.isfinite(errors)]
    drawn, axes = chart(theme, "Test pictures by their error", "mean squared error")
    medians = {"PCA": (pca_median, theme.second, "--")}
    if finite.size:
        own = float(np.median(finite))
        medians = {"autoencoder": (own, theme.first, "-")} | medians
    highest = float(np.max(finite, initial=pca_median)) or 1e-6
    counts, _, _ = axes.hist(
        finite, BINS, range=(0, highest), color=theme.first, alpha=0.45
    )
    axes.set_ylim(0, max(1, np.max(counts)) / BARS)
    for name, (median, colour, dashes) in medians.items():
        label = f"median of {name}: {written(median)}"
        line = axes.axvline(median, 0, BARS, color=colour, linestyle=dashes)
        line.set(linewidth=1.6, label=label)
    axes.set_xlim(-0.01 * highest, 1.04 * highest)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=STEPS))
    axes.yaxis.set_major_locator(
        MaxNLocator(nbins=5, integer=True, min_n_ticks=1, steps=STEPS)
    )
    axes.ticklabel_format(axis="x", useOffset=False, scilimits=(-4, 4))
    make_room(axes, theme)
    legend(axes, theme)
    return drawn
