"""What each epoch brought: loss, accuracy and PSNR against the epoch."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from caes.report.canvas import STEPS, Theme, chart, legend, make_room
from caes.train.history import History

MARKED = 12
"""Up to so many epochs each one gets a dot."""
Style = tuple[str, str]
"""A curve's colour and dashes."""


def loss(history: History, theme: Theme, *, name: str) -> Figure:
    """Draw the training loss and, where there is one, the validation loss.

    Args:
        history: How the training went; at least one epoch.
        theme: The colours.
        name: What the loss is called.
    """
    curves = {"training": [row.loss for row in history.rows]}
    watched = [row.validation_loss for row in history.rows]
    validation = [value for value in watched if value is not None]
    if len(validation) == len(watched):
        curves["validation"] = validation
    figure, axes = _against_epoch(theme, f"Loss ({name})", curves)
    if 0 < history.best_epoch < len(history.rows):
        label = f"weights kept: epoch {history.best_epoch}"
        at = history.best_epoch
        axes.axvline(at, color=theme.faint, linewidth=0.9, label=label, zorder=1)
    if len(axes.lines) > 1:
        legend(axes, theme)
    return figure


def accuracy(history: History, theme: Theme) -> Figure:
    """Draw the training accuracy, in per cent."""
    counted = [row.accuracy for row in history.rows]
    values = [math.nan if value is None else 100 * value for value in counted]
    return _against_epoch(theme, "Accuracy in training (%)", {"training": values})[0]


def psnr(history: History, theme: Theme) -> Figure:
    """Draw the peak signal-to-noise ratio in training, in dB."""
    measured = [row.psnr for row in history.rows]
    values = [math.nan if value is None else value for value in measured]
    return _against_epoch(theme, "PSNR in training (dB)", {"training": values})[0]


def _against_epoch(
    theme: Theme, title: str, curves: dict[str, list[float]]
) -> tuple[Figure, Axes]:
    figure, axes = chart(theme, title, "epoch")
    values = np.array(list(curves.values()), dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    epochs = np.arange(1.0, values.shape[1] + 1)
    for label, row, style in zip(curves, values, styles(theme), strict=False):
        plot(axes, epochs, row, label, style)
    _scale(axes, values)
    name_gaps(axes, theme, values)
    make_room(axes, theme)
    return figure, axes


def plot(
    axes: Axes,
    places: NDArray[np.float64],
    values: NDArray[np.float64],
    label: str,
    style: Style,
) -> None:
    """Draw one curve; of few epochs each one gets a dot."""
    colour, dashes = style
    (line,) = axes.plot(places, values, label=label, color=colour, linewidth=1.6)
    line.set(linestyle=dashes, marker="o" if len(values) <= MARKED else "")
    line.set_markersize(3.2)


def styles(theme: Theme) -> tuple[Style, Style]:
    """Give the looks of training and of validation."""
    return (theme.first, "-"), (theme.second, "--")


def _scale(axes: Axes, values: NDArray[np.float64]) -> None:
    """Choose the axes with care for one epoch and for constant or missing values."""
    last = values.shape[1]
    margin = 0.02 * last if last > 2 else 0.5
    axes.set_xlim(1 - margin, last + margin)
    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=8, integer=True, min_n_ticks=1, steps=STEPS)
    )
    fit(axes, values)


def fit(axes: Axes, values: NDArray[np.float64]) -> None:
    """Fit the upward axis to values, of which any may be NaN."""
    finite = values[~np.isnan(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.05 * max(abs(high), 1e-6)
    axes.set_ylim(low - room, high + room)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=STEPS))
    axes.ticklabel_format(axis="y", useOffset=False, scilimits=(-3, 5))


def name_gaps(axes: Axes, theme: Theme, values: NDArray[np.float64]) -> None:
    """Say what a gap in a curve is, where there is one."""
    if np.isnan(values).all():
        told, height = "no epoch has a finite value", 0.5
    elif np.isnan(values).any():
        told, height = "gaps: not a finite number", 0.94
    else:
        return
    note = axes.text(0.5, height, told, color=theme.second, fontsize=8)
    note.set(transform=axes.transAxes, ha="center", va="center")
