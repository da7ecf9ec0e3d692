"""How the phases of a training went, as a table and in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from caes.nn.architecture import Architecture, Shape
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
    into = [stage.input for stage in arch.encoder(picture)]
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
    """Tell how a stack learned; nothing where no level did."""
    own = [phase for phase in phases if phase.level and phase.outcome]
    below = ", while those below it stayed as they were"
    if not own:
        return ""
    if len(own) > 1:
        told = "The levels learned one after the other, each to give back what comes"
        told += f" into it{below}"
    else:
        told = f"Level {own[0].level} learned to give back what comes into it"
        told += below * (own[0].level > 1)
    refined = any(phase.rows for phase in phases if not phase.level)
    at_last = "; then all learned together, from pictures to pictures" * refined
    return f"{told}{at_last}."


def loss_name(level: int, loss: str) -> str:
    """Name a level's loss: above the lowest, codes have a squared error."""
    return LOSSES.get("mse" if level > 1 else loss, loss)


def reckoning(phases: Sequence[Phase]) -> tuple[str, str]:
    """Count the epochs of each phase: made, and a note on those asked for."""
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
    return f"epoch {epoch:,} of {phase.name}"


def levels(phases: Sequence[Phase]) -> str:
    """Name phases within a sentence.

    >>> levels([Phase(level, 1, (), 0, "not begun") for level in (1, 3, 4, 5, 0)])
    'levels 1 and 3 to 5 and the refinement'
    """
    numbers = [phase.level for phase in phases if phase.level]
    several = "levels" if len(numbers) > 1 else "level"
    named = [f"{several} {listed(_runs(numbers))}"] if numbers else []
    return " and ".join([*named, *(each.name for each in phases if not each.level)])


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
    kept = f"; epoch {phase.kept:,} kept" if 0 < phase.kept < len(phase.rows) else ""
    return run + names.get(phase.state, f", {phase.state}") + kept


def _watched(phase: Phase) -> str:
    outcome = phase.outcome
    watched = None if outcome is None else outcome.validation_loss
    return NOTHING if watched is None else figure(watched)
