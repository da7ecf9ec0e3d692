"""What the figures mean, in plain words."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from caes.report.amounts import count, decibels, figure, psnr, times
from caes.report.findings import Findings

LEVEL = 0.02
"""Errors that differ by less than this share are called level."""
MUCH = 1.5
"""From this ratio of errors on, it is told as a factor instead of a percentage."""
ROOMY = 8
"""Below so many picture values for one code value, PCA has it easy."""
FALLING = 0.003
"""A loss that fell by more than this share in its last epoch was still falling."""
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
    ratio = _ratio(findings)
    because = _reasons(findings) if ratio >= 1 - LEVEL else []
    context = " ".join([*because, *_caveats(findings)])
    return Verdict(_lead(findings, ratio), _measured(findings), context)


def _ratio(findings: Findings) -> float:
    """Give the autoencoder's error over PCA's."""
    if findings.pca_mse == 0:
        return 1.0 if findings.mse == 0 else math.inf
    return findings.mse / findings.pca_mse


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
        return "The autoencoder and PCA are level."
    if ratio > 1 / MUCH:
        return (
            f"The autoencoder is better: it leaves {1 - ratio:.0%} less error than PCA."
        )
    if ratio == 0:
        return "The autoencoder is better: it leaves no error at all."
    return f"The autoencoder is better: PCA leaves {times(1 / ratio)} times its error."


def _measured(findings: Findings) -> str:
    pca = findings.pca
    n = count(len(findings.errors), "test picture")
    alike = "as many" if pca.components == pca.asked else f"only {pca.components:,}"
    sentences = [
        f"On {n} the autoencoder's mean squared error is {_error(findings.mse)} "
        f"from {count(pca.asked, 'code value')}.",
        f"PCA with {alike} leaves {_error(findings.pca_mse)}, and the mean training "
        f"picture as the only answer {_error(findings.mean_mse)}.",
        *_wins(findings),
    ]
    return " ".join(sentences)


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
    what = f"In epoch {at} the loss became" if at else "The test error is"
    return (
        f"{what} infinite or not a number. A smaller learning rate usually helps. "
        f"PCA leaves {_error(findings.pca_mse)} on the same pictures."
    )


def _reasons(findings: Findings) -> Iterator[str]:
    """Say why PCA can be as good or better."""
    pca = findings.pca
    room = findings.picture_size / findings.code_size
    if room <= 1 and pca.components == pca.features:
        yield "The code is no smaller than the picture, so that PCA can copy all of it."
    elif room < ROOMY and pca.components == pca.asked:
        yield (
            f"The code is roomy, one value for every {room:.2g} of the picture, and so "
            "PCA loses little; an autoencoder shows its worth at small codes."
        )
    if pca.learned > 2 * findings.parameters:
        yield (
            f"PCA also learned {pca.learned:,} numbers, a whole picture for each code "
            f"value; the network has {findings.parameters:,}."
        )
    if findings.loss == "bce":
        yield (
            "PCA is made for the squared error, while this network was trained on "
            "binary cross-entropy."
        )
    if _still_falling(findings):
        yield "The loss was still falling at the end: more epochs would likely help."


def _still_falling(findings: Findings) -> bool:
    rows = findings.history.rows
    if len(rows) <= 1 or findings.history.best_epoch < len(rows):
        return False
    before, last = (
        row.loss if row.validation_loss is None else row.validation_loss
        for row in rows[-2:]
    )
    return before - last > FALLING * abs(before)


def _caveats(findings: Findings) -> Iterator[str]:
    pca = findings.pca
    if pca.components < min(pca.asked, pca.features):
        yield (
            f"PCA could use no more code values, since it learned from "
            f"{count(pca.rows, 'picture')}: this flatters the autoencoder."
        )
    if findings.diverged_at:
        yield (
            f"In epoch {findings.diverged_at} the loss became infinite or not a "
            f"number; these are the weights of epoch {findings.history.best_epoch}."
        )
    if findings.same:
        yield (
            "These are the training pictures themselves: on new pictures both would "
            "do worse."
        )
    if len(findings.errors) < FEW:
        yield "So few test pictures make an anecdote, not a measurement."
