"""A training in its phases: all levels at once, or one after the other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from caes.nn.architecture import Architecture
from caes.train.history import Ending, Epoch, History
from caes.train.options import Options, per_level

FALLING = 0.003
"""A loss that fell by more than this share in its last epoch was still falling."""

REFINEMENT = "the refinement"
State = Ending | Literal["not begun", "taken over"]
"""How a phase ended: never begun, for the training ended below, or long before it."""


@dataclass(frozen=True)
class Plan:
    """What a training was asked to do.

    Levels are counted from 1; 0 is all at once, which in a stack is the refinement.
    """

    epochs: Mapping[int, int]  # of each phase in turn, by level
    best: bool = False  # whether the weights of the best epoch are kept, not the last


@dataclass(frozen=True)
class Phase:
    """A stretch of a training in which the same levels learned."""

    level: int  # counted from 1; 0 for all at once
    asked: int  # epochs in the settings; 0 where it was to go on until no better
    rows: Sequence[Epoch]  # those that were finished
    kept: int  # the one whose weights were kept; 0 for what the phase began with
    state: State
    sole: bool = False  # whether there is no other
    wish: str = "as asked"  # what its length is like, if it was not cut short

    @property
    def name(self) -> str:
        """What learned, within a sentence; nothing where that was all of it."""
        name = f"level {self.level}" if self.level else REFINEMENT
        return "" if self.sole else name

    @property
    def stretch(self) -> int:
        """Steps of each row, where it is a stretch of them and not an epoch; or 0."""
        return (self.rows[0].steps or 0) if self.rows else 0

    def at(self, epoch: int) -> str:
        """Name an epoch, or the steps that were taken at a stretch's end."""
        return f"step {epoch * self.stretch:,}" if self.stretch else f"epoch {epoch:,}"

    @property
    def short_of(self) -> bool:
        """Whether other weights than those of its last epoch were kept."""
        return self.kept < len(self.rows)

    @property
    def outcome(self) -> Epoch | None:
        """The epoch whose weights were kept, if it was of this training."""
        return self.rows[self.kept - 1] if 0 < self.kept <= len(self.rows) else None

    @property
    def missing(self) -> bool:
        """Whether a level has kept nothing of a whole epoch, here or before."""
        known = self.outcome is not None or self.state == "taken over"
        return self.level > 0 and not self.sole and not known

    @property
    def falling(self) -> bool:
        """Whether the loss was still falling at the end."""
        if len(self.rows) <= 1 or self.short_of:
            return False
        before, last = (
            row.loss if row.validation_loss is None else row.validation_loss
            for row in self.rows[-2:]
        )
        return before - last > FALLING * abs(before)


def plan(settings: Mapping[str, Any], arch: Architecture) -> Plan:
    """Read a training's phases from its settings.

    Raises:
        ArgumentError: Epochs that are not those of this network's levels.
    """
    schedule = settings.get("schedule", "joint")
    options = Options(epochs=settings["epochs"], schedule=schedule)
    told = per_level(options, "epochs", arch)
    epochs = [0 if each == "auto" else int(each) for each in told]
    greedy = schedule == "greedy"
    asked = dict(enumerate(epochs, start=1 if greedy else 0))
    if greedy and settings.get("refine"):
        asked[0] = int(settings["refine"])
    best = settings.get("patience") is not None or 0 in epochs
    return Plan(asked, best)


def phases(history: History, plan: Plan) -> list[Phase]:
    """Tell how each phase of a training went, in their order.

    Its levels may begin above the first, and end below the last.
    """
    found: dict[int, list[Epoch]] = {level: [] for level in plan.epochs}
    for row in history.rows:
        if row.level in found or row.level == 0:
            found.setdefault(row.level, []).append(row)
    seen = [at for at, rows in enumerate(found.values()) if rows]
    first, last = (seen[0], seen[-1]) if seen else (0, -1)
    # Of a phase that Ctrl-C ended in its first epoch there is no row.
    beyond = history.ended == "interrupted" and not history.best_epoch
    end = min(last + beyond, len(found) - 1)
    made = []
    for at, (level, rows) in enumerate(found.items()):
        asked, kept = plan.epochs.get(level, len(rows)), _kept(rows, plan.best)
        state: State = "not begun"
        if at < first:
            state = "taken over"
        elif at < end:
            state = "complete" if len(rows) >= asked else "early"
        elif at == end:
            state, kept = history.ended, history.best_epoch
        made.append(Phase(level, asked, rows, kept, state, sole=len(found) == 1))
    return made


def one_phase(history: History, asked: int, wish: str = "as asked") -> Phase:
    """Give the one phase of a training that had no other."""
    rows, ended = history.rows, history.ended
    return Phase(0, asked, rows, history.best_epoch, ended, sole=True, wish=wish)


def _kept(rows: Sequence[Epoch], best: bool) -> int:
    """Give the epoch that patience, or its absence, has kept of a finished phase."""
    watched = [row.validation_loss for row in rows]
    known = [loss for loss in watched if loss is not None and math.isfinite(loss)]
    return watched.index(min(known)) + 1 if best and known else len(rows)
