"""Numbers as a reader wants them: few digits, a unit, no surprise when one is NaN."""

import math
from collections.abc import Sequence

NOT_A_NUMBER = "not a number"
NOTHING = "–"
"""Stands in a table for what cannot be said."""


def figure(value: float) -> str:
    """Write a loss or an error with three digits that count.

    >>> figure(0.0034861), figure(float("nan"))
    ('0.00349', 'not a number')
    """
    if math.isnan(value):
        return NOT_A_NUMBER
    return "∞" if math.isinf(value) else f"{value:#.3g}".rstrip(".")


def psnr(mse: float, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error, of the peak's units."""
    if mse == 0:
        return math.inf
    return 20 * math.log10(peak) - 10 * math.log10(mse)


def decibels(value: float) -> str:
    """Write a ratio in dB, one digit after the point."""
    if math.isnan(value):
        return NOT_A_NUMBER
    if math.isinf(value):
        return "∞ dB" if value > 0 else "−∞ dB"
    return f"{value:.1f} dB"


def duration(seconds: float) -> str:
    """Write a time with at most two units.

    >>> duration(0.42), duration(75), duration(7300)
    ('0.4 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(number: int, noun: str) -> str:
    """Write how many, with the noun in its plural where it needs one.

    >>> count(1, "picture"), count(10_000, "picture"), count(2, "class")
    ('1 picture', '10,000 pictures', '2 classes')
    """
    ending = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}" + ("" if number == 1 else ending)


def times(ratio: float) -> str:
    """Write how many times as much.

    >>> times(1.26), times(84.6)
    ('1.26', '85')
    """
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2f}"


def percent(share: float, n: int) -> str:
    """Write a share of ``n`` pictures so finely that one of them shows.

    >>> percent(0.042, 500), percent(1 / 10_000, 10_000)
    ('4.2%', '0.01%')
    """
    return f"{points(share, n)}%"


def points(share: float, n: int) -> str:
    """Write a share of ``n`` pictures, or a difference, in percentage points.

    >>> points(0.019, 500), points(float("nan"), 500)
    ('1.9', '–')
    """
    digits = max(1, len(str(n - 1)) - 2)
    return NOTHING if math.isnan(share) else f"{100 * share:.{digits}f}"


def signed(share: float, n: int) -> str:
    """Write such a difference with its sign.

    >>> signed(0.019, 500), signed(-0.002, 500), signed(0, 500)
    ('+1.9', '−0.2', '0.0')
    """
    sign = "+" if share > 0 else "−" if share < 0 else ""
    return sign + points(abs(share), n)


def sure(probability: float) -> str:
    """Write a probability, and never 100% where it is not quite so.

    >>> sure(0.9237), sure(0.99999), sure(1.0)
    ('92.4%', '> 99.9%', '100.0%')
    """
    return "> 99.9%" if 0.9995 <= probability < 1 else f"{probability:.1%}"


def chance(p: float) -> str:
    """Write the p of a test.

    >>> chance(0.0496), chance(1e-12), chance(float("nan"))
    ('0.0496', '< 0.001', '–')
    """
    if math.isnan(p):
        return NOTHING
    return f"{p:.3g}" if p >= 0.001 else "< 0.001"


def p_words(p: float) -> str:
    """Write the p of a test within a sentence.

    >>> p_words(0.0496), p_words(1e-12)
    ('(p = 0.0496)', '(p < 0.001)')
    """
    shown = chance(p)
    return f"(p {shown})" if shown.startswith("<") else f"(p = {shown})"


def share(value: float) -> str:
    """Write a precision or the like; a dash where it is not defined."""
    return NOTHING if math.isnan(value) else f"{value:.3f}"


def cell(value: float) -> str:
    """Write a number for a table in a file; nothing where it is not defined."""
    return "" if math.isnan(value) else f"{value:.6g}"


def listed(items: Sequence[str]) -> str:
    """Write a list as a sentence has it.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    *before, last = items
    return f"{', '.join(before)} and {last}" if before else last


def capital(name: str) -> str:
    """Write a name as it begins a sentence.

    >>> capital("the classifier")
    'The classifier'
    """
    return name[:1].upper() + name[1:]
