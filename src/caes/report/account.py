"""How the phases of a training went, as a table and in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from caes.notation import Architecture, Shape
from caes.report.amounts import NOTHING, figure, listed, shape
from caes.report.phases import Phase

LOSSES = {"bce": "binary cross-entropy", "mse": "mean squared error"}


@dataclass(frozen=True)
class Entry:
    """One row of the table.

    Args:
        learned: What learned.
        part: Its part of the network; "" for all of it.
        back: What it learned to give back.
        loss: What its loss is called.
        epochs: How many, and why not all of them.
        training: The loss on the training pictures.
        validation: The same on the validation pictures.
    """

    learned: str
    part: str
    back: str
    loss: str
    epochs: str
    training: str
    validation: str


def entries(
    phases: Sequence[Phase], arch: Architecture, picture: Shape, loss: str
) -> list[Entry]:
    """Tell of each phase what learned what, and how far it came.

    Args:
        phases: In their order.
        arch: The network.
        picture: (H, W, C).
        loss: What pictures were compared by, "bce" or "mse".
    """
    parts = [*map(str, arch.levels), *(f"{units}N" for units in arch.dense)]
    into = arch.inputs(picture)
    found = []
    for phase in phases:
        outcome, below = phase.outcome, phase.level - 1
        taken = phase.state == "taken over"
        code = f"the code of level {below}, {shape(into[below])}" if below > 0 else ""
        entry = Entry(
            learned=f"Level {phase.level}" if phase.level else "Refinement",
            part=parts[below] if phase.level else "",
            back=code or f"pictures, {shape(picture)}",
            loss=NOTHING if taken else loss_name(phase.level, loss),
            epochs=_epochs(phase),
            training=NOTHING if outcome is None else figure(outcome.loss),
            validation=_watched(phase),
        )
        found.append(entry)
    return found


def story(phases: Sequence[Phase]) -> str:
    """Tell how a stack learned."""
    own = [phase for phase in phases if phase.level and phase.state != "taken over"]
    if len(own) == 1:
        told = f"Level {own[0].level} learned to give back what comes into it"
        below = ", while those below it stayed as they were" * (own[0].level > 1)
    else:
        told = "The levels learned one after the other, each to give back what comes"
        below = " into it, while those below it stayed as they were"
    refined = any(phase.rows for phase in phases if not phase.level)
    at_last = "; then all learned together, from pictures to pictures" * refined
    return f"{told}{below}{at_last}."


def loss_name(level: int, loss: str) -> str:
    """Name a level's loss: above the lowest, codes have a squared error."""
    return LOSSES.get("mse" if level > 1 else loss, loss)


def reckoning(phases: Sequence[Phase]) -> tuple[str, str]:
    """Count the epochs of each phase: made, and a note on those asked for."""
    own = [phase for phase in phases if phase.state != "taken over"]
    made = " + ".join(f"{len(phase.rows):,}" for phase in own)
    if all(phase.state == "complete" for phase in own):
        return made, f"as asked, {_how(phases, own)}"
    asked = " + ".join(f"{phase.asked:,}" for phase in own)
    endings = "; ".join(told for phase in own if (told := ending(phase)))
    return made, f"of {asked}: {endings}"


def ending(phase: Phase) -> str:
    """Say why a phase ended before it was complete; nothing if it did not."""
    if phase.state == "early":
        return f"{phase.name} stopped early"
    if phase.state == "diverged":
        return f"diverged in {epoch_of(phase, len(phase.rows))}"
    if phase.state == "interrupted" and phase.rows:
        return f"interrupted after {epoch_of(phase, len(phase.rows))}"
    if phase.state == "interrupted":
        return f"interrupted in the first epoch of {phase.name}"
    return ""


def epoch_of(phase: Phase, epoch: int) -> str:
    """Name an epoch within a phase."""
    return f"epoch {epoch:,} of {phase.name}"


def levels(phases: Sequence[Phase]) -> str:
    """Name phases within a sentence.

    >>> levels([Phase(level, 1, (), 0, "not begun") for level in (2, 3, 0)])
    'levels 2 and 3 and the refinement'
    """
    numbers = [str(phase.level) for phase in phases if phase.level]
    several = "levels" if len(numbers) > 1 else "level"
    named = [f"{several} {listed(numbers)}"] if numbers else []
    return " and ".join([*named, *(each.name for each in phases if not each.level)])


def _how(phases: Sequence[Phase], own: Sequence[Phase]) -> str:
    if len(own) < len(phases):
        return f"of {levels(own)}"
    return "level by level" + ("" if own[-1].level else ", then all at once")


def _epochs(phase: Phase) -> str:
    if phase.state == "taken over":
        return "taken over as it was"
    run = f"{len(phase.rows):,} of {phase.asked:,}"
    names = {"complete": "", "early": ", stopped early"}
    kept = f"; epoch {phase.kept:,} kept" if 0 < phase.kept < len(phase.rows) else ""
    return run + names.get(phase.state, f", {phase.state}") + kept


def _watched(phase: Phase) -> str:
    outcome = phase.outcome
    watched = None if outcome is None else outcome.validation_loss
    return NOTHING if watched is None else figure(watched)
