"""Training without labels: level by level, all at once, and what is on the way."""

import errno
import math
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from caes.data import ImageSet
from caes.data import load as load_images
from caes.data.labels.draws import split_rows
from caes.data.scaling import Scaling
from caes.errors import OutputError
from caes.estimators import CAE
from caes.nn.model import Model
from caes.nn.stack import OneLevel, Stack, autoencoder
from caes.train import pretrain as module
from caes.train.history import Epoch, History
from caes.train.loop import fabric_for, train
from caes.train.noise import Corruption
from caes.train.options import Options, Resolved
from caes.train.pretrain import Reconstruction, pretrain
from caes.train.progress import Progress
from tests.refusals import refusing

resource = pytest.importorskip("resource")  # limits of the operating system

ARCH = "3C3-MP2-4C3-MP2-5N"
PICTURE = (9, 10, 1)  # padded inside
N = 40
Weights = list[Tensor]


def _images(n: int = N) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (n, *PICTURE), np.uint8)
    return ImageSet.from_pixels(pixels)


def _options(**changes: Any) -> Resolved:
    usual: dict[str, Any] = {"arch": ARCH, "decoder": "tied", "schedule": "greedy"}
    usual |= {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "device": "cpu"}
    return Options(**usual | changes).resolved(PICTURE)


def _stack(options: Options) -> Stack:
    model = autoencoder(options.check(), PICTURE, 3)
    assert isinstance(model, Stack)
    return model


def _weights(stack: Stack) -> Weights:
    """All weights and biases of each level, flat."""
    return [
        torch.cat([p.detach().flatten() for p in level.parameters()])
        for level in stack.each
    ]


def _changed(before: Weights, after: Weights) -> list[bool]:
    return [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]


class Watching(Progress):
    """Keeps all levels' weights after each epoch."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack
        self.seen = [(0, _weights(stack))]

    def epoch(self, row: Epoch) -> None:
        self.seen.append((row.level, _weights(self.stack)))

    def changes(self) -> list[tuple[int, list[bool]]]:
        """Which level each epoch was of, and which levels it changed."""
        pairs = zip(self.seen, self.seen[1:], strict=False)
        return [(level, _changed(old, new)) for (_, old), (level, new) in pairs]


class Trained:
    """A stack, what its training did, and how it is now."""

    def __init__(
        self,
        *,
        fixed: int = 0,
        progress: Progress | None = None,
        stack: Stack | None = None,
        **changes: Any,
    ) -> None:
        options = _options(**changes)
        self.stack = stack or _stack(options)
        self.watching = Watching(self.stack)
        self.history = pretrain(
            self.stack,
            _images(),
            Scaling(0, 255),
            options,
            seed=7,
            fabric=fabric_for("cpu", "32-true"),
            progress=progress or self.watching,
            fixed=fixed,
        )
        self.weights = _weights(self.stack)
        self.rows = [(row.level, row.epoch) for row in self.history.rows]
        self.touched = _changed(self.watching.seen[0][1], self.weights)


ONLY = {1: [True, False, False], 2: [False, True, False], 3: [False, False, True]}


ONE_BY_ONE = [(n, ONLY[n]) for n in (1, 1, 2, 2, 3, 3)]
TOGETHER = (0, [True] * 3)


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"decoder": "tied"}, ONE_BY_ONE),
        ({"decoder": "untied"}, ONE_BY_ONE),
        ({"fixed": 2}, [(3, ONLY[3])] * 2),
        ({"schedule": "joint"}, [TOGETHER] * 2),
        ({"epochs": 1, "refine": 2}, [*ONE_BY_ONE[::2], TOGETHER, TOGETHER]),
    ],
    ids=["tied", "untied", "above fixed levels", "all at once", "refined"],
)
def test_what_does_not_learn_stays_to_the_bit(
    options: dict[str, Any], changes: list[tuple[int, list[bool]]]
) -> None:
    trained = Trained(**options)
    assert trained.watching.changes() == changes
    levels = [level for level, _ in changes]
    epochs = [levels[: at + 1].count(level) for at, level in enumerate(levels)]
    assert trained.rows == [*zip(levels, epochs, strict=True)]
    assert (trained.history.ended, trained.history.best_epoch) == ("complete", 2)
    assert not trained.stack.training


def test_all_at_once_learns_and_counts_right_pixels() -> None:
    first, last = Trained(schedule="joint").history.rows
    assert last.loss < first.loss
    assert last.accuracy is not None


def test_the_same_seed_gives_the_same_weights_to_the_bit() -> None:
    options: dict[str, Any] = {"noise": "masking:0.3", "refine": 1, "validation": 0.2}
    one, two = (Trained(**options) for _ in range(2))
    assert _changed(one.weights, two.weights) == [False] * 3
    assert one.touched == [True] * 3


# ------------------------------------------------------------------- level by level


class Recorded:
    """What each training was given, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings: list[Any] = []
        self.objectives: list[Reconstruction] = []

        def noted(
            objective: Any, batches: Any, watched: Any, settings: Any, **rest: Any
        ) -> History:
            self.settings.append(settings)
            self.objectives.append(objective)
            return train(objective, batches, watched, settings, **rest)

        monkeypatch.setattr(module, "train", noted)


def test_values_given_level_by_level_are_used_level_by_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = Recorded(monkeypatch)
    trained = Trained(
        epochs=(3, 2, 1),
        learning_rate=(0.01, 0.02, 0.03),
        noise="masking:0.5,none,gaussian:0.1",
        refine=1,
        optimizer="sgd",
        decay="one-cycle",
    )
    assert Counter(level for level, _ in trained.rows) == {1: 3, 2: 2, 3: 1, 0: 1}
    assert [s.epochs for s in recorded.settings] == [3, 2, 1, 1]
    assert [s.learning_rate for s in recorded.settings] == [0.01, 0.02, 0.03, 0.01]
    assert [s.level for s in recorded.settings] == [1, 2, 3, 0]
    assert {(s.decay, s.optimizer) for s in recorded.settings} == {("one-cycle", "sgd")}
    noises = [objective.noise for objective in recorded.objectives]
    masking, gaussian = Corruption("masking", 0.5), Corruption("gaussian", 0.1)
    assert noises == [masking, None, gaussian, masking]


def test_one_value_holds_for_all_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(monkeypatch)
    Trained(epochs=1, noise="masking:0.3")
    assert [s.epochs for s in recorded.settings] == [1, 1, 1]
    assert [s.learning_rate for s in recorded.settings] == [0.01] * 3
    assert [o.noise for o in recorded.objectives] == [Corruption("masking", 0.3)] * 3
    draws = [o.generator.initial_seed() for o in recorded.objectives]
    assert len({*draws}) == 3  # not the same places hit again above


def _compared(
    monkeypatch: pytest.MonkeyPatch,
) -> list[tuple[Model, bool, Tensor, Tensor]]:
    """Note each comparison: the model, whether it learns, inputs and targets."""
    seen: list[tuple[Model, bool, Tensor, Tensor]] = []
    whole = OneLevel.compare

    def noted(self: OneLevel, inputs: Tensor, targets: Tensor, loss: str) -> Tensor:
        learning = torch.is_grad_enabled()
        seen.append((self, learning, inputs.detach().clone(), targets.clone()))
        return whole(self, inputs, targets, loss)

    monkeypatch.setattr(OneLevel, "compare", noted)
    return seen


@pytest.mark.usefixtures("one_thread")
def test_noise_hits_what_comes_into_each_level_and_the_target_stays_clean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = _compared(monkeypatch)
    options: dict[str, Any] = {"validation": 0.25, "activation": "tanh"}
    stack = Trained(epochs=1, noise="masking:0.4", **options).stack
    clean: Tensor = torch.from_numpy(_images().pixels / np.float32(255))
    for index, level in enumerate(stack.each):
        known = {row.numpy().tobytes() for row in clean}
        shares = []
        for model, learning, inputs, targets in seen:
            if model.level is not level:
                continue
            assert {row.numpy().tobytes() for row in targets} <= known
            hit = inputs != targets
            assert not inputs[hit].any()
            assert bool(hit.any()) == learning
            shares += [float(hit.float().mean())] * learning
        assert np.mean(shares) == pytest.approx(0.4, abs=0.05)
        with torch.inference_mode():
            clean = OneLevel(stack, index).encode(clean)


def test_the_objective_is_the_denoising_auto_encoder_s() -> None:
    """Equations 1 and 2 of the paper, and its loss, with 30 % of x erased."""
    options = _options(arch="6N", activation="tanh", loss="mse", epochs=1)
    stack = _stack(options)
    pictures = torch.from_numpy(_images(5).pixels / np.float32(255))
    noise = Corruption("masking", 0.3)
    compare = partial(stack.compare, loss="mse")
    found = Reconstruction(stack, compare, noise, seed=4)(pictures)
    corrupted = noise(pictures, torch.Generator().manual_seed(4))
    assert 0 < (corrupted == 0).sum() < corrupted.numel()
    weight = stack.each[0].weight.detach().double().numpy()
    x, y = corrupted.double().flatten(1).numpy(), pictures.double().flatten(1).numpy()
    h = np.tanh(x @ weight.T)
    expected = ((np.tanh(h @ weight) - y) ** 2).mean()
    np.testing.assert_allclose(found[:2].detach(), [expected] * 2, rtol=1e-5)
    with torch.no_grad():  # watched without noise
        quiet = Reconstruction(stack, compare, noise, seed=4)(pictures)
    expected = ((np.tanh(np.tanh(y @ weight.T) @ weight) - y) ** 2).mean()
    np.testing.assert_allclose(quiet[:2], [expected] * 2, rtol=1e-5)


def test_the_lowest_level_has_the_chosen_loss_and_those_above_squared_errors() -> None:
    trained = Trained(loss="bce", validation=0.25)
    _, watch = split_rows(N, 0.25, np.random.default_rng(7))
    entering = torch.from_numpy(_images().pixels[watch] / np.float32(255))
    wanted = []
    with torch.no_grad():
        for index in range(3):
            level = OneLevel(trained.stack, index)
            compare = F.mse_loss if index else F.binary_cross_entropy_with_logits
            wanted.append(float(compare(level.raw(entering), entering)))
            entering = level.encode(entering)
    last = [row for row in trained.history.rows if row.epoch == 2]
    assert [row.validation_loss for row in last] == pytest.approx(wanted, rel=1e-4)
    assert [row.accuracy is None for row in last] == [False, True, True]


@pytest.mark.usefixtures("one_thread")
def test_all_levels_are_watched_on_the_same_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = _compared(monkeypatch)
    Trained(epochs=1, validation=0.25)
    counts = Counter((type(m), learns, len(i)) for m, learns, i, _ in seen)
    batches = [(True, 16), (True, 14), (False, 10)]
    assert counts == {(OneLevel, *batch): 3 for batch in batches}
    learn, watch = split_rows(N, 0.25, np.random.default_rng(7))
    assert sorted([*learn, *watch]) == [*range(N)]
    pictures = _images().pixels / np.float32(255)
    watched = next(i for _, learns, i, _ in seen if not learns)
    np.testing.assert_array_equal(watched, pictures[watch])
    first, second = (i for _, learns, i, _ in seen[:2] if learns)
    met = {row.numpy().tobytes() for row in torch.cat([first, second])}
    assert met == {row.tobytes() for row in pictures[learn]}


def test_a_level_that_stops_early_makes_room_for_the_next() -> None:
    watched: dict[str, Any] = {"patience": 1, "validation": 0.25}
    trained = Trained(epochs=30, learning_rate=0.5, refine=1, **watched)
    counts = Counter(level for level, _ in trained.rows)
    assert {*counts} == {1, 2, 3, 0}
    assert min(counts[n] for n in (1, 2, 3)) < 30
    assert trained.history.ended == "complete"


# -------------------------------------------------------------- codes, once a level


def _codes_of(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note the codes that the levels hand up."""
    kept: list[Any] = []
    whole = module._codes

    def noted(*given: Any) -> Any:
        kept.append(whole(*given))
        return kept[-1]

    monkeypatch.setattr(module, "_codes", noted)
    return kept


def test_each_picture_s_code_is_computed_once_a_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded: Counter[int] = Counter()
    whole = OneLevel.encode
    stack = _stack(_options())

    def counted(self: OneLevel, pictures: Tensor) -> Tensor:
        at = [each is self.level for each in stack.each].index(True)
        encoded[at] += len(pictures)
        return whole(self, pictures)

    monkeypatch.setattr(OneLevel, "encode", counted)
    monkeypatch.setattr(module, "AT_ONCE", 16)
    Trained(stack=stack, epochs=3, validation=0.2, refine=1)
    assert encoded == {0: N, 1: N}  # nobody learns from the top one


def test_the_next_level_learns_from_the_codes_as_the_stack_gives_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = _codes_of(monkeypatch)
    stack = Trained().stack
    codes = torch.from_numpy(_images().pixels / np.float32(255))
    assert len(kept) == 2
    for index, found in enumerate(kept):
        assert isinstance(found, np.ndarray)
        assert found.dtype == np.float32
        with torch.no_grad():
            codes = OneLevel(stack, index).encode(codes)
        np.testing.assert_allclose(found, codes, rtol=1e-5, atol=1e-6)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("reserves", [True, False])
def test_codes_on_disk_give_the_same_weights_and_leave_no_file(
    cache: Path, monkeypatch: pytest.MonkeyPatch, reserves: bool
) -> None:
    kept = _codes_of(monkeypatch)
    in_memory = Trained(validation=0.2)
    assert not cache.exists()
    monkeypatch.setattr(module, "IN_MEMORY", 0)
    if not reserves:  # as on systems without the call
        monkeypatch.delattr(os, "posix_fallocate")
    on_disk = Trained(validation=0.2)
    assert _changed(in_memory.weights, on_disk.weights) == [False] * 3
    assert [isinstance(each, np.memmap) for each in kept] == [False, False, True, True]
    assert [*cache.iterdir()] == []


def test_codes_go_to_disk_when_they_pass_what_memory_may_hold(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = _codes_of(monkeypatch)
    first, second = N * 6 * 6 * 3 * 4, N * 3 * 3 * 4 * 4  # 9×10 is 12×12 inside
    monkeypatch.setattr(module, "IN_MEMORY", first - 1)
    Trained(epochs=1)
    assert [each.nbytes for each in kept] == [first, second]
    assert [isinstance(each, np.memmap) for each in kept] == [True, False]


@contextmanager
def _files_up_to(size: int) -> Iterator[None]:
    """Let the operating system refuse larger files."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("reserves", [True, False])
def test_codes_that_find_no_room_end_the_training_in_one_line(
    cache: Path, monkeypatch: pytest.MonkeyPatch, reserves: bool
) -> None:
    monkeypatch.setattr(module, "IN_MEMORY", 0)
    if not reserves:
        monkeypatch.delattr(os, "posix_fallocate")
    message = f"{cache}: received a file-size limit; allowed: a place that can be written. Raise the limit, or choose another folder."
    with _files_up_to(1000), refusing(OutputError, message):
        Trained(epochs=1)
    assert [*cache.iterdir()] == []


def test_a_full_disk_is_said_before_anything_is_mapped(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "IN_MEMORY", 0)
    monkeypatch.setattr(os, "posix_fallocate", full)
    message = f"{cache}: received a full disk; allowed: a place that can be written. Free some space, or choose another folder."
    with refusing(OutputError, message):
        Trained(epochs=1)


# ------------------------------------------------------------- what ends a training


class Pressing(Progress):
    """Presses Ctrl-C at a batch of a level, while learning or while watching."""

    def __init__(self, level: int, batch: int, *, learning: bool = True) -> None:
        super().__init__()
        self.at, self.left, self.learning = level, batch, learning
        self.level = 0

    def start(
        self, epochs: int, batches: int, level: int = 0, minutes: float = math.inf
    ) -> None:
        self.level = level

    def batch(self, learning: bool, n: int, total: Tensor, seen: int) -> None:
        if (self.level, learning) == (self.at, self.learning):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("level", "batch", "levels", "touched"),
    [
        (1, 2, [], [True, False, False]),
        (1, 5, [1], [True, False, False]),
        (2, 4, [1, 1, 2], [True, True, False]),
        (3, 6, [1, 1, 2, 2, 3], [True, True, True]),
    ],
)
def test_ctrl_c_leaves_the_levels_above_as_they_were(
    level: int, batch: int, levels: list[int], touched: list[bool]
) -> None:
    trained = Trained(refine=2, progress=Pressing(level, batch))
    assert trained.history.ended == "interrupted"
    assert [level for level, _ in trained.rows] == levels
    assert trained.touched == touched
    assert not trained.stack.training


def test_ctrl_c_in_a_level_s_last_validation_ends_all_of_it() -> None:
    pressing = Pressing(1, 3, learning=False)  # of two batches an epoch
    trained = Trained(validation=0.5, refine=2, progress=pressing)
    assert trained.history.ended == "interrupted"
    assert trained.rows == [(1, 1), (1, 2)]
    lost = [row.validation_loss is None for row in trained.history.rows]
    assert lost == [False, True]
    assert trained.touched == [True, False, False]


def test_ctrl_c_while_codes_are_computed_keeps_what_was_learnt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = OneLevel.encode

    def pressing(self: OneLevel, pictures: Tensor) -> Tensor:
        os.kill(os.getpid(), signal.SIGINT)
        return whole(self, pictures)

    monkeypatch.setattr(OneLevel, "encode", pressing)
    handler = signal.getsignal(signal.SIGINT)
    trained = Trained(refine=2)
    assert trained.history.ended == "interrupted"
    assert trained.rows == [(1, 1), (1, 2)]
    assert trained.touched == [True, False, False]
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_level_that_diverges_ends_the_training_below_the_next() -> None:
    trained = Trained(learning_rate=(0.01, 1e30, 0.01), epochs=5, refine=1)
    assert trained.history.ended == "diverged"
    assert {level for level, _ in trained.rows} == {1, 2}
    assert trained.touched[2] is False
    assert all(level.isfinite().all() for level in trained.weights)


# ------------------------------------------------------------------------ real digits


def test_a_stack_trained_level_by_level_reconstructs_digits_it_has_not_seen() -> None:
    """The paper's form in small; the mean digit is its baseline.

    Measured: 0.0102 against 0.0665 on 1,000 others, after 3 epochs a level.
    """
    images = load_images("digits")
    shuffled = np.random.default_rng(0).permutation(len(images))
    learn, others = images[shuffled[:1000]], images[shuffled[-1000:]]
    cae = CAE(
        "8C5-MP2-12C5-MP2",
        decoder="tied",
        schedule="greedy",
        padding="valid",
        activation="tanh",
        loss="mse",
        epochs=3,
        batch_size=32,
        learning_rate=0.01,
        random_state=0,
        device="cpu",
    ).fit(learn)
    mean = cae.to_unit(learn).mean(0)
    baseline = float(((cae.to_unit(others) - mean) ** 2).mean())
    assert -cae.score(others) < baseline / 5
    first, *_, last = [row.loss for row in cae.history_.rows if row.level == 2]
    assert last < first / 2
