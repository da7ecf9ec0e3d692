"""Images/s of caes' ``transform`` against all others with the same encoder.

Exits with 1 when caes is not as much faster as it must be.
"""

import sys
from pathlib import Path

import tyro

from sheet import RESULTS, Sheet, Source, pictures
from speeds import ENCODING, compete, share
from workers import caes, kerases, onnxes, torches

BATCH = 256


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
    sheet = Sheet("Encoding with the Keras example's network, images/s", chosen)
    entries = [caes(BATCH), *kerases(BATCH), *torches(BATCH), *onnxes(BATCH)]
    ours = compete(
        *(ENCODING, "encode", entries, sheet, chosen, out),
        rounds=rounds,
        seconds=seconds,
        must=2,
        aim=4,
    )
    reached = 100 * share(ENCODING, ours, sheet)
    sheet.say(f"- of what the GEMM's speed allows: {reached:.0f} %")
    return sheet.finish(out)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
