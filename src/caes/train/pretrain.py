"""Training without labels: the auto-encoder learns to give its pictures back."""

import math
import tempfile
import time
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caes.data import ImageSet
from caes.data.decode.tiles import whole_names
from caes.data.labels.draws import split_rows
from caes.data.scaling import Scaling
from caes.files import cache_folder, make_room, output_errors
from caes.nn.architecture import Architecture
from caes.nn.autoencoder import Autoencoder
from caes.nn.inference import AT_ONCE, infer
from caes.nn.linear import Subspace, sample
from caes.nn.model import Model
from caes.nn.runner import Compare, runner
from caes.nn.stack import OneLevel, Stack
from caes.train.batches import Batches
from caes.train.history import History
from caes.train.loop import Machine, Plain, Settings, psnr, stop_on_interrupt, train
from caes.train.noise import Corruption
from caes.train.options import MINUTES, Resolved, noises, per_level
from caes.train.progress import Progress

STRETCH = 50, 400
"""Fewest and most steps between two looks at the pictures kept apart, with epochs auto:
one pass over the pictures, if it lies in between."""
PATIENCE, FALLS, AVERAGE = 6, 2, 0.99
"""With epochs auto: stretches without a better loss until the learning rate falls to a
third, how often it does before the end, and the running average that is watched."""
RESTARTS, ALIKE = 3, 0.05
"""How often a training with epochs auto that diverges, or learns no more than the mean
picture, begins again, more slowly; and by how many dB it has to be better than that."""
ENDLESS = 10**9
"""Stretches of a training that ends when nothing gets better."""
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
    options: Resolved,
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
    learn, watch = _rows(images, options, order)
    training = _Training(options, seed, order, learn, watch, fabric, progress)
    straight = model if isinstance(model, Autoencoder) and model.linear else None
    if straight is not None:
        straight.begin(_subspace(images[learn], scaling, model.arch.dense[-1]))
    if options.schedule == "greedy" and isinstance(model, Stack):
        history = _greedily(model, images, scaling, training, fixed)
        if options.refine and not history.broken_off:
            refined = training.run(model, images, scaling, options.refine, 0)
            refined.rows[:0] = history.rows
            history = refined
    else:
        history = training.run_until_sound(model, images, scaling)
        if straight is not None and history.best_epoch == 0:  # of all pictures, then
            straight.begin(_subspace(images, scaling, model.arch.dense[-1]))
    model.to("cpu").eval()
    return history


def _rows(
    images: ImageSet, options: Resolved, order: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw what to learn from, and what to watch; tiles of a picture stay together."""
    groups = whole_names(images.names) if options.tile else images.names
    several, share = len({*groups}), options.validation
    if options.epochs == "auto":  # there has to be one to watch
        if len(images) == 1:
            return np.arange(1), np.arange(1)
        several = len(images) if several == 1 else several
        share = min(max(share, 0.51 / several), 1 - 0.51 / several)
    return split_rows(len(images), share, order, groups if options.tile else None)


def _subspace(images: ImageSet, scaling: Scaling, components: int) -> Subspace:
    """Find the directions in which the pictures, scaled, differ most."""
    features = math.prod(images.shape[1:])
    rows = images[sample(len(images), features)].pixels
    unit = scaling.to_unit(np.asarray(rows)).reshape(-1, features)
    return Subspace.fit(unit, components)


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

    options: Resolved
    seed: int
    order: np.random.Generator
    learn: NDArray[np.int64]
    watch: NDArray[np.int64]
    fabric: Machine
    progress: Progress
    spent: float = 0.0  # minutes, on what failed

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
        of = max(level - 1, 0)
        epochs = epochs or per_level(options, "epochs", arch)[of]
        size = options.batch_size
        batches = Batches(images, scaling, size, shuffle=self.order, rows=self.learn)
        watched = Batches(images, scaling, size, rows=self.watch)
        settings = Settings(
            epochs,
            per_level(options, "learning_rate", arch)[of],
            options.decay,
            options.patience,
            level=level if options.schedule == "greedy" else 0,
            peak=1.0 if scaling is None else scaling.peak,
            optimizer=options.optimizer,
        )
        if epochs == "auto":
            each = per_level(options, "steps", arch)
            stretch = min(max(len(batches), STRETCH[0]), STRETCH[1])
            batches.stretch = min(stretch, each[of] or stretch)
            settings = self._until_no_better(
                settings, batches.stretch, each[of], len(each)
            )
        if settings.level:
            self._expect_levels(arch, of, batches.stretch)
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

    def run_until_sound(
        self, model: Model, images: ImageSet, scaling: Scaling
    ) -> History:
        """Train all at once; with epochs auto, begin again more slowly where it failed.

        It begins as it did at first, so that a run of the rate that is left in the
        options gives the same weights.
        """
        weights, order = deepcopy(model.state_dict()), deepcopy(self.order)
        began = time.perf_counter()
        history = self.run(model, images, scaling)
        tries = RESTARTS if self.options.epochs == "auto" else 0
        while tries and (why := self._failure(history, images, scaling)):
            (rate,) = per_level(self.options, "learning_rate", model.arch)
            self.options.learning_rate = rate / 10
            told = f"again, at a learning rate of {rate / 10:g}"
            self.progress.note(f"{why}: {told}.")
            model.load_state_dict(weights)
            spent = (time.perf_counter() - began) / 60
            again = replace(self, order=deepcopy(order), spent=spent)
            history, tries = again.run(model, images, scaling), tries - 1
        return history

    def _failure(self, history: History, images: ImageSet, scaling: Scaling) -> str:
        """Say why a training failed; nothing if it did not."""
        if history.ended == "diverged":
            return "The loss is not a finite number"
        if history.ended != "early":
            return ""
        found = [row.psnr for row in history.rows if row.psnr is not None]
        best = max(found, default=math.inf)
        collapsed = best < self._mean_psnr(images, scaling) + ALIKE
        return "Nothing was learnt but the mean picture" if collapsed else ""

    def _mean_psnr(self, images: ImageSet, scaling: Scaling) -> float:
        """Give the PSNR, in dB, of the mean picture for those that are learnt from."""
        rows = self.learn[sample(len(self.learn), math.prod(images.shape[1:]))]
        unit = scaling.to_unit(np.asarray(images[rows].pixels))
        square = float(unit.var(0, dtype=np.float64).mean())
        return psnr(square, scaling.peak) or math.inf

    def _expect_levels(self, arch: Architecture, of: int, stretch: int | None) -> None:
        """Tell what comes above a level, its number counted from 0."""
        options, above = self.options, slice(of + 1, arch.depth)
        each = per_level(options, "epochs", arch)[above]
        steps = per_level(options, "steps", arch)
        if options.epochs != "auto":
            self.progress.expect(sum(each) + (options.refine or 0))
        elif steps[of] is None:
            share = 60 * (options.minutes or MINUTES) / len(steps)
            self.progress.expect(levels=share * len(each))
        else:
            passes = (-(-count // (stretch or count)) for count in steps[above])
            self.progress.expect(sum(passes))

    def _until_no_better(
        self, settings: Settings, stretch: int, asked: int | None, levels: int
    ) -> Settings:
        """Go on, in stretches of so many steps, until nothing gets better."""
        minutes = (self.options.minutes or MINUTES) - self.spent
        return replace(
            settings,
            epochs=ENDLESS if asked is None else -(-asked // stretch),
            minutes=minutes / levels if asked is None else math.inf,
            patience=settings.patience or PATIENCE,
            falls=FALLS,
            counted=True,
            average=AVERAGE,
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
