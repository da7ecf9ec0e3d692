"""How a training went, in a table, in charts and in words, whatever its phases are."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from caes.errors import by_signs
from caes.nn.architecture import Architecture, Shape
from caes.report.charts import Chart, Stretch, chart, course, far_apart
from caes.report.numbers import NOTHING, capital, count, decibels, listed
from caes.report.numbers import figure as written
from caes.report.page import Fact
from caes.report.phases import REFINEMENT, Phase
from caes.train.history import Epoch

LOSSES = {"bce": "binary cross-entropy", "mse": "mean squared error"}


@dataclass(frozen=True)
class Entry:
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
    into = [stage.input for stage in arch.encoder(picture)]
    found = []
    for phase in phases:
        kept, below = phase.outcome, phase.level - 1
        name = NOTHING if phase.state == "taken over" else loss_name(phase.level, loss)
        code = (
            f"the code of level {below}, {by_signs(into[below])}" if below > 0 else ""
        )
        watched = None if kept is None else kept.validation_loss
        entry = Entry(
            learned=f"Level {phase.level}" if phase.level else "Refinement",
            part=parts[below] if phase.level else "",
            back=code or f"pictures, {by_signs(picture)}",
            loss=name,
            epochs=_epochs(phase),
            training=NOTHING if kept is None else written(kept.loss),
            validation=NOTHING if watched is None else written(watched),
        )
        found.append(entry)
    return found


def story(phases: Sequence[Phase]) -> str:
    """Tell how a stack learned; nothing where no level did."""
    own = [phase for phase in phases if phase.level and phase.outcome]
    below = ", while those below it stayed as they were"
    if not own:
        return ""
    if len(own) > 1:
        words = "The levels learned one after the other, each to give back what comes"
        words += f" into it{below}"
    else:
        words = f"Level {own[0].level} learned to give back what comes into it"
        words += below * (own[0].level > 1)
    refined = any(phase.rows for phase in phases if not phase.level)
    at_last = "; then all learned together, from pictures to pictures" * refined
    return f"{words}{at_last}."


def loss_name(level: int, loss: str) -> str:
    """Name a level's loss: above the lowest, codes have a squared error."""
    return LOSSES.get("mse" if level > 1 else loss, loss)


def epochs(phases: Sequence[Phase]) -> Fact:
    """Count the epochs of each phase: those made, and a note on those asked for."""
    return Fact("Epochs", *(_one(phases[0]) if phases[0].sole else _several(phases)))


def _one(phase: Phase) -> tuple[str, str]:
    endings = {"early": "stopped early", "complete": ""}
    ending = endings.get(phase.state, phase.state)
    notes = [f"of {phase.asked:,}: {ending}" if ending else "as asked"]
    if phase.short_of:
        notes.append(f"weights of epoch {phase.kept} kept")
    return f"{len(phase.rows):,}", "; ".join(notes)


def _several(phases: Sequence[Phase]) -> tuple[str, str]:
    own = [phase for phase in phases if phase.state != "taken over"]
    asked = " + ".join(f"{phase.asked:,}" for phase in own)
    if not any(phase.rows for phase in own):
        # Which level it was is not known: the lower ones may have been taken over.
        return "0", f"of {asked}: not one was finished"
    made = " + ".join(f"{len(phase.rows):,}" for phase in own)
    if all(phase.state == "complete" for phase in own):
        return made, f"as asked, {_how(phases, own)}"
    endings = "; ".join(_endings(own))
    return made, f"of {asked}: {endings}" if endings else f"of {asked}"


def epoch_of(phase: Phase, epoch: int) -> str:
    """Name an epoch within a phase."""
    return f"epoch {epoch:,}" + f" of {phase.name}" * bool(phase.name)


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
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
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


def _how(phases: Sequence[Phase], own: Sequence[Phase]) -> str:
    if len(own) < len(phases):
        return f"of {levels(own)}"
    return "level by level" + ("" if own[-1].level else ", then all at once")


def _epochs(phase: Phase) -> str:
    if phase.state == "taken over":
        return "taken over as it was"
    run = f"{len(phase.rows):,} of {phase.asked:,}"
    names = {"complete": "", "early": ", stopped early"}
    kept = f"; epoch {phase.kept:,} kept" if phase.kept and phase.short_of else ""
    return run + names.get(phase.state, f", {phase.state}") + kept


Read = Callable[[Epoch], float | None]


def draw(phases: Sequence[Phase], loss: str, counted: str) -> list[Chart]:
    """Draw loss, accuracy and PSNR, each where there is something to draw.

    Args:
        phases: In their order.
        loss: What was compared by: "bce", "mse" or its name.
        counted: How the accuracy is counted.
    """
    told = [
        _pictures("accuracy", "Accuracy in training (%)", phases, _percent, counted),
        _pictures("psnr", "PSNR in training (dB)", phases, lambda row: row.psnr),
    ]
    return [each for each in (_loss(phases, loss), *told) if each]


def _loss(phases: Sequence[Phase], name: str) -> Chart | None:
    drawn = [phase for phase in phases if phase.rows]
    if not drawn:
        return None
    stretches = [losses(phase) for phase in drawn]
    called = list(dict.fromkeys(loss_name(phase.level, name) for phase in drawn))
    title = f"Loss ({called[0]})" if len(called) == 1 else "Loss of each level"
    alt = _alt("Loss", drawn, lambda row: row.loss, written)
    caption = "" if drawn[0].sole else _compared(drawn, called)
    if far_apart(stretches):
        caption = f"{caption} The axis is logarithmic.".strip()
    return chart("loss", partial(course, stretches, title), alt, caption)


def _pictures(
    name: str, title: str, phases: Sequence[Phase], read: Read, caption: str = ""
) -> Chart | None:
    """Draw what was counted where pictures, and no codes, were given back."""
    drawn = [
        phase
        for phase in phases
        if phase.level <= 1 and any(read(row) is not None for row in phase.rows)
    ]
    if not drawn:
        return None
    stretches = [_stretch(each, {"training": _values(each, read)}) for each in drawn]
    write = decibels if name == "psnr" else "{:.1f}%".format
    alt = _alt(title.partition(" ")[0], drawn, read, write)
    if not drawn[0].sole:
        caption = f"{caption} {_alone(drawn)}".strip()
    return chart(name, partial(course, stretches, title), alt, caption)


def losses(phase: Phase) -> Stretch:
    """Give the loss curves of a phase, and the epoch to mark in them."""
    shown = {"training": _values(phase, lambda row: row.loss)}
    if all(row.validation_loss is not None for row in phase.rows):
        shown["validation"] = _values(phase, lambda row: row.validation_loss)
    return _stretch(phase, shown, phase.kept if phase.short_of else 0)


def _stretch(
    phase: Phase, shown: dict[str, NDArray[np.float64]], kept: int = 0
) -> Stretch:
    name = phase.name.removeprefix("the ")
    return Stretch(name, str(phase.level or "all") * bool(name), shown, kept)


def _values(phase: Phase, read: Read) -> NDArray[np.float64]:
    values = [read(row) for row in phase.rows]
    return np.array([math.nan if value is None else value for value in values])


def _percent(row: Epoch) -> float | None:
    return None if row.accuracy is None else 100 * row.accuracy


def _alt(
    what: str, drawn: Sequence[Phase], read: Read, write: Callable[[float], str]
) -> str:
    """Tell the curves in words."""
    return f"{what} {'; '.join(_course(phase, read, write) for phase in drawn)}."


def _course(phase: Phase, read: Read, write: Callable[[float], str]) -> str:
    first, last = _values(phase, read)[[0, -1]]
    whose = f"of {phase.name} " * bool(phase.name)
    over = f"{whose}over {count(len(phase.rows), 'epoch')}"
    if len(phase.rows) == 1:
        return f"{over}: {write(last)}"
    return f"{over}, from {write(first)} to {write(last)}"


def _compared(drawn: Sequence[Phase], called: Sequence[str]) -> str:
    """Say what each loss is one of."""
    pictures = [phase for phase in drawn if phase.level <= 1]
    codes = [phase for phase in drawn if phase.level > 1]
    names = [f" ({name})" for name in called] if len(called) > 1 else ["", ""]
    parts = []
    if pictures:
        parts.append(f"{_give(pictures)} back pictures{names[0]}")
    if codes:
        parts.append(f"{_give(codes)} back the code below{names[-1]}")
    compare = pictures and codes
    scale = "; their losses do not compare, for a code has a scale of its own"
    return capital(", ".join(parts)) + (scale if compare else "") + "."


def _give(phases: Sequence[Phase]) -> str:
    return f"{levels(phases)} {'gives' if len(phases) == 1 else 'give'}"


def _alone(drawn: Sequence[Phase]) -> str:
    """Say whose reconstructions are meant, level 1's or the stack's."""
    whose = {1: "level 1 by itself", 0: "all levels in the refinement"}
    named = [whose[phase.level] for phase in drawn]
    last = " The levels above it give back codes." * (drawn[-1].level == 1)
    return f"Of {', then of '.join(named)}.{last}"
