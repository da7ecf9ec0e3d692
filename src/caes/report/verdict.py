"""What the figures mean, in plain words."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from caes.report.account import levels
from caes.report.amounts import count, decibels, figure, times
from caes.report.findings import Findings
from caes.report.reasons import caveats, reasons

NO_ERROR = 1e-12
"""A squared error that 32 bits do not tell from none."""
LEVEL = 0.02
"""Errors that differ by less than this share are called level."""
MUCH = 1.5
"""From this ratio of errors on, it is told as a factor instead of a percentage."""


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
        context = " ".join([*_untrained(findings), *caveats(findings)])
        return Verdict(lead, _measured(findings), context)
    ratio = _ratio(findings)
    because = reasons(findings) if ratio >= 1 - LEVEL else []
    context = " ".join([*because, *caveats(findings)])
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
    error = partial(_error, findings)
    sentences = [
        f"On {n} the autoencoder's mean squared error is {error(findings.mse)} "
        f"from {_given(findings)}.",
        f"PCA with {alike} leaves {error(findings.pca_mse)}, and the mean training "
        f"picture as the only answer {error(findings.mean_mse)}.",
        *_wins(findings),
    ]
    return " ".join(sentences)


def _given(findings: Findings) -> str:
    """Say what the reconstructions are made from."""
    code = count(findings.pca.asked, "code value")
    told = findings.winners
    if not told.places:
        return code
    kept = f", of which {told.used:,} reconstruct," * told.partial
    given = f"{code}{kept} and {count(told.count, 'place')} of winners"
    if findings.alone_mse is None:
        return given
    return f"{given}; from the code alone it is {_error(findings, findings.alone_mse)}"


def _error(findings: Findings, mse: float) -> str:
    return f"{figure(mse)} ({decibels(findings.psnr_of(mse))})"


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
        f"PCA leaves {_error(findings, findings.pca_mse)} on the same pictures."
    )
