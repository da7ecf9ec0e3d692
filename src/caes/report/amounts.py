"""Numbers as a reader wants them: few digits, a unit, no surprise when one is NaN."""

import math

NOT_A_NUMBER = "not a number"


def figure(value: float) -> str:
    """Write a loss or an error with three digits that count.

    >>> figure(0.0034861), figure(float("nan"))
    ('0.00349', 'not a number')
    """
    if math.isnan(value):
        return NOT_A_NUMBER
    return "∞" if math.isinf(value) else f"{value:#.3g}".rstrip(".")


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error on the scale [0, 1]."""
    if mse == 0:
        return math.inf
    return -10 * math.log10(mse)


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


def shape(sizes: tuple[int, ...]) -> str:
    """Write a shape, as 7×7×8."""
    return "×".join(map(str, sizes))


def count(number: int, noun: str) -> str:
    """Write how many, with the noun in its plural where it needs one.

    >>> count(1, "picture"), count(10_000, "picture")
    ('1 picture', '10,000 pictures')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def times(ratio: float) -> str:
    """Write how many times as much.

    >>> times(1.26), times(84.6)
    ('1.26', '85')
    """
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2f}"
