"""Memory that fitting MNIST adds to a process that has imported torch.

Exits with 1 when it is more than it may be.
"""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import tyro

from sheet import FOLDER, RESULTS, Sheet, Source, pictures

MB = 1e6


def main(
    rounds: int = 3,
    source: Source | None = None,
    out: Path = RESULTS,
) -> int:
    """Measure, print, write, judge.

    Args:
        rounds: Processes, one after another.
        source: The pictures; MNIST where it is on disk, without it digits.
        out: Folder of the result.
    """
    chosen = pictures(source)
    sheet = Sheet("Memory that a fit adds to a process with torch", chosen)
    measured = [_measure(chosen) for _ in range(rounds)]
    columns = [_column(one["stages"], one["highest"]) for one in measured]
    head = ["MB", *(f"round {n}" for n in range(1, rounds + 1))]
    rows = [[name, *(f"{c[name]:,.0f}" for c in columns)] for name in columns[0]]
    sheet.table(head, rows)
    most = max(column[HIGHEST] for column in columns)
    if chosen == "mnist":
        sheet.at_most("added at the highest, largest round", most, 400, "{:.0f} MB")
    else:
        sheet.say("", "The claim is about the full MNIST: nothing is judged here.")
    return sheet.finish(out)


HIGHEST = "highest moment, above import torch"


def _column(stages: dict[str, int], highest: int) -> dict[str, float]:
    first, *later = stages
    added = {
        f"+ {name}": (stages[name] - stages[before]) / MB
        for before, name in pairwise(stages)
    }
    return {
        f"{first}: the baseline": stages[first] / MB,
        **added,
        f"in use after {later[-1]}, above {first}": (stages[later[-1]] - stages[first])
        / MB,
        HIGHEST: (highest - stages[first]) / MB,
    }


def _measure(source: str) -> dict[str, Any]:
    program = [sys.executable, str(FOLDER / "memory_stages.py"), source]
    run = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
