"""What a training says while it runs: a bar, plain lines, or nothing."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from caes.train.history import Epoch

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from torch import Tensor


PAUSE = 5
"""Seconds, at least, between two lines about stretches of steps."""


class Progress:
    """Says nothing; what the others share."""

    epochs = passes = 0
    done, began = 0.0, math.nan  # epochs, and when the training at hand began
    minutes = math.inf
    told = -math.inf

    def __init__(self) -> None:
        self.coming: dict[str, float] = {}

    def expect(self, passes: int = 0, **seconds: float) -> None:
        """Take note of what comes after the training at hand.

        That are epochs like its own, and, by name, seconds that others take at most.
        """
        self.passes = passes
        self.coming |= seconds

    def time_left(self) -> str:
        """Say how long all that is still to come takes, if that is known by now."""
        if math.isnan(self.began):
            return ""
        spent, later = time.perf_counter() - self.began, sum(self.coming.values())
        if self.minutes < math.inf:
            seconds = max(0, 60 * self.minutes - spent) + later
        elif self.done:
            each = spent / self.done
            seconds = each * (self.epochs - self.done + self.passes) + later
        else:
            return ""
        whole = math.ceil(seconds)
        bound = "at most " * (self.minutes < math.inf or later > 0)
        return f"{bound}{whole // 60}:{whole % 60:02} left"

    def start(
        self, epochs: int, batches: int, level: int = 0, minutes: float = math.inf
    ) -> None:
        """Take note of how much work there is, and for which level of a stack."""
        self.epochs, self.minutes, self.done = epochs, minutes, 0.0

    def __enter__(self) -> Self:
        self.began = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar off the terminal."""

    def batch(self, learning: bool, n: int, total: "Tensor", seen: int) -> None:
        """Take note of ``n`` pictures; ``total``, (3,), is over ``seen`` of a pass."""

    def epoch(self, row: Epoch) -> None:
        """Tell a finished epoch; of stretches of steps one every few seconds."""
        now, self.done = time.perf_counter(), row.epoch
        if row.steps is None or now - self.told >= PAUSE:
            self.told = now
            self.tell(describe(row, self.epochs))

    def tell(self, line: str) -> None:
        """Say a finished epoch."""
        self.note(line)

    def note(self, text: str) -> None:
        """Say what happened."""


class Lines(Progress):
    """One plain line an epoch, on standard error."""

    def tell(self, line: str) -> None:
        """Add what a bar would show."""
        self.note(f"{line}  {self.time_left()}".rstrip())

    def note(self, text: str) -> None:
        """Print it."""
        print(text, file=sys.stderr, flush=True)


class Bar(Progress):
    """A bar with loss, images/s and time left, on standard error."""

    bar: "RichProgress"
    task: Any
    current = batches = 1
    entered = shown = 0.0

    def start(
        self, epochs: int, batches: int, level: int = 0, minutes: float = math.inf
    ) -> None:
        """Lay the bar out; where the time is bounded, along the time."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        super().start(epochs, batches, level, minutes)
        self.current, self.batches, timed = 1, batches, minutes < math.inf
        title = f"level {level}, " * bool(level) + "epoch" * (not timed)
        self.bar = Progress(
            TextColumn(title + " {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[speed]} images/s"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
        )
        self.task = self.bar.add_task(
            "",
            total=60 * minutes if timed else epochs * batches,
            epoch="learning" if timed else f"1/{epochs}",
            loss="–",
            speed="–",
            left="",
        )

    def __enter__(self) -> Self:
        self.bar.start()
        self.entered = time.perf_counter()
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def batch(self, learning: bool, n: int, total: "Tensor", seen: int) -> None:
        """Move the bar on; draw it ten times a second."""
        if not learning:
            return
        now = time.perf_counter()
        if seen == n:
            self.entered = now
        if self.minutes == math.inf:
            self.bar.advance(self.task)
        if now - self.shown < 0.1:
            return
        self.shown = now
        where: dict[str, Any] = {"epoch": f"{self.current}/{self.epochs}"}
        if self.minutes < math.inf:
            where = {"completed": now - self.began}
        else:
            self.done = self.bar.tasks[0].completed / self.batches
        self.bar.update(
            self.task,
            **where,
            loss=f"{float(total[0]) / seen:.4f}",
            speed=f"{seen / max(now - self.entered, 1e-9):,.0f}",
            left=self.time_left(),
            refresh=True,
        )

    def epoch(self, row: Epoch) -> None:
        """Print the epoch above the bar."""
        self.current = row.epoch + 1
        super().epoch(row)

    def note(self, text: str) -> None:
        """Print it above the bar."""
        self.bar.console.print(text, highlight=False)


def describe(row: Epoch, epochs: int) -> str:
    """Write an epoch, or a stretch of steps, as one line."""
    where = f"step {row.steps:,}" if row.steps else f"epoch {row.epoch}/{epochs}"
    parts = [where, f"loss {row.loss:.4f}"]
    if row.level:
        parts.insert(0, f"level {row.level}")
    if row.validation_loss is not None:
        parts.append(f"validation {row.validation_loss:.4f}")
    if row.accuracy is not None:
        parts.append(f"accuracy {row.accuracy:.4f}")
    if row.psnr is not None:
        parts.append(f"PSNR {row.psnr:.2f} dB")
    speed = f"{row.images_per_second:,.0f} images/s"
    parts += [f"{row.seconds:.1f} s", speed]
    if row.waiting is not None:
        parts.append(f"waiting {100 * row.waiting:.0f} %")
    return "  ".join(parts)


_AT_WORK: ContextVar[Progress | None] = ContextVar("progress", default=None)


def progress(verbose: bool) -> Progress:
    """Choose: a bar on a terminal, lines where there is none, nothing if not asked.

    Within `telling` it is the one that is there.
    """
    if at_work := _AT_WORK.get():
        return at_work
    if not verbose:
        return Progress()
    return Bar() if sys.stderr.isatty() else Lines()


@contextmanager
def telling(verbose: bool) -> Iterator[Progress]:
    """Let all trainings within tell of themselves through one, which knows them all."""
    at_work = progress(verbose)
    before = _AT_WORK.set(at_work)
    try:
        yield at_work
    finally:
        _AT_WORK.reset(before)
