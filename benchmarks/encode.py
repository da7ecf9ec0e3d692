"""Images/s of caes' ``transform`` against Keras's ``predict`` of the same encoder.

Exits with 1 when caes is not as much faster as it must be.
"""

import sys
from pathlib import Path
from statistics import median

import tyro

from interleaved import fastest, race, ratios, tabulate
from sheet import RESULTS, Sheet, Source, pictures
from workers import KERAS, caes, keras

BATCH = 256
KERAS_DEFAULT = 32


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
    sheet = Sheet("Encoding with the Keras example's network, images/s", chosen)
    rivals = [keras(backend, BATCH) for backend in KERAS]
    defaults = [
        keras(backend, KERAS_DEFAULT, f"Keras + {name}, batch {KERAS_DEFAULT}")
        for backend, name in KERAS.items()
    ]
    entries = [caes(BATCH), *rivals, *defaults]
    speeds = race(entries, "encode", chosen, sheet, rounds=rounds, seconds=seconds)
    tabulate(speeds, "caes", sheet)
    best = fastest(speeds, [entry.name for entry in rivals])
    for claim, other in (
        ("Keras + TensorFlow", "Keras + TensorFlow"),
        (f"Keras's fastest backend here, {best}", best),
    ):
        ratio = median(ratios(speeds, "caes", other))
        sheet.at_least(f"faster than {claim}, batch {BATCH}", ratio, must=4, aim=8)
    return sheet.finish(out)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
