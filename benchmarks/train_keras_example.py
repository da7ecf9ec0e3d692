"""Images/s in training of the Keras example's network: caes, Keras, plain PyTorch.

Exits with 1 when caes is not as much faster as it must be.
"""

import sys
from pathlib import Path
from statistics import median

import tyro

from interleaved import fastest, race, ratios, tabulate
from sheet import RESULTS, Sheet, Source, pictures
from workers import KERAS, Entry, caes, keras

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
    plain = Entry("plain PyTorch", "torch", BATCH)
    unfused = Entry("caes, CAES_FUSED=0", "caes", BATCH, {"CAES_FUSED": "0"})
    backends = [keras(backend, BATCH) for backend in KERAS]
    entries = [caes(BATCH), *backends, plain, unfused]
    speeds = race(entries, "train", chosen, sheet, rounds=rounds, seconds=seconds)
    tabulate(speeds, "caes", sheet)
    best = fastest(speeds, [entry.name for entry in backends])
    for claim, other, must, aim in (
        ("Keras + TensorFlow", "Keras + TensorFlow", 2.5, 4),
        (f"Keras's fastest backend here, {best}", best, 1.8, 3),
        ("plain PyTorch in the same loop", plain.name, 1.8, 3),
    ):
        ratio = median(ratios(speeds, "caes", other))
        sheet.at_least(f"faster than {claim}", ratio, must, aim)
    return sheet.finish(out)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
