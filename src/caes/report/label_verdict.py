"""What a label curve means, in plain words."""

import math
from collections.abc import Iterator, Sequence

from caes.report.amounts import capital, count, listed, percent, points, told
from caes.report.judgement import CHANCE
from caes.report.label_summary import Summary
from caes.report.verdict import Verdict

FINE = 10_000
"""Means over seeds are written as if there were at least so many test pictures."""


def judge(rows: Sequence[Summary], test_pictures: int) -> Verdict:
    """Say which contender needs fewer labels, as far as can be told.

    Args:
        rows: As `label_summary.summarise` gives them.
        test_pictures: Pictures that every error was measured on.
    """
    first = rows[0].contender
    controls = list(dict.fromkeys(row.contender for row in rows))[1:]
    leads = [
        f"{'It' if at else capital(first)} {_against(name, rows)}."
        for at, name in enumerate(controls)
    ]
    lead = " ".join(leads) or _alone(rows, test_pictures)
    runs = {row.n for row in rows}
    few, many = min(runs), max(runs)
    over = f"{few} to {count(many, 'seed')}" if few < many else count(few, "seed")
    figures = (
        f"Errors are means over {over}, on {count(test_pictures, 'test picture')}."
    )
    return Verdict(lead, figures, " ".join(_caveats(rows)))


def sentences(rows: Sequence[Summary], test_pictures: int) -> list[str]:
    """Say how they stand with each number of labels, one sentence a number."""
    counts = sorted({row.labels for row in rows})
    groups = ([row for row in rows if row.labels == labels] for labels in counts)
    return [_sentence(group, rows[0].contender, test_pictures) for group in groups]


def fine(test_pictures: int) -> int:
    """Say as a share of how many pictures a mean error is written."""
    return max(test_pictures, FINE)


def _against(control: str, rows: Sequence[Summary]) -> str:
    tried = [row for row in rows if row.contender == control]
    apart = [row for row in tried if row.p < CHANCE]
    less = [row.labels for row in apart if row.difference > 0]
    more = [row.labels for row in apart if row.difference < 0]
    if not apart:
        return f"is not to be told apart from {control}"
    told = [
        f"errs {word} than {control} with {_labels(numbers, len(tried))}"
        for word, numbers in (("less", less), ("more", more))
        if numbers
    ]
    return listed(told)


def _labels(numbers: Sequence[int], tried: int) -> str:
    if len(numbers) == tried > 1:
        return f"every number of labels tried, {numbers[0]:,} to {numbers[-1]:,}"
    shown = listed([f"{number:,}" for number in numbers])
    return f"{shown} label" + ("" if shown == "1" else "s")


def _alone(rows: Sequence[Summary], n: int) -> str:
    fewest, most = rows[0], rows[-1]
    name = capital(fewest.contender)
    begin = f"{name} errs on {_percent(fewest, n)} with {count(fewest.labels, 'label')}"
    if fewest.labels == most.labels:
        return f"{begin}."
    return f"{begin}, and on {_percent(most, n)} with {most.labels:,}."


def _sentence(group: Sequence[Summary], first: str, n: int) -> str:
    parts = [
        f"{row.contender} {'' if at else 'errs '}on {_percent(row, n)}"
        + ("" if row.contender == first else f", {_beside(row, n)}")
        for at, row in enumerate(group)
    ]
    return f"With {count(group[0].labels, 'label')} {'; '.join(parts)}."


def _beside(row: Summary, n: int) -> str:
    if not row.pairs:
        return "with no seed in common"
    if not row.difference:
        return "no more and no fewer"
    more = "more" if row.difference > 0 else "fewer"
    much = f"{points(abs(row.difference) / 100, fine(n))} points {more}"
    if row.pairs == 1:
        return f"{much}, and one seed cannot say whether this is chance"
    if math.isnan(row.p):
        return f"{much} with every seed"
    sure = "more than chance" if row.p < CHANCE else "which may be chance"
    return f"{much}, {sure} {told(row.p)}"


def _percent(row: Summary, n: int) -> str:
    return percent(row.mean / 100, fine(n))


def _caveats(rows: Sequence[Summary]) -> Iterator[str]:
    tests = sum(not math.isnan(row.p) for row in rows)
    if tests > 1:
        yield (
            f"Of {tests} comparisons without any difference, one in "
            f"{round(1 / CHANCE)} would still be called more than chance."
        )
    if all(row.n == 1 for row in rows):
        yield "One seed makes an anecdote, not a measurement."
