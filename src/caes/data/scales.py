"""How pictures are scaled for the network, as a word: what ``--scale`` says."""

import math
from dataclasses import dataclass

from caes.errors import ArgumentError

KINDS = ("auto", "dtype", "minmax", "standard")
UNBOUNDED = ("percentiles", "standard")  # pictures reach beyond [0, 1]: none is clipped


@dataclass(frozen=True)
class Scale:
    """A kind of scaling, written ``minmax`` or ``percentiles:1,99``.

    It is "auto" (the values that stand for black and white), "dtype" (the type's
    range), or of each channel by itself "minmax" (its extremes), "percentiles" or
    "standard" (mean and standard deviation).
    """

    kind: str
    shares: tuple[float, ...] = ()  # the two percentiles, in [0, 100]

    def __str__(self) -> str:
        shares = ",".join(f"{share:g}" for share in self.shares)
        return f"{self.kind}:{shares}" if shares else self.kind

    @property
    def bounded(self) -> bool:
        """Whether the training pictures all lie in [0, 1]."""
        return self.kind not in UNBOUNDED


def parse_scale(text: str) -> Scale:
    """Read ``minmax`` or ``percentiles:1,99``."""
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
