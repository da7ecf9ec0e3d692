"""How a training went, in a table, in charts and in words, whatever its phases are."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caes.errors import by_signs
from caes.nn.architecture import Architecture, Shape
from caes.report.charts import Chart, Stretch, chart, course, far_apart
from caes.report.layout import Fact
from caes.report.numbers import NOTHING, capital, count, decibels, listed
from caes.report.numbers import figure as written
from caes.report.phases import REFINEMENT, Phase
from caes.train.history import Epoch

Read = Callable[[Epoch], float | None]

LOSSES = {"bce": "binary cross-entropy", "mse": "mean squared error"}
DRAWN: dict[str, tuple[str, Read, Callable[[float], str]]] = {
    "loss": ("Loss of each level", lambda row: row.loss, written),
    "accuracy": (
        "Accuracy in training (%)",
        lambda row: None if row.accuracy is None else 100 * row.accuracy,
        "{:.1f}%".format,
    ),
    "psnr": ("PSNR in training (dB)", lambda row: row.psnr, decibels),
}
"""By the chart's name its title, what it reads of an epoch, and how that is written."""


class Entry(NamedTuple):
    """One row of the table of phases."""

    learned: str
    part: str  # of the network; "" for all of it
    back: str  # what it learned to give back
    loss: str
    epochs: str
    training: str
    validation: str


def entries(
    phases: Sequence[Phase], arch: Architecture, picture: Shape, loss: str
) -> list[Entry]:
    """Tell of each phase what learned what, and how far it came."""
    parts = [*map(str, arch.levels), *(f"{units}N" for units in arch.dense)]
    into = [by_signs(stage.input) for stage in arch.encoder(picture)]
    found = []
    for phase in phases:
        kept, below = phase.outcome, phase.level - 1
        watched = None if kept is None else kept.validation_loss
        known = phase.state != "taken over"
        entry = Entry(
            learned=f"Level {phase.level}" if phase.level else "Refinement",
            part=parts[below] if phase.level else "",
            back=f"the code of level {below}, {into[below]}"
            if below > 0
            else f"pictures, {by_signs(picture)}",
            loss=loss_name(phase.level, loss) if known else NOTHING,
            epochs=_epochs(phase),
            training=NOTHING if kept is None else written(kept.loss),
            validation=NOTHING if watched is None else written(watched),
        )
        found.append(entry)
    return found


def story(phases: Sequence[Phase]) -> str:
    """Tell how a stack learned; nothing where no level did."""
    own = [phase.level for phase in phases if phase.level and phase.outcome]
    if not own:
        return ""
    words = f"Level {own[0]} learned"
    if len(own) > 1:
        words = "The levels learned one after the other, each"
    words += " to give back what comes into it"
    words += ", while those below it stayed as they were" * (own != [1])
    refined = any(phase.rows for phase in phases if not phase.level)
    return (
        words + "; then all learned together, from pictures to pictures" * refined + "."
    )


def loss_name(level: int, loss: str) -> str:
    """Name a level's loss: above the lowest, codes have a squared error."""
    return LOSSES.get("mse" if level > 1 else loss, loss)


def epochs(phases: Sequence[Phase]) -> Fact:
    """Count the epochs of each phase: those made, and a note on those asked for."""
    first = phases[0]
    words = _one(first) if first.sole else _several(phases)
    counted = any(phase.stretch for phase in phases)
    return Fact("Steps" if counted else "Epochs", *words)


def _counted(phase: Phase) -> str:
    """Count a phase's steps; of a refinement, which is counted so, its epochs."""
    if phase.asked:
        return count(len(phase.rows), "epoch")
    return f"{len(phase.rows) * phase.stretch:,}"


ENDINGS = {
    "early": "until no better",
    "time": "until the time was over",
    "complete": "as asked",
}
"""How a training ended that was to go on until nothing got better."""


def _one(phase: Phase) -> tuple[str, str]:
    endings = {"early": "stopped early", "complete": ""}
    ending = endings.get(phase.state, phase.state)
    notes = [f"of {phase.asked:,}: {ending}" if ending else phase.wish]
    if not phase.asked:
        notes = [ENDINGS.get(phase.state, phase.state)]
    if phase.short_of:
        notes.append(f"weights of {phase.at(phase.kept)} kept")
    return f"{len(phase.rows) * (phase.stretch or 1):,}", "; ".join(notes)


def _several(phases: Sequence[Phase]) -> tuple[str, str]:
    own = [phase for phase in phases if phase.state != "taken over"]
    if any(phase.stretch for phase in own):
        made = " + ".join(_counted(phase) for phase in own)
        return made, f"of {levels(own)}, each until no better or its time was over"
    asked = " + ".join(f"{phase.asked:,}" for phase in own)
    if not any(phase.rows for phase in own):
        # Which level it was is not known: the lower ones may have been taken over.
        return "0", f"of {asked}: not one was finished"
    made = " + ".join(f"{len(phase.rows):,}" for phase in own)
    if all(phase.state == "complete" for phase in own):
        how = "level by level" + ", then all at once" * (not own[-1].level)
        return (
            made,
            f"as asked, {how if len(own) == len(phases) else f'of {levels(own)}'}",
        )
    endings = "; ".join(_endings(own))
    return made, f"of {asked}: {endings}" if endings else f"of {asked}"


def epoch_of(phase: Phase, epoch: int) -> str:
    """Name an epoch within a phase."""
    return phase.at(epoch) + f" of {phase.name}" * bool(phase.name)


def levels(phases: Sequence[Phase]) -> str:
    """Name phases within a sentence.

    >>> levels([Phase(level, 1, (), 0, "not begun") for level in (1, 3, 4, 5, 0)])
    'levels 1 and 3 to 5 and the refinement'
    """
    numbers = [phase.level for phase in phases if phase.level]
    several = "levels" if len(numbers) > 1 else "level"
    named = [f"{several} {listed(_runs(numbers))}"] if numbers else []
    return " and ".join([*named, *(REFINEMENT for each in phases if not each.level)])


def _runs(numbers: Sequence[int]) -> list[str]:
    """Write ascending numbers, three and more in a row as "3 to 5"."""
    rows = groupby(enumerate(numbers), lambda each: each[1] - each[0])
    runs = [[number for _, number in row] for _, row in rows]
    short = [[f"{run[0]} to {run[-1]}"] if len(run) > 2 else run for run in runs]
    return [str(part) for run in short for part in run]


def _endings(phases: Sequence[Phase]) -> Iterator[str]:
    """Say why phases ended before they were complete."""
    if early := [phase for phase in phases if phase.state == "early"]:
        yield f"{levels(early)} stopped early"
    for phase in phases:
        run = len(phase.rows)
        if phase.state == "diverged":
            yield f"diverged in {epoch_of(phase, run)}"
        elif phase.state == "interrupted" and run:
            yield f"interrupted after {epoch_of(phase, run)}"
        elif phase.state == "interrupted":
            yield f"interrupted in the first epoch of {phase.name}"


def _epochs(phase: Phase) -> str:
    if phase.state == "taken over":
        return "taken over as it was"
    kept = f"; {phase.at(phase.kept)} kept" if phase.kept and phase.short_of else ""
    if not phase.asked:
        made = count(len(phase.rows) * phase.stretch, "step")
        ending = f", {ENDINGS.get(phase.state, phase.state)}"
        return made + ending * (phase.state != "complete") + kept
    run = f"{len(phase.rows):,} of {phase.asked:,}"
    names = {"complete": "", "early": ", stopped early"}
    return run + names.get(phase.state, f", {phase.state}") + kept


def draw(phases: Sequence[Phase], loss: str, counted: str) -> Iterator[Chart]:
    """Draw loss, accuracy and PSNR, each where there is something to draw.

    ``loss`` is what was compared by; ``counted`` says how the accuracy is counted.
    """
    for name, (title, read, write) in DRAWN.items():
        drawn = [
            phase
            for phase in phases
            # Only pictures, and no codes, have an accuracy.
            if (name == "loss" or phase.level <= 1)
            and any(read(row) is not None for row in phase.rows)
        ]
        if not drawn:
            continue
        stretches = [_stretch(phase, name, read) for phase in drawn]
        captions = [counted] * (name == "accuracy")
        if not drawn[0].sole:
            captions.append(_compared(drawn, loss) if name == "loss" else _alone(drawn))
        if name == "loss":
            called = {loss_name(phase.level, loss) for phase in drawn}
            title = f"Loss ({called.pop()})" if len(called) == 1 else title
            captions += ["The axis is logarithmic."] * far_apart(stretches)
        courses = "; ".join(_course(phase, read, write) for phase in drawn)
        alt = f"{DRAWN[name][0].partition(' ')[0]} {courses}."
        yield chart(name, partial(course, stretches, title), alt, " ".join(captions))


def _stretch(phase: Phase, name: str, read: Read) -> Stretch:
    """Give a phase's curves, and of its losses the epoch to mark in them."""
    curves, title = {"training": _values(phase, read)}, phase.name.removeprefix("the ")
    loss = name == "loss"
    if loss and all(row.validation_loss is not None for row in phase.rows):
        curves["validation"] = _values(phase, lambda row: row.validation_loss)
    kept = phase.kept if loss and phase.short_of else 0
    short = str(phase.level or "all") * bool(title)
    return Stretch(title, short, curves, kept, phase.stretch)


def _values(phase: Phase, read: Read) -> NDArray[np.float64]:
    values = [read(row) for row in phase.rows]
    return np.array([math.nan if value is None else value for value in values])


def _course(phase: Phase, read: Read, write: Callable[[float], str]) -> str:
    """Tell a curve in words."""
    first, last = _values(phase, read)[[0, -1]]
    whose = f"of {phase.name} " * bool(phase.name)
    n, steps = len(phase.rows), phase.stretch
    over = f"{whose}over {count(n * steps, 'step') if steps else count(n, 'epoch')}"
    if len(phase.rows) == 1:
        return f"{over}: {write(last)}"
    return f"{over}, from {write(first)} to {write(last)}"


def _compared(drawn: Sequence[Phase], loss: str) -> str:
    """Say what each loss is one of."""
    kinds = {
        "pictures": [phase for phase in drawn if phase.level <= 1],
        "the code below": [phase for phase in drawn if phase.level > 1],
    }
    kinds = {what: some for what, some in kinds.items() if some}
    called = {what: loss_name(some[0].level, loss) for what, some in kinds.items()}
    apart = len({*called.values()}) > 1
    parts = [
        f"{levels(some)} {'gives' if len(some) == 1 else 'give'} back {what}"
        + f" ({called[what]})" * apart
        for what, some in kinds.items()
    ]
    scale = "; their losses do not compare, for a code has a scale of its own"
    return capital(", ".join(parts)) + scale * (len(parts) > 1) + "."


def _alone(drawn: Sequence[Phase]) -> str:
    """Say whose reconstructions are meant, level 1's or the stack's."""
    whose = {1: "level 1 by itself", 0: "all levels in the refinement"}
    named = ", then of ".join(whose[phase.level] for phase in drawn)
    above = " The levels above it give back codes." * (drawn[-1].level == 1)
    return f"Of {named}.{above}"
