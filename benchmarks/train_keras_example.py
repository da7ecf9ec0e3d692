"""Images/s in training of the Keras example's network: caes and all others.

Exits with 1 when caes is not as much faster as it must be.
"""

import sys
from pathlib import Path

import tyro

from sheet import RESULTS, Sheet, Source, pictures
from speeds import TRAINING, compete, share
from workers import Entry, caes, kerases, torches

BATCH = 64


def main(
    rounds: int = 7,
    seconds: float = 2.0,
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
    sheet = Sheet("Training the Keras example's network, images/s", chosen)
    unfused = Entry("caes, CAES_FUSED=0", "caes", BATCH, {"CAES_FUSED": "0"})
    entries = [caes(BATCH), *kerases(BATCH), *torches(BATCH), unfused]
    ours = compete(
        *(TRAINING, "train", entries, sheet, chosen, out),
        rounds=rounds,
        seconds=seconds,
        must=2.5,
        aim=4,
    )
    reached = 100 * share(TRAINING, ours, sheet)
    sheet.say(f"- of what the GEMM's speed allows: {reached:.0f} %, aim 80 %")
    return sheet.finish(out)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
