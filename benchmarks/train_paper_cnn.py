"""Images/s in training of the paper's CNN: caes and all others.

Exits with 1 when caes is not as much faster as it must be.
"""

import sys
from pathlib import Path

import tyro

from sheet import RESULTS, Sheet, Source, pictures
from speeds import PAPER, compete
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
    compete(
        *(PAPER, "train", entries, sheet, chosen, out),
        rounds=rounds,
        seconds=seconds,
        must=1.1,
        aim=1.25,
    )
    return sheet.finish(out)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
