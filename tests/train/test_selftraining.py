"""Rounds of self-training, with a training that says what it was given."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from caes.data import ImageSet
from caes.data.scaling import Scaling
from caes.nn.architecture import parse
from caes.nn.autoencoder import Autoencoder
from caes.nn.classifier import Classifier
from caes.train import finetune as module
from caes.train.finetune import Trained, pseudo_label, self_train
from caes.train.history import Ending, Epoch, History
from caes.train.loop import fabric_for
from caes.train.progress import Progress
from caes.train.recipes import FineTuning

CPU = torch.device("cpu")
PICTURE = (4, 4, 1)
LABELS = np.array([0, -1, 1, -1, -1, -1], np.int64)


class Bright(Classifier):
    """Takes the mean grey for the probability of class 1."""

    def __init__(self) -> None:
        super().__init__(Autoencoder(parse("2C3"), PICTURE, 0), (), 2)

    def forward(self, pictures: Tensor) -> Tensor:
        light = pictures.mean((1, 2, 3)).clamp(1e-3, 1 - 1e-3)
        return torch.stack([torch.zeros_like(light), torch.logit(light)], 1)


class Told(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def _images(*grey: int) -> ImageSet:
    pixels = np.array(grey, np.uint8)[:, None, None, None]
    return ImageSet.from_pixels(np.broadcast_to(pixels, (len(grey), *PICTURE)).copy())


GREY = _images(0, 250, 255, 10, 128, 255)


class Trainings:
    """Stands for the training itself: notes its arguments, ends as it is told."""

    def __init__(self, *endings: Ending) -> None:
        self.endings = [*endings]
        self.models: list[Classifier] = []
        self.guesses: list[NDArray[np.int64] | None] = []

    def __call__(self, model: Classifier, *given: Any, **named: Any) -> History:
        assert given[1] is LABELS
        self.models.append(model)
        self.guesses.append(named["guesses"])
        ended = self.endings.pop(0) if self.endings else "complete"
        row = Epoch(1, 0.5, None, 0.5, None, 1.0, 1.0)
        return History([row], 1, ended)


def _trained(
    monkeypatch: pytest.MonkeyPatch,
    trainings: Trainings,
    labels: NDArray[np.int64] = LABELS,
    progress: Progress | None = None,
    **options: Any,
) -> Trained:
    monkeypatch.setattr(module, "finetune", trainings)
    return self_train(
        Bright,
        GREY,
        labels,
        Scaling(0, 255),
        FineTuning(**options).resolved(),
        seed=0,
        fabric=fabric_for("cpu", "32-true"),
        progress=progress or Progress(),
    )


def test_guesses_come_in_the_pictures_order_and_only_when_sure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guesses = pseudo_label(Bright(), GREY, LABELS, Scaling(0, 255), 0.9, CPU)
    assert guesses.tolist() == [-1, 1, -1, 0, -1, 1]
    monkeypatch.setattr(module, "AT_ONCE", 3)
    light = np.random.default_rng(0).integers(0, 2, 20)
    labels = np.full(20, -1, np.int64)
    labels[4] = 0
    images = _images(*(255 * light))
    guesses = pseudo_label(Bright(), images, labels, Scaling(0, 255), 0.9, CPU)
    light[4] = -1
    np.testing.assert_array_equal(guesses, light)


def test_every_round_trains_a_new_network_on_what_the_last_one_is_sure_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainings, told = Trainings(), Told()
    trained = _trained(monkeypatch, trainings, progress=told, rounds=2, confidence=0.9)
    assert len({id(model) for model in trainings.models}) == 3
    assert trained.model is trainings.models[2]
    assert (trained.rounds, trained.guessed) == (2, 3)
    assert trainings.guesses[0] is None
    for found in trainings.guesses[1:]:
        assert found is not None
        assert found.tolist() == [-1, 1, -1, 0, -1, 1]
    assert told.notes == [
        "round 1: sure of 3 pictures more",
        "round 2: sure of 3 pictures more",
    ]


def test_with_every_label_given_there_is_nothing_to_guess(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        Trainings, "__call__", lambda *given, **named: History([], 0, "complete")
    )
    labels = np.array([0, 1, 0, 1, 0, 1], np.int64)
    trained = _trained(monkeypatch, Trainings(), labels, rounds=3)
    assert (trained.rounds, trained.guessed) == (0, 0)


@pytest.mark.parametrize("ending", ["interrupted", "diverged"])
@pytest.mark.parametrize("complete", [0, 1, 2])
def test_a_training_that_is_broken_off_is_the_last_and_leaves_the_one_before(
    complete: int, ending: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    endings: list[Ending] = ["complete"] * complete
    trainings = Trainings(*endings, ending)
    trained = _trained(monkeypatch, trainings, rounds=3, confidence=0.9)
    assert len(trainings.models) == complete + 1
    before = max(0, complete - 1)  # there is none before the first
    assert trained.model is trainings.models[before]
    assert (trained.rounds, trained.history.ended) == (before, ending)
