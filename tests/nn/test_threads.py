"""Which trainings give the same bits for every number of threads, and which for one."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from caes import CAE, CAEClassifier
from caes.nn.kernels.threads import Shares
from tests.nn.given import needs_compiler

Fitted = CAE | CAEClassifier
LABELS = np.arange(60) % 3


pytestmark = pytest.mark.usefixtures("one_thread")  # and as many as before, after


def _pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (60, 12, 12, 1), np.uint8)


def _auto_encoder(arch: str, **options: str) -> CAE:
    """Train for two epochs, watched, in batches that more than two threads can share."""
    given = CAE(arch, epochs=2, batch_size=48, validation=0.2, random_state=0)
    given.set_params(**options)
    return given.fit(_pixels())


def _classifier(**options: float | bool) -> CAEClassifier:
    untrained = CAE("4C3-MP2-5C3", epochs=1)
    given = CAEClassifier(untrained, head="7N", epochs=2, rounds=0, random_state=0)
    given.set_params(**options)
    return given.fit(_pixels(), LABELS)


def _outcome(fit: Callable[[], Fitted], threads: int) -> list[Tensor | float | None]:
    torch.set_num_threads(threads)
    fitted = fit()
    assert fitted.provenance_["threads"] == str(threads)
    weights = [*fitted.model_.state_dict().values()]
    rows = fitted.history_.rows
    return [*weights, *(row.loss for row in rows), *(r.validation_loss for r in rows)]


def _same_bits(one: list[Tensor | float | None], other: object) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=0)


@needs_compiler
@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("arch", ["4C3-MP2-3C3-MP2", "9C3"])
def test_the_compiled_loop_trains_to_the_same_bits_with_any_number_of_threads(
    arch: str, threads: int
) -> None:
    one = _outcome(lambda: _auto_encoder(arch), 1)
    _same_bits(_outcome(lambda: _auto_encoder(arch), threads), one)


KINDS: dict[str, Callable[[], Fitted]] = {
    "dense": lambda: _auto_encoder("4C3-MP2-6N"),
    "joint stack": lambda: _auto_encoder("4C3-MP2-5C3", decoder="tied"),
    "greedy stack": lambda: _auto_encoder(
        "4C3-MP2-5C3", decoder="untied", schedule="greedy"
    ),
    "winner-take-all": lambda: _auto_encoder(
        "4C3-MP2-5C3", decoder="tied", schedule="greedy", sparsity="wta:0.2"
    ),
    "classifier": lambda: _classifier(dropout=0.3),
    "normalised classifier": lambda: _classifier(normalise=True),
    "frozen classifier": lambda: _classifier(freeze=True),
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_to_the_same_bits_with_the_same_number_of_threads(
    kind: str, threads: int
) -> None:
    one, again = (_outcome(KINDS[kind], threads) for _ in range(2))
    _same_bits(one, again)


@pytest.mark.parametrize(("pictures", "shares"), [(3, [3]), (15, [15]), (17, [9, 8])])
def test_a_thread_has_as_many_pictures_as_are_worth_it(
    pictures: int, shares: list[int]
) -> None:
    seen: list[int] = []

    def mean(share: Tensor) -> Tensor:
        seen.append(len(share))
        return share.mean(0)

    torch.set_num_threads(2)
    batch = torch.rand(pictures, 3)
    found = Shares(mean, []).evaluate(batch)
    assert sorted(seen, reverse=True) == shares
    torch.testing.assert_close(found, batch.mean(0).double(), check_dtype=False)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("kind", ["greedy stack", "classifier"])
def test_a_run_keeps_the_number_of_threads_it_was_made_with(
    kind: str, threads: int, tmp_path: Path
) -> None:
    torch.set_num_threads(threads)
    fitted = KINDS[kind]()
    fitted.save(tmp_path / "run")
    torch.set_num_threads(5)
    about = json.loads((tmp_path / "run" / "model.json").read_text())
    assert about["provenance"]["threads"] == str(threads)
    again = type(fitted).load(tmp_path / "run")
    assert again.provenance_["threads"] == str(threads)
