"""What an auto-encoder's results mean, in plain words."""

import math
from collections.abc import Iterator
from functools import partial

from caes.report.layout import Verdict
from caes.report.numbers import count, decibels, figure, times
from caes.report.results import Results
from caes.report.statistics import FEW
from caes.report.training import levels

NO_ERROR = 1e-12
"""A squared error that 32 bits do not tell from none."""
LEVEL = 0.02
"""Errors that differ by less than this share are called level."""
MUCH = 1.5
"""From this ratio of errors on, it is told as a factor instead of a percentage."""
ROOMY = 8
"""Below so many picture values for one code value, PCA has it easy."""
BY_HEART = 4
"""Where pictures kept apart have so many times the loss of those learnt from, more time
does not help."""
UNTRAINED = (
    "The reconstructions go through all levels, and what has not learned is about as "
    "random as at the start: the errors say nothing of the stack that was asked for."
)


def verdict(results: Results) -> Verdict:
    """Judge an autoencoder beside PCA and the mean picture."""
    if not math.isfinite(results.mse):
        lead = "Training failed: this network is of no use."
        return Verdict(lead, _lost(results), "")
    advice = ""
    if lead := _unfinished(results):
        because = [UNTRAINED] if results.history.rows else []
    else:
        ratio = _ratio(results)
        lead = _lead(results, ratio)
        because = [*reasons(results)] if ratio >= 1 - LEVEL else []
        advice = _advice(results) if ratio >= 1 - LEVEL else ""
    context = " ".join([*because, *caveats(results)])
    return Verdict(lead, _measured(results), context, advice)


def _advice(results: Results) -> str:
    """Say what to try where PCA is as good or better."""
    if not results.arch.linear:
        return "Try caes fit without --arch or --recipe: it begins at PCA's answer."
    if results.history.ended == "time" and not _by_heart(results):
        return "Try more time, as with --minutes 20."
    code = max(1, results.pca.asked // 4)
    smaller = f"more pictures, or a smaller code: --code {code}"
    return f"Try {smaller}. If PCA is enough, take it."


def _by_heart(results: Results) -> bool:
    """Whether pictures kept apart have a far larger loss than those learnt from."""
    rows = results.history.rows
    watched = rows[-1].validation_loss if rows else None
    return watched is not None and rows[-1].loss < watched / BY_HEART


def _ratio(results: Results) -> float:
    """Give the autoencoder's error over PCA's."""
    if results.pca_mse <= NO_ERROR:
        return 1.0 if results.mse <= NO_ERROR else math.inf
    return results.mse / results.pca_mse


def _unfinished(results: Results) -> str:
    """Say which levels of a stack have not learned, if any."""
    missing = [phase for phase in results.phases if phase.missing]
    if not (results.staged and missing):
        return ""
    if not results.history.rows:
        return "This stack is unfinished: not one epoch was finished."
    return f"This stack is unfinished: {levels(missing)} did not learn."


def _lead(results: Results, ratio: float) -> str:
    if results.mse >= results.mean_mse > 0:
        if _apart(results):
            return (
                "Each level learned its part, but through all of them pictures come "
                "back no better than the mean picture."
            )
        return "The autoencoder is no better than the mean picture: it learned nothing."
    if math.isinf(ratio):
        return "PCA is better here: it leaves no error at all."
    if ratio >= MUCH:
        much = f"{times(ratio)} times its error"
        return f"PCA is better here: the autoencoder leaves {much}."
    if ratio > 1 + LEVEL:
        return f"PCA is better here: the autoencoder leaves {ratio - 1:.0%} more error."
    if ratio >= 1 - LEVEL:
        if results.arch.linear and not results.history.best_epoch:
            return "The autoencoder is PCA: nothing better was found."
        return f"The autoencoder and PCA are level{_but(results, 'the decoder')}."
    better = f"The autoencoder is better{_but(results, 'it')}"
    if ratio > 1 / MUCH:
        return f"{better}: it leaves {1 - ratio:.0%} less error than PCA."
    if ratio == 0:
        return f"{better}: it leaves no error at all."
    return f"{better}: PCA leaves {times(1 / ratio)} times its error."


def _apart(results: Results) -> bool:
    """Whether only the lowest level of several was asked to give back pictures."""
    phases = results.phases
    refined = any(phase.rows for phase in phases if not phase.level)
    return any(phase.level > 1 for phase in phases) and not refined


def _but(results: Results, who: str) -> str:
    return f", though {who} is told more than the code" * bool(results.winners.places)


def _measured(results: Results) -> str:
    pca = results.pca
    n = count(len(results.errors), "test picture")
    alike = "as many" if pca.components == pca.asked else f"only {pca.components:,}"
    alike += " code values" * bool(results.winners.places)
    error = partial(_error, results)
    sentences = [
        f"On {n} the autoencoder's mean squared error is {error(results.mse)} "
        f"from {_given(results)}.",
        f"PCA with {alike} leaves {error(results.pca_mse)}, and the mean training "
        f"picture as the only answer {error(results.mean_mse)}.",
        *_wins(results),
    ]
    return " ".join(sentences)


def _given(results: Results) -> str:
    """Say what the reconstructions are made from."""
    code = count(results.pca.asked, "code value")
    beside = results.winners
    if not beside.places:
        return code
    kept = f", of which {beside.used:,} reconstruct," * beside.partial
    given = f"{code}{kept} and {count(beside.count, 'place')} of winners"
    if results.alone_mse is None:
        return given
    return f"{given}; from the code alone it is {_error(results, results.alone_mse)}"


def _error(results: Results, mse: float) -> str:
    return f"{figure(mse)} ({decibels(results.psnr_of(mse))})"


def _wins(results: Results) -> Iterator[str]:
    wins = results.errors < results.pca.errors
    if len(wins) == 1:
        return
    if wins.all() or not wins.any():
        winner = "the autoencoder" if wins.any() else "PCA"
        yield f"On every single picture {winner} comes closer."
    else:
        # Never "0%" or "100%" where it is not quite so.
        share = min(max(round(100 * float(wins.mean())), 1), 99)
        yield f"The autoencoder comes closer than PCA on {share}% of the pictures."


def _lost(results: Results) -> str:
    at = results.diverged_at
    what = f"In {at} the loss became" if at else "The test error is"
    return (
        f"{what} infinite or not a number. A smaller learning rate usually helps. "
        f"PCA leaves {_error(results, results.pca_mse)} on the same pictures."
    )


def reasons(results: Results) -> Iterator[str]:
    """Say why PCA can be as good or better."""
    pca = results.pca
    room = results.room
    if room <= 1 and pca.components == pca.features:
        yield "The code is no smaller than the picture, so that PCA can copy all of it."
    elif room < ROOMY and pca.components == pca.asked and not results.winners.partial:
        yield (
            f"The code is roomy, one value for every {room:.2g} of the picture, and so "
            "PCA loses little; an autoencoder shows its worth at small codes."
        )
    if pca.learned > 2 * results.parameters:
        yield (
            f"PCA also learned {pca.learned:,} numbers, a whole picture for each code "
            f"value; the network has {results.parameters:,}."
        )
    # What was made small in training instead of the error.
    phases = results.phases
    codes, apart = [phase for phase in phases if phase.level > 1], _apart(results)
    if results.loss == "bce":
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
    if falling := [phase for phase in phases if phase.falling]:
        whose = f"The loss of {levels(falling)}" if results.staged else "The loss"
        more = "time" if falling[-1].stretch else "epochs"
        yield f"{whose} was still falling at the end: more {more} would likely help."


def caveats(results: Results) -> Iterator[str]:
    """Say what limits the comparison."""
    pca = results.pca
    beside = results.winners
    if beside.partial:
        yield (
            f"Only the largest value of each of the {beside.used:,} maps of the code "
            f"reconstructs, while PCA was given all {beside.size:,} values: this "
            "flatters PCA."
        )
    if beside.places:
        yield (
            "The places say where in its map each value was the largest; they are "
            "handed from the way up to the way down beside the code, and PCA has "
            "nothing like them: this flatters the autoencoder."
        )
    if pca.components < min(pca.asked, pca.features):
        yield (
            f"PCA could use no more code values, since it learned from "
            f"{count(pca.rows, 'picture')}: this flatters the autoencoder."
        )
    if results.diverged_at:
        epoch = results.history.best_epoch
        began = results.staged and not epoch
        kept = "from before it" if began else f"of epoch {epoch}"
        yield (
            f"In {results.diverged_at} the loss became infinite or not a number; "
            f"these are the weights {kept}."
        )
    if results.same:
        yield (
            "These are the training pictures themselves: on new pictures both would "
            "do worse."
        )
    if len(results.errors) < FEW:
        yield "So few test pictures make an anecdote, not a measurement."
