"""How the training of a stack went, in charts with a text each."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from caes.report import stack_curves
from caes.report.account import levels, loss_name
from caes.report.amounts import capital, count, decibels
from caes.report.amounts import figure as written
from caes.report.phases import Phase
from caes.report.plate import Plate, plate
from caes.report.stack_curves import Stretch
from caes.train.history import Epoch

Read = Callable[[Epoch], float | None]


def loss(phases: Sequence[Phase], name: str) -> list[Plate]:
    """Draw the losses against the epochs of each phase.

    Args:
        phases: In their order.
        name: What pictures were compared by, "bce" or "mse".
    """
    drawn = [phase for phase in phases if phase.rows]
    if not drawn:
        return []
    stretches = [losses(phase) for phase in drawn]
    called = list(dict.fromkeys(loss_name(phase.level, name) for phase in drawn))
    title = f"Loss ({called[0]})" if len(called) == 1 else "Loss of each level"
    draw = partial(stack_curves.draw, stretches, title=title)
    told = _told("Loss", drawn, lambda row: row.loss, written)
    caption = _compared(drawn, called)
    if stack_curves.apart(stretches):
        caption += " The axis is logarithmic."
    return [plate("loss", draw, told, caption)]


def accuracy(phases: Sequence[Phase], caption: str) -> list[Plate]:
    """Draw the accuracy of what gave back pictures, where there was any to count.

    Args:
        phases: In their order.
        caption: How it is counted.
    """
    title = "Accuracy in training (%)"
    return _pictures("accuracy", title, phases, _percent, "{:.1f}%".format, caption)


def psnr(phases: Sequence[Phase]) -> list[Plate]:
    """Draw the PSNR of what gave back pictures."""
    title = "PSNR in training (dB)"
    return _pictures("psnr", title, phases, lambda row: row.psnr, decibels, "")


def _pictures(
    name: str,
    title: str,
    phases: Sequence[Phase],
    read: Read,
    write: Callable[[float], str],
    caption: str,
) -> list[Plate]:
    drawn = [
        phase
        for phase in phases
        if phase.level <= 1 and any(read(row) is not None for row in phase.rows)
    ]
    if not drawn:
        return []
    stretches = [_stretch(each, {"training": _values(each, read)}) for each in drawn]
    draw = partial(stack_curves.draw, stretches, title=title)
    told = _told(title.partition(" ")[0], drawn, read, write)
    alone = _alone(drawn)
    return [plate(name, draw, told, f"{caption} {alone}".strip())]


def losses(phase: Phase) -> Stretch:
    """Give the loss curves of a phase, and the epoch to mark in them."""
    shown = {"training": _values(phase, lambda row: row.loss)}
    if all(row.validation_loss is not None for row in phase.rows):
        shown["validation"] = _values(phase, lambda row: row.validation_loss)
    return _stretch(phase, shown, phase.kept if phase.kept < len(phase.rows) else 0)


def _stretch(
    phase: Phase, shown: dict[str, NDArray[np.float64]], kept: int = 0
) -> Stretch:
    name = f"level {phase.level}" if phase.level else "refinement"
    return Stretch(name, str(phase.level or "all"), shown, kept)


def _values(phase: Phase, read: Read) -> NDArray[np.float64]:
    values = [read(row) for row in phase.rows]
    return np.array([math.nan if value is None else value for value in values])


def _percent(row: Epoch) -> float | None:
    return None if row.accuracy is None else 100 * row.accuracy


def _told(
    what: str, drawn: Sequence[Phase], read: Read, write: Callable[[float], str]
) -> str:
    """Tell the curves in words."""
    return f"{what} {'; '.join(_course(phase, read, write) for phase in drawn)}."


def _course(phase: Phase, read: Read, write: Callable[[float], str]) -> str:
    first, last = _values(phase, read)[[0, -1]]
    over = f"of {phase.name} over {count(len(phase.rows), 'epoch')}"
    if len(phase.rows) == 1:
        return f"{over}: {write(last)}"
    return f"{over}, from {write(first)} to {write(last)}"


def _compared(drawn: Sequence[Phase], called: Sequence[str]) -> str:
    """Say what each loss is one of."""
    pictures = [phase for phase in drawn if phase.level <= 1]
    codes = [phase for phase in drawn if phase.level > 1]
    names = [f" ({name})" for name in called] if len(called) > 1 else ["", ""]
    told = []
    if pictures:
        told.append(f"{_give(pictures)} back pictures{names[0]}")
    if codes:
        told.append(f"{_give(codes)} back the code below{names[-1]}")
    compare = pictures and codes
    scale = "; their losses do not compare, for a code has a scale of its own"
    return capital(", ".join(told)) + (scale if compare else "") + "."


def _give(phases: Sequence[Phase]) -> str:
    return f"{levels(phases)} {'gives' if len(phases) == 1 else 'give'}"


def _alone(drawn: Sequence[Phase]) -> str:
    """Say whose reconstructions are meant, level 1's or the stack's."""
    whose = {1: "level 1 by itself", 0: "all levels in the refinement"}
    named = [whose[phase.level] for phase in drawn]
    last = " The levels above it give back codes." * (drawn[-1].level == 1)
    return f"Of {', then of '.join(named)}.{last}"
