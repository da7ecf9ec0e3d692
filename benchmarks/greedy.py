"""Greedy training with codes that are kept, against codes computed in every epoch.

Exits with 1 when keeping them is not as much faster as it must be.
"""

import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
import tyro
from torch import Tensor

from caes import ImageSet, load
from caes.data.scaling import Scaling
from caes.nn.runner import runner
from caes.nn.stack import OneLevel, Stack
from caes.train.batches import Batches
from caes.train.loop import Machine, Settings, fabric_for, train
from caes.train.options import Options
from caes.train.pretrain import Reconstruction, pretrain
from caes.train.progress import Progress
from sheet import RESULTS, Sheet, Source, pictures

EPOCHS = 5
"""A level; the default is 20, and the more, the more is saved."""
OPTIONS = Options(
    arch="32C5-MP2-48C3-48C3-MP2-64C3-64C3",
    decoder="tied",
    schedule="greedy",
    loss="mse",
    epochs=EPOCHS,
    batch_size=64,
).resolved((28, 28, 1))


class Recomputed:
    """Batches of a level's input, computed from the pictures as they are asked for.

    Args:
        pictures: Batches of pictures.
        below: The levels under the one that learns.
    """

    def __init__(self, pictures: Batches, below: list[OneLevel]) -> None:
        self.source = pictures
        self.below = below

    @property
    def pictures(self) -> int:
        """Pictures in one pass."""
        return self.source.pictures

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Give the batches' codes."""
        for (batch,) in self.source:
            codes = batch
            with torch.no_grad():
                for level in self.below:
                    codes = level.encode(codes)
            yield (codes,)


def begun(images: ImageSet) -> tuple[Stack, Scaling, Machine]:
    """Give what both forms start from: the untrained stack, scaling and device."""
    stack = Stack(OPTIONS.check(), images.shape[1:], 0)
    return stack, Scaling(*images.value_range), fabric_for("cpu", "32-true")


def kept(images: ImageSet) -> float:
    """Train as the product does; give the seconds."""
    stack, scaling, fabric = begun(images)
    start = time.perf_counter()
    pretrain(
        stack, images, scaling, OPTIONS, seed=0, fabric=fabric, progress=Progress()
    )
    return time.perf_counter() - start


def recomputed(images: ImageSet) -> float:
    """Train the same in the same loop, the codes computed anew in every epoch."""
    stack, scaling, fabric = begun(images)
    order = np.random.default_rng(0)
    start = time.perf_counter()
    for index in range(stack.arch.depth):
        batches = Batches(images, scaling, OPTIONS.batch_size, shuffle=order)
        below = [OneLevel(stack, lower) for lower in range(index)]
        level = OneLevel(stack, index)
        settings = Settings(EPOCHS)
        compare = partial(level.compare, loss=OPTIONS.loss)
        with runner(level, compare, plain=True, loss=OPTIONS.loss) as chosen:
            train(
                Reconstruction(level, chosen),
                Recomputed(batches, below),
                None,
                settings,
                fabric=fabric,
                progress=Progress(),
            )
    return time.perf_counter() - start


def main(
    rounds: int = 5,
    images: int = 3_000,
    source: Source | None = None,
    out: Path = RESULTS,
) -> int:
    """Measure, print, write, judge.

    Args:
        rounds: Turns of each form.
        images: Pictures of a turn.
        source: The pictures; MNIST where it is on disk, without it digits.
        out: Folder of the result.
    """
    chosen = pictures(source)
    sheet = Sheet(f"Greedy training of {OPTIONS.arch}, seconds", chosen)
    few = load(chosen, f"train[:{images}]")
    kept(few), recomputed(few)
    rows = []
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr)
        first, second = kept(few), recomputed(few)
        rows.append((first, second))
    table = [
        [str(number), f"{a:.2f}", f"{b:.2f}", f"{b / a:.2f}×"]
        for number, (a, b) in enumerate(rows, 1)
    ]
    sheet.table(["round", "kept", "recomputed", "ratio"], table)
    ratio = median(b / a for a, b in rows)
    sheet.at_least("keeping the codes is faster", ratio, 1.5, 2)
    return sheet.finish(out)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
