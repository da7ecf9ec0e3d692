"""One class of ten: how long `AnomalyDetector` learns it by default.

Exits with 1 when a fit takes more than three minutes; run it on an idle machine.
"""

import sys
import time
from pathlib import Path

import numpy as np
import tyro

from caes import AnomalyDetector, load
from caes.anomalies.album import Album
from caes.files import data_folder
from sheet import RESULTS, Sheet

MOST = 180
"""Seconds of a fit."""


def main(
    only: tuple[str, ...] = ("mnist", "cifar10-jpeg"),
    kind: int = 1,
    out: Path = RESULTS,
) -> int:
    """Fit, and judge.

    Args:
        only: Folders below the data folder, of pictures with ten classes.
        kind: The class that is learnt; the largest of MNIST by default.
        out: Folder of the result.
    """
    sheet = Sheet("One class of ten: seconds of a fit")
    for name in only:
        pictures = load(data_folder() / name, "train")
        rows = np.flatnonzero(np.asarray(pictures.labels) == kind)
        learn = Album.of(pictures[rows])
        began = time.perf_counter()
        AnomalyDetector(random_state=0).fit(learn)
        seconds = time.perf_counter() - began
        sheet.at_most(f"{name}, {len(learn):,} pictures", seconds, MOST, "{:.0f} s")
    return sheet.finish(out)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
