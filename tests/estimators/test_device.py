"""Inference on the estimator's device, shown on one that only pretends to exist."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from caes import CAE, CAEClassifier

AWAY = torch.device("cuda")
PIXELS = np.random.default_rng(0).integers(0, 256, (300, 12, 12), np.uint8)


class Remote(Tensor):
    """A tensor as on another device: it has to be fetched before NumPy reads it."""

    device = AWAY

    def cpu(self) -> Tensor:  # type: ignore[override]
        return self.as_subclass(Tensor)

    def numpy(self) -> NDArray[Any]:  # type: ignore[override]
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.device]]:
    """Note where models are moved; refuse what they are given from elsewhere."""
    noted: list[torch.device] = []
    tensor_to = Tensor.to

    def move_tensor(tensor: Tensor, *to: Any, **how: Any) -> Tensor:
        if to == (AWAY,):
            return tensor.as_subclass(Remote)
        return tensor_to(tensor, *to, **how)

    def move_model(model: nn.Module, to: torch.device) -> nn.Module:
        noted.append(to)
        return model

    def check(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert noted
        assert noted[-1] == AWAY
        assert all(isinstance(each, Remote) for each in inputs)

    monkeypatch.setattr(Tensor, "to", move_tensor)
    monkeypatch.setattr(nn.Module, "to", move_model)
    for room in ("base", "cae"):
        monkeypatch.setattr(
            f"caes.estimators.{room}.device_for", lambda name: AWAY, raising=False
        )
    hook = register_module_forward_pre_hook(check)
    yield noted
    hook.remove()


@pytest.fixture(scope="module")
def cae() -> CAE:
    return CAE("3C3-MP2", epochs=1, random_state=0).fit(PIXELS)


CODES = np.random.default_rng(1).random((300, 108), np.float32)


@pytest.mark.parametrize(
    "work",
    [
        lambda cae: cae.transform(PIXELS),
        lambda cae: cae.inverse_transform(CODES),
        lambda cae: cae.reconstruct(PIXELS),
        lambda cae: cae.errors(PIXELS),
        lambda cae: cae.transform(PIXELS[:2], tile=8),
        lambda cae: cae.reconstruct(PIXELS[:2], tile=8),
        lambda cae: np.concatenate([b for _, b in next(cae.bands(PIXELS[:1]))]),
    ],
)
def test_an_auto_encoder_works_on_its_device_and_is_kept_on_the_cpu(
    work: Callable[[CAE], NDArray[np.float32]], cae: CAE, request: pytest.FixtureRequest
) -> None:
    wanted = work(cae)
    moves = request.getfixturevalue("moves")
    found = work(cae)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    assert AWAY in moves
    assert moves[-1] == torch.device("cpu")


def test_a_classifier_works_on_its_device(
    cae: CAE, request: pytest.FixtureRequest
) -> None:
    few = np.arange(300) % 3
    classifier = CAEClassifier(cae, recipe="paper", epochs=1, random_state=0)
    classifier.fit(PIXELS, few)
    wanted = classifier.predict_proba(PIXELS)
    moves = request.getfixturevalue("moves")
    np.testing.assert_allclose(classifier.predict_proba(PIXELS), wanted, rtol=1e-4)
    assert moves == [AWAY, torch.device("cpu")]


@pytest.mark.parametrize("device", ["mps", "tpu", {}, None])
def test_a_run_from_a_machine_with_another_device_is_read(
    cae: CAE, tmp_path: Any, device: Any
) -> None:
    twin = CAE("3C3-MP2", epochs=1, device=device)
    twin._adopt(cae._run())
    twin.save(tmp_path / "run")
    assert CAE.load(tmp_path / "run").device == "auto"


def test_training_in_32_bits_on_the_cpu_does_without_the_compiler() -> None:
    """Fabric and optimizers would import torch._dynamo: one to two seconds a start."""
    code = (
        "import sys, numpy, caes\n"
        "X, y = numpy.zeros((4, 8, 8)) + numpy.arange(8) / 8, [0, 1, -1, -1]\n"
        "form = dict(epochs=1, device='cpu')\n"
        "for optimizer in ('sgd', 'adam'):\n"
        "    cae = caes.CAE('2C3-MP2', optimizer=optimizer, **form).fit(X)\n"
        "caes.CAEClassifier(cae, **form).fit(X, y).predict(X)\n"
        "print('torch._dynamo' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert run.stdout == b"False\n"
