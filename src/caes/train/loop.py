"""The only epoch loop: batches through an objective, and back, on Lightning Fabric."""

import itertools
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from types import FrameType
from typing import Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from caes.errors import ArgumentError
from caes.nn.inference import double
from caes.train.history import Ending, Epoch, History
from caes.train.options import DecayName, DeviceName, OptimizerName, PrecisionName
from caes.train.progress import Progress


class Passes(Protocol):
    """What is gone through once an epoch, such as `caes.train.batches.Batches`."""

    @property
    def pictures(self) -> int:
        """Pictures in one pass."""

    def __len__(self) -> int:
        """Batches in one pass."""

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Give the batches, pictures first."""


class _Fed:
    """Batches, and the seconds that one has waited for them."""

    def __init__(self, batches: Passes) -> None:
        self.batches = batches
        self.pictures = batches.pictures
        self.waited = 0.0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        batches = iter(self.batches)
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            self.waited += time.perf_counter() - start
            if batch is None:
                return
            yield batch


@dataclass(frozen=True)
class Settings:
    """How to train; learning rate and decay as in `Options`."""

    epochs: int
    learning_rate: float = 1e-3
    decay: DecayName = "constant"  # one-cycle: Smith 2018
    patience: int | None = None  # with it, the weights of the best epoch are restored
    # Share of each weight, but of no bias, taken off a step, times the learning rate
    # (Loshchilov & Hutter 2019).
    weight_decay: float = 0.0
    # Share of the running average of all weights that stays at each step; the average
    # is what is watched, and kept.
    average: float = 0.0
    level: int = 0  # of a stack, counted from 1; 0 for all
    peak: float = 1.0  # of the PSNR, in the units of what is reconstructed
    optimizer: OptimizerName = "adam"  # as Keras has it; or sgd, without momentum

    def rate(self, progress: float) -> float:
        """Give the learning rate at a share in [0, 1] of the whole training."""
        after_rise = (progress - RISE) / (1 - RISE)
        falls = {
            "constant": 1.0,
            "linear": 1 - progress,
            "cosine": (1 + math.cos(math.pi * progress)) / 2,
            "one-cycle": min(
                (progress + 0.01) / (RISE + 0.01),
                (1 + math.cos(math.pi * max(after_rise, 0))) / 2,
            ),
        }
        return self.learning_rate * falls[self.decay]


RISE = 0.1
"""Share of a one-cycle training in which the learning rate rises."""
BETAS = (0.9, 0.999)
"""What Adam's running means of gradients and of their squares keep at each step."""
EPSILON = 1e-7
"""What Adam adds to the root of the mean square, as Keras does."""


def fabric_for(device: DeviceName, precision: PrecisionName) -> Fabric:
    """Open a device with a precision, or refuse what this machine does not have."""
    try:
        fabric = Fabric(accelerator=device, devices=1, precision="32-true")
    except RuntimeError as error:
        raise ArgumentError(
            "device", repr(device), "one that this machine has", "Try 'auto'."
        ) from error
    if fabric.device.type == "cpu" and precision == "16-mixed":
        raise ArgumentError(
            "precision",
            "'16-mixed' on the CPU",
            "'32-true' or 'bf16-mixed' there",
            "Try '32-true'.",
        )
    if precision != "32-true":
        fabric = Fabric(accelerator=device, devices=1, precision=precision)
    return fabric


@cache
def device_for(name: DeviceName) -> torch.device:
    """Give the device that a name stands for on this machine, or refuse it."""
    return fabric_for(name, "32-true").device


def is_plain(fabric: Fabric) -> bool:
    """Tell 32-bit arithmetic on the CPU."""
    return fabric.device.type == "cpu" and _is_32_bit(fabric)


def _is_32_bit(fabric: Fabric) -> bool:
    return bool(fabric.strategy.precision.precision == "32-true")


def train(
    objective: nn.Module,
    batches: Passes,
    validation: Passes | None,
    settings: Settings,
    *,
    fabric: Fabric,
    progress: Progress,
) -> History:
    """Train an objective's parameters.

    The objective gives (3,) for a batch: the loss to descend, the mean squared error
    and the accuracy, NaN where there is no such thing; without gradients, as in
    validation, it is in evaluation mode. In the end it holds the last weights, or the
    best ones with patience; after Ctrl-C what was learnt so far, after a loss that is
    not a number the weights before that epoch.
    """
    optimizer = _optimizer(objective, settings)
    trained, optimizer = fabric.setup(objective, optimizer)
    if fabric.world_size == 1 and _is_32_bit(fabric):
        trained = objective  # the wrapper would only pass it on, for 0.05 ms a step
    history = History()
    best = _Best(trained, settings.patience)
    average = _Average(trained, settings.average)
    progress.start(settings.epochs, len(batches), settings.level)
    with stop_on_interrupt() as stop, progress:
        for epoch in range(1, settings.epochs + 1):
            start = time.perf_counter()
            with average.in_place():
                best.remember()
            learning = _Learning(optimizer, average, epoch - 1, settings)
            fed = _Fed(batches)
            figures = _pass(trained, fed, fabric, progress, stop, learning)
            learnt = time.perf_counter() - start
            if stop.is_set():
                history.ended = "interrupted"
                break
            watched = None
            if validation is not None:
                with average.in_place():
                    found = _pass(trained, validation, fabric, progress, stop)
                # After Ctrl-C only a part was watched.
                watched = None if stop.is_set() else float(found[0])
            speed = batches.pictures / learnt
            row = _row(epoch, figures, watched, speed, start, settings)
            row = replace(row, waiting=fed.waited / learnt)
            history.rows.append(row)
            progress.epoch(row)
            if (ending := _ending(row, best, average, stop)) is not None:
                history.ended = ending
                break
    diverged = history.ended == "diverged"
    if not diverged:
        average.settle()
    history.best_epoch = best.restore(len(history.rows) - diverged)
    return history


def _ending(
    row: Epoch, best: "_Best", average: "_Average", stop: threading.Event
) -> Ending | None:
    """Tell how an epoch ends the training, if it does; keep or forget its weights."""
    if not math.isfinite(row.loss):
        best.forget()
        return "diverged"
    early = best.stops(row, average)
    if stop.is_set():
        return "interrupted"
    return "early" if early else None


@dataclass(frozen=True)
class _Learning:
    """What a pass that learns needs: the optimizer, and how far the training is."""

    optimizer: torch.optim.Optimizer
    average: "_Average"
    epoch: int
    settings: Settings

    def step(self, loss: Tensor, fabric: Fabric, through: float) -> None:
        rate = self.settings.rate((self.epoch + through) / self.settings.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        fabric.backward(loss)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update()


def _optimizer(objective: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Build what descends; weights decay by their share times the rate in both."""
    groups, rate = _groups(objective, settings), settings.learning_rate
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, rate, fused=True)
    return _adam(groups, rate)


def _adam(groups: list[dict[str, object]], rate: float) -> torch.optim.Optimizer:
    """Build Adam with ε added before the bias correction, as Keras has it.

    A step is then rate·√(1 - β₂ᵗ)/(1 - β₁ᵗ)·m/(√v + ε), the form at the end of section
    2 of Kingma & Ba 2015. PyTorch adds ε to the corrected √(v/(1 - β₂ᵗ)) instead: the
    same for its ε divided by √(1 - β₂ᵗ).
    """
    optimizer = torch.optim.AdamW(groups, rate, BETAS, fused=True)
    steps = itertools.count(1)

    def before_step(*_: object) -> None:
        epsilon = EPSILON / math.sqrt(1 - BETAS[1] ** next(steps))
        for group in optimizer.param_groups:
            group["eps"] = epsilon

    optimizer.register_step_pre_hook(before_step)
    return optimizer


def _groups(objective: nn.Module, settings: Settings) -> list[dict[str, object]]:
    """Tell the weights, which may decay, from biases and normalisations."""
    learnt = [each for each in objective.parameters() if each.requires_grad]
    weights = [each for each in learnt if each.ndim > 1]
    others = [each for each in learnt if each.ndim <= 1]
    groups: list[dict[str, object]] = [
        {"params": weights, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _pass(
    objective: nn.Module,
    batches: Passes,
    fabric: Fabric,
    progress: Progress,
    stop: threading.Event,
    learning: _Learning | None = None,
) -> Tensor:
    """Go over all batches once, learning if asked to; mean figures, on the CPU.

    They are summed on the device, which is waited for at the end only.
    """
    total = double(torch.zeros(3, device=fabric.device))
    seen = 0
    objective.train(learning is not None)
    with torch.set_grad_enabled(learning is not None):
        for index, batch in enumerate(batches):
            figures = objective(*(part.to(fabric.device) for part in batch))
            if learning is not None:
                learning.step(figures[0], fabric, index / len(batches))
            n = len(batch[0])
            total.add_(figures.detach().to(total.device), alpha=n)
            seen += n
            progress.batch(learning is not None, n, total, seen)
            if stop.is_set():
                break
    objective.eval()
    return total.cpu() / seen


def _row(
    epoch: int,
    figures: Tensor,
    watched: float | None,
    speed: float,
    start: float,
    settings: Settings,
) -> Epoch:
    loss, square, accuracy = figures.tolist()
    psnr = None if math.isnan(square) else math.inf
    if square > 0:
        psnr = 20 * math.log10(settings.peak) - 10 * math.log10(square)
    counted = None if math.isnan(accuracy) else accuracy
    seconds = time.perf_counter() - start
    of = settings.level
    return Epoch(epoch, loss, watched, counted, psnr, seconds, speed, of)


class _Average:
    """The running average of all weights, beside the weights themselves.

    It starts as a plain mean of the first steps, so that the random start does not
    linger (Tarvainen & Valpola 2017, section 3). Statistics of normalisations are taken
    over as they are.
    """

    def __init__(self, module: nn.Module, keep: float) -> None:
        self.weights: list[Tensor] = [
            each for each in module.parameters() if each.requires_grad
        ]
        self.keep = keep
        self.steps = 0
        self.mean = [p.detach().clone() for p in self.weights] if keep else []

    def update(self) -> None:
        if self.keep:
            self.steps += 1
            keep = min(self.keep, 1 - 1 / self.steps)
            with torch.no_grad():
                torch._foreach_lerp_(self.mean, self.weights, 1 - keep)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average in the weights' place for a while."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def settle(self) -> None:
        """Put the average in the weights' place for good."""
        if self.steps:
            self._swap()
        self.steps = 0

    def _swap(self) -> None:
        if self.keep:
            with torch.no_grad():
                kept = [weight.clone() for weight in self.weights]
                torch._foreach_copy_(self.weights, self.mean)
                torch._foreach_copy_(self.mean, kept)


class _Best:
    """Keeps the weights of the epoch with the lowest validation loss."""

    def __init__(self, module: nn.Module, patience: int | None) -> None:
        self.module = module
        self.patience = patience
        self.epoch = 0
        self.loss = math.inf
        self.weights: dict[str, Tensor] = {}
        self.before: dict[str, Tensor] = {}

    def remember(self) -> None:
        """Keep the weights as they are before an epoch."""
        self.before = self._copy()

    def forget(self) -> None:
        """Undo the epoch: its loss is not a number."""
        if not self.weights:
            self.module.load_state_dict(self.before)

    def _copy(self) -> dict[str, Tensor]:
        state = self.module.state_dict()
        return {name: value.clone() for name, value in state.items()}

    def stops(self, row: Epoch, average: _Average) -> bool:
        """Take note of an epoch; tell whether patience is over."""
        if self.patience is None or row.validation_loss is None:
            return False
        if row.validation_loss < self.loss:
            self.loss, self.epoch = row.validation_loss, row.epoch
            with average.in_place():
                self.weights = self._copy()
        return row.epoch - self.epoch >= self.patience

    def restore(self, last: int) -> int:
        """Put the best weights back, if any were kept; tell whose they are."""
        if not self.weights:
            return last
        self.module.load_state_dict(self.weights)
        return self.epoch


@contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """Let the first Ctrl-C end the work after its step; the second is a real one.

    Outside the main thread, where signals do not arrive, nothing is changed.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
