import itertools
import math
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from caes.data import ImageSet
from caes.data.scaling import Scaling
from caes.train.batches import Batches
from caes.train.history import Epoch, History
from caes.train.loop import RISE, Passes, Settings, fabric_for, train
from caes.train.options import DecayName
from caes.train.progress import (
    Bar,
    Lines,
    Progress,
    describe,
    progress,
    telling,
)


class Level(nn.Module):
    """The simplest objective: one number that should be the pictures' mean."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(start))
        self.batches: list[Tensor] = []

    def forward(self, pictures: Tensor) -> Tensor:
        self.batches.append(pictures.detach().clone())
        loss = (pictures - self.value).square().mean()
        return torch.stack([loss, loss.detach(), loss.detach()])


def _batches(n: int, size: int, top: int = 255, **order: Any) -> Batches:
    """Pictures of one pixel each: 0, 1, 2 and so on, of ``top``."""
    images = ImageSet.from_pixels(np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1))
    return Batches(images, Scaling(0, top), size, **order)


def _white(size: int) -> Batches:
    white = ImageSet.from_pixels(np.full((4, 1, 1, 1), 255, np.uint8))
    return Batches(white, Scaling(0, 255), size)


def _train(
    objective: nn.Module,
    batches: Passes,
    watched: Batches | None = None,
    *,
    progress: Progress | None = None,
    **settings: Any,
) -> History:
    return train(
        objective,
        batches,
        watched,
        Settings(**settings),
        fabric=fabric_for("cpu", "32-true"),
        progress=progress or Progress(),
    )


def test_every_epoch_meets_every_picture_once_in_a_new_order() -> None:
    objective = Level()
    batches = _batches(10, 4, shuffle=np.random.default_rng(3))
    history = _train(objective, batches, epochs=2)
    assert [len(batch) for batch in objective.batches] == [4, 4, 2] * 2
    met = [round(255 * float(v)) for b in objective.batches for v in b.flatten()]
    assert sorted(met[:10]) == sorted(met[10:]) == list(range(10))
    assert met[:10] != met[10:]
    assert [row.epoch for row in history.rows] == [1, 2]
    assert history.ended == "complete"
    assert history.best_epoch == 2


def test_the_epoch_s_loss_is_the_mean_over_pictures_not_batches() -> None:
    batches = _batches(5, 3, top=1)
    row = _train(Level(), batches, epochs=1, learning_rate=1e-12).rows[0]
    mean = np.mean(np.arange(5.0) ** 2)
    assert row.loss == pytest.approx(mean, rel=1e-6)
    assert row.psnr == pytest.approx(-10 * math.log10(mean), rel=1e-6)
    assert row.validation_loss is None
    assert row.images_per_second > 0


QUARTERS = (0, 0.25, 0.5, 0.75)
LINEAR: dict[str, Any] = {"epochs": 2, "learning_rate": 0.1, "decay": "linear"}


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("constant", [0.1, 0.1, 0.1, 0.1]),
        ("linear", [0.1, 0.075, 0.05, 0.025]),
        ("cosine", [0.1 * (1 + math.cos(math.pi * p)) / 2 for p in QUARTERS]),
        (
            "one-cycle",
            [
                0.1 * 0.01 / 0.11,
                *(0.05 * (1 + math.cos(math.pi * p / 0.9)) for p in (0.15, 0.4, 0.65)),
            ],
        ),
    ],
)
def test_the_learning_rate_falls_as_told(decay: str, expected: list[float]) -> None:
    settings = Settings(epochs=2, learning_rate=0.1, decay=decay)  # type: ignore[arg-type]
    assert [settings.rate(p) for p in QUARTERS] == pytest.approx(expected)


def test_one_cycle_rises_for_a_tenth_of_the_time_and_falls_to_nothing() -> None:
    settings = Settings(epochs=1, learning_rate=0.1, decay="one-cycle")
    rates = [settings.rate(step / 1000) for step in range(1001)]
    top = round(1000 * RISE)
    assert top == 100
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[top] == pytest.approx(0.1)
    assert rates[1000] == pytest.approx(0, abs=1e-12)


@given(st.sampled_from(["constant", "linear", "cosine", "one-cycle"]), st.floats(0, 1))
def test_no_rate_is_above_the_given_one_or_below_0(
    decay: DecayName, progress: float
) -> None:
    assert 0 <= Settings(1, 0.3, decay).rate(progress) <= 0.3


def test_the_loop_takes_the_rate_from_its_place_in_the_whole_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []

    def rate(self: Settings, progress: float) -> float:
        asked.append(progress)
        return 0.1

    monkeypatch.setattr(Settings, "rate", rate)
    _train(Level(), _batches(4, 2), epochs=2)
    assert asked == [0, 0.25, 0.5, 0.75]


class Stuck(Level):
    """Learns, while its loss on what is watched stays the same."""

    def forward(self, pictures: Tensor) -> Tensor:
        figures = super().forward(pictures)
        return figures if torch.is_grad_enabled() else torch.ones(3)


@pytest.mark.parametrize(("kind", "first"), [(Level, 0.01), (Stuck, 1.0)])
def test_early_stopping_restores_the_first_of_the_best_weights(
    kind: type[Level], first: float
) -> None:
    """The validation picture is 0: every step towards the training one is worse."""
    objective = kind(start=0.0)
    settings: dict[str, Any] = {"epochs": 50, "learning_rate": 0.1, "patience": 3}
    history = _train(objective, _white(4), _batches(1, 1), **settings)
    assert (history.ended, history.best_epoch, len(history.rows)) == ("early", 1, 4)
    assert objective.value.item() == pytest.approx(0.1, abs=1e-3)
    assert history.rows[0].validation_loss == pytest.approx(first, abs=1e-4)


def test_a_diverged_training_stops_and_keeps_no_weights_that_are_no_numbers() -> None:
    history = _train(Level(start=math.nan), _batches(4, 2), epochs=9)
    assert (history.ended, len(history.rows)) == ("diverged", 1)
    objective = Level(start=1.0)
    history = _train(objective, _batches(4, 4), epochs=9, learning_rate=1e30)
    assert history.ended == "diverged"
    assert history.best_epoch == len(history.rows) - 1
    assert math.isfinite(objective.value.item())


class Interrupting(Progress):
    """Presses Ctrl-C in the middle of an epoch."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def batch(self, learning: bool, n: int, total: Tensor, seen: int) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_ends_after_the_step_and_keeps_what_was_learnt() -> None:
    objective = Level(start=5.0)
    before = signal.getsignal(signal.SIGINT)
    settings: dict[str, Any] = {"epochs": 100, "learning_rate": 0.1}
    settings["progress"] = Interrupting(after=6)
    history = _train(objective, _batches(8, 2), **settings)
    assert history.ended == "interrupted"
    assert len(history.rows) == history.best_epoch == 1
    assert len(objective.batches) == 6
    assert objective.value.item() == pytest.approx(5 - 6 * 0.1, abs=1e-2)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_while_watching_keeps_the_epoch_but_no_half_watched_loss() -> None:
    objective = Level(start=5.0)
    settings: dict[str, Any] = {"epochs": 3, "learning_rate": 0.1, "patience": 5}
    # Of 2 batches learnt from and 4 watched an epoch: in the second one's watching.
    pressing = Interrupting(after=9)
    settings["progress"] = pressing
    history = _train(objective, _batches(8, 4), _batches(8, 2), **settings)
    assert history.ended == "interrupted"
    assert [row.validation_loss is None for row in history.rows] == [False, True]
    assert len(objective.batches) == 9
    assert history.best_epoch == 1
    assert objective.value.item() == pytest.approx(5 - 2 * 0.1, abs=1e-2)


def test_ctrl_c_in_the_last_epoch_s_watching_is_not_forgotten() -> None:
    batches = _batches(4, 2)
    pressing = Interrupting(after=4)
    history = _train(Level(), batches, batches, epochs=1, progress=pressing)
    assert history.ended == "interrupted"
    assert len(history.rows) == 1


class Layered(nn.Module):
    """Weights, biases and a normalisation, in a loss that pulls at all of them."""

    def __init__(self, pull: float = 1.0) -> None:
        super().__init__()
        self.dense = nn.Linear(1, 3)
        self.norm = nn.BatchNorm1d(3)
        self.fixed = nn.Parameter(torch.ones(2, 2), requires_grad=False)
        self.pull = pull
        self.before: list[list[Tensor]] = []
        self.modes: list[tuple[bool, bool]] = []
        for parameter in self.dense.parameters():
            nn.init.constant_(parameter, 0.5)

    def forward(self, pictures: Tensor) -> Tensor:
        self.before.append([p.detach().clone() for p in self.parameters()])
        self.modes.append((self.training, torch.is_grad_enabled()))
        found = self.norm(self.dense(pictures.flatten(1)))
        loss = self.pull * (found + self.dense.weight.sum()).square().mean()
        return torch.stack([loss, loss.detach(), loss.detach()])


def test_weight_decay_shrinks_weights_by_the_rate_and_nothing_else() -> None:
    objective = Layered(pull=0.0)  # no gradient: Adam itself does not move
    _train(objective, _batches(6, 2), epochs=2, learning_rate=0.1, weight_decay=0.5)
    shrunk = torch.full((3, 1), 0.5 * (1 - 0.1 * 0.5) ** 6)
    torch.testing.assert_close(objective.dense.weight.detach(), shrunk)
    assert torch.equal(objective.dense.bias.detach(), torch.full((3,), 0.5))
    assert torch.equal(objective.norm.weight.detach(), torch.ones(3))
    assert torch.equal(objective.fixed, torch.ones(2, 2))
    objective = Layered(pull=0.0)
    _train(objective, _batches(4, 2), **LINEAR, weight_decay=0.5)
    kept = math.prod(1 - 0.1 * (1 - p) * 0.5 for p in QUARTERS)
    assert objective.dense.weight[0, 0].item() == pytest.approx(0.5 * kept)


@pytest.mark.parametrize("weight_decay", [0.0, 0.25])
def test_plain_descent_goes_against_the_gradient_by_the_rate(
    weight_decay: float,
) -> None:
    objective = Layered()
    settings = LINEAR | {"weight_decay": weight_decay, "optimizer": "sgd"}
    _train(objective, _batches(4, 2), **settings)
    expected = Layered()
    pictures = _batches(4, 2)
    rates = iter(0.1 * (1 - progress) for progress in QUARTERS)
    for _ in range(2):
        for (batch,) in pictures:
            learnt = [p for p in expected.parameters() if p.requires_grad]
            slopes = torch.autograd.grad(expected(batch)[0], learnt)
            rate = next(rates)
            with torch.no_grad():
                for weight, slope in zip(learnt, slopes, strict=True):
                    if weight.ndim > 1:
                        slope = slope + weight_decay * weight
                    weight.sub_(rate * slope)
    torch.testing.assert_close(objective.state_dict(), expected.state_dict())


SLOPES = torch.tensor(
    [
        [1e-7, -3e-8, 4e-7, 1e-6, 1e-8],
        [2e-7, 5e-8, -1e-7, 1e-8, 1e-7],
        [-4e-7, 1e-7, 1e-7, 3e-7, 2e-8],
        [1e-8, 1e-8, 5e-7, 0, 1e-7],
        [1e-7, -2e-7, -3e-7, 1e-9, 5e-8],
    ],
    dtype=torch.float64,
)
"""Gradients, step by step, beside which Adam's ε counts."""


class Sloping(nn.Module):
    """Has the gradients it is told, and keeps what each step makes of them."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 5, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(5, dtype=dtype))
        self.seen: list[Tensor] = []

    def forward(self, pictures: Tensor) -> Tensor:
        slopes = SLOPES[len(self.seen)].to(self.bias.dtype)
        self.seen.append(torch.stack([self.weight.detach()[0], self.bias.detach()]))
        loss = (slopes * (self.weight + self.bias)).sum()
        return torch.stack([loss, loss.detach(), loss.detach()])


def _adam(rates: Iterable[float]) -> Tensor:
    """Descend along the slopes in 64 bits by Keras's Adam, written out."""
    mean, square, place = torch.zeros(3, 5, dtype=torch.float64)
    places = []
    for step, (slope, rate) in enumerate(zip(SLOPES, rates, strict=True), 1):
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        corrected = rate * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        place = place - corrected * mean / (square.sqrt() + 1e-7)
        places.append(place)
    return torch.stack(places)


def _after_each_step(objective: Sloping, decay: DecayName = "constant") -> Tensor:
    """Train for five steps; give 5×2×5, the weights and the biases."""
    _train(objective, _batches(5, 1), epochs=1, learning_rate=1e-3, decay=decay)
    last = torch.stack([objective.weight.detach()[0], objective.bias.detach()])
    return torch.stack([*objective.seen[1:], last])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("decay", ["constant", "linear"])
def test_adam_adds_epsilon_before_the_bias_correction(
    decay: DecayName, dtype: torch.dtype
) -> None:
    found = _after_each_step(Sloping(dtype), decay).double()
    falls = [1 - step / 5 for step in range(5)] if decay == "linear" else [1.0] * 5
    wanted = _adam(1e-3 * fall for fall in falls)
    for mine in found.unbind(1):
        torch.testing.assert_close(mine, wanted, rtol=1e-6, atol=0)


def test_adam_is_keras_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 64 bits: in 32, Keras's bias correction itself is 7e-6 off."""
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    theirs = keras.Variable(np.zeros(5), dtype="float64")
    adam = keras.optimizers.Adam(1e-3)
    found = _after_each_step(Sloping(torch.float64))
    for slope, mine in zip(SLOPES, found, strict=True):
        adam.apply([slope], [theirs])
        wanted = theirs.value.detach().expand(2, 5)
        torch.testing.assert_close(mine, wanted, rtol=1e-6, atol=0)


def test_the_objective_learns_in_training_mode_and_is_watched_in_evaluation() -> None:
    objective = Layered()
    batches = _batches(4, 2)
    _train(objective, batches, batches, epochs=2)
    assert objective.modes == ([(True, True)] * 2 + [(False, False)] * 2) * 2
    assert not objective.training


def _averages(weights: list[list[Tensor]], keep: float) -> list[list[Tensor]]:
    """The running average after each step: a plain mean until it is long enough."""
    found: list[list[Tensor]] = []
    for step, now in enumerate(weights, 1):
        share = min(keep, 1 - 1 / step)
        last = found[-1] if found else now
        found.append(
            [share * a + (1 - share) * b for a, b in zip(last, now, strict=True)]
        )
    return found


@pytest.mark.parametrize("keep", [0.4, 0.75, 0.999])
def test_the_average_of_all_weights_is_watched_and_kept(keep: float) -> None:
    """Three steps an epoch, one batch watched: its weights, and the final ones."""
    plain, averaged = Layered(), Layered()
    settings: dict[str, Any] = {"epochs": 3, "learning_rate": 0.1}
    for objective, average in ((plain, 0.0), (averaged, keep)):
        given = settings | {"average": average}
        _train(objective, _batches(6, 2), _batches(1, 1), **given)

    def steps(objective: Layered) -> list[list[Tensor]]:
        passes = zip(objective.before, objective.modes, strict=True)
        return [weights for weights, (learning, _) in passes if learning]

    for mine, theirs in zip(steps(averaged), steps(plain), strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert torch.equal(a, b)  # learning itself goes on from the plain ones
    after = [*steps(plain)[1:], [p.detach() for p in plain.parameters()]]
    expected = _averages(after, keep)
    seen = [averaged.before[index] for index in (3, 7, 11)]
    kept = [p.detach() for p in averaged.parameters()]
    wanted = [expected[2], expected[5], expected[8], expected[8]]
    for mine, theirs in zip([*seen, kept], wanted, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b)
    statistics = (averaged.norm.running_mean, plain.norm.running_mean)
    assert torch.equal(*statistics)  # type: ignore[arg-type]


def test_with_patience_the_best_epoch_s_average_is_restored() -> None:
    """Black is watched and white learnt from: the first epoch is the best."""
    objective = Level(start=0.0)
    settings: dict[str, Any] = {"epochs": 9, "patience": 2, "average": 0.9}
    settings["learning_rate"] = 0.1
    history = _train(objective, _white(2), _batches(1, 1), **settings)
    assert history.best_epoch == 1
    # Two steps of 0.1 each: the mean of 0.1 and 0.2.
    assert objective.value.item() == pytest.approx(0.15, abs=1e-3)
    first = history.rows[0].validation_loss
    assert first == pytest.approx(0.15**2, abs=1e-3)


class Breaking(Level):
    """Gives no number from a step on."""

    def forward(self, pictures: Tensor) -> Tensor:
        figures = super().forward(pictures)
        return figures * (math.nan if len(self.batches) > 4 else 1)


def test_after_a_loss_that_is_no_number_the_average_before_that_epoch_is_kept() -> None:
    objective = Breaking(start=5.0)
    settings: dict[str, Any] = {"epochs": 9, "learning_rate": 0.1, "average": 0.99}
    history = _train(objective, _batches(4, 2), **settings)
    assert history.ended == "diverged"
    assert len(history.rows) == 3
    assert history.best_epoch == 2
    # Four steps of 0.1 down from 5: the mean of 4.9, 4.8, 4.7 and 4.6.
    assert objective.value.item() == pytest.approx(4.75, abs=1e-2)


def test_a_row_names_the_level_that_was_trained() -> None:
    batches = _batches(4, 2)
    told: list[int] = []

    class Listening(Progress):
        def start(
            self, epochs: int, batches: int, level: int = 0, minutes: float = math.inf
        ) -> None:
            told.append(level)

    history = _train(Level(), batches, epochs=2, level=3, progress=Listening())
    assert [row.level for row in history.rows] == [3, 3]
    assert told == [3]
    assert _train(Level(), batches, epochs=1).rows[0].level == 0


class Figures(nn.Module):
    """Gives figures as told."""

    def __init__(self, square: float, accuracy: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(1.0))
        self.figures = torch.tensor([square, accuracy])

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.cat([self.value.square()[None], self.figures])


@pytest.mark.parametrize(
    ("square", "accuracy", "psnr", "counted"),
    [
        (0.01, 0.25, 20.0, 0.25),
        (math.nan, 0.25, None, 0.25),
        (0.001, math.nan, 30.0, None),
        (math.nan, math.nan, None, None),
        (0.0, 0.0, math.inf, 0.0),
    ],
)
def test_where_there_is_nothing_to_tell_the_row_has_none(
    square: float, accuracy: float, psnr: float | None, counted: float | None
) -> None:
    row = _train(Figures(square, accuracy), _batches(4, 2), epochs=1).rows[0]
    assert row.psnr == pytest.approx(psnr) if psnr is not None else row.psnr is None
    assert row.accuracy == counted
    line = describe(row, 1)
    assert ("PSNR" in line) == (psnr is not None)
    assert ("accuracy" in line) == (counted is not None)


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (Epoch(3, 0.12345, 0.2, 0.5, 12.3, 4.56, 7890.1), "epoch 3/5  loss 0.1235  validation 0.2000  accuracy 0.5000  PSNR 12.30 dB  4.6 s  7,890 images/s"),
        (Epoch(1, 0.5, None, None, 30.0, 2.0, 100.0, level=2), "level 2  epoch 1/5  loss 0.5000  PSNR 30.00 dB  2.0 s  100 images/s"),
        (Epoch(3, 0.5, None, None, 30.0, 2.0, 100.0, steps=1200), "step 1,200  loss 0.5000  PSNR 30.00 dB  2.0 s  100 images/s"),
        (Epoch(1, 0.5, None, None, 30.0, 2.0, 100.0, waiting=0.034), "epoch 1/5  loss 0.5000  PSNR 30.00 dB  2.0 s  100 images/s  waiting 3 %"),
    ],
    ids=["all figures", "a level of a stack", "steps", "the share of time spent waiting"],
)  # fmt: skip
def test_where_there_is_no_terminal_an_epoch_is_a_plain_line(
    row: Epoch, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines()
    lines.start(5, 100)
    lines.epoch(row)
    assert capsys.readouterr().err == f"{line}\n"


class SlowToCome:
    """Batches that keep one waiting."""

    pictures = 4

    def __len__(self) -> int:
        return 4

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        for _ in range(4):
            time.sleep(0.05)
            yield (torch.ones(1, 1, 1, 1),)


def test_the_share_of_an_epoch_spent_waiting_for_pictures_is_measured() -> None:
    row = _train(Level(), SlowToCome(), epochs=1).rows[0]
    assert row.waiting is not None
    learnt = SlowToCome.pictures / row.images_per_second
    assert 4 * 0.05 <= row.waiting * learnt <= learnt
    quick = _train(Level(), _batches(5, 3, top=1), epochs=1)
    assert quick.rows[0].waiting is not None
    assert 0 < quick.rows[0].waiting < 1


def test_the_bar_shows_loss_speed_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    bar = Bar()
    bar.start(2, 2)
    with bar:
        bar.batch(True, 64, torch.tensor([64 * 0.25, 0, 0]), 64)
    said = capsys.readouterr().err
    assert all(
        each in said for each in ("epoch 1/2", "loss 0.2500", "images/s", "left")
    )


@pytest.mark.parametrize("make", [Progress, Lines])
def test_every_kind_of_progress_can_follow_a_training(
    make: Callable[[], Progress], capsys: pytest.CaptureFixture[str]
) -> None:
    batches = _batches(4, 2)
    _train(Level(), batches, batches, epochs=2, progress=make())
    assert capsys.readouterr().err.count("epoch") == (2 if make is Lines else 0)


def test_the_time_left_is_that_of_everything_still_to_come(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("caes.train.progress.time.perf_counter", lambda: clock[0])
    row = Epoch(1, 0.5, None, None, None, 10.0, 100.0)
    lines = Lines()
    lines.start(4, 1)
    with lines:
        clock[0] += 10
        lines.epoch(row)  # three more of ten seconds
        lines.expect(2)  # and two of the next level
        lines.epoch(row)
        lines.expect(2, control=60)
        lines.epoch(row)
    lines.start(10**9, 1, minutes=2)
    with lines:
        clock[0] += 30
        lines.expect(control=45)
        lines.epoch(row)
        lines.expect(control=0)
        clock[0] += 120  # the last stretch ends when it does
        lines.epoch(row)
    said = capsys.readouterr().err.splitlines()
    assert [line.rpartition("images/s  ")[2] for line in said] == [
        "0:30 left",
        "0:50 left",
        "at most 1:50 left",
        "at most 2:15 left",
        "at most 0:00 left",
    ]


def test_trainings_within_one_telling_share_what_they_know() -> None:
    with telling(verbose=False) as outer:
        outer.expect(control=9)
        with telling(verbose=True) as inner:
            assert inner is outer
        assert progress(verbose=True) is outer
    assert progress(verbose=False) is not outer


# ------------------------------------------------------- counted in steps, open-ended


def test_stretches_go_on_among_the_pictures_where_the_last_one_ended() -> None:
    objective = Level()
    batches = _batches(5, 2, shuffle=np.random.default_rng(3), stretch=3)
    assert (len(batches), batches.pictures) == (3, 6)
    _train(objective, batches, epochs=5)
    met = [round(255 * float(v)) for b in objective.batches for v in b.flatten()]
    assert [len(batch) for batch in objective.batches] == [2] * 15
    passes = [met[at : at + 5] for at in range(0, 30, 5)]
    assert all(sorted(each) == list(range(5)) for each in passes)
    assert len({*map(tuple, passes)}) > 1


def test_the_rate_falls_when_nothing_gets_better_and_then_the_end_comes() -> None:
    """Every step towards the training picture is one away from the watched one."""
    seen: list[float] = []

    class Noting(Level):
        def forward(self, pictures: Tensor) -> Tensor:
            seen.append(self.value.item())
            return super().forward(pictures)

    batches = _white(4)
    black = _batches(1, 1)
    told: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.01}
    history = _train(
        objective := Noting(),
        batches,
        black,
        **told,
        epochs=99,
        patience=2,
        falls=2,
        counted=True,
    )
    assert history.ended == "early"
    assert len(history.rows) == 6  # two at each of three rates
    assert [row.steps for row in history.rows] == [1, 2, 3, 4, 5, 6]
    # The weights before the first step were the best, and are there again.
    assert (history.best_epoch, objective.value.item()) == (0, 0)
    learnt = seen[1::2]
    steps = [(new - old) / (1 - old) for old, new in itertools.pairwise(learnt)]
    assert steps == pytest.approx([0.02, 0.02, 0.02 / 3, 0.02 / 3, 0.02 / 9], rel=1e-4)


def test_after_its_minutes_a_training_begins_no_other_epoch() -> None:
    history = _train(Level(), _white(4), _white(4), epochs=99, falls=1, minutes=1e-9)
    assert (history.ended, len(history.rows)) == ("time", 1)


@pytest.mark.parametrize(("seconds", "epochs"), [(24, 2), (26, 3)])
def test_a_training_ends_with_the_epoch_that_is_nearest_to_its_minutes(
    seconds: int, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("caes.train.loop.time.perf_counter", lambda: clock[0])

    class Slow(Level):
        def forward(self, pictures: Tensor) -> Tensor:
            clock[0] += 10
            return super().forward(pictures)

    history = _train(Slow(), _white(4), epochs=99, minutes=seconds / 60)
    assert (history.ended, len(history.rows)) == ("time", epochs)


def test_of_quick_stretches_only_some_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 3, 6, 9, 12])
    monkeypatch.setattr("caes.train.progress.time.perf_counter", lambda: next(clock))
    lines = Lines()
    for number in range(1, 6):
        lines.epoch(Epoch(number, 0.5, None, None, None, 3.0, 100.0, steps=50 * number))
    said = capsys.readouterr().err.splitlines()
    assert [line.partition("  ")[0] for line in said] == [
        "step 50",
        "step 150",
        "step 250",
    ]
