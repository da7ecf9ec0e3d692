"""Errors of paired runs as the lines of a Markdown table."""

import math
from collections.abc import Mapping
from statistics import fmean, stdev

from caes.report.statistics import paired

Errors = dict[int, dict[str, dict[int, float]]]
"""Error in per cent by number of labels, start ("stack" or "random") and seed."""

HEAD = ("labels", "from the stack", "from random weights", "difference", "p", "seeds")


def summary_lines(
    published: Mapping[int, Mapping[str, float]], errors: Errors
) -> list[str]:
    """Write a table: a row for each number of labels.

    The difference is the mean over seeds that both starts have, stack minus random, in
    percentage points; p is that of the paired t-test.

    Args:
        published: Errors that others report, by number of labels and by whom.
        errors: What was measured.
    """
    others = list(dict.fromkeys(name for row in published.values() for name in row))
    lines = [_row((*HEAD, *others)), _row(["---"] * (len(HEAD) + len(others)))]
    for labels, starts in errors.items():
        told = published.get(labels, {})
        beside = (f"{told[name]:.2f}" if name in told else "" for name in others)
        lines.append(_row((f"{labels:,}", *_cells(starts), *beside)))
    return lines


def _cells(starts: Mapping[str, Mapping[int, float]]) -> tuple[str, ...]:
    stack, random = starts.get("stack", {}), starts.get("random", {})
    both = sorted(stack.keys() & random.keys())
    difference, p = "", ""
    if both:
        mean, chance = paired([stack[k] for k in both], [random[k] for k in both])
        difference = f"{mean:+.2f}"
        p = "" if math.isnan(chance) else f"{chance:.2g}"
    return (
        _spread([*stack.values()]),
        _spread([*random.values()]),
        difference,
        p,
        str(len(both)),
    )


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    mean = f"{fmean(values):.2f}"
    return f"{mean} ± {stdev(values):.2f}" if len(values) > 1 else mean


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
