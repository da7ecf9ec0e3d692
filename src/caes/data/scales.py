"""How pictures are scaled for the network, as a word: what ``--scale`` says."""

import math
from dataclasses import dataclass

from caes.errors import ArgumentError

KINDS = ("auto", "dtype", "minmax", "standard")
UNBOUNDED = ("percentiles", "standard")
"""Kinds whose pictures reach beyond [0, 1]: nothing is clipped."""


@dataclass(frozen=True)
class Scale:
    """A kind of scaling, written ``minmax`` or ``percentiles:1,99``.

    Args:
        kind: "auto" (the values that stand for black and white), "dtype" (the type's
            range), or of each channel by itself "minmax" (its extremes),
            "percentiles" or "standard" (mean and standard deviation).
        shares: The two percentiles, in [0, 100]; empty for other kinds.
    """

    kind: str
    shares: tuple[float, ...] = ()

    def __str__(self) -> str:
        return (
            self.kind
            + ":" * bool(self.shares)
            + ",".join(map("{:g}".format, self.shares))
        )

    @property
    def bounded(self) -> bool:
        """Whether the training pictures all lie in [0, 1]."""
        return self.kind not in UNBOUNDED


def parse_scale(text: str) -> Scale:
    """Read ``minmax`` or ``percentiles:1,99``.

    Raises:
        ArgumentError: The text is not of that form.
    """
    if text in KINDS:
        return Scale(text)
    kind, _, numbers = str(text).partition(":")
    try:
        low, high = map(float, numbers.split(","))
    except ValueError:
        low = high = math.nan
    if kind != "percentiles" or not 0 <= low < high <= 100:
        raise ArgumentError(
            "scale",
            repr(text),
            f"{', '.join(KINDS)} or percentiles:LOW,HIGH with 0 ≤ LOW < HIGH ≤ 100",
            "Try percentiles:1,99.",
        )
    return Scale(kind, (low, high))
