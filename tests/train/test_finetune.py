"""Training with labels: what each picture counts, which pictures are met, and seeds."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caes.data import ImageSet
from caes.data.scaling import Scaling
from caes.errors import ArgumentError
from caes.nn.architecture import Shape, parse
from caes.nn.classifier import Classifier
from caes.nn.stack import autoencoder
from caes.train import finetune as module
from caes.train.augment import Augmentation
from caes.train.batches import Batches
from caes.train.finetune import Classification, finetune
from caes.train.history import History
from caes.train.loop import Settings, fabric_for
from caes.train.progress import Progress
from caes.train.recipes import FineTuning
from tests.refusals import refusing

PICTURE: Shape = (8, 8, 1)
CLASSES = 3


pytestmark = pytest.mark.usefixtures("one_thread")


def _model(*, normalised: bool = False, dropout: float = 0.0) -> Classifier:
    arch = replace(parse("4C3-MP2"), normalised=normalised)
    model = Classifier(autoencoder(arch, PICTURE, 5), (), CLASSES, dropout=dropout)
    # Far from even odds, so that the network is sure of some pictures.
    with torch.no_grad():
        model.head[0].get_parameter("weight").mul_(6)
    return model


def _pictures(n: int, seed: int = 2) -> Tensor:
    return torch.rand(n, *PICTURE, generator=torch.Generator().manual_seed(seed))


def _labels(n: int) -> Tensor:
    return torch.arange(n) % CLASSES


class Negative:
    """Stands for an augmentation: shows what was changed, and draws nothing."""

    def __init__(self) -> None:
        self.met: list[int] = []

    def __call__(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        self.met.append(len(pictures))
        return 1 - pictures


# What each picture counts


def _cross_entropies(model: Classifier, seen: Tensor, classes: Tensor) -> Tensor:
    logs: Tensor = model(seen).double().log_softmax(1)
    return -logs[torch.arange(len(classes)), classes]


def test_pictures_are_changed_in_training() -> None:
    model, changes = _model(), Negative()
    objective = Classification(model, model.compare, changes, 0).train()  # type: ignore[arg-type]
    figures = objective(_pictures(7), _labels(7))
    assert changes.met == [7]
    expected = _cross_entropies(model, 1 - _pictures(7), _labels(7)).mean()
    assert figures[0].item() == pytest.approx(expected.item(), rel=1e-5)


def test_nothing_is_changed_or_dropped_in_validation() -> None:
    model = _model(dropout=0.5)
    changes = Negative()
    objective = Classification(model, model.compare, changes, 0)  # type: ignore[arg-type]
    before = objective.generator.get_state()
    with torch.no_grad():
        figures = objective.eval()(_pictures(7), _labels(7))
    assert changes.met == []
    assert torch.equal(objective.generator.get_state(), before)
    expected = _cross_entropies(model, _pictures(7), _labels(7)).mean()
    assert figures[0].item() == pytest.approx(expected.item(), rel=1e-5)
    assert figures[1].isnan()


def test_dropout_and_augmentation_follow_the_seed() -> None:
    def loss(seed: int) -> float:
        model = _model(dropout=0.5)
        objective = Classification(model, model.compare, Augmentation(shift=0.2), seed)
        return objective.train()(_pictures(7), _labels(7))[0].item()  # type: ignore[no-any-return]

    assert loss(4) == loss(4)
    assert loss(4) != loss(5)


# Which pictures are met


@dataclass
class Prepared(Exception):  # noqa: N818
    """Ends a training before it starts, with all that was prepared for it."""

    objective: Classification
    batches: Batches
    validation: Batches | None
    settings: Settings


def _images(n: int = 40) -> ImageSet:
    """Noise, with two rows as bright as they get where the class says so."""
    pixels = np.random.default_rng(0).integers(0, 128, (n, *PICTURE), np.uint8)
    for index, picture in enumerate(pixels):
        picture[2 * (index // 2 % CLASSES) :][:2] = 255
    return ImageSet.from_pixels(pixels)


def _some_labels(n: int = 40, every: int = 2) -> NDArray[np.int64]:
    """Label each second picture."""
    labels = np.arange(n) // every % CLASSES
    labels[np.arange(n) % every > 0] = -1
    return labels.astype(np.int64)


def _finetune(
    model: Classifier,
    seed: int = 0,
    images: ImageSet | None = None,
    guesses: NDArray[np.int64] | None = None,
    **options: Any,
) -> History:
    images = images or _images()
    return finetune(
        model,
        images,
        _some_labels(len(images)),
        Scaling(0, 255),
        FineTuning(**options).resolved(),
        seed=seed,
        fabric=fabric_for("cpu", "32-true"),
        progress=Progress(),
        guesses=guesses,
    )


Prepare = Callable[..., Prepared]


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Give what prepares a training with some options."""

    def stop(*given: Any, **named: Any) -> None:
        raise Prepared(*given)

    def prepare(model: Classifier | None = None, **options: Any) -> Prepared:
        with pytest.raises(Prepared) as caught:
            _finetune(model or _model(), **options)
        return caught.value

    monkeypatch.setattr(module, "train", stop)
    return prepare


def test_the_validation_share_is_of_labelled_pictures(prepared: Prepare) -> None:
    made = prepared(validation=0.2, batch_size=4)
    watched = made.validation
    assert watched is not None
    known = np.flatnonzero(_some_labels() >= 0)
    assert (len(watched.rows), len(made.batches.rows)) == (4, 16)
    both = np.concatenate([watched.rows, made.batches.rows])
    np.testing.assert_array_equal(np.sort(both), known)
    assert watched.shuffle is None
    assert made.settings.epochs == 1500 / (16 / 4)  # steps of what is learnt from


def test_guesses_are_learnt_from_but_never_watched(prepared: Prepare) -> None:
    guesses = np.full(40, -1, np.int64)
    guesses[[1, 5]] = 2
    made, alone = (prepared(validation=0.2, guesses=each) for each in (guesses, None))
    assert made.validation is not None
    assert alone.validation is not None
    assert made.batches.labels is not None
    assert {1, 5} <= set(made.batches.rows)
    assert len(made.batches.rows) == 18
    assert made.settings.epochs == 3_000  # twice 1,500 steps of one batch
    assert list(made.batches.labels[[1, 5, 3]]) == [2, 2, -1]
    np.testing.assert_array_equal(made.validation.rows, alone.validation.rows)


@pytest.mark.parametrize(("every", "times"), [(2, 1), (10, 2), (20, 5)])
def test_labelled_pictures_make_a_fifth_of_a_round(
    every: int, times: int, prepared: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = _some_labels(40, every)
    guesses = np.where(labels < 0, 1, -1)
    monkeypatch.setattr(f"{__name__}._some_labels", lambda n: labels)
    batches = prepared(guesses=guesses, round_epochs=2).batches
    counts = np.bincount(batches.rows, minlength=40)
    np.testing.assert_array_equal(counts, np.where(labels < 0, 1, times))


@pytest.mark.parametrize(
    ("epochs", "average"), [(1, 0.0), (4, 0.0), (8, 0.5), (4_000, 0.99)]
)
def test_the_average_looks_back_over_a_twentieth_of_the_steps_at_most(
    epochs: int, average: float, prepared: Prepare
) -> None:
    settings = prepared(epochs=epochs, batch_size=4).settings
    assert settings.average == pytest.approx(average)


def test_a_share_without_a_picture_on_each_side_is_refused() -> None:
    message = "validation: received 0.02 of 20 pictures; allowed: a share that leaves at least one picture on each side. Give more pictures, or validation=0."
    with refusing(ArgumentError, message):
        _finetune(_model(), validation=0.02)


@pytest.mark.parametrize(
    ("most", "steps"), [(20, [20]), (19, [20]), (7, [7, 7, 6]), (6, [6, 6, 6, 2])]
)
def test_no_single_picture_is_left_over_at_the_end(
    most: int, steps: list[int], prepared: Prepare
) -> None:
    batches = prepared(recipe="paper", batch_size=most).batches
    assert [len(batch[0]) for batch in batches] == steps


def test_maps_of_one_pixel_are_normalised_though_a_picture_would_be_left_over() -> None:
    arch = replace(parse("4C8"), decoder="tied", padding="valid", normalised=True)
    model = Classifier(autoencoder(arch, PICTURE), (), CLASSES)
    history = _finetune(model, epochs=1, batch_size=19)
    assert math.isfinite(history.rows[0].loss)


def test_the_paper_s_recipe_has_none_of_the_modern_options(prepared: Prepare) -> None:
    made = prepared(recipe="paper")
    assert made.objective.augmentation is None
    assert made.settings == Settings(40, 1e-3, "cosine")
    assert made.settings.weight_decay == made.settings.average == 0


def test_options_reach_the_loop(prepared: Prepare) -> None:
    given: dict[str, Any] = {
        "epochs": 70,
        "optimizer": "sgd",
        "learning_rate": 0.25,
        "decay": "linear",
        "weight_decay": 0.125,
        "average": 0.5,
        "patience": 3,
    }
    assert prepared(**given, validation=0.2).settings == Settings(**given)


@pytest.mark.parametrize(
    ("channels", "augment", "expected"),
    [
        (1, "auto", "shift:0.08+rotate:12+scale:0.12+shear:10+elastic:0.7"),
        (3, "auto", "flip+crop:4"),
        (3, "digits", "shift:0.08+rotate:12+scale:0.12+shear:10+elastic:0.7"),
        (1, "rotate:5", "rotate:5"),
        (1, "none", "None"),
    ],
)
def test_augmentation_is_chosen_by_the_colours_if_nobody_says(
    channels: int, augment: str, expected: str, prepared: Prepare
) -> None:
    picture = (8, 8, channels)
    model = Classifier(autoencoder(parse("4C3-MP2"), picture), (), CLASSES)
    images = ImageSet.from_pixels(np.zeros((40, *picture), np.uint8))
    made = prepared(model, images=images, augment=augment)
    assert str(made.objective.augmentation) == expected


# The weights that come out


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


FORMS: list[dict[str, Any]] = [
    {"recipe": "paper"},
    {},
    {"validation": 0.2, "patience": 1},
    {"recipe": "paper", "dropout": 0.5, "augment": "shift:0.1"},
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("options", FORMS)
def test_the_same_seed_gives_the_same_weights_to_the_bit(
    options: dict[str, Any], threads: int, request: pytest.FixtureRequest
) -> None:
    normalised = threads == 1 and "recipe" not in options
    if threads == 2:
        request.getfixturevalue("two_threads")

    def weights(seed: int) -> dict[str, Tensor]:
        model = _model(normalised=normalised, dropout=options.get("dropout", 0.0))
        _finetune(model, seed, **options | {"epochs": 2, "batch_size": 16})
        return _state(model)

    assert _same(weights(7), weights(7))
    assert not _same(weights(7), weights(8))


def test_training_learns_and_says_so() -> None:
    model = _model()
    options: dict[str, Any] = {"recipe": "paper", "epochs": 60, "learning_rate": 0.02}
    history = _finetune(model, validation=0.2, **options)
    first, last = history.rows[0], history.rows[-1]
    assert last.loss < first.loss / 3
    assert last.accuracy == 1
    assert last.psnr is None
    assert last.validation_loss is not None
    assert math.isfinite(last.validation_loss)
    assert not model.training
    assert (history.best_epoch, history.ended) == (60, "complete")


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"recipe": "paper", "freeze": True}, "trunk."),
        ({"freeze": True}, "trunk."),
        ({}, "trunk.decoder."),
    ],
    ids=["frozen by the paper's recipe", "frozen by the default", "the decoder"],
)
def test_what_is_not_to_learn_comes_out_as_it_went_in(
    options: dict[str, Any], kept: str
) -> None:
    model = _model(normalised="recipe" not in options)
    before = _state(model)
    _finetune(model, epochs=2, **options)
    still: dict[str, Tensor] = {}
    learnt: dict[str, Tensor] = {}
    for name, value in before.items():
        (still if name.startswith(kept) else learnt)[name] = value
    assert _same(still, model.state_dict())
    assert not _same(learnt, model.state_dict())
