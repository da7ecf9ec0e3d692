import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from caes.report.results import Results, examine
from caes.report.verdict import verdict
from caes.train.history import Ending, History
from tests.report.fake import STACK, FakeCAE, a_stack, history, pictures, stack_history

TRAIN, TEST = pictures(50, 8, 8, 1), pictures(40, 8, 8, 1, seed=1)


FOUND = examine(
    FakeCAE((8, 8, 1), arch="1C3-MP4", loss="mse", history_=history([0.4, 0.3, 0.3])),
    *(TRAIN, TEST),
)
"""40 test pictures, a code of 4 values for 64, 30 parameters, a settled loss."""


def measured(
    own: float, pca: float = 0.01, found: Results = FOUND, **changes: Any
) -> Results:
    """Replace the mean squared errors on every picture, the mean picture's by 0.1."""
    errors = [np.full(40, mse) for mse in (own, pca, 0.1)]
    baseline = replace(found.pca, errors=errors[1], mean_errors=errors[2])
    return replace(found, errors=errors[0], pca=baseline, **changes)


@pytest.mark.parametrize(
    ("own", "pca", "lead"),
    [
        (0.2, 0.01, "The autoencoder is no better than the mean picture: it learned nothing."),
        (0.08, 0.01, "PCA is better here: the autoencoder leaves 8.00 times its error."),
        (0.013, 0.01, "PCA is better here: the autoencoder leaves 30% more error."),
        (0.0101, 0.01, "The autoencoder and PCA are level."),
        (0.0099, 0.01, "The autoencoder and PCA are level."),
        (0.007, 0.01, "The autoencoder is better: it leaves 30% less error than PCA."),
        (0.002, 0.01, "The autoencoder is better: PCA leaves 5.00 times its error."),
        (0.0, 0.01, "The autoencoder is better: it leaves no error at all."),
        (math.nan, 0.01, "Training failed: this network is of no use."),
        (0.001, 0.0, "PCA is better here: it leaves no error at all."),
        (0.0, 0.0, "The autoencoder and PCA are level."),
    ],
)  # fmt: skip
def test_the_lead_follows_the_errors(own: float, pca: float, lead: str) -> None:
    assert verdict(measured(own, pca)).lead == lead


def test_the_figures_are_told_in_full() -> None:
    told = verdict(measured(0.005))
    assert told.figures == (
        "On 40 test pictures the autoencoder's mean squared error is 0.00500 (23.0 dB) "
        "from 4 code values. PCA with as many leaves 0.0100 (20.0 dB), and the mean "
        "training picture as the only answer 0.100 (10.0 dB). On every single picture "
        "the autoencoder comes closer."
    )
    assert told.context == ""  # what is better needs no excuse


def test_a_share_is_never_rounded_to_all_or_none() -> None:
    one = measured(0.005)
    one.errors[0] = 0.02
    told = "The autoencoder comes closer than PCA on 98% of the pictures."
    assert verdict(one).figures.endswith(told)
    many = replace(one, errors=np.r_[0.02, np.full(999, 0.005)])
    many = replace(many, pca=replace(many.pca, errors=np.full(1000, 0.01)))
    assert "closer than PCA on 99% of" in verdict(many).figures


def test_a_better_pca_is_explained() -> None:
    falling = history([0.4, 0.3, 0.2])
    roomy = measured(0.05, code_shape=(4, 4, 1), loss="bce", history=falling)
    assert verdict(roomy).context == (
        "The code is roomy, one value for every 4 of the picture, and so PCA loses "
        "little; an autoencoder shows its worth at small codes. PCA also learned 320 "
        "numbers, a whole picture for each code value; the network has 30. PCA is made "
        "for the squared error, while this network was trained on binary "
        "cross-entropy. The loss was still falling at the end: more epochs would "
        "likely help."
    )
    whole = measured(0.05, pca=0.0, code_shape=(64,))
    whole = replace(whole, pca=replace(whole.pca, components=64))
    told = "The code is no smaller than the picture, so that PCA can copy all of it."
    assert verdict(whole).context.startswith(told)


def test_what_limits_the_comparison_is_said() -> None:
    fair = measured(0.005)
    short = replace(fair.pca, components=3, rows=4, errors=np.full(2, 0.01))
    lost = history([0.4, 0.3, math.nan], best_epoch=2, ended="diverged")
    few = replace(fair, errors=fair.errors[:2], pca=short, same=True, history=lost)
    assert verdict(few).context == (
        "PCA could use no more code values, since it learned from 4 pictures: this "
        "flatters the autoencoder. In epoch 3 the loss became infinite or not a "
        "number; these are the weights of epoch 2. These are the training pictures "
        "themselves: on new pictures both would do worse. So few test pictures make an "
        "anecdote, not a measurement."
    )
    lost = history([0.4, math.inf], ended="diverged")
    assert verdict(measured(math.nan, history=lost)).figures == (
        "In epoch 2 the loss became infinite or not a number. A smaller learning rate "
        "usually helps. PCA leaves 0.0100 (20.0 dB) on the same pictures."
    )


def of_stack(about: History, own: float, **settings: Any) -> Results:
    """A stack with these mean squared errors; 0.05 from the code alone."""
    found = measured(own, found=examine(a_stack(about, **settings), TRAIN, TEST))
    return replace(found, alone=None if found.alone is None else np.full(40, 0.05))


def test_a_better_stack_is_told_more() -> None:
    found = verdict(of_stack(STACK, 0.005))
    assert (found.lead, found.figures) == (
        "The autoencoder is better, though it is told more than the code: PCA leaves 2.00 times its error.",
        "On 40 test pictures the autoencoder's mean squared error is 0.00500 (23.0 dB) "
        "from 8 code values and 40 places of winners; from the code alone it is 0.0500 "
        "(13.0 dB). PCA with as many code values leaves 0.0100 (20.0 dB), and the mean "
        "training picture as the only answer 0.100 (10.0 dB). On every single picture "
        "the autoencoder comes closer.",
    )
    expected = "The places say where in its map each value was the largest; they are handed from the way up to the way down beside the code, and PCA has nothing like them: this flatters the autoencoder."
    assert found.context == expected


@pytest.mark.parametrize(
    ("own", "lead"),
    [
        (0.01, "The autoencoder and PCA are level, though the decoder is told more than the code."),
        (0.008, "The autoencoder is better, though it is told more than the code: it leaves 20% less error than PCA."),
        (0.02, "PCA is better here: the autoencoder leaves 2.00 times its error."),
    ],
)  # fmt: skip
def test_a_stack_is_judged_with_what_it_is_told(own: float, lead: str) -> None:
    assert verdict(of_stack(STACK, own)).lead == lead


def test_winner_take_all_is_judged_by_what_reconstructs() -> None:
    found = verdict(of_stack(STACK, 0.02, sparsity="wta:0.5"))
    told = "from 8 code values, of which 2 reconstruct, and 4 places of"
    assert told in found.figures
    assert "alone" not in found.figures
    assert "roomy" not in found.context
    expected = "Only the largest value of each of the 2 maps of the code reconstructs, while PCA was given all 8 values: this flatters PCA."
    assert expected in found.context


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        ({1: [0.4, 0.3, 0.2], 2: [0.2, 0.2, 0.2]}, "The loss of level 1 was"),
        ({1: [0.4, 0.3, 0.2], 2: [0.2, 0.2, 0.1]}, "The loss of levels 1 and 2 was"),
        ({1: [0.4, 0.3, 0.3], 2: [0.2, 0.2, 0.1], 0: [0.3, 0.2]}, "The loss of level 2 and the refinement was"),
    ],
)  # fmt: skip
def test_levels_whose_loss_still_fell_are_named(
    losses: dict[int, list[float]], told: str
) -> None:
    found = verdict(of_stack(stack_history(losses), 0.02))
    expected = f"{told} still falling at the end: more epochs would likely help."
    assert expected in found.context


def test_levels_that_only_gave_back_codes_are_a_reason() -> None:
    apart = stack_history({1: [0.3, 0.3, 0.3], 2: [0.2, 0.2, 0.2]})
    told = "PCA is made for the squared error, while the lowest level of this one was trained on binary cross-entropy. Only level 1 learned to give back pictures, level 2 a code: to refine all at once afterwards would likely help."
    assert told in verdict(replace(of_stack(apart, 0.02), loss="bce")).context
    refined = verdict(replace(of_stack(STACK, 0.02), loss="bce")).context
    assert "while this network was trained on binary cross-entropy." in refined
    assert "to refine" not in refined


def test_an_interrupted_stack_is_called_unfinished() -> None:
    cut = stack_history({1: [0.4, 0.3]}, ended="interrupted")
    found = verdict(of_stack(cut, 0.2))
    assert found.lead == "This stack is unfinished: level 2 did not learn."
    assert found.context.startswith(
        "The reconstructions go through all levels, and what has not learned is about "
        "as random as at the start: the errors say nothing of the stack that was asked "
        "for. The places"
    )


def test_a_level_whose_loss_is_no_number_is_named() -> None:
    lost = stack_history({1: [0.4, 0.3, 0.3], 2: [0.2, math.nan]}, ended="diverged")
    lost.best_epoch = 1
    told = "In epoch 2 of level 2 the loss became infinite or not a number"
    context = verdict(of_stack(lost, 0.005)).context
    assert f"{told}; these are the weights of epoch 1." in context
    figures = verdict(of_stack(lost, math.nan)).figures
    assert figures.startswith(f"{told}. A smaller learning rate usually helps.")
    lost.rows[-2:] = [replace(lost.rows[-1], epoch=1)]
    lost.best_epoch = 0
    unfinished = verdict(of_stack(lost, 0.005))
    assert unfinished.lead == "This stack is unfinished: level 2 did not learn."
    assert "these are the weights from before it." in unfinished.context


def test_a_stack_whose_levels_learned_one_by_one_has_not_learned_nothing() -> None:
    found = examine(
        a_stack(stack_history({1: [0.3] * 3, 2: [0.2] * 3}), refine=0), TRAIN, TEST
    )
    lead = verdict(measured(0.2, found=found)).lead
    assert lead == (
        "Each level learned its part, but through all of them pictures come back no "
        "better than the mean picture."
    )


@pytest.mark.parametrize(
    ("ended", "watched", "advice"),
    [
        ("time", 0.4, "Try more time, as with --minutes 20."),
        ("time", 4.1, "Try more pictures, or a smaller code: --code 1. If PCA is enough, take it."),
        ("early", 0.4, "Try more pictures, or a smaller code: --code 1. If PCA is enough, take it."),
    ],
)  # fmt: skip
def test_where_pca_is_as_good_there_is_something_to_try(
    ended: Ending, watched: float, advice: str
) -> None:
    assert verdict(measured(0.001)).advice == ""
    plain = "Try caes fit without --arch or --recipe: it begins at PCA's answer."
    assert verdict(measured(0.02)).advice == plain
    beside = replace(FOUND.arch, linear=True)
    rows = [replace(row, validation_loss=watched) for row in FOUND.history.rows]
    told = replace(FOUND.history, ended=ended, rows=rows)
    assert verdict(measured(0.02, arch=beside, history=told)).advice == advice


def test_where_nothing_better_than_pca_was_found_it_is_said_to_be_pca() -> None:
    beside = replace(FOUND.arch, linear=True)
    kept = replace(FOUND.history, best_epoch=0)
    found = verdict(measured(0.01, arch=beside, history=kept))
    assert found.lead == "The autoencoder is PCA: nothing better was found."
