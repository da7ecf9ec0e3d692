"""The auto-encoder against itself in other forms: plain, fused, Keras."""

import copy
import os
import pickle
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from caes.nn.architecture import Architecture, Shape, parse
from caes.nn.autoencoder import Autoencoder
from caes.nn.classifier import Classifier
from caes.nn.kernels import fused
from caes.nn.layers import inside, outside
from caes.nn.sparsity import Sparsity
from caes.nn.stack import autoencoder
from tests.nn.given import compared, gradients, needs_compiler, pictures_of, stirred

NETWORKS: list[tuple[str, Shape]] = [
    ("16C3-MP2-8C3-MP2", (28, 28, 1)),
    ("5C4-MP3-7C2-12C5-MP2", (31, 20, 3)),
    ("20C5-MP2-33C3", (10, 14, 9)),
    ("8C3", (7, 5, 8)),
    ("3C1-MP2-9C2-MP4", (17, 9, 13)),
]


def plain(model: Autoencoder, pictures: Tensor) -> Tensor:
    """Reconstruct by the formulation of the Keras example, step by step: logits."""
    arch, (height, width) = model.arch, pictures.shape[1:3]
    top, left = arch.margins(height, width)
    tall, wide = arch.padded(height, width)
    frame = (left, wide - width - left, top, tall - height - top)
    maps = F.pad(pictures.permute(0, 3, 1, 2), frame, mode="replicate")

    def convolve(maps: Tensor, layer: torch.nn.Module) -> Tensor:
        weight, bias = layer.parameters()
        k = weight.shape[-1]
        frame = ((k - 1) // 2, k // 2) * 2
        return F.conv2d(F.pad(maps, frame), weight, bias)

    for layer, level in zip(model.encoder, arch.levels, strict=True):
        maps = F.max_pool2d(convolve(maps, layer).relu(), level.pool)
    *hidden, last = model.decoder
    for layer, level in zip(hidden, reversed(arch.levels), strict=True):
        maps = convolve(maps, layer).relu()
        maps = F.interpolate(maps, scale_factor=level.pool, mode="nearest")
    logits = convolve(maps, last)[..., top : top + height, left : left + width]
    return logits.permute(0, 2, 3, 1)


def _model(text: str, picture: Shape) -> Autoencoder:
    return stirred(Autoencoder(parse(text), picture, seed=5))


@pytest.fixture(params=["one by one", "groups", "torch", "shares"])
def path(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, two_threads: None
) -> Iterator[str]:
    """Each way to compute.

    Compiled, with codes of one picture after the other or of 16 at once; by PyTorch,
    as it comes and with the batch shared.
    """
    compiled = {"one by one": "-DGROUP=0", "groups": "-DGROUP=16"}.get(request.param)
    if compiled and not fused.available():
        pytest.skip("no C compiler on this machine")
    if compiled:
        monkeypatch.setattr(fused, "FLAGS", (*fused.FLAGS, compiled))
    else:
        monkeypatch.setattr(fused, "available", lambda: False)
    fused._library.cache_clear()
    torch.set_num_threads(2 if request.param == "shares" else 1)
    yield "fused" if compiled else "torch"
    fused._library.cache_clear()


@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize(("text", "picture"), NETWORKS)
def test_all_paths_give_the_plain_formulation_s_loss_and_gradients(
    path: str, text: str, picture: Shape, loss: str
) -> None:
    model = _model(text, picture)
    assert model.path == path
    pictures = pictures_of(19, picture)
    targets = pictures.square().round(decimals=1)
    logits = plain(model, pictures)
    square = F.mse_loss(logits.sigmoid(), targets)
    entropy = F.binary_cross_entropy(logits.sigmoid(), targets)
    expected = entropy if loss == "bce" else square
    wanted = torch.autograd.grad(expected, list(model.parameters()))
    figures = compared(model, pictures, targets, loss)
    found = gradients(figures, model.parameters())
    assert figures[0].item() == pytest.approx(expected.item(), rel=1e-5)
    assert figures[1].item() == pytest.approx(square.item(), rel=1e-5)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        again = compared(model, pictures, targets, loss)
    torch.testing.assert_close(again.double(), figures.detach().double())


@pytest.mark.parametrize(("text", "picture"), NETWORKS)
def test_all_paths_reconstruct_as_the_plain_formulation(
    path: str, text: str, picture: Shape
) -> None:
    model = _model(text, picture)
    pictures = pictures_of(9, picture)
    with torch.no_grad():
        assert (model(pictures) - plain(model, pictures).sigmoid()).abs().max() < 1e-6
        codes = model.encode(pictures)
        assert tuple(codes.shape[1:]) == model.arch.code_shape(picture)
        torch.testing.assert_close(model.decode(codes), model(pictures))


@pytest.mark.parametrize("text", ["16C3-MP2-8C3-MP2", "8C3-MP2-40C3-MP2-24C3-MP2"])
def test_codes_are_as_exact_as_the_plain_formulation_s(path: str, text: str) -> None:
    model, pictures = _model(text, (24, 40, 1)), pictures_of(50, (24, 40, 1))
    with torch.no_grad():
        codes = model.encode(pictures)
        plainly = outside(model.encoder(inside(pictures))).double()
        exact = outside(model.double().encoder(inside(pictures.double())))
    worst, allowed = ((each - exact).abs().max() for each in (codes, plainly))
    assert worst <= 3 * allowed


@pytest.mark.parametrize(("text", "picture"), NETWORKS)
def test_bytes_are_encoded_as_what_they_stand_for(
    path: str, text: str, picture: Shape
) -> None:
    model, draw = _model(text, picture), np.random.default_rng(0)
    stored = draw.integers(0, 256, (19, *picture), np.uint8)
    unit = draw.random(256, np.float32)
    padded = any(model.arch.frame(*picture[:2]))
    assert model.takes_bytes(picture) == (path == "fused" and not padded)
    if not model.takes_bytes(picture):
        return
    with torch.no_grad():
        wanted = model.encode(torch.from_numpy(unit[stored]))
    np.testing.assert_array_equal(model.encode_bytes(stored, unit), wanted)


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 33), st.integers(4, 33), st.sampled_from([1, 2, 3]))
def test_a_convolutional_model_takes_every_size_above_its_stride(
    height: int, width: int, channels: int
) -> None:
    model = _model("3C3-MP2-4C3-MP2", (8, 8, channels))
    pictures = pictures_of(2, (height, width, channels))
    with torch.no_grad():
        expected = plain(model, pictures).sigmoid()
        torch.testing.assert_close(model(pictures), expected)


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler on this machine")
@pytest.mark.parametrize("other", [(), ("-march=x86-64", "-Wno-psabi")])
def test_where_there_is_a_compiler_the_loop_compiles_without_a_warning(
    tmp_path: Path, other: tuple[str, ...]
) -> None:
    assert fused.available()
    if other and platform.machine() != "x86_64":
        pytest.skip("the flags are those of another processor, without long vectors")
    flags = (*fused.FLAGS, *other, "-Wall", "-Wextra", "-Werror")
    made = tmp_path / "levels.so"
    subprocess.run(["cc", *flags, str(fused.SOURCE), "-o", str(made)], check=True)


@needs_compiler
def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CAES_CACHE", str(tmp_path / "file" / "cache"))
    fused._library.cache_clear()
    assert fused.available()
    assert _model("2C3-MP2", (4, 4, 1))(torch.zeros(1, 4, 4, 1)).shape == (1, 4, 4, 1)
    fused._library.cache_clear()


@needs_compiler
def test_the_fused_path_gives_the_same_bits_for_every_number_of_threads() -> None:
    arch, picture = parse("16C3-MP2-8C3-MP2"), (28, 28, 1)
    weights = list(Autoencoder(arch, picture).parameters())
    pictures = pictures_of(50, picture)
    one, *others = (
        fused.FusedAutoencoder(arch, picture, "bce", n, weights) for n in (1, 2, 5)
    )
    figures, slopes = one.step(pictures, pictures)
    for other in others:
        again = other.step(pictures, pictures)
        assert torch.equal(figures, again[0])
        assert all(map(torch.equal, slopes, again[1]))


@needs_compiler
def test_the_fused_loss_is_finite_for_extreme_logits() -> None:
    model = _model("2C3", (4, 4, 1))
    *_, last_bias = model.parameters()
    torch.nn.init.constant_(last_bias, 1000.0)
    black = torch.zeros(1, 4, 4, 1)
    figures = compared(model, black, black, "bce")
    expected = plain(model, black).mean().item()
    assert figures[0].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(5, 7, 1), (6, 4, 1), (3, 3, 1), (2, 2, 1)])
def test_accuracy_counts_the_pixels_of_the_picture_alone(
    path: str, shape: Shape
) -> None:
    """Not what fills the last vector, with or without padding around the picture."""
    for text in ("2C3", "2C3-MP2"):
        model = _model(text, shape)
        assert model.path == path
        pictures = pictures_of(3, shape)
        with torch.no_grad():
            black_and_white = (model(pictures) > 0.5).float()
            wrong = 1 - black_and_white
            assert compared(model, pictures, black_and_white, "bce")[2] == 1
            assert compared(model, pictures, wrong, "bce")[2] == 0
            wrong[:, 0, 0] = black_and_white[:, 0, 0]
            found = compared(model, pictures, wrong, "bce")[2]
            assert float(found) == pytest.approx(1 / (shape[0] * shape[1]))


@pytest.mark.parametrize("side", [2, 3])
def test_of_equal_values_in_a_cell_the_first_one_has_the_gradient(
    path: str, side: int
) -> None:
    """A white picture of one cell, convolved with the kernel that changes nothing.

    The weight's gradient is then where the first pixel's neighbours are: right of it
    and below.
    """
    model = _model(f"1C3-MP{side}", (side, side, 1))
    assert model.path == path
    weight = next(model.parameters())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.1)
        weight.copy_(F.pad(torch.ones(1, 1, 1, 1), (1, 1, 1, 1)))
    white = torch.ones(2, side, side, 1)
    figures = compared(model, white, white, "bce")
    (found,) = gradients(figures, [weight])
    neighbours = torch.tensor([[0, 0, 0], [0, 1, 1], [0, 1, 1]])
    assert found[0, 0, 1, 1] != 0
    torch.testing.assert_close(found[0, 0], neighbours * found[0, 0, 1, 1])


FORM = parse("16C3-MP2")


@pytest.mark.parametrize(
    ("arch", "side", "fits"),
    [
        (FORM, 8, True),
        (parse("100C5-MP2-150C5"), 8, False),  # wide levels
        (parse("16C3-MP2-4N"), 8, False),
        (parse("2C62-MP2"), 80, True),
        (parse("2C63-MP2"), 80, False),  # 63 taps, and 2 times up
        (replace(FORM, activation="linear"), 8, False),
        (replace(FORM, activation="tanh"), 8, False),
        (replace(FORM, output="linear"), 8, False),
        (replace(FORM, output="tanh"), 8, False),
        (replace(FORM, decoder="tied"), 8, False),
        (replace(FORM, padding="valid"), 8, False),
        (replace(FORM, normalised=True), 8, False),
    ],
    ids=str,
)
def test_other_forms_are_left_to_pytorch(
    arch: Architecture, side: int, fits: bool
) -> None:
    assert fused.fits(arch, (side, side, 1)) == fits


@needs_compiler
def test_a_model_says_how_it_is_trained() -> None:
    assert _model("16C3-MP2", (8, 8, 1)).path == "fused"
    assert _model("100C5-MP2-150C5", (8, 8, 1)).path == "torch"


def test_a_dense_network_encodes_to_its_units_and_learns() -> None:
    model = _model("4C3-MP2-6N", (9, 8, 2))
    pictures = pictures_of(5, (9, 8, 2))
    assert model.encode(pictures).shape == (5, 6)
    assert model(pictures).shape == pictures.shape
    figures = compared(model, pictures, pictures, "mse")
    found = gradients(figures, model.parameters())
    assert all(gradient.any() for gradient in found)


@pytest.mark.parametrize("kind", ["mirrored", "stack", "classifier"])
def test_a_copy_and_a_pickle_compute_alike(kind: str) -> None:
    picture = (8, 8, 1)
    model: torch.nn.Module = _model("16C3-MP2", picture)
    if kind == "stack":
        arch = replace(parse("3C3-MP2-4N"), decoder="tied")
        model = stirred(autoencoder(arch, picture, 5, Sparsity(0.5)))
    elif kind == "classifier":
        model = stirred(Classifier(_model("16C3-MP2", picture), (7,), 3))
    pictures = pictures_of(16, picture)
    with torch.no_grad():
        wanted = model(pictures)
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert torch.equal(twin(pictures), wanted)
            assert getattr(twin, "sparsity", None) == getattr(model, "sparsity", None)


# Keras's own, on its torch backend.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
def test_the_network_is_the_keras_example_s(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same weights in Keras: the same output, and the same weights after a step."""
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    layers = keras.layers
    shape = (28, 28, 1)
    net = keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.UpSampling2D(2),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.UpSampling2D(2),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    model = _model("16C3-MP2-8C3-MP2", shape)
    assert net.count_params() == sum(p.numel() for p in model.parameters()) == 3217
    net.set_weights([_as_keras(p) for p in model.parameters()])
    pictures = pictures_of(64, shape).square().round(decimals=1)
    with torch.no_grad():
        ours = model(pictures).numpy()
    theirs = net.predict(pictures.numpy(), verbose=0)
    assert np.abs(ours - theirs).max() <= 1e-5

    net.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    result = net.train_on_batch(pictures.numpy(), pictures.numpy(), return_dict=True)
    # Keras adds its epsilon before the bias correction: at the first step the same as
    # this one after it.
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-7 / 0.001**0.5)
    figures = compared(model, pictures, pictures, "bce")
    if figures.requires_grad:
        figures[0].backward()  # type: ignore[no-untyped-call]
    assert figures[0].item() == pytest.approx(float(result["loss"]), rel=1e-5)
    assert figures[2].item() == pytest.approx(float(result["accuracy"]), abs=1e-6)
    for mine, theirs in zip(model.parameters(), net.trainable_weights, strict=True):
        assert mine.grad is not None
        np.testing.assert_allclose(
            _as_keras(mine.grad), theirs.value.grad.numpy(), rtol=1e-3, atol=1e-6
        )
    optimizer.step()
    for a, b in zip(map(_as_keras, model.parameters()), net.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
def test_accuracy_over_colours_is_counted_as_keras_does(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    model = _model("4C3-MP2", (6, 6, 3))
    pictures = pictures_of(16, (6, 6, 3))
    with torch.no_grad():
        found = compared(model, pictures, pictures, "mse")[2]
        metric = keras.metrics.CategoricalAccuracy()
        metric.update_state(pictures.numpy(), model(pictures).numpy())
    assert float(found) == pytest.approx(float(metric.result()), abs=1e-6)


def _as_keras(parameter: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    array = parameter.detach()
    return (array.permute(2, 3, 1, 0) if array.ndim == 4 else array).numpy()
