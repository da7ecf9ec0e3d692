"""Loss after equal epochs of the Keras example: caes against Keras.

Each run is kept in a CSV as soon as it is done, and an interrupted series goes on where
it stopped. Exits with 1 when caes' test loss is worse than it may be.
"""

import csv
import io
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import mean, stdev
from typing import Literal

import numpy as np
import tyro
from numpy.typing import NDArray

from caes import load
from caes.files import write_whole
from caes.runs.ledger import commit
from interleaved import fastest, race
from sheet import RESULTS, Sheet, Source, pictures
from workers import KERAS, Entry, Worker, caes, keras

BATCH = 64
Backend = Literal["tensorflow", "jax", "torch"]


@dataclass(frozen=True)
class Run:
    """One training, as a row of the CSV.

    Args:
        source: The pictures.
        epochs: Passes over them.
        seed: Of the run.
        system: Name of the contender.
        losses: Training loss of each epoch, a running mean, separated by spaces.
        test_bce: Binary cross-entropy over the test pictures, in nats a pixel.
        seconds: Of the training.
        commit: Of the code.
    """

    source: str
    epochs: int
    seed: int
    system: str
    losses: str
    test_bce: float
    seconds: float
    commit: str

    @property
    def last_loss(self) -> float:
        """Training loss of the last epoch."""
        return float(self.losses.split()[-1])


def main(
    epochs: int = 20,
    seeds: int = 3,
    backend: Backend | None = None,
    source: Source | None = None,
    out: Path = RESULTS,
) -> int:
    """Train, print, write, judge.

    Args:
        epochs: Passes over the pictures.
        seeds: Runs of each system.
        backend: Keras's; without it the one of the CSV, or the fastest one here.
        source: The pictures; MNIST where it is on disk, without it digits.
        out: Folder of the result and of the CSV.
    """
    chosen = pictures(source)
    sheet = Sheet("Loss of the Keras example after equal epochs", chosen)
    path = out / "loss_keras_example.csv"
    wanted = [(chosen, epochs, seed) for seed in range(seeds)]
    known = [r for r in read(path) if (r.source, r.epochs, r.seed) in wanted]
    rival = keras(backend or _backend_of(known) or _fastest(chosen, sheet), BATCH)
    runs = []
    for job in wanted:
        for entry in (caes(BATCH), rival):
            found = _find(known, entry, job)
            if found is None:
                found = train(entry, *job)
                append(path, found)
            runs.append(found)
    ours, theirs = (
        [run for run in runs if run.system == name] for name in ("caes", rival.name)
    )
    tabulate(ours, theirs, sheet)
    ratio = mean(r.test_bce for r in ours) / mean(r.test_bce for r in theirs)
    claim = f"test BCE, mean of {seeds} seeds: caes / {rival.name}"
    sheet.at_most(claim, ratio, 1.01, "{:.4f}")
    return sheet.finish(out)


def train(entry: Entry, source: str, epochs: int, seed: int) -> Run:
    """Train one system once, in a process of its own."""
    print(f"{entry.name}, seed {seed}: {epochs} epochs", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder, Worker(entry, source) as worker:
        file = Path(folder) / "reconstructions.npy"
        told = worker.ask("learn", seed=seed, epochs=epochs, out=str(file))
        test = binary_cross_entropy(load(source, "test").pixels / 255, np.load(file))
    losses = " ".join(f"{loss:.6f}" for loss in told["losses"])
    seconds = round(told["seconds"], 1)
    return Run(
        source, epochs, seed, entry.name, losses, round(test, 7), seconds, commit()
    )


def binary_cross_entropy(
    targets: NDArray[np.float64], outputs: NDArray[np.float32]
) -> float:
    """Give the mean over all pixels, in nats, in 64 bits, for arrays in [0, 1].

    Outputs are kept 1e-7 away from 0 and 1, as Keras does.
    """
    y = np.clip(outputs.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-(targets * np.log(y) + (1 - targets) * np.log1p(-y)).mean())


def read(path: Path) -> list[Run]:
    """Read the runs that were made before."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Run(**{field.name: field.type(row[field.name]) for field in fields(Run)})  # type: ignore[operator]
            for row in csv.DictReader(file)
        ]


def append(path: Path, run: Run) -> None:
    """Write the runs again, with one more."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Run)])
    writer.writeheader()
    writer.writerows(asdict(one) for one in [*read(path), run])
    write_whole(path, text.getvalue().encode())


def tabulate(ours: Sequence[Run], theirs: Sequence[Run], sheet: Sheet) -> None:
    """Write three tables: each run, means with deviations, training loss by epoch."""
    sheet.table(
        ["run", "training loss, last epoch", "test BCE", "seconds", "commit"],
        [
            [
                f"{run.system}, seed {run.seed}",
                f"{run.last_loss:.5f}",
                f"{run.test_bce:.5f}",
                f"{run.seconds:,.0f}",
                run.commit,
            ]
            for run in (*ours, *theirs)
        ],
    )
    sheet.table(
        [f"mean ± sd of {len(ours)}", "training loss, last epoch", "test BCE"],
        [
            [
                runs[0].system,
                _spread([run.last_loss for run in runs]),
                _spread([run.test_bce for run in runs]),
            ]
            for runs in (ours, theirs)
        ],
    )
    curves = zip(_mean_curve(ours), _mean_curve(theirs), strict=True)
    sheet.table(
        ["training loss, mean, epoch", ours[0].system, theirs[0].system],
        [
            [str(epoch), *(f"{loss:.5f}" for loss in losses)]
            for epoch, losses in enumerate(curves, 1)
        ],
    )


def _mean_curve(runs: Sequence[Run]) -> list[float]:
    losses = np.array([run.losses.split() for run in runs], float)
    return [float(loss) for loss in losses.mean(axis=0)]


def _spread(values: Sequence[float]) -> str:
    deviation = f" ± {stdev(values):.5f}" if len(values) > 1 else ""
    return f"{mean(values):.5f}{deviation}"


def _find(runs: Sequence[Run], entry: Entry, job: tuple[str, int, int]) -> Run | None:
    wanted = (entry.name, *job)
    same = (r for r in runs if (r.system, r.source, r.epochs, r.seed) == wanted)
    return next(same, None)


def _backend_of(runs: Sequence[Run]) -> str | None:
    names = {keras(backend, BATCH).name: backend for backend in KERAS}
    return next((names[run.system] for run in runs if run.system in names), None)


def _fastest(source: Source, sheet: Sheet) -> str:
    entries = [keras(backend, BATCH) for backend in KERAS]
    speeds = race(entries, "train", source, sheet, rounds=3, seconds=1.5)
    best = fastest(speeds, list(speeds))
    return next(key for key in KERAS if keras(key, BATCH).name == best)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
