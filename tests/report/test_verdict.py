import math
from dataclasses import replace

import numpy as np
import pytest

from caes.report.findings import Findings, examine
from caes.report.verdict import verdict
from tests.report.fake import FakeCAE, history, pictures


@pytest.fixture(scope="module")
def found() -> Findings:
    """40 test pictures, a code of 4 values for 64, 30 parameters, a settled loss."""
    settled = history([0.4, 0.3, 0.3])
    cae = FakeCAE((8, 8, 1), arch="1C3-MP4", loss="mse", history_=settled)
    return examine(cae, pictures(50, 8, 8, 1), pictures(40, 8, 8, 1, seed=1))


def measured(
    found: Findings, own: float, pca: float = 0.01, mean: float = 0.1
) -> Findings:
    def errors(mse: float) -> np.ndarray:
        return np.full(40, mse)

    baseline = replace(found.pca, errors=errors(pca), mean_errors=errors(mean))
    return replace(found, errors=errors(own), pca=baseline)


@pytest.mark.parametrize(
    ("own", "lead"),
    [
        (
            0.2,
            "The autoencoder is no better than the mean picture: it learned nothing.",
        ),
        (0.08, "PCA is better here: the autoencoder leaves 8.00 times its error."),
        (0.013, "PCA is better here: the autoencoder leaves 30% more error."),
        (0.0101, "The autoencoder and PCA are level."),
        (0.0099, "The autoencoder and PCA are level."),
        (0.007, "The autoencoder is better: it leaves 30% less error than PCA."),
        (0.002, "The autoencoder is better: PCA leaves 5.00 times its error."),
        (0.0, "The autoencoder is better: it leaves no error at all."),
        (math.nan, "Training failed: this network is of no use."),
    ],
)
def test_the_lead_follows_the_errors(found: Findings, own: float, lead: str) -> None:
    assert verdict(measured(found, own)).lead == lead


def test_a_perfect_pca_is_called_so(found: Findings) -> None:
    lead = "PCA is better here: it leaves no error at all."
    assert verdict(measured(found, 0.001, pca=0.0)).lead == lead
    assert (
        verdict(measured(found, 0.0, 0.0)).lead == "The autoencoder and PCA are level."
    )


def test_the_figures_are_told_in_full(found: Findings) -> None:
    assert verdict(measured(found, 0.005)).figures == (
        "On 40 test pictures the autoencoder's mean squared error is 0.00500 (23.0 dB) "
        "from 4 code values. PCA with as many leaves 0.0100 (20.0 dB), and the mean "
        "training picture as the only answer 0.100 (10.0 dB). On every single picture "
        "the autoencoder comes closer."
    )


def test_a_share_is_never_rounded_to_all_or_none(found: Findings) -> None:
    one = measured(found, 0.005)
    one.errors[0] = 0.02
    told = "The autoencoder comes closer than PCA on 98% of the pictures."
    assert verdict(one).figures.endswith(told)
    many = replace(one, errors=np.r_[0.02, np.full(999, 0.005)])
    many = replace(many, pca=replace(many.pca, errors=np.full(1000, 0.01)))
    assert "closer than PCA on 99% of" in verdict(many).figures


def test_a_better_autoencoder_needs_no_excuse(found: Findings) -> None:
    assert verdict(measured(found, 0.005)).context == ""


def test_a_better_pca_is_explained(found: Findings) -> None:
    worse = measured(found, 0.05)
    falling = history([0.4, 0.3, 0.2])
    roomy = replace(worse, code_shape=(4, 4, 1), loss="bce", history=falling)
    assert verdict(roomy).context == (
        "The code is roomy, one value for every 4 of the picture, and so PCA loses "
        "little; an autoencoder shows its worth at small codes. PCA also learned 320 "
        "numbers, a whole picture for each code value; the network has 30. PCA is made "
        "for the squared error, while this network was trained on binary "
        "cross-entropy. The loss was still falling at the end: more epochs would "
        "likely help."
    )


def test_a_code_as_large_as_the_picture_is_called_so(found: Findings) -> None:
    whole = measured(found, 0.05, pca=0.0)
    whole = replace(whole, code_shape=(64,), pca=replace(whole.pca, components=64))
    told = "The code is no smaller than the picture, so that PCA can copy all of it."
    assert verdict(whole).context.startswith(told)


def test_what_limits_the_comparison_is_said(found: Findings) -> None:
    fair = measured(found, 0.005)
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


def test_a_diverged_training_is_called_so(found: Findings) -> None:
    lost = history([0.4, math.inf], ended="diverged")
    assert verdict(replace(measured(found, math.nan), history=lost)).figures == (
        "In epoch 2 the loss became infinite or not a number. A smaller learning rate "
        "usually helps. PCA leaves 0.0100 (20.0 dB) on the same pictures."
    )
