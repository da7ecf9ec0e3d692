"""Damaged files and wrong words: what becomes of them, how long it takes, what memory.

Exits with 1 when one of them is neither read, skipped with a reason, nor refused in one
line, or takes longer or more than it may.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import tyro

from sheet import FOLDER, RESULTS, Sheet

if TYPE_CHECKING:
    from tests.hostile.cases import Case, Outcome

ENDS = ("read", "skipped", "refused", "failed")


def main(cases: int = 2_500, seed: int = 0, out: Path = RESULTS) -> int:
    """Try, print, write, judge.

    Args:
        cases: Drawn ones, at least 2,000 for the claim; every good file and every bomb
            comes on top as it is.
        seed: Draws them.
        out: Folder of the result.
    """
    sys.path.append(str(FOLDER.parent))  # the cases are the tests' own
    from tests.hostile.cases import MEMORY, SECONDS
    from tests.hostile.parent import Parent

    sheet = Sheet("Hostile input: read, skipped or refused, and nothing else")
    found: list[tuple[Case, Outcome]] = []
    with Parent() as parent:
        for case in _cases(cases, seed):
            outcome = parent.tried(case)
            found.append((case, outcome))
            if outcome.end == "failed":
                print(case.kind, case.title, case.ways, outcome.said, file=sys.stderr)
    _tabulate(found, sheet)
    slowest = max(found, key=lambda each: each[1].seconds)
    largest = max(found, key=lambda each: each[1].memory)
    sheet.say(
        "",
        f"- slowest: {slowest[0].kind}, {slowest[0].title}",
        f"- most memory: {largest[0].kind}, {largest[0].title}",
    )
    failed = sum(outcome.end == "failed" for _, outcome in found)
    sheet.judge(f"cases: {len(found):,}, must be at least 2,000", len(found) >= 2_000)
    sheet.judge(f"neither read, skipped nor refused: {failed}, must be 0", not failed)
    sheet.at_most("slowest case", slowest[1].seconds, SECONDS, "{:.2f} s")
    most = largest[1].memory / 2**30
    sheet.at_most("memory of the process, at most", most, MEMORY / 2**30, "{:.2f} GiB")
    return sheet.finish(out)


def _cases(count: int, seed: int) -> "Iterator[Case]":
    from tests.hostile.bombs import bombs
    from tests.hostile.cases import drawn, good, untouched

    yield from map(untouched, (*good(), *bombs()))
    for number in range(count):
        yield drawn(Random(f"{seed} {number}"), bombs())


def _tabulate(found: "list[tuple[Case, Outcome]]", sheet: Sheet) -> None:
    counts = Counter((case.kind, outcome.end) for case, outcome in found)
    kinds = sorted({case.kind for case, _ in found})
    rows = [[kind, *(f"{counts[kind, end]:,}" for end in ENDS)] for kind in kinds]
    totals = Counter(outcome.end for _, outcome in found)
    rows.append(["all", *(f"{totals[end]:,}" for end in ENDS)])
    sheet.table(["kind", *ENDS], rows)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
