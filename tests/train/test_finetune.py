"""Training with labels: what each picture counts, which pictures are met, and seeds."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
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
from caes.train.finetune import Recognition, Together, finetune
from caes.train.history import History
from caes.train.loop import Settings
from caes.train.progress import Progress
from caes.train.recipes import FineTuning, Recipe

PICTURE: Shape = (8, 8, 1)
CLASSES = 3
PLAIN = FineTuning(recipe="paper").resolved()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another are slow where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


def _objective(
    model: Classifier,
    recipe: Recipe = PLAIN,
    augmentation: Any = None,
    confidence: float = 0.9,
    seed: int = 0,
) -> Recognition:
    return Recognition(model, recipe, augmentation, confidence, seed)


# What each picture counts


def _cross_entropies(model: Classifier, seen: Tensor, classes: Tensor) -> Tensor:
    logs: Tensor = model(seen).double().log_softmax(1)
    return -logs[torch.arange(len(classes)), classes]


@pytest.mark.parametrize("weight", [0.5, 1.0, 3.0])
def test_pseudo_labels_are_a_mean_of_their_own_beside_the_labels_mean(
    weight: float,
) -> None:
    """FixMatch: (1/n) Σ H(label) + λ (1/m) Σ [sure] H(guess), the unsure ones in m."""
    model = _model()
    pictures, labels, others = _pictures(7), _labels(7), _pictures(13, seed=3)
    with torch.no_grad():
        best, guess = model(others).softmax(1).max(1)
    sure = best >= 0.9
    assert 2 < int(sure.sum()) < 11  # or the test would show nothing
    expected = _cross_entropies(model, 1 - pictures, labels).mean()
    of_guesses = _cross_entropies(model, 1 - others, guess)
    expected = expected + weight * of_guesses[sure].sum() / 13
    wanted = torch.autograd.grad(expected, list(model.head.parameters()))

    changes = Negative()
    recipe = replace(PLAIN, pseudo_labels=weight)
    objective = _objective(model, recipe, changes).train()
    figures = objective(pictures, labels, others)
    found = torch.autograd.grad(figures[0], list(model.head.parameters()))

    assert changes.met == [7, 13]
    assert figures[0].item() == pytest.approx(expected.item(), rel=1e-5)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    right = (model(1 - pictures).argmax(1) == labels).double().mean()
    assert figures[2].item() == pytest.approx(right.item(), rel=1e-5)


@pytest.mark.parametrize(("confidence", "counted"), [(0.0, 13), (0.999999, 0)])
def test_only_sure_guesses_count(confidence: float, counted: int) -> None:
    model = _model()
    pictures, labels, others = _pictures(7), _labels(7), _pictures(13, seed=3)
    recipe = replace(PLAIN, pseudo_labels=1.0)
    objective = _objective(model, recipe, confidence=confidence).train()
    guess = model(others).argmax(1)
    alone = _cross_entropies(model, pictures, labels).mean()
    beside = _cross_entropies(model, others, guess).sum() * counted / 13**2
    found = objective(pictures, labels, others)[0].item()
    assert found == pytest.approx((alone + beside).item(), rel=1e-5)


def test_guesses_are_made_in_evaluation() -> None:
    """Nothing is dropped, and the normalisation is not told of pictures twice."""
    model = _model(normalised=True, dropout=0.5).train()
    guesses: list[tuple[bool, bool]] = []
    probabilities = model.probabilities

    def noted(pictures: Tensor) -> Tensor:
        guesses.append((model.training, torch.is_grad_enabled()))
        return probabilities(pictures)

    model.probabilities = noted  # type: ignore[method-assign]
    objective = _objective(model, replace(PLAIN, pseudo_labels=1.0)).train()
    objective(_pictures(7), _labels(7), _pictures(5, seed=3))
    assert guesses == [(False, False)]
    assert model.training
    norm = model.trunk.get_submodule("encoder.0.norm")
    assert norm.get_buffer("num_batches_tracked") == 1


def test_nothing_is_changed_or_dropped_or_smoothed_in_validation() -> None:
    model = _model(dropout=0.5)
    changes = Negative()
    recipe = replace(PLAIN, smoothing=0.2, reconstruction=0.1)
    objective = _objective(model, recipe, changes)
    before = objective.generator.get_state()
    with torch.no_grad():
        figures = objective.eval()(_pictures(7), _labels(7))
    assert changes.met == []
    assert torch.equal(objective.generator.get_state(), before)
    expected = _cross_entropies(model, _pictures(7), _labels(7)).mean()
    assert figures[0].item() == pytest.approx(expected.item(), rel=1e-5)
    assert figures[1].isnan()


def test_in_training_labels_are_smoothed_and_pictures_reconstructed() -> None:
    model = _model()
    recipe = replace(PLAIN, smoothing=0.3, reconstruction=0.25)
    figures = _objective(model, recipe).train()(_pictures(7), _labels(7))
    square = F.mse_loss(model.trunk(_pictures(7)), _pictures(7))
    labelled = F.cross_entropy(model(_pictures(7)), _labels(7), label_smoothing=0.3)
    assert figures[1].item() == pytest.approx(square.item(), rel=1e-5)
    expected = labelled + 0.25 * square
    assert figures[0].item() == pytest.approx(expected.item(), rel=1e-5)


def test_dropout_and_augmentation_follow_the_seed() -> None:
    def loss(seed: int) -> float:
        model = _model(dropout=0.5)
        objective = _objective(model, PLAIN, Augmentation(shift=0.2), seed=seed)
        return objective.train()(_pictures(7), _labels(7))[0].item()  # type: ignore[no-any-return]

    assert loss(4) == loss(4)
    assert loss(4) != loss(5)


# Which pictures are met


def _numbered(n: int) -> ImageSet:
    """Pictures whose only pixel is their index."""
    return ImageSet.from_pixels(np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1))


def _values(pictures: Tensor) -> list[int]:
    return [int(value) for value in pictures.flatten()]


def test_labelled_pictures_come_once_a_pass_and_the_others_go_round() -> None:
    images, order = _numbered(12), np.random.default_rng(1)
    labels = np.arange(12) + 100
    with_labels, without = np.arange(5), np.arange(5, 12)
    one = Scaling(0, 1)
    together = Together(
        Batches(images, one, 2, shuffle=order, rows=with_labels, labels=labels),
        Batches(images, one, 2, shuffle=order, rows=without),
    )
    assert len(together) == 3
    assert together.pictures == 5 + 3 * 2
    passes, met = [], []
    for _ in range(8):
        labelled = []
        for pictures, given, others in together:
            assert given.tolist() == [100 + value for value in _values(pictures)]
            labelled += _values(pictures)
            met.append(_values(others))
        passes.append(labelled)
    assert all(sorted(each) == [0, 1, 2, 3, 4] for each in passes)
    assert len({tuple(each) for each in passes}) > 1
    assert [len(each) for each in met] == [2, 2, 2, 1] * 6  # a round is no pass
    rounds = [[*chain(*met[start : start + 4])] for start in range(0, 24, 4)]
    assert all(sorted(each) == [5, 6, 7, 8, 9, 10, 11] for each in rounds)
    assert len({tuple(each) for each in rounds}) > 1


class Prepared(Exception):  # noqa: N818
    """Ends a training before it starts, with all that was prepared for it."""

    def __init__(
        self,
        objective: Recognition,
        batches: Batches | Together,
        validation: Batches | None,
        settings: Settings,
        **rest: object,
    ) -> None:
        super().__init__()
        self.objective = objective
        self.batches = batches
        self.validation = validation
        self.settings = settings


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
        FineTuning(**options),
        seed=seed,
        fabric=Fabric(accelerator="cpu", devices=1),
        progress=Progress(),
        guesses=guesses,
    )


def _prepared(
    monkeypatch: pytest.MonkeyPatch, model: Classifier | None = None, **options: Any
) -> Prepared:
    def stop(*given: Any, **named: Any) -> None:
        raise Prepared(*given, **named)

    monkeypatch.setattr(module, "train", stop)
    with pytest.raises(Prepared) as caught:
        _finetune(model or _model(), **options)
    return caught.value


def test_the_validation_share_is_of_labelled_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = _prepared(monkeypatch, validation=0.2, pseudo_labels=1.0)
    batches, watched = prepared.batches, prepared.validation
    assert isinstance(batches, Together)
    assert watched is not None
    known = np.flatnonzero(_some_labels() >= 0)
    assert len(watched.rows) == 4
    assert len(batches.labelled.rows) == 16
    both = np.concatenate([watched.rows, batches.labelled.rows])
    np.testing.assert_array_equal(np.sort(both), known)
    np.testing.assert_array_equal(
        batches.others.rows, np.flatnonzero(_some_labels() < 0)
    )
    assert (watched.shuffle, batches.others.labels) == (None, None)


def test_guesses_are_learnt_from_but_never_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guesses = np.full(40, -1, np.int64)
    guesses[[1, 5]] = 2
    prepared = _prepared(monkeypatch, validation=0.2, guesses=guesses)
    batches, watched = prepared.batches, prepared.validation
    assert isinstance(batches, Batches)
    assert watched is not None
    assert batches.labels is not None
    assert {1, 5} <= set(batches.rows)
    assert len(batches.rows) == 18
    assert prepared.settings.epochs == 3_000  # twice 1,500 steps of one batch
    assert list(batches.labels[[1, 5, 3]]) == [2, 2, -1]
    alone = _prepared(monkeypatch, validation=0.2).validation
    assert alone is not None
    np.testing.assert_array_equal(watched.rows, alone.rows)


@pytest.mark.parametrize(("every", "times"), [(2, 1), (10, 2), (20, 5)])
def test_labelled_pictures_make_a_fifth_of_a_round(
    every: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = _some_labels(40, every)
    guesses = np.where(labels < 0, 1, -1)
    monkeypatch.setattr(f"{__name__}._some_labels", lambda n: labels)
    batches = _prepared(monkeypatch, guesses=guesses, round_epochs=2).batches
    assert isinstance(batches, Batches)
    counts = np.bincount(batches.rows, minlength=40)
    np.testing.assert_array_equal(counts, np.where(labels < 0, 1, times))


@pytest.mark.parametrize(
    ("epochs", "average"), [(1, 0.0), (4, 0.0), (8, 0.5), (4_000, 0.99)]
)
def test_the_average_looks_back_over_a_twentieth_of_the_steps_at_most(
    epochs: int, average: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _prepared(monkeypatch, epochs=epochs, batch_size=4).settings
    assert settings.average == pytest.approx(average)


def test_a_share_without_a_picture_on_each_side_is_refused() -> None:
    with pytest.raises(ArgumentError) as caught:
        _finetune(_model(), validation=0.02)
    assert str(caught.value) == (
        "validation: received 0.02 of 20 pictures; allowed: a share that leaves at "
        "least one picture on each side. Give more pictures, or validation=0."
    )


@pytest.mark.parametrize(
    ("options", "labelled", "beside"),
    [
        ({"batch_size": 4, "unlabelled_ratio": 3}, 4, 12),
        ({"batch_size": 64}, 20, 20),
        ({"batch_size": 4, "unlabelled_ratio": 9}, 4, 20),
    ],
)
def test_a_step_takes_the_ratio_of_unlabelled_pictures(
    options: dict[str, Any],
    labelled: int,
    beside: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches = _prepared(monkeypatch, pseudo_labels=1.0, **options).batches
    assert isinstance(batches, Together)
    assert (batches.labelled.size, batches.others.size) == (labelled, beside)


@pytest.mark.parametrize(
    ("most", "steps"), [(20, [20]), (19, [20]), (7, [7, 7, 6]), (6, [6, 6, 6, 2])]
)
def test_no_single_picture_is_left_over_at_the_end(
    most: int, steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = _prepared(monkeypatch, recipe="paper", batch_size=most)
    assert [len(batch[0]) for batch in prepared.batches] == steps


def test_maps_of_one_pixel_are_normalised_though_a_picture_would_be_left_over() -> None:
    arch = replace(parse("4C8"), decoder="tied", padding="valid", normalised=True)
    model = Classifier(autoencoder(arch, PICTURE), (), CLASSES)
    history = _finetune(model, epochs=1, batch_size=19, pseudo_labels=0)
    assert math.isfinite(history.rows[0].loss)


def test_the_paper_s_recipe_has_none_of_the_modern_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = _prepared(monkeypatch, recipe="paper")
    assert prepared.objective.augmentation is None
    assert isinstance(prepared.batches, Batches)  # no unlabelled pictures
    assert prepared.settings == Settings(40, 1e-3, "cosine")
    assert prepared.settings.weight_decay == prepared.settings.average == 0
    recipe = prepared.objective.recipe
    assert recipe.dropout == recipe.smoothing == recipe.reconstruction == 0
    assert not recipe.normalise
    assert recipe.units == (300,)


def test_the_default_recipe_takes_the_steps_of_what_is_learnt_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = _prepared(monkeypatch, validation=0.2, batch_size=4)
    assert prepared.settings.epochs == 1500 / (16 / 4)


def test_options_reach_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = _prepared(
        monkeypatch,
        epochs=70,
        optimizer="sgd",
        learning_rate=0.25,
        decay="linear",
        weight_decay=0.125,
        average=0.5,
        validation=0.2,
        patience=3,
        confidence=0.6,
    )
    expected = Settings(70, 0.25, "linear", 3, 0.125, 0.5, optimizer="sgd")
    assert prepared.settings == expected
    assert prepared.objective.confidence == 0.6


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
    channels: int, augment: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arch, picture = parse("4C3-MP2"), (8, 8, channels)
    model = Classifier(autoencoder(arch, picture), (), CLASSES)
    images = ImageSet.from_pixels(np.zeros((40, *picture), np.uint8))
    prepared = _prepared(monkeypatch, model, images=images, augment=augment)
    assert str(prepared.objective.augmentation) == expected


# The weights that come out


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


FORMS: list[dict[str, Any]] = [
    {"recipe": "paper"},
    {},
    {"reconstruction": 0.1, "validation": 0.2, "patience": 1},
    {"recipe": "paper", "dropout": 0.5, "augment": "shift:0.1", "pseudo_labels": 1},
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("options", FORMS)
def test_the_same_seed_gives_the_same_weights_to_the_bit(
    options: dict[str, Any], threads: int
) -> None:
    normalised = threads == 1 and "recipe" not in options
    torch.set_num_threads(threads)

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


def test_the_second_task_is_in_the_history() -> None:
    history = _finetune(_model(), recipe="paper", epochs=1, reconstruction=1.0)
    psnr = history.rows[0].psnr
    assert psnr is not None
    assert 0 < psnr < 20


@pytest.mark.parametrize("recipe", ["paper", "default"])
def test_a_frozen_encoder_comes_out_as_it_went_in(recipe: str) -> None:
    model = _model(normalised=recipe == "default")
    before = _state(model)
    _finetune(model, recipe=recipe, epochs=2, freeze=True)
    trunk = {name: v for name, v in before.items() if name.startswith("trunk.")}
    assert _same(trunk, model.state_dict())
    assert not _same(before, model.state_dict())


def test_the_decoder_comes_out_as_it_went_in_without_a_second_task() -> None:
    def change(**options: Any) -> tuple[bool, bool]:
        model = _model()
        before = _state(model)
        _finetune(model, epochs=1, **options)
        parts = ("trunk.decoder.", "trunk.encoder.")
        halves = (
            {k: v for k, v in before.items() if k.startswith(part)} for part in parts
        )
        decoder, encoder = (not _same(h, model.state_dict()) for h in halves)
        return decoder, encoder

    assert change() == (False, True)
    assert change(reconstruction=0.1) == (True, True)


def test_the_labels_of_pictures_that_have_none_here_are_not_looked_at() -> None:
    truth = np.arange(40) % CLASSES
    weights = []
    for own in (None, truth, truth[::-1].copy()):
        model = _model()
        classes = tuple("abc") if own is not None else ()
        images = replace(_images(), labels=own, classes=classes)
        _finetune(model, images=images, epochs=2)
        weights.append(_state(model))
    assert _same(weights[0], weights[1])
    assert _same(weights[0], weights[2])
