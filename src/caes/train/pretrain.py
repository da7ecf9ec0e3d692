"""Training without labels: the auto-encoder learns to give its pictures back."""

import tempfile
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caes.data import ImageSet
from caes.data.labels.draws import split_rows
from caes.data.scaling import Scaling
from caes.files import cache_folder, make_room, output_errors
from caes.nn.inference import AT_ONCE, infer
from caes.nn.model import Model
from caes.nn.runner import Compare, runner
from caes.nn.stack import OneLevel, Stack
from caes.train.batches import Batches
from caes.train.history import History
from caes.train.loop import Machine, Plain, Settings, stop_on_interrupt, train
from caes.train.noise import Corruption
from caes.train.options import Options, noises, per_level
from caes.train.progress import Progress

IN_MEMORY = 2**28
"""Bytes of codes that are kept in memory; more go to a file, mapped into it."""


class Reconstruction(nn.Module):
    """The objective: what came in comes out, as it was before the noise.

    ``compare`` gives its figures: `Model.compare` with a loss, or a runner's.
    """

    def __init__(
        self,
        model: Model,
        compare: Compare,
        noise: Corruption | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.compare = compare
        self.noise = noise
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, pictures: Tensor) -> Tensor:
        """Give loss, squared error and accuracy, (3,), for N×H×W×C in [0, 1].

        Without gradients, as in validation, nothing is corrupted.
        """
        inputs = pictures
        if self.noise is not None and torch.is_grad_enabled():
            inputs = self.noise(pictures, self.generator)
        return self.compare(inputs, pictures)


def pretrain(
    model: Model,
    images: ImageSet,
    scaling: Scaling,
    options: Options,
    *,
    seed: int,
    fabric: Machine,
    progress: Progress,
    fixed: int = 0,
) -> History:
    """Train a model, all levels at once or one after the other.

    In a greedy schedule (Masci et al. 2011, section 3.2) each level learns from the
    code of those below it, which stay as they are; the code is computed once a level.

    The model is trained in place, but for the ``fixed`` lowest levels of a stack, and
    on the CPU again afterwards. After Ctrl-C, or a loss that is not a number, the
    levels above are as they were.
    """
    order = np.random.default_rng(seed)
    learn, watch = split_rows(len(images), options.validation, order)
    training = _Training(options, seed, order, learn, watch, fabric, progress)
    if options.schedule == "greedy" and isinstance(model, Stack):
        history = _greedily(model, images, scaling, training, fixed)
        if options.refine and history.ended in ("complete", "early"):
            refined = training.run(model, images, scaling, options.refine, 0)
            refined.rows[:0] = history.rows
            history = refined
    else:
        history = training.run(model, images, scaling)
    model.to("cpu").eval()
    return history


def _greedily(
    stack: Stack, images: ImageSet, scaling: Scaling, training: "_Training", fixed: int
) -> History:
    history = History()
    entering: ImageSet | NDArray[np.float32] = images
    known: Scaling | None = scaling
    for index in range(stack.arch.depth):
        level = OneLevel(stack, index)
        if index >= fixed:
            trained = training.run(level, entering, known, level=index + 1)
            trained.rows[:0] = history.rows
            history = trained
            if history.broken_off:
                break
        if index + 1 < stack.arch.depth:
            codes = _codes(level, entering, known, training.fabric.device)
            if codes is None:
                history.ended = "interrupted"
                break
            entering, known = codes, None
    return history


@dataclass(frozen=True)
class _Training:
    """What all trainings of one call have in common."""

    options: Options
    seed: int
    order: np.random.Generator
    learn: NDArray[np.int64]
    watch: NDArray[np.int64]
    fabric: Machine
    progress: Progress

    def run(
        self,
        model: Model,
        images: ImageSet | NDArray[np.float32],
        scaling: Scaling | None,
        epochs: int | None = None,
        level: int = 1,
    ) -> History:
        """Train a model, or one level, counted from 1; 0 is all levels' refinement."""
        options, arch = self.options, model.arch
        size, of = options.batch_size, max(level - 1, 0)
        batches = Batches(images, scaling, size, shuffle=self.order, rows=self.learn)
        watched = Batches(images, scaling, size, rows=self.watch)
        settings = Settings(
            epochs or per_level(options, "epochs", arch)[of],
            per_level(options, "learning_rate", arch)[of],
            options.decay,
            options.patience,
            level=level if options.schedule == "greedy" else 0,
            peak=1.0 if scaling is None else scaling.peak,
            optimizer=options.optimizer,
        )
        noise = noises(options, arch)[of]
        by_hand = partial(model.compare, loss=options.loss)
        chosen = runner(
            model, by_hand, plain=isinstance(self.fabric, Plain), loss=options.loss
        )
        with chosen as compare:
            return train(
                Reconstruction(model, compare, noise, self.seed + of),
                batches,
                watched,
                settings,
                fabric=self.fabric,
                progress=self.progress,
            )


def _codes(
    level: OneLevel,
    entering: ImageSet | NDArray[np.float32],
    scaling: Scaling | None,
    device: torch.device,
) -> NDArray[np.float32] | None:
    """Compute a level's code of every picture once; None after Ctrl-C."""
    kept = _room((len(entering), *level.level.stage.output))
    done = 0
    batches = Batches(entering, scaling, AT_ONCE)
    with stop_on_interrupt() as stop:
        for codes in infer(level, level.encode, batches, device):
            kept[done : done + len(codes)] = codes
            done += len(codes)
            if stop.is_set():
                return None
    return kept


def _room(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Make room for codes: in memory, or in a file that vanishes with the process."""
    size = 4 * int(np.prod(shape))
    if size <= IN_MEMORY:
        return np.empty(shape, np.float32)
    folder = cache_folder()
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            make_room(file, size)
            return np.memmap(file, np.float32, "r+", shape=shape)
