import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caes
from caes.nn.architecture import DecoderName
from caes.report import write_report
from caes.report.findings import Findings, examine
from caes.report.page import page
from caes.report.plate import Plate
from caes.report.verdict import verdict
from caes.train.history import History
from tests.report.fake import FakeCAE, history, pictures, stack_history
from tests.report.reading import Page, check_described, check_self_contained

SHAPE = (8, 8, 1)
TRAIN, TEST = pictures(50, *SHAPE), pictures(40, *SHAPE, seed=1)
DONE = stack_history({1: [0.4, 0.3, 0.3], 2: [0.2, 0.2, 0.2], 0: [0.3, 0.3]})


def stack(about: History = DONE, **settings: Any) -> FakeCAE:
    """A code of 2×2×2 values, told 4·4·2 + 2·2·2 places."""
    usual = {"schedule": "greedy", "refine": 2}
    return FakeCAE(
        SHAPE,
        arch="2C3-MP2-2C3-MP2",
        loss="mse",
        history_=about,
        decoder="tied",
        settings=usual | settings,
    )


def without_charts(cae: FakeCAE) -> Page:
    names = ("loss", "accuracy", "psnr", "errors")
    plates = {name: Plate(name, name, "", 1, 1, b"", b"") for name in names}
    found = examine(cae, TRAIN, TEST)
    return Page(page(cae, TRAIN, TEST, found, plates, command="caes"))


def measured(
    about: History, own: float, pca: float = 0.01, **settings: Any
) -> Findings:
    """With these mean squared errors, as in `test_verdict`; 0.05 from the code alone."""
    found = examine(stack(about, **settings), TRAIN, TEST)
    alone = None if found.alone is None else np.full(40, 0.05)
    baseline = replace(found.pca, errors=np.full(40, pca), mean_errors=np.full(40, 0.1))
    return replace(found, errors=np.full(40, own), pca=baseline, alone=alone)


def test_the_page_of_a_stack_says_what_was_done() -> None:
    read = without_charts(stack(epochs=(3, 3), learning_rate=(0.001, 5e-4)))
    for told in (
        "Stack of convolutional autoencoders · report of a training",
        "2C3-MP2-2C3-MP2 , tied decoder, trained level by level",
        "Epochs 3 + 3 + 2 as asked, level by level, then all at once",
        "un-pooling 2×2, to where the largest were 4×4×2 0",
        "tied transposed convolution 2@3×3, relu 4×4×2 2",
        "Total 61",
        "Tied: the weights are the encoder's, transposed; only the biases are the "
        "decoder's own, and only they are counted there.",
        "then all learned together, from pictures to pictures.",
        "Level 2 2C3-MP2 the code of level 1, 4×4×2 mean squared error 3 of 3 0.200 –",
        "Refinement all levels pictures, 8×8×1 mean squared error 2 of 2 0.300 –",
        "Autoencoder 8 + 40 places 61 ",
        "Autoencoder, from its code alone 8 61 ",
        "and the places beside them of the largest values in the picture's own maps: 32 "
        "at level 1 and 8 at level 2, each one of 4. From the code alone, each value "
        "counts in all places of its cell alike.",
        "epochs 3, 3",
        "learning_rate 0.001, 0.0005",
    ):
        assert told in read.text
    assert "After epoch" not in read.text
    assert "all of them trained" not in read.text


def test_a_stack_within_the_settings_is_named_and_not_spelled_out() -> None:
    lower = stack()
    read = without_charts(stack(start=lower, start__epochs=7))
    assert "start a trained 2C3-MP2-2C3-MP2" in read.text
    assert "start__epochs" not in read.text


def test_a_stack_that_learned_all_at_once_is_one_training() -> None:
    read = without_charts(stack(history([0.4, 0.3, 0.3]), schedule="joint"))
    assert "tied decoder, trained all levels at once" in read.text
    assert "After epoch 3 the mean squared error was 0.300" in read.text
    assert "Epochs 3 as asked" in read.text
    assert "Autoencoder 8 + 40 places" in read.text


def test_a_mirrored_decoder_is_told_no_places() -> None:
    read = without_charts(FakeCAE(SHAPE))
    assert "places" not in read.text
    assert "decoder," not in read.text
    assert "from its code alone" not in read.text


def test_the_code_alone_is_measured_on_every_test_picture() -> None:
    found = examine(stack(), TRAIN, TEST)
    expected = np.square((TEST.pixels / 255) * (1 - 0.45)).mean(axis=(1, 2, 3))
    assert found.alone is not None
    np.testing.assert_allclose(found.alone, expected, rtol=1e-5)


def test_pictures_of_another_size_have_no_code_for_this_decoder() -> None:
    larger = pictures(9, 12, 8, 1)
    cae = replace(stack(), decoder="untied")
    assert examine(cae, larger, larger).alone is None


def test_a_better_stack_is_told_more() -> None:
    found = verdict(measured(DONE, 0.005))
    assert (found.lead, found.figures) == (
        "The autoencoder is better, though it is told more than the code: PCA leaves "
        "2.00 times its error.",
        "On 40 test pictures the autoencoder's mean squared error is 0.00500 (23.0 dB) "
        "from 8 code values and 40 places of winners; from the code alone it is 0.0500 "
        "(13.0 dB). PCA with as many code values leaves 0.0100 (20.0 dB), and the mean "
        "training picture as the only answer 0.100 (10.0 dB). On every single picture "
        "the autoencoder comes closer.",
    )
    assert found.context == (
        "The places say where in its map each value was the largest; they are handed "
        "from the way up to the way down beside the code, and PCA has nothing like "
        "them: this flatters the autoencoder."
    )


@pytest.mark.parametrize(
    ("own", "lead"),
    [
        (
            0.01,
            "The autoencoder and PCA are level, though the decoder is told more than "
            "the code.",
        ),
        (
            0.008,
            "The autoencoder is better, though it is told more than the code: it leaves "
            "20% less error than PCA.",
        ),
        (0.02, "PCA is better here: the autoencoder leaves 2.00 times its error."),
    ],
)
def test_a_stack_is_judged_with_what_it_is_told(own: float, lead: str) -> None:
    assert verdict(measured(DONE, own)).lead == lead


def test_winner_take_all_is_judged_by_what_reconstructs() -> None:
    found = verdict(measured(DONE, 0.02, sparsity="wta:0.5"))
    assert (
        "from 8 code values, of which 2 reconstruct, and 4 places of" in found.figures
    )
    assert "alone" not in found.figures
    assert "roomy" not in found.context
    assert (
        "Only the largest value of each of the 2 maps of the code reconstructs, while "
        "PCA was given all 8 values: this flatters PCA."
    ) in found.context


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        ({1: [0.4, 0.3, 0.2], 2: [0.2, 0.2, 0.2]}, "The loss of level 1 was"),
        ({1: [0.4, 0.3, 0.2], 2: [0.2, 0.2, 0.1]}, "The loss of levels 1 and 2 was"),
        (
            {1: [0.4, 0.3, 0.3], 2: [0.2, 0.2, 0.1], 0: [0.3, 0.2]},
            "The loss of level 2 and the refinement was",
        ),
    ],
)
def test_levels_whose_loss_still_fell_are_named(
    losses: dict[int, list[float]], told: str
) -> None:
    found = verdict(measured(stack_history(losses), 0.02))
    expected = f"{told} still falling at the end: more epochs would likely help."
    assert expected in found.context


def test_levels_that_only_gave_back_codes_are_a_reason() -> None:
    apart = stack_history({1: [0.3, 0.3, 0.3], 2: [0.2, 0.2, 0.2]})
    told = (
        "PCA is made for the squared error, while the lowest level of this one was "
        "trained on binary cross-entropy. Only level 1 learned to give back pictures, "
        "level 2 a code: to refine all at once afterwards would likely help."
    )
    assert told in verdict(replace(measured(apart, 0.02), loss="bce")).context
    refined = verdict(replace(measured(DONE, 0.02), loss="bce")).context
    assert "while this network was trained on binary cross-entropy." in refined
    assert "to refine" not in refined


def test_an_interrupted_stack_is_called_unfinished() -> None:
    cut = stack_history({1: [0.4, 0.3]}, ended="interrupted")
    found = verdict(measured(cut, 0.2))
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
    context = verdict(measured(lost, 0.005)).context
    assert f"{told}; these are the weights of epoch 1." in context
    figures = verdict(measured(lost, math.nan)).figures
    assert figures.startswith(f"{told}. A smaller learning rate usually helps.")
    lost.rows[-2:] = [replace(lost.rows[-1], epoch=1)]
    lost.best_epoch = 0
    unfinished = verdict(measured(lost, 0.005))
    assert unfinished.lead == "This stack is unfinished: level 2 did not learn."
    assert "these are the weights from before it." in unfinished.context


@pytest.mark.parametrize(
    ("about", "told"),
    [
        (DONE, "3 + 3 + 2 as asked"),
        (stack_history({2: [0.4, 0.3, 0.2]}), "Epochs 3 + 0 of 3 + 2 Speed"),
        (
            stack_history({1: [0.4]}, ended="interrupted", best_epoch=0),
            "interrupted in the first epoch of level 2",
        ),
        (
            stack_history({1: [0.4]}, ended="interrupted"),
            "interrupted after epoch 1 of level 1",
        ),
        (
            stack_history({1: [math.nan]}, ended="diverged", best_epoch=0),
            "diverged in epoch 1 of level 1",
        ),
        (history([], ended="interrupted"), "0 of 3 + 3 + 2: not one was finished"),
    ],
)
def test_any_history_of_a_stack_gives_a_page(
    tmp_path: Path, about: History, told: str
) -> None:
    path = write_report(tmp_path, stack(about), TRAIN, TEST, command="caes")
    read = Page(path.read_text(encoding="utf-8"))
    assert told in read.text
    assert ("No epoch was finished." in read.text) is (not about.rows)
    assert (tmp_path / "figures" / "loss.png").exists() is bool(about.rows)
    check_self_contained(path)
    check_described(read)


@pytest.mark.parametrize("decoder", ["tied", "untied"])
def test_a_trained_and_grown_stack_gets_its_pages(
    tmp_path: Path, decoder: DecoderName
) -> None:
    images = caes.load(pictures(60, 9, 10, 1).pixels)
    train, test = images[:40], images[40:]
    cae = caes.CAE("3C3-MP2-2C3", decoder=decoder, schedule="greedy", random_state=0)
    cae.set_params(
        epochs=(2, 1), noise="masking:0.5,none", refine=1, padding="valid", loss="mse"
    )
    cae.fit(train)
    cae.save(tmp_path / "run")
    again = caes.CAE.load(tmp_path / "run")
    first, loaded = (
        write_report(tmp_path / name, each, train, test, command="caes")
        for name, each in (("first", cae), ("loaded", again))
    )
    read = Page(first.read_text(encoding="utf-8"))
    assert "Epochs 2 + 1 + 1 as asked, level by level, then all at once" in read.text
    assert f"{decoder} decoder, trained level by level" in read.text
    assert "noise masking:0.5,none" in read.text
    assert Page(loaded.read_text(encoding="utf-8")).text == read.text
    grown = cae.grow("4N", train)
    path = write_report(tmp_path / "grown", grown, train, test, command="caes")
    text = Page(path.read_text(encoding="utf-8")).text
    assert "Epochs 1 as asked, of level 3" in text
    assert "Level 2 2C3 the code of level 1, 4×4×3 – taken over as it was – –" in text
    assert "start a trained 3C3-MP2-2C3" in text
