"""What the figures mean, in plain words."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from caes.report.account import levels
from caes.report.amounts import count, decibels, figure, psnr, times
from caes.report.findings import Findings

NO_ERROR = 1e-12
"""A squared error that 32 bits do not tell from none."""
LEVEL = 0.02
"""Errors that differ by less than this share are called level."""
MUCH = 1.5
"""From this ratio of errors on, it is told as a factor instead of a percentage."""
ROOMY = 8
"""Below so many picture values for one code value, PCA has it easy."""
FEW = 30
"""Below so many test pictures a comparison is an anecdote."""


@dataclass(frozen=True)
class Verdict:
    """The page's first words.

    Args:
        lead: One sentence.
        figures: What it rests on.
        context: Why it may be so, and how far it holds; may be empty.
    """

    lead: str
    figures: str
    context: str


def verdict(findings: Findings) -> Verdict:
    """Judge an autoencoder beside PCA and the mean picture."""
    if not math.isfinite(findings.mse):
        lead = "Training failed: this network is of no use."
        return Verdict(lead, _lost(findings), "")
    if lead := _unfinished(findings):
        context = " ".join([*_untrained(findings), *_caveats(findings)])
        return Verdict(lead, _measured(findings), context)
    ratio = _ratio(findings)
    because = _reasons(findings) if ratio >= 1 - LEVEL else []
    context = " ".join([*because, *_caveats(findings)])
    return Verdict(_lead(findings, ratio), _measured(findings), context)


def _ratio(findings: Findings) -> float:
    """Give the autoencoder's error over PCA's."""
    if findings.pca_mse <= NO_ERROR:
        return 1.0 if findings.mse <= NO_ERROR else math.inf
    return findings.mse / findings.pca_mse


def _unfinished(findings: Findings) -> str:
    """Say which levels of a stack have not learned, if any."""
    missing = [phase for phase in findings.phases if phase.missing]
    if not (findings.plan.staged and missing):
        return ""
    if not findings.history.rows:
        return "This stack is unfinished: not one epoch was finished."
    return f"This stack is unfinished: {levels(missing)} did not learn."


def _untrained(findings: Findings) -> Iterator[str]:
    if findings.history.rows:
        yield (
            "The reconstructions go through all levels, and what has not learned is "
            "about as random as at the start: the errors say nothing of the stack that "
            "was asked for."
        )


def _lead(findings: Findings, ratio: float) -> str:
    if findings.mse >= findings.mean_mse > 0:
        return "The autoencoder is no better than the mean picture: it learned nothing."
    if math.isinf(ratio):
        return "PCA is better here: it leaves no error at all."
    if ratio >= MUCH:
        much = f"{times(ratio)} times its error"
        return f"PCA is better here: the autoencoder leaves {much}."
    if ratio > 1 + LEVEL:
        return f"PCA is better here: the autoencoder leaves {ratio - 1:.0%} more error."
    if ratio >= 1 - LEVEL:
        return f"The autoencoder and PCA are level{_but(findings, 'the decoder')}."
    better = f"The autoencoder is better{_but(findings, 'it')}"
    if ratio > 1 / MUCH:
        return f"{better}: it leaves {1 - ratio:.0%} less error than PCA."
    if ratio == 0:
        return f"{better}: it leaves no error at all."
    return f"{better}: PCA leaves {times(1 / ratio)} times its error."


def _but(findings: Findings, who: str) -> str:
    return f", though {who} is told more than the code" * bool(findings.winners.places)


def _measured(findings: Findings) -> str:
    pca = findings.pca
    n = count(len(findings.errors), "test picture")
    alike = "as many" if pca.components == pca.asked else f"only {pca.components:,}"
    alike += " code values" * bool(findings.winners.places)
    sentences = [
        f"On {n} the autoencoder's mean squared error is {_error(findings.mse)} "
        f"from {_given(findings)}.",
        f"PCA with {alike} leaves {_error(findings.pca_mse)}, and the mean training "
        f"picture as the only answer {_error(findings.mean_mse)}.",
        *_wins(findings),
    ]
    return " ".join(sentences)


def _given(findings: Findings) -> str:
    """Say what the reconstructions are made from."""
    code = count(findings.pca.asked, "code value")
    told = findings.winners
    if not told.places:
        return code
    kept = f", of which {told.used:,} reconstruct," * _sparse(findings)
    given = f"{code}{kept} and {count(told.count, 'place')} of winners"
    if findings.alone_mse is None:
        return given
    return f"{given}; from the code alone it is {_error(findings.alone_mse)}"


def _error(mse: float) -> str:
    return f"{figure(mse)} ({decibels(psnr(mse))})"


def _wins(findings: Findings) -> Iterator[str]:
    wins = findings.errors < findings.pca.errors
    if len(wins) == 1:
        return
    if wins.all() or not wins.any():
        winner = "the autoencoder" if wins.any() else "PCA"
        yield f"On every single picture {winner} comes closer."
    else:
        # Never "0%" or "100%" where it is not quite so.
        share = min(max(round(100 * float(wins.mean())), 1), 99)
        yield f"The autoencoder comes closer than PCA on {share}% of the pictures."


def _lost(findings: Findings) -> str:
    at = findings.diverged_at
    what = f"In {at} the loss became" if at else "The test error is"
    return (
        f"{what} infinite or not a number. A smaller learning rate usually helps. "
        f"PCA leaves {_error(findings.pca_mse)} on the same pictures."
    )


def _sparse(findings: Findings) -> bool:
    """Tell whether only a part of the code reconstructs."""
    return findings.winners.used < findings.winners.size


def _reasons(findings: Findings) -> Iterator[str]:
    """Say why PCA can be as good or better."""
    pca = findings.pca
    room = findings.picture_size / findings.code_size
    if room <= 1 and pca.components == pca.features:
        yield "The code is no smaller than the picture, so that PCA can copy all of it."
    elif room < ROOMY and pca.components == pca.asked and not _sparse(findings):
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
    if findings.loss == "bce":
        who = "the lowest level of this one" if codes else "this network"
        yield (
            f"PCA is made for the squared error, while {who} was trained on binary "
            "cross-entropy."
        )
    refined = any(phase.rows for phase in phases if not phase.level)
    if codes and not refined:
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


def _caveats(findings: Findings) -> Iterator[str]:
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
    if _sparse(findings):
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
