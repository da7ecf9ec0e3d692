"""What is not a number is never hidden: seen in codes, pictures, losses, gradients."""

import math
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caes.data import ImageSet
from caes.data.scaling import Scaling
from caes.nn import layers
from caes.nn.architecture import Level, Shape, parse
from caes.nn.autoencoder import Autoencoder
from caes.nn.classifier import Classifier
from caes.nn.kernels import fused, winograd
from caes.nn.model import Model
from caes.nn.sparsity import Sparsity
from caes.nn.stack import StackLevel, autoencoder
from caes.train.loop import fabric_for
from caes.train.options import Options
from caes.train.pretrain import pretrain
from caes.train.progress import Progress
from tests.nn.given import compared, gradients, level_of, needs_compiler, pictures_of

POOLED, PLAIN, COLOURS = "4C3-MP2-3C3-MP2", "5C3-9C2", "16C3-MP3-8C3"
PICTURES: dict[str, Shape] = {
    POOLED: (12, 8, 1),
    PLAIN: (6, 7, 2),
    COLOURS: (9, 6, 3),
}
PLACES = [*product(PICTURES, ("inputs", "targets", *range(2 * 5)))]  # of five layers


class Found(NamedTuple):
    """What a network makes of a batch in which something is not a number."""

    learnt: Tensor
    watched: Tensor
    codes: Tensor
    pictures: Tensor
    gradients: tuple[Tensor, ...]


def _model(text: str) -> Autoencoder:
    """Build a network whose maps are alive, so that gradients reach its first layer."""
    model = Autoencoder(parse(text), PICTURES[text], seed=5)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            nn.init.constant_(parameter, 0.3)
    return model


def _batch(shape: Shape) -> tuple[Tensor, Tensor]:
    inputs = pictures_of(9, shape)
    return inputs, inputs.square().round()


def _broken(text: str, place: str | int) -> tuple[Autoencoder, Tensor, Tensor]:
    """Put NaN in a pixel, or in all that makes a layer's first map."""
    model, batch = _model(text), _batch(PICTURES[text])
    if isinstance(place, str):
        batch[place == "targets"][4, 3, 3, 0] = math.nan
    else:
        with torch.no_grad():
            [*model.parameters()][place][0] = math.nan
    return model, *batch


def _run(model: Model, inputs: Tensor, targets: Tensor, loss: str) -> Found:
    figures = compared(model, inputs, targets, loss)
    slopes = tuple(gradients(figures, model.parameters()))
    with torch.no_grad():
        watched = compared(model, inputs, targets, loss)
        codes, pictures = model.encode(inputs), model(inputs)
    return Found(figures.detach().float(), watched.float(), codes, pictures, slopes)


@needs_compiler
@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize(("text", "place"), PLACES)
def test_the_compiled_loop_shows_nan_where_pytorch_does(
    text: str, place: str | int, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, inputs, targets = _broken(text, place)
    assert model.path == "fused"
    mine = _run(model, inputs, targets, loss)
    monkeypatch.setattr(fused, "available", lambda: False)
    twin, *_ = _broken(text, place)
    assert twin.path == "torch"
    theirs = _run(twin, inputs, targets, loss)
    for figures in (mine.learnt, mine.watched):
        assert figures[:2].isnan().all()
        torch.testing.assert_close(figures, theirs.learnt, equal_nan=True)
    torch.testing.assert_close(mine.codes, theirs.codes, equal_nan=True)
    torch.testing.assert_close(mine.pictures, theirs.pictures, equal_nan=True)
    assert mine.pictures.isnan().any() == (place != "targets")
    for own, other in zip(mine.gradients, theirs.gradients, strict=True):
        assert own.isnan().any() == other.isnan().any()
        if own.ndim == 1:  # PyTorch leaves products with the zeros around maps out
            assert torch.equal(own.isnan(), other.isnan())
    assert mine.gradients[-1].isnan().any()


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=needs_compiler)])
@pytest.mark.parametrize("side", [2, 3])
def test_a_nan_in_a_cell_is_its_maximum(
    side: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(fused, "available", lambda: False)
    model = Autoencoder(parse(f"1C1-MP{side}"), (side, 2 * side, 1))
    nn.init.ones_(next(model.parameters()))
    pictures = torch.ones(side**2, side, 2 * side, 1)
    for n, (y, x) in enumerate(np.ndindex(side, side)):
        pictures[n, y, x] = math.nan
    with torch.no_grad():
        left, right = model.encode(pictures).squeeze().unbind(1)
    assert left.isnan().all()
    assert torch.equal(right, torch.ones(side**2))


@needs_compiler
def test_pictures_after_one_with_nan_are_computed_as_before() -> None:
    """Maps that only fill a vector must not keep what was there."""
    model = _model(POOLED)
    pictures, targets = _batch(PICTURES[POOLED])
    before = _run(model, pictures, targets, "bce")
    _run(model, pictures * math.nan, targets, "bce")
    with torch.no_grad():
        model.encode(pictures * math.nan)
        assert torch.equal(model.decode(before.codes), before.pictures)
    after = _run(model, pictures, targets, "bce")
    for mine, theirs in zip(after.gradients, before.gradients, strict=True):
        assert torch.equal(mine, theirs)


@needs_compiler
def test_maps_that_only_fill_a_vector_make_no_nan_of_infinity() -> None:
    model = _model(PLAIN)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
        model(torch.full((1, *PICTURES[PLAIN]), 3e38))
        found = model(torch.full((1, *PICTURES[PLAIN]), math.inf))
    assert torch.equal(found, torch.ones_like(found))


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=needs_compiler)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_pixel_that_is_not_a_number_is_not_right(
    channels: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its place is black, or the colour whose channel is the first."""
    if not compiled:
        monkeypatch.setattr(fused, "available", lambda: False)
    shape = (5, 7, channels)
    model = Autoencoder(parse("1C1"), shape)
    *_, weight, bias = model.parameters()
    black = torch.zeros(8, *shape)
    with torch.no_grad():
        nn.init.zeros_(weight)
        bias.copy_(torch.tensor([-1.0, -2, -3][:channels]))
        assert compared(model, black, black, "bce")[2] == 1
        targets = black.clone()
        targets[0, 2, 3, 0] = targets[7, 4, 6, -1] = math.nan
        found = compared(model, black, targets, "bce")[2]
        assert float(found) == pytest.approx(1 - 2 / (8 * 35))
        bias[-1] = math.nan
        assert compared(model, black, black, "bce")[2] == 0
        assert compared(model, black, black * math.nan, "bce")[2] == 0


def test_a_class_of_log_odds_that_are_not_numbers_is_not_right() -> None:
    model = Classifier(_model(POOLED), (), 3)
    pictures, _ = _batch(PICTURES[POOLED])
    labels = torch.zeros(9, dtype=torch.int64)
    with torch.no_grad():
        [*model.parameters()][-1][0] = math.nan
        found = model.compare(pictures, labels)
    assert found[0].isnan()
    assert found[2] == 0


# Winner-take-all


@pytest.mark.parametrize("lifetime", [1.0, 0.5, 0.1])
def test_a_nan_wins_in_its_map_and_in_the_batch(lifetime: float) -> None:
    maps = torch.rand(10, 4, 3, 5, generator=torch.Generator().manual_seed(2))
    maps[3, 1, 2, 4] = maps[6, 1, 0, 0] = math.nan
    found = Sparsity(lifetime)(maps)
    assert torch.equal(found.isnan(), maps.isnan())
    units = maps[:, :, 2, 4]
    assert torch.equal(Sparsity(lifetime)(units).isnan(), units.isnan())


WTA = ["inputs", "weight", "bias", "bias_back", "weight_back"]


@pytest.mark.parametrize("lifetime", [1.0, 0.3])
@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("place", WTA)
def test_learning_from_winners_alone_shows_nan_where_whole_maps_do(
    place: str, pool: int, lifetime: float
) -> None:
    level = level_of(2, Level(6, 3, pool), tied=False, activation="relu")
    maps = torch.rand(7, 2, 10, 12, generator=torch.Generator().manual_seed(3))
    broken = maps if place == "inputs" else level.get_parameter(place)
    with torch.no_grad():
        broken[0] = math.nan
    found = []
    ways: list[Callable[..., Tensor]] = [level.reconstruct]
    ways.append(lambda *given: StackLevel.reconstruct(level, *given))
    for way in ways:
        loss = (way(maps, Sparsity(lifetime)) - 0.3).square().mean()
        gradients = torch.autograd.grad(loss, list(level.parameters()))
        assert loss.isnan()
        found.append([bool(each.isnan().any()) for each in gradients])
    assert found[0] == found[1]
    assert any(found[0])


# Winograd's way


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("place", ["maps", "weight", "outer"])
def test_the_detour_hides_no_nan_of_the_direct_way(place: str, back: bool) -> None:
    """It may spread one over its block, and does; nothing is lost."""
    drawn = torch.Generator().manual_seed(0)
    maps = torch.rand(8, 40, 9, 11, generator=drawn)
    weight = torch.randn(40, 40, 3, 3, generator=drawn)
    outer = torch.rand(8, 40, 9, 11, generator=drawn)
    assert winograd.places_for(9, 11, 40, 40, 3)
    {"maps": maps, "weight": weight, "outer": outer}[place][3, 7, 1, 2] = math.nan
    maps.requires_grad_(), weight.requires_grad_()
    convolve = layers.convolve_back if back else layers.convolve
    direct = F.conv_transpose2d if back else F.conv2d
    found = convolve(maps, weight, torch.zeros(40))
    wanted = direct(maps, weight, padding=1)
    pairs = zip(
        (found, *torch.autograd.grad(found, (maps, weight), outer)),
        (wanted, *torch.autograd.grad(wanted, (maps, weight), outer)),
        strict=True,
    )
    for mine, theirs in pairs:
        assert mine.isnan()[theirs.isnan()].all()
        assert mine.isnan().any() == theirs.isnan().any()


# Training


MODELS = [
    pytest.param({"arch": POOLED}, marks=needs_compiler, id="compiled"),
    pytest.param({"arch": "4C3-MP2-6N"}, id="dense"),
    pytest.param({"arch": POOLED, "decoder": "tied"}, id="stack"),
    pytest.param(
        {
            "arch": POOLED,
            "decoder": "tied",
            "schedule": "greedy",
            "sparsity": "wta:0.3",
        },
        id="winners",
    ),
]


@pytest.mark.parametrize("of", ["weight", "bias"])
@pytest.mark.parametrize("changes", MODELS)
def test_training_a_network_with_nan_in_its_first_layer_diverges_at_once(
    changes: dict[str, str], of: str
) -> None:
    given = Options(**{"epochs": 3, "batch_size": 16, "device": "cpu"} | changes)  # type: ignore[arg-type]
    shape = PICTURES[POOLED]
    options = given.resolved(shape)
    sparsity = Sparsity(0.3) if options.sparsity else None
    model = autoencoder(options.check(), shape, 0, sparsity)
    first = next(p for name, p in model.named_parameters() if name.endswith(of))
    with torch.no_grad():
        first.fill_(math.nan)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pixels = np.random.default_rng(0).integers(0, 256, (40, *shape), np.uint8)
    history = pretrain(
        model,
        ImageSet.from_pixels(pixels),
        Scaling(0, 255),
        options,
        seed=0,
        fabric=fabric_for("cpu", "32-true"),
        progress=Progress(),
    )
    assert history.ended == "diverged"
    assert [math.isnan(row.loss) for row in history.rows] == [True]
    assert history.best_epoch == 0
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True)
