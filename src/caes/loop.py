"""The only epoch loop: batches through an objective, and back, on Lightning Fabric."""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from caes.batches import Batches
from caes.errors import ArgumentError
from caes.history import Epoch, History
from caes.options import DecayName, DeviceName, PrecisionName
from caes.progress import Progress


@dataclass(frozen=True)
class Settings:
    """How to train.

    Args:
        epochs: Passes over the pictures.
        learning_rate: Of Adam (Kingma & Ba 2015), at the start.
        decay: How it falls until the end: "constant", "linear" or "cosine".
        patience: Epochs without a better validation loss before stopping; None never
            stops. With it, the weights of the best epoch are restored.
    """

    epochs: int
    learning_rate: float = 1e-3
    decay: DecayName = "constant"
    patience: int | None = None

    def rate(self, progress: float) -> float:
        """Give the learning rate at a share in [0, 1] of the whole training."""
        falls = {
            "constant": 1.0,
            "linear": 1 - progress,
            "cosine": (1 + math.cos(math.pi * progress)) / 2,
        }
        return self.learning_rate * falls[self.decay]


def fabric_for(device: DeviceName, precision: PrecisionName) -> Fabric:
    """Open a device with a precision.

    Raises:
        ArgumentError: This machine does not have the device, or the device not the
            precision.
    """
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


def train(
    objective: nn.Module,
    batches: Batches,
    validation: Batches | None,
    settings: Settings,
    *,
    fabric: Fabric,
    progress: Progress,
) -> History:
    """Train an objective's parameters with Adam.

    Args:
        objective: Called with a batch; gives (3,): the loss to descend, the mean
            squared error and the accuracy.
        batches: What to learn from.
        validation: What to watch; None watches nothing.
        settings: How to train.
        fabric: Device and precision.
        progress: Is told of every batch and epoch.

    Returns:
        The history. The objective holds the last weights, or the best ones when
        ``settings.patience`` is given. After Ctrl-C it holds what was learnt so far,
        after a loss that is not a number the weights before that epoch.
    """
    optimizer = torch.optim.Adam(
        objective.parameters(), settings.learning_rate, eps=1e-7, fused=True
    )
    trained, optimizer = fabric.setup(objective, optimizer)
    if fabric.world_size == 1 and fabric.strategy.precision.precision == "32-true":
        trained = objective  # the wrapper would only pass it on, for 0.05 ms a step
    history = History()
    best = _Best(trained, settings.patience)
    progress.start(settings.epochs, len(batches))
    with _stop_on_interrupt() as stop, progress:
        for epoch in range(1, settings.epochs + 1):
            start = time.perf_counter()
            best.remember()
            share = (epoch - 1, settings)
            figures = _pass(trained, batches, fabric, progress, stop, optimizer, share)
            learnt = time.perf_counter() - start
            if stop.is_set():
                history.ended = "interrupted"
                break
            watched = None
            if validation is not None:
                watched = float(_pass(trained, validation, fabric, progress, stop)[0])
            row = _row(epoch, figures, watched, batches.pictures, learnt, start)
            history.rows.append(row)
            progress.epoch(row)
            if not math.isfinite(row.loss):
                history.ended = "diverged"
                best.forget()
                break
            if best.stops(row):
                history.ended = "early"
                break
    diverged = history.ended == "diverged"
    history.best_epoch = best.restore(len(history.rows) - diverged)
    return history


def _pass(
    objective: nn.Module,
    batches: Batches,
    fabric: Fabric,
    progress: Progress,
    stop: threading.Event,
    optimizer: torch.optim.Optimizer | None = None,
    share: tuple[int, Settings] | None = None,
) -> Tensor:
    """Go over all batches once, learning if there is an optimizer; mean figures."""
    total = torch.zeros(3, dtype=torch.float64)
    seen = 0
    with torch.set_grad_enabled(optimizer is not None):
        for index, batch in enumerate(batches):
            figures = objective(*(part.to(fabric.device) for part in batch))
            if optimizer is not None and share is not None:
                _step(figures[0], fabric, optimizer, index / len(batches), *share)
            n = len(batch[0])
            total.add_(figures.detach().cpu(), alpha=n)
            seen += n
            progress.batch(optimizer is not None, n, total, seen)
            if stop.is_set():
                break
    return total / seen


def _step(
    loss: Tensor,
    fabric: Fabric,
    optimizer: torch.optim.Optimizer,
    through: float,
    epoch: int,
    settings: Settings,
) -> None:
    rate = settings.rate((epoch + through) / settings.epochs)
    for group in optimizer.param_groups:
        group["lr"] = rate
    fabric.backward(loss)
    optimizer.step()
    optimizer.zero_grad()


def _row(
    epoch: int,
    figures: Tensor,
    watched: float | None,
    pictures: int,
    learnt: float,
    start: float,
) -> Epoch:
    loss, square, accuracy = figures.tolist()
    psnr = -10 * math.log10(square) if square > 0 else math.inf
    seconds = time.perf_counter() - start
    return Epoch(epoch, loss, watched, accuracy, psnr, seconds, pictures / learnt)


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

    def stops(self, row: Epoch) -> bool:
        """Take note of an epoch; tell whether patience is over."""
        if self.patience is None or row.validation_loss is None:
            return False
        if row.validation_loss < self.loss:
            self.loss, self.epoch = row.validation_loss, row.epoch
            self.weights = self._copy()
        return row.epoch - self.epoch >= self.patience

    def restore(self, last: int) -> int:
        """Put the best weights back, if any were kept; tell whose they are."""
        if not self.weights:
            return last
        self.module.load_state_dict(self.weights)
        return self.epoch


@contextmanager
def _stop_on_interrupt() -> Iterator[threading.Event]:
    """Let the first Ctrl-C end the training after its step; the second is a real one.

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
