"""Names from outside inside a figure: short, on one line, in letters the font has."""

from collections.abc import Sequence
from functools import cache

from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font

LONGEST = 20
"""Letters of a name in a figure; the page has it in full."""
LETTER = 5.2
"""Page pixels of a letter at the size of an axis, with some to spare."""


def labels(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Write names for a figure, or their number where the font lacks letters.

    >>> labels(["cat", "猫"])
    ['cat', 'no. 2']
    """
    return [
        short(name, longest) if drawable(name) else f"no. {number}"
        for number, name in enumerate(names, start=1)
    ]


def drawable(name: str) -> bool:
    """Whether the font has every letter of a name, and there is one."""
    return bool(name.split()) and _letters().issuperset(map(ord, "".join(name.split())))


def short(name: str, longest: int) -> str:
    """Write a name on one line of at most ``longest`` letters, both ends kept.

    >>> short("a very long name of class 3", 20)
    'a very lon…f class 3'
    """
    line = " ".join(name.split())
    half = longest // 2
    return (
        line if len(line) <= longest else f"{line[:half]}…{line[half + 1 - longest :]}"
    )


def width(line: str) -> float:
    """Give the page pixels that a line takes, roughly."""
    return LETTER * len(line)


@cache
def _letters() -> frozenset[int]:
    """Give the code points of the font that matplotlib writes with."""
    return frozenset(FT2Font(findfont(FontProperties())).get_charmap())
