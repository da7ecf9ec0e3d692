"""Plain round numbers for a logarithmic axis."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from caes.report.canvas import STEPS

LADDERS = (
    (1.0,),
    (1.0, 2.0, 5.0),
    (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0),
)
"""Ticks, times a power of ten: the first that gives enough."""
TICKS = (4, 8)
"""Ticks, at least and at most."""
DIGIT = 6
"""Page pixels of a digit."""


def ticks(low: float, high: float) -> list[float]:
    """Choose round numbers for a logarithmic axis.

    >>> ticks(0.8, 30), ticks(4.1, 5.2)
    ([1.0, 2.0, 5.0, 10.0, 20.0], [4.2, 4.4, 4.6, 4.8, 5.0, 5.2])
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for ladder in LADDERS:
        rungs = [step * 10.0**power for power in powers for step in ladder]
        if len(found := _within(rungs, low, high)) >= TICKS[0]:
            return found[:: math.ceil(len(found) / TICKS[1])]
    steps = MaxNLocator(nbins=TICKS[1], steps=STEPS).tick_values(low, high)
    return _within(steps, low, high)


def apart(tried: NDArray[np.float64], room: float, across: float) -> list[float]:
    """Leave out those of a logarithmic axis whose numbers would run into each other.

    Args:
        tried: Where numbers are wanted, ascending.
        room: By which factor the axis goes on at both ends.
        across: Page pixels of the axis.
    """
    scale = across / math.log(tried[-1] / tried[0] * room**2)
    kept = [float(tried[0])]
    for place in tried[1:]:
        digits = len(f"{place:,.0f}") + len(f"{kept[-1]:,.0f}")
        if math.log(place / kept[-1]) * scale > DIGIT * digits / 2 + 8:
            kept.append(float(place))
    return kept


def _within(rungs: Sequence[float], low: float, high: float) -> list[float]:
    return [float(f"{rung:.9g}") for rung in rungs if low <= rung <= high]
