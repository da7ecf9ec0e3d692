"""Why PCA may come as close as the autoencoder, and what limits the comparison."""

from collections.abc import Iterator

from caes.report.account import levels
from caes.report.amounts import count
from caes.report.findings import Findings

ROOMY = 8
"""Below so many picture values for one code value, PCA has it easy."""
FEW = 30
"""Below so many test pictures a comparison is an anecdote."""


def reasons(findings: Findings) -> Iterator[str]:
    """Say why PCA can be as good or better."""
    pca = findings.pca
    room = findings.picture_size / findings.code_size
    if room <= 1 and pca.components == pca.features:
        yield "The code is no smaller than the picture, so that PCA can copy all of it."
    elif room < ROOMY and pca.components == pca.asked and not findings.winners.partial:
        yield (
            f"The code is roomy, one value for every {room:.2g} of the picture, and so "
            "PCA loses little; an autoencoder shows its worth at small codes."
        )
    if pca.learned > 2 * findings.parameters:
        yield (
            f"PCA also learned {pca.learned:,} numbers, a whole picture for each code "
            f"value; the network has {findings.parameters:,}."
        )
    yield from _objectives(findings)
    if told := _still_falling(findings):
        yield f"{told} still falling at the end: more epochs would likely help."


def _objectives(findings: Findings) -> Iterator[str]:
    """Say what was made small in training instead of the error."""
    phases = findings.phases
    codes = [phase for phase in phases if phase.level > 1]
    apart = codes and not any(phase.rows for phase in phases if not phase.level)
    if findings.loss == "bce":
        who = "the lowest level of this one" if apart else "this network"
        yield (
            f"PCA is made for the squared error, while {who} was trained on binary "
            "cross-entropy."
        )
    if apart:
        yield (
            f"Only level 1 learned to give back pictures, {levels(codes)} a code: to "
            "refine all at once afterwards would likely help."
        )


def _still_falling(findings: Findings) -> str:
    falling = [phase for phase in findings.phases if phase.falling]
    if not falling:
        return ""
    if not findings.plan.staged:
        return "The loss was"
    return f"The loss of {levels(falling)} was"


def _kept(findings: Findings) -> str:
    epoch = findings.history.best_epoch
    began = findings.plan.staged and not epoch
    return "from before it" if began else f"of epoch {epoch}"


def caveats(findings: Findings) -> Iterator[str]:
    """Say what limits the comparison."""
    pca = findings.pca
    yield from _told_more(findings)
    if pca.components < min(pca.asked, pca.features):
        yield (
            f"PCA could use no more code values, since it learned from "
            f"{count(pca.rows, 'picture')}: this flatters the autoencoder."
        )
    if findings.diverged_at:
        yield (
            f"In {findings.diverged_at} the loss became infinite or not a number; "
            f"these are the weights {_kept(findings)}."
        )
    if findings.same:
        yield (
            "These are the training pictures themselves: on new pictures both would "
            "do worse."
        )
    if len(findings.errors) < FEW:
        yield "So few test pictures make an anecdote, not a measurement."


def _told_more(findings: Findings) -> Iterator[str]:
    """Say what the decoder is told that PCA is not."""
    told = findings.winners
    if told.partial:
        yield (
            f"Only the largest value of each of the {told.used:,} maps of the code "
            f"reconstructs, while PCA was given all {told.size:,} values: this "
            "flatters PCA."
        )
    if told.places:
        yield (
            "The places say where in its map each value was the largest; they are "
            "handed from the way up to the way down beside the code, and PCA has "
            "nothing like them: this flatters the autoencoder."
        )
