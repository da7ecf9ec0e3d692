"""What happened in a training, epoch by epoch."""

from dataclasses import dataclass, field
from typing import Literal

Ending = Literal["complete", "early", "time", "interrupted", "diverged"]


@dataclass(frozen=True)
class Epoch:
    """One row of the history.

    Args:
        epoch: Counted from 1.
        loss: Mean over the epoch's batches, as they were met.
        validation_loss: After the epoch, on pictures kept apart; None without them.
        accuracy: In [0, 1]: of pixels as Keras counts it for this output, or of
            classes; None where there is nothing to count right, as in a code, or in
            pictures that reach beyond [0, 1].
        psnr: Peak signal-to-noise ratio of the epoch's reconstructions, in dB; the peak
            is the width of the source's value range, on the network's scale. None where
            nothing was reconstructed.
        seconds: Time of the epoch, validation included.
        images_per_second: Speed of its training part.
        level: Which level of a stack was trained, counted from 1; 0 for all at once.
        waiting: Share in [0, 1] of the training part that was spent waiting for
            pictures; None where it was not measured.
        steps: Steps taken so far, where an epoch is a stretch of so many of them and
            not a pass over the pictures; else None.
    """

    epoch: int
    loss: float
    validation_loss: float | None
    accuracy: float | None
    psnr: float | None
    seconds: float
    images_per_second: float
    level: int = 0
    waiting: float | None = None
    steps: int | None = None


@dataclass
class History:
    """What happened, epoch by epoch, and how it ended.

    Args:
        rows: Finished epochs.
        best_epoch: The epoch whose weights were kept, of the last level that was
            trained; 0 for the untrained ones.
        ended: "complete", "early" (no improvement), "time" (it was over),
            "interrupted" or "diverged".
    """

    rows: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    ended: Ending = "complete"

    @property
    def broken_off(self) -> bool:
        """Whether it ended before it should have: nothing can be built on it."""
        return self.ended in ("interrupted", "diverged")

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the training."""
        return self.ended == "interrupted"
