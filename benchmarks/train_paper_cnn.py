"""Images/s in training of the paper's CNN: caes and all others.

Exits with 1 when caes is not as much faster as it must be.
"""

import sys
from pathlib import Path
from statistics import median

import tyro

from interleaved import fastest, race, ratios, tabulate
from sheet import RESULTS, Sheet, Source, pictures
from speeds import PAPER, keep
from workers import Entry, kerases, torches

BATCH = 64


def main(
    rounds: int = 7,
    seconds: float = 3.0,
    source: Source | None = None,
    out: Path = RESULTS,
) -> int:
    """Measure, print, write, judge.

    Args:
        rounds: Turns of each contender.
        seconds: How long a turn takes.
        source: The pictures; MNIST where it is on disk, without it digits.
        out: Folder of the result.
    """
    chosen = pictures(source)
    title = "Training 100C5-MP2-150C5-MP2-200C3-300N-10N, images/s"
    sheet = Sheet(title, chosen)
    rivals = [*kerases(BATCH, "keras-cnn"), *torches(BATCH, "torch-cnn")]
    entries = [Entry("caes", "caes-cnn", BATCH), *rivals]
    speeds = race(entries, "train", chosen, sheet, rounds=rounds, seconds=seconds)
    tabulate(speeds, "caes", sheet)
    keep(PAPER, speeds, "caes", sheet, chosen, out)
    best = fastest(speeds, [entry.name for entry in rivals])
    ratio = median(ratios(speeds, "caes", best))
    sheet.at_least(f"faster than the best of all, {best}", ratio, 1.1, 1.25)
    return sheet.finish(out)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
