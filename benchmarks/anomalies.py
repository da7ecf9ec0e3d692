"""What the anomaly detectors find, beside the trivial ways: tiles, digits, photographs.

Detectors are fitted with the defaults and chosen without a test picture. Each fit is a
row of a table as soon as it is done; what is there is not run again. Exits with 1 when
a figure falls short of what it must be.
"""

import sys
from pathlib import Path

import tyro

from caes.runs.ledger import Ledger
from caes.tasks.studies.one_class import (
    FIGURES,
    HEAD,
    KEYS,
    KINDS,
    mean,
    measure,
    rows_of,
)
from sheet import RESULTS, Sheet

SETS = ("tiles", "mnist", "cifar10")
MUST = {"tiles": 80.0, "mnist": 96.5, "cifar10": 62.0}
AIM = {"tiles": 90.0, "mnist": 98.5, "cifar10": 75.0}
PIXELS = 75.0


def main(
    only: tuple[str, ...] = (), seeds: tuple[int, ...] = (0, 1, 2), out: Path = RESULTS
) -> int:
    """Fit, measure, print, judge.

    Args:
        only: Sets, or sets and classes, such as tiles or mnist/3; all if not said.
        seeds: Of splits, weights, order and planted defects.
        out: Folder of the table and the result.
    """
    ledger = Ledger(out / "anomalies.csv", KEYS, FIGURES)
    for seed in seeds:
        for name in SETS:
            kinds = [
                kind
                for kind in KINDS[name]
                if not only or name in only or f"{name}/{kind}" in only
            ]
            measure(name, kinds, seed, ledger, print)
    return _judge(ledger, out)


def _judge(ledger: Ledger, out: Path) -> int:
    sheet = Sheet("Anomalies: what is found beside the trivial ways")
    for name in SETS:
        every = [row for row in ledger if row["set"] == name]
        if not every:
            continue
        sheet.table([name, *HEAD[1:]], [*rows_of(name, ledger)])
        for kind in KINDS[name] if name == "tiles" else ():
            rows = [row for row in every if row["kind"] == kind]
            best = max(mean(ledger, rows, each) for each in ("pca", "neighbours"))
            found, pixels = (mean(ledger, rows, c) for c in ("auroc", "pixels"))
            _at_least(sheet, f"{kind}: AUROC above the best trivial way's", found, best)
            _at_least(sheet, f"{kind}: AUROC of pixels", pixels, PIXELS)
        found = mean(ledger, every, "auroc")
        title = f"{name}: mean AUROC over {len(every)} rows"
        kinds = len({row["kind"] for row in every})
        if kinds < len(KINDS[name]):
            sheet.say(f"- {title}: {found:.1f}, not judged: {kinds} of its classes")
            continue
        _at_least(sheet, title, found, MUST[name], AIM[name])
    return sheet.finish(out)


def _at_least(
    sheet: Sheet, claim: str, value: float, must: float, aim: float | None = None
) -> None:
    sheet.judge(f"{claim}: {value:.1f}, must {must:.1f}", value >= must)
    if aim is not None:
        reached = "reached" if value >= aim else "not reached"
        sheet.say(f"  - aim {aim:g}: {reached}")


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
