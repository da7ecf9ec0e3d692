"""The only epoch loop: batches through an objective, and back, on Lightning Fabric."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from caes.errors import ArgumentError
from caes.nn.inference import double
from caes.train import descent
from caes.train.history import Epoch, History
from caes.train.options import DecayName, DeviceName, OptimizerName, PrecisionName
from caes.train.progress import Progress

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Passes(Protocol):
    """What is gone through once an epoch, such as `caes.train.batches.Batches`."""

    @property
    def pictures(self) -> int:
        """Pictures in one pass."""

    def __len__(self) -> int:
        """Batches in one pass."""

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Give the batches, pictures first."""


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
    # How often, when patience is over, the rate falls to a third before the end. Then
    # what was there before the first step is watched and kept as well.
    falls: int = 0
    counted: bool = False  # epochs are stretches, and told by their steps
    # The end is that of the epoch that comes nearest to so many.
    minutes: float = math.inf

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


class Plain:
    """Fabric's part in 32 bits on the CPU, without importing it, and torch._dynamo."""

    device = torch.device("cpu")

    def setup(
        self, objective: nn.Module, optimizer: Optimizer
    ) -> tuple[nn.Module, Optimizer]:
        """Give both as they are."""
        return objective, optimizer

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients."""
        loss.backward()  # type: ignore[no-untyped-call]


Machine: TypeAlias = "Fabric | Plain"
"""A device and the arithmetic on it, as `fabric_for` opens them."""


def device_for(name: DeviceName) -> torch.device:
    """Give the device that a name stands for on this machine, or refuse it."""
    here = ["cpu"]
    if torch.cuda.is_available():
        here.insert(0, "cuda:0")
    if torch.backends.mps.is_available():
        here.insert(0, "mps:0")
    found = [each for each in here if name in ("auto", each.partition(":")[0])]
    if not found:
        raise ArgumentError(
            "device", repr(name), "one that this machine has", "Try 'auto'."
        )
    return torch.device(found[0])


def fabric_for(name: DeviceName, precision: PrecisionName) -> Machine:
    """Open a device with a precision, or refuse what this machine does not have."""
    device = device_for(name).type
    if device == "cpu" and precision == "32-true":
        return Plain()
    if device == "cpu" and precision == "16-mixed":
        raise ArgumentError(
            "precision",
            "'16-mixed' on the CPU",
            "'32-true' or 'bf16-mixed' there",
            "Try '32-true'.",
        )
    from lightning_fabric import Fabric

    return Fabric(accelerator=device, devices=1, precision=precision)


def train(
    objective: nn.Module,
    batches: Passes,
    validation: Passes | None,
    settings: Settings,
    *,
    fabric: Machine,
    progress: Progress,
) -> History:
    """Train an objective's parameters, watching what validation has, if anything.

    The objective gives (3,) for a batch: the loss to descend, the mean squared error
    and the accuracy, NaN where there is no such thing; without gradients, as in
    validation, it is in evaluation mode. In the end it holds the last weights, or the
    best ones with patience; after Ctrl-C what was learnt so far, after a loss that is
    not a number the weights before that epoch.
    """
    trained, descend = _set_up(objective, settings, fabric)
    history = History()
    average = _Average(trained, settings.average)
    best = _Best(trained, average, settings)
    began = time.perf_counter()

    def learn(loss: Tensor, passes: float) -> None:
        """Take a step after so many passes, the begun one as its share."""
        if loss.requires_grad:  # else a runner has left the gradient already
            fabric.backward(loss)
        descend(settings.rate(passes / settings.epochs) / 3**best.falls)
        average.update()

    progress.start(settings.epochs, len(batches), settings.level, settings.minutes)
    with stop_on_interrupt() as stop, progress:
        go = partial(_pass, trained, fabric.device, progress, stop)
        if settings.falls and validation:
            best.take(float(go(validation)[0][0]), 0)
        for epoch in range(1, settings.epochs + 1):
            start = time.perf_counter()
            before = best.copy()
            figures, waited = go(batches, learn, epoch - 1)
            learnt = time.perf_counter() - start
            if stop.is_set():
                history.ended = "interrupted"
                break
            watched = None
            if validation:
                with average.in_place():
                    found, _ = go(validation)
                # After Ctrl-C only a part was watched.
                watched = None if stop.is_set() else float(found[0])
            spent = time.perf_counter() - start, learnt, waited
            row = _row(epoch, figures, watched, spent, batches, settings)
            history.rows.append(row)
            progress.epoch(row)
            if not math.isfinite(row.loss):
                history.ended = "diverged"
                if not best.weights:
                    best.weights, best.epoch = before, epoch - 1
                break
            early = best.stops(row)
            if early or stop.is_set():
                history.ended = "interrupted" if stop.is_set() else "early"
                break
            now = time.perf_counter()
            if now + (now - start) / 2 - began > 60 * settings.minutes:
                history.ended = "time"
                break
    average.swap()  # for good, or until weights that were kept come back
    history.best_epoch = best.restore(len(history.rows))
    return history


def _set_up(
    objective: nn.Module, settings: Settings, fabric: Machine
) -> tuple[nn.Module, descent.Descend]:
    """Give the objective as the machine has it, and what takes its steps."""
    what = objective, settings.optimizer, settings.weight_decay
    if isinstance(fabric, Plain) and (quick := descent.compiled(*what)):
        return objective, quick
    trained, optimizer = fabric.setup(objective, descent.optimizer(*what))
    return trained, descent.stepping(optimizer)


def _row(
    epoch: int,
    figures: Tensor,
    watched: float | None,
    spent: tuple[float, float, float],
    batches: Passes,
    settings: Settings,
) -> Epoch:
    """Tell of an epoch, of whose seconds some were spent learning, some waiting."""
    loss, square, accuracy = figures.tolist()
    seconds, learnt, waited = spent
    return Epoch(
        epoch,
        loss,
        watched,
        accuracy=None if math.isnan(accuracy) else accuracy,
        psnr=psnr(square, settings.peak),
        seconds=seconds,
        images_per_second=batches.pictures / learnt,
        level=settings.level,
        waiting=waited / learnt,
        steps=epoch * len(batches) if settings.counted else None,
    )


def _pass(
    objective: nn.Module,
    device: torch.device,
    progress: Progress,
    stop: threading.Event,
    batches: Passes,
    learn: Callable[[Tensor, float], None] | None = None,
    done: int = 0,
) -> tuple[Tensor, float]:
    """Go over all batches once, learning if told how, after so many passes done.

    Gives mean figures, on the CPU, and the seconds spent waiting for batches. Figures
    are summed on the device, which is waited for at the end only.
    """
    total = double(torch.zeros(3, device=device))
    seen, waited = 0, 0.0
    objective.train(learn is not None)
    with torch.set_grad_enabled(learn is not None):
        asked = time.perf_counter()
        for index, batch in enumerate(batches):
            waited += time.perf_counter() - asked
            figures = objective(*(part.to(device) for part in batch))
            if learn is not None:
                learn(figures[0], done + index / len(batches))
            n = len(batch[0])
            total.add_(figures.detach().to(total.device), alpha=n)
            seen += n
            progress.batch(learn is not None, n, total, seen)
            if stop.is_set():
                break
            asked = time.perf_counter()
    objective.eval()
    return total.cpu() / seen, waited


def psnr(square: float, peak: float) -> float | None:
    """Give the PSNR, in dB, of a mean squared error; None of none."""
    if square > 0:
        return 20 * math.log10(peak) - 10 * math.log10(square)
    return None if math.isnan(square) else math.inf


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
        self.mean = [each.detach().clone() for each in self.weights] if keep else []

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights after a step in."""
        if self.keep:
            self.steps += 1
            keep = min(self.keep, 1 - 1 / self.steps)
            torch._foreach_lerp_(self.mean, self.weights, 1 - keep)

    @torch.no_grad()
    def swap(self) -> None:
        """Let the average and the weights change places."""
        if self.keep:
            kept = [weight.clone() for weight in self.weights]
            torch._foreach_copy_(self.weights, self.mean)
            torch._foreach_copy_(self.mean, kept)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average in the weights' place for a while."""
        self.swap()
        try:
            yield
        finally:
            self.swap()


class _Best:
    """The averaged weights of the epoch with the lowest validation loss."""

    def __init__(
        self, module: nn.Module, average: _Average, settings: Settings
    ) -> None:
        self.module, self.average = module, average
        self.patience, self.most_falls = settings.patience, settings.falls
        self.falls = self.waited = 0
        self.epoch = 0
        self.loss = math.inf
        self.weights: dict[str, Tensor] = {}

    def copy(self) -> dict[str, Tensor]:
        """Give the averaged weights as they are now."""
        with self.average.in_place():
            state = self.module.state_dict()
            return {name: value.clone() for name, value in state.items()}

    def stops(self, row: Epoch) -> bool:
        """Take note of an epoch; tell whether patience is over."""
        if self.patience is None or row.validation_loss is None:
            return False
        self.waited += 1
        if row.validation_loss < self.loss:
            self.take(row.validation_loss, row.epoch)
        if self.waited < self.patience or self.falls == self.most_falls:
            return self.waited >= self.patience
        self.falls, self.waited = self.falls + 1, 0
        return False

    def take(self, loss: float, epoch: int) -> None:
        """Keep the weights as they are now: none had a lower loss."""
        self.loss, self.epoch, self.waited = loss, epoch, 0
        self.weights = self.copy()

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
