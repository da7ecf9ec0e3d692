"""What caes' loop costs a step, against a bare loop over the same steps.

Exits with 1 when it is more than it may be.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
import tyro

from caes import ImageSet, load, parse
from caes.data.scaling import Scaling
from caes.nn.architecture import EXAMPLE
from caes.nn.autoencoder import Autoencoder
from caes.nn.runner import runner
from caes.train import descent
from caes.train.batches import Batches
from caes.train.loop import Settings, fabric_for, train
from caes.train.pretrain import Reconstruction
from caes.train.progress import Progress
from sheet import RESULTS, Sheet, Source, pictures

BATCH = 64


def main(
    rounds: int = 31,
    steps: int = 50,
    source: Source | None = None,
    out: Path = RESULTS,
) -> int:
    """Measure, print, write, judge.

    Args:
        rounds: Turns of each loop; short ones, so that both meet the same machine.
        steps: Steps of a turn.
        source: The pictures; MNIST where it is on disk, without it digits.
        out: Folder of the result.
    """
    chosen = pictures(source)
    sheet = Sheet("The loop's cost a step, on the fused path", chosen)
    whole = load(chosen)
    images = whole[np.arange(steps * BATCH) % len(whole)]
    # One network for both: where its buffers happen to lie matters as much as a loop.
    model, batches = _problem(images)
    by_hand = partial(model.compare, loss="bce")
    with runner(model, by_hand, plain=True) as compare:
        objective = Reconstruction(model, compare)
        loops: dict[str, Ours | Bare] = {
            "caes.train.loop.train": Ours(objective, batches),
            "bare loop": Bare(objective, batches),
        }
        times: dict[str, list[float]] = {name: [] for name in loops}
        for number in range(-1, rounds):
            for name in loops if number % 2 else reversed(loops):
                ends = loops[name].run()
                if number >= 0:  # before that, warming up
                    times[name].append(float(np.median(np.diff(ends))) * 1e3)
    added = [a / b - 1 for a, b in zip(*times.values(), strict=True)]
    _tabulate(times, added, sheet)
    share = 100 * median(added)
    sheet.at_most("added to a step of a bare loop", share, 5, "{:.1f} %")
    return sheet.finish(out)


class Ours:
    """The product's loop."""

    def __init__(self, objective: Reconstruction, batches: Batches) -> None:
        self.objective, self.batches = objective, batches
        self.fabric = fabric_for("cpu", "32-true")

    def run(self) -> list[float]:
        """Give the time at the end of each step of an epoch, in seconds."""
        clock = Clock()
        train(
            self.objective,
            self.batches,
            None,
            Settings(epochs=1),
            fabric=self.fabric,
            progress=clock,
        )
        return clock.ends


class Bare:
    """The least that trains: batch, objective with its gradient, step."""

    def __init__(self, objective: Reconstruction, batches: Batches) -> None:
        self.objective, self.batches = objective, batches
        descend = descent.compiled(objective, "adam", 0.0)
        assert descend is not None
        self.descend = descend

    def run(self) -> list[float]:
        """Give the time at the end of each step of an epoch, in seconds."""
        ends = []
        for (batch,) in self.batches:
            self.objective(batch)
            self.descend(1e-3)
            ends.append(time.perf_counter())
        return ends


class Clock(Progress):
    """Says nothing, and notes the time of each step's end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def batch(self, learning: bool, n: int, total: torch.Tensor, seen: int) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())


def _problem(images: ImageSet) -> tuple[Autoencoder, Batches]:
    model = Autoencoder(parse(EXAMPLE), images.shape[1:])
    if model.path != "fused":
        raise SystemExit("the fused path is not available here: is there a C compiler?")
    scaling = Scaling(*images.value_range)
    batches = Batches(images, scaling, BATCH, shuffle=np.random.default_rng(0))
    return model, batches


def _tabulate(
    times: Mapping[str, Sequence[float]], added: Sequence[float], sheet: Sheet
) -> None:
    rows = [
        [name, *(f"{value:.3f}" for value in (median(values), *values))]
        for name, values in times.items()
    ]
    shares = [f"{100 * share:.1f} %" for share in (median(added), *added)]
    rounds = [f"round {n}" for n in range(1, len(added) + 1)]
    head = ["ms a step, median of a turn", "median", *rounds]
    sheet.table(head, [*rows, ["added", *shares]])


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
