"""The classifier against plain formulations: NumPy, one thread, autograd by hand."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from caes.nn.architecture import Architecture, Shape, parse
from caes.nn.classifier import Classifier
from caes.nn.kernels import fused, threads
from caes.nn.layers import activate
from caes.nn.runner import runner
from caes.nn.stack import autoencoder
from tests.nn.given import classified, needs_compiler, numbers, pictures_of, stirred

PICTURE: Shape = (9, 10, 2)
MIRROR = parse("4C3-MP2-6C3-MP2")
TIED = replace(parse("5C3-MP2-4N"), decoder="tied", padding="valid", activation="tanh")
UNTIED = replace(parse("5C3-MP2-3C2"), decoder="untied", output="linear")
ENCODERS = [MIRROR, parse("4C3-MP2-7N"), TIED, UNTIED]
CLASSES = 3
COUNT = "num_batches_tracked"


pytestmark = pytest.mark.usefixtures("three_threads")


def _classifier(
    arch: Architecture = MIRROR,
    head: tuple[int, ...] = (11,),
    dropout: float = 0.0,
    seed: int = 0,
) -> Classifier:
    trunk = autoencoder(arch, PICTURE, seed=5)
    return stirred(Classifier(trunk, head, CLASSES, dropout=dropout, seed=seed))


def _batch(n: int = 29) -> tuple[Tensor, Tensor]:
    labels = torch.Generator().manual_seed(3)
    return pictures_of(n, PICTURE), torch.randint(0, CLASSES, (n,), generator=labels)


# The network


@pytest.mark.parametrize("arch", ENCODERS, ids=str)
def test_the_convolutions_are_those_of_the_stack(arch: Architecture) -> None:
    stack = stirred(autoencoder(arch, PICTURE, seed=5))
    trunk = autoencoder(replace(arch, normalised=True), PICTURE, seed=77)
    missing = trunk.load_state_dict(stack.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all("norm" in name for name in missing.missing_keys)
    model = Classifier(autoencoder(arch, PICTURE, seed=77), (11,), CLASSES)
    model.trunk.load_state_dict(stack.state_dict())
    for name, value in stack.state_dict().items():
        assert torch.equal(model.state_dict()[f"trunk.{name}"], value)
        assert torch.equal(trunk.state_dict()[name], value)
    pictures, *_ = _batch()
    with torch.no_grad():
        assert torch.equal(model.trunk.encode(pictures), stack.encode(pictures))


def _naive_logits(
    model: Classifier, pictures: Tensor, masks: Tensor | None = None
) -> NDArray[np.float64]:
    """Give log-odds by matrix products in NumPy, from the stack's codes."""
    features = numbers(model.trunk.encode(pictures)).reshape(len(pictures), -1)
    rest = None if masks is None else numbers(masks)
    for layer in model.head:
        if rest is not None:
            width = features.shape[1]
            features, rest = features * rest[:, :width], rest[:, width:]
        weight, bias = map(numbers, layer.parameters())
        features = features @ weight.T + bias
        if layer is not model.head[-1]:
            used = activate(torch.from_numpy(features), model.arch.activation)
            features = used.numpy()
    assert rest is None or rest.shape[1] == 0
    return features


@pytest.mark.parametrize("head", [(), (11,), (11, 7)])
@pytest.mark.parametrize("arch", ENCODERS, ids=str)
def test_the_head_is_a_chain_of_dense_layers(
    arch: Architecture, head: tuple[int, ...]
) -> None:
    model = _classifier(arch, head)
    pictures, *_ = _batch()
    found = numbers(model(pictures))
    np.testing.assert_allclose(found, _naive_logits(model, pictures), atol=1e-5)
    probabilities = numbers(model.probabilities(pictures))
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    odds = np.exp(found)
    odds /= odds.sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, odds, atol=1e-6)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("arch", ENCODERS, ids=str)
def test_the_number_of_parameters_is_the_notation_s_and_the_head_s(
    arch: Architecture, normalised: bool
) -> None:
    arch = replace(arch, normalised=normalised)
    model = _classifier(arch, (11, 7))
    features = int(np.prod(arch.code_shape(PICTURE)))
    head = (features + 1) * 11 + (11 + 1) * 7 + (7 + 1) * CLASSES
    counted = sum(each.numel() for each in model.parameters())
    assert counted == arch.parameters(PICTURE) + head
    assert model.widths == [features, 11, 7]


def test_the_seed_is_of_the_head_s_weights() -> None:
    def weights(**seed: int) -> Tensor:
        head = Classifier(autoencoder(MIRROR, PICTURE), (11,), CLASSES, **seed).head
        return torch.cat([each.flatten() for each in head.parameters()])

    assert torch.equal(weights(seed=3), weights(seed=3))
    assert not torch.equal(weights(seed=3), weights(seed=4))
    assert torch.equal(weights(), weights(seed=0))


# The loss


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_the_loss_is_the_cross_entropy(dropout: float) -> None:
    model = _classifier(dropout=dropout)
    pictures, labels = _batch()
    masks = model.draw_masks(len(labels), torch.Generator().manual_seed(0))
    figures = model.compare(pictures, labels, masks)
    loss = right = 0.0
    logits = _naive_logits(model, pictures, masks)
    for row, label in zip(logits, labels.tolist(), strict=True):
        loss += float(np.log(np.exp(row).sum()) - row[label]) / len(labels)
        right += (row.argmax() == label) / len(labels)
    assert figures[0].item() == pytest.approx(loss, rel=1e-5)
    assert figures[1].isnan()
    assert figures[2].item() == pytest.approx(right, rel=1e-5)


# Dropout


def test_without_dropout_there_is_no_mask() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert _classifier().draw_masks(5, generator) is None
    assert torch.equal(generator.get_state(), before)


def test_dropout_keeps_the_expectation_and_follows_the_generator() -> None:
    model = _classifier(head=(11, 7), dropout=0.3)
    masks = model.draw_masks(2000, torch.Generator().manual_seed(0))
    assert masks is not None
    assert masks.shape == (2000, sum(model.widths))
    assert np.unique(masks.numpy()) == pytest.approx([0, 1 / 0.7])
    deviation = (0.3 / 0.7) ** 0.5
    share = masks.numel() ** 0.5
    assert masks.mean().item() == pytest.approx(1, abs=5 * deviation / share)
    each = masks.mean(0)
    assert (each - 1).abs().max() < 6 * deviation / 2000**0.5
    for seed in (0, 1):
        again = model.draw_masks(2000, torch.Generator().manual_seed(seed))
        assert again is not None
        assert torch.equal(masks, again) == (seed == 0)


def test_nothing_is_dropped_outside_of_learning() -> None:
    model, same = _classifier(dropout=0.9), _classifier()
    pictures, *_ = _batch()
    assert torch.equal(model(pictures), same(pictures))


# What learns


def _gradients(model: Classifier, figures: Tensor) -> dict[str, Tensor]:
    if figures.requires_grad:
        model.zero_grad()
        figures[0].backward()  # type: ignore[no-untyped-call]
    return {
        name: each.grad.clone()
        for name, each in model.named_parameters()
        if each.grad is not None
    }


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("arch", ENCODERS, ids=str)
def test_a_frozen_encoder_stays_as_it_is(arch: Architecture, normalised: bool) -> None:
    model = _classifier(replace(arch, normalised=normalised))
    model.choose(encoder=False)
    model.train()
    assert model.training
    assert not any(part.training for part in model.trunk.modules())
    before = copy.deepcopy(model.trunk.state_dict())
    figures = model.compare(*_batch())
    found = _gradients(model, figures)
    assert set(found) == {f"head.{name}" for name, _ in model.head.named_parameters()}
    assert all(gradient.any() for gradient in found.values())
    for name, value in model.trunk.state_dict().items():
        assert torch.equal(value, before[name])


def test_an_encoder_that_learns_keeps_its_normalisation_up_to_date() -> None:
    model = _classifier(replace(MIRROR, normalised=True)).train()
    layer = model.trunk.get_submodule("encoder.0")
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    pictures, *rest = _batch()
    padded = F.pad(pictures.permute(0, 3, 1, 2), [1, 1, 1, 2], mode="replicate")
    maps = F.max_pool2d(F.conv2d(padded, weight, bias, padding=1), 2)
    model.compare(pictures, *rest)
    mean, count = (layer.get_buffer(f"norm.{name}") for name in ("running_mean", COUNT))
    torch.testing.assert_close(mean, 0.1 * maps.mean((0, 2, 3)))
    assert count == 1


@pytest.mark.parametrize("arch", ENCODERS, ids=str)
def test_the_decoder_does_not_learn(arch: Architecture) -> None:
    model = _classifier(arch)
    way_back = {id(each) for each in model.trunk.decoder_parameters()}
    assert way_back
    found = _gradients(model, model.compare(*_batch()))
    for name, each in model.named_parameters():
        assert (name in found) == (id(each) not in way_back)


# Threads


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many parts each batch was shared into."""
    noted: list[int] = []
    whole = threads.Shares._shared

    def _shared(self: threads.Shares, work: object, batch: object) -> object:
        results, weights = whole(self, work, batch)  # type: ignore[arg-type,var-annotated]
        noted.append(len(weights))
        return results, weights

    monkeypatch.setattr(threads.Shares, "_shared", _shared)
    return noted


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("arch", ENCODERS, ids=str)
def test_a_shared_batch_gives_one_thread_s_figures_and_gradients(
    arch: Architecture,
    frozen: bool,
    dropout: float,
    shared: list[int],
) -> None:
    model = _classifier(arch, dropout=dropout)
    model.choose(encoder=not frozen)
    pictures, labels = _batch()
    masks = model.draw_masks(len(labels), torch.Generator().manual_seed(3))

    batch = [pictures, labels, *([] if masks is None else [masks])]
    wanted = model.compare(*batch)
    by = _gradients(model, wanted)
    assert shared == []
    found = classified(model, *batch)
    gradients = _gradients(model, found)
    if not (frozen and model.trunk.path == "fused"):
        assert shared == [3]
    with torch.no_grad():
        watched = classified(model, *batch)
    for mine in (found, watched):
        torch.testing.assert_close(
            mine.double(), wanted.double(), rtol=1e-5, atol=1e-7, equal_nan=True
        )
    assert set(gradients) == set(by)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, by[name], rtol=1e-4, atol=1e-6)


@needs_compiler
def test_the_compiled_loop_is_not_set_up_again_by_every_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    make = fused.FusedAutoencoder.__init__

    def counted(self: fused.FusedAutoencoder, *about: object) -> None:
        made.append(1)
        make(self, *about)  # type: ignore[arg-type]

    monkeypatch.setattr(fused.FusedAutoencoder, "__init__", counted)
    model = _classifier()
    with torch.no_grad(), runner(model, model.compare, plain=True) as compare:
        for _ in range(4):
            compare(*_batch(64))
    assert len(made) == 1


def test_a_network_that_looks_at_the_whole_batch_is_not_shared(
    shared: list[int],
) -> None:
    model = _classifier(replace(MIRROR, normalised=True)).train()
    twin = copy.deepcopy(model)
    wanted = twin.compare(*_batch())
    found = classified(model, *_batch())
    assert shared == []
    torch.testing.assert_close(found, wanted, equal_nan=True)
    for one, other in zip(
        model.state_dict().values(), twin.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(one, other)
