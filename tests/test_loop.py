import math
import os
import signal
from collections.abc import Callable

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from caes.batches import Batches
from caes.data import ImageSet
from caes.history import Epoch, History
from caes.loop import Settings, train
from caes.progress import Bar, Lines, Progress, describe
from caes.scaling import Scaling


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


def _images(n: int) -> ImageSet:
    pixels = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1)
    return ImageSet.from_pixels(pixels)


def _train(
    objective: nn.Module,
    batches: Batches,
    settings: Settings,
    validation: Batches | None = None,
    progress: Progress | None = None,
) -> History:
    fabric = Fabric(accelerator="cpu", devices=1)
    progress = progress or Progress()
    return train(
        objective, batches, validation, settings, fabric=fabric, progress=progress
    )


def test_every_epoch_meets_every_picture_once_in_a_new_order() -> None:
    objective = Level()
    order = np.random.default_rng(3)
    batches = Batches(_images(10), Scaling(0, 255), 4, shuffle=order)
    history = _train(objective, batches, Settings(epochs=2))
    assert [len(batch) for batch in objective.batches] == [4, 4, 2] * 2
    met = [round(255 * float(v)) for b in objective.batches for v in b.flatten()]
    assert sorted(met[:10]) == sorted(met[10:]) == list(range(10))
    assert met[:10] != met[10:]
    assert [row.epoch for row in history.rows] == [1, 2]
    assert history.ended == "complete"
    assert history.best_epoch == 2


def test_the_epoch_s_loss_is_the_mean_over_pictures_not_batches() -> None:
    batches = Batches(_images(5), Scaling(0, 1), 3)
    settings = Settings(epochs=1, learning_rate=1e-12)
    row = _train(Level(), batches, settings).rows[0]
    mean = np.mean(np.arange(5.0) ** 2)
    assert row.loss == pytest.approx(mean, rel=1e-6)
    assert row.psnr == pytest.approx(-10 * math.log10(mean), rel=1e-6)
    assert row.validation_loss is None
    assert row.images_per_second > 0


QUARTERS = (0, 0.25, 0.5, 0.75)


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("constant", [0.1, 0.1, 0.1, 0.1]),
        ("linear", [0.1, 0.075, 0.05, 0.025]),
        (
            "cosine",
            [0.1 * (1 + math.cos(math.pi * p)) / 2 for p in (0, 0.25, 0.5, 0.75)],
        ),
    ],
)
def test_the_learning_rate_falls_as_told(decay: str, expected: list[float]) -> None:
    settings = Settings(epochs=2, learning_rate=0.1, decay=decay)  # type: ignore[arg-type]
    assert [settings.rate(p) for p in (0, 0.25, 0.5, 0.75)] == pytest.approx(expected)


def test_the_loop_takes_the_rate_from_its_place_in_the_whole_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []

    def rate(self: Settings, progress: float) -> float:
        asked.append(progress)
        return 0.1

    monkeypatch.setattr(Settings, "rate", rate)
    _train(Level(), Batches(_images(4), Scaling(0, 255), 2), Settings(epochs=2))
    assert asked == [0, 0.25, 0.5, 0.75]


def test_early_stopping_restores_the_best_weights() -> None:
    """The validation picture is 0: every step towards the training one is worse."""
    objective = Level(start=0.0)
    white = ImageSet.from_pixels(np.full((4, 1, 1, 1), 255, np.uint8))
    batches = Batches(white, Scaling(0, 255), 4)
    watched = Batches(_images(1), Scaling(0, 255), 1)
    settings = Settings(epochs=50, learning_rate=0.1, patience=3)
    history = _train(objective, batches, settings, watched)
    assert history.ended == "early"
    assert len(history.rows) == 4
    assert history.best_epoch == 1
    assert objective.value.item() == pytest.approx(0.1, abs=1e-3)
    assert history.rows[0].validation_loss == pytest.approx(0.01, abs=1e-4)


def test_a_diverged_training_stops_and_says_so() -> None:
    history = _train(
        Level(start=math.nan),
        Batches(_images(4), Scaling(0, 255), 2),
        Settings(epochs=9),
    )
    assert history.ended == "diverged"
    assert len(history.rows) == 1


def test_weights_that_are_no_numbers_are_not_kept() -> None:
    objective = Level(start=1.0)
    batches = Batches(_images(4), Scaling(0, 255), 4)
    history = _train(objective, batches, Settings(epochs=9, learning_rate=1e30))
    assert history.ended == "diverged"
    assert history.best_epoch == len(history.rows) - 1
    assert math.isfinite(objective.value.item())


class Interrupting(Progress):
    """Presses Ctrl-C in the middle of an epoch."""

    def __init__(self, after: int) -> None:
        self.left = after

    def batch(self, learning: bool, n: int, total: Tensor, seen: int) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_ends_after_the_step_and_keeps_what_was_learnt() -> None:
    objective = Level(start=5.0)
    batches = Batches(_images(8), Scaling(0, 255), 2)
    before = signal.getsignal(signal.SIGINT)
    settings = Settings(epochs=100, learning_rate=0.1)
    history = _train(objective, batches, settings, progress=Interrupting(after=6))
    assert history.ended == "interrupted"
    assert len(history.rows) == 1
    assert len(objective.batches) == 6
    assert objective.value.item() == pytest.approx(5 - 6 * 0.1, abs=1e-2)
    assert signal.getsignal(signal.SIGINT) is before


def _row(watched: float | None = None) -> Epoch:
    return Epoch(3, 0.12345, watched, 0.5, 12.3, 4.56, 7890.1)


def test_where_there_is_no_terminal_an_epoch_is_a_plain_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = Lines()
    lines.start(20, 100)
    lines.epoch(_row(0.2))
    assert capsys.readouterr().err == (
        "epoch 3/20  loss 0.1235  validation 0.2000  accuracy 0.5000  "
        "PSNR 12.30 dB  4.6 s  7,890 images/s\n"
    )
    assert "validation" not in describe(_row(), 20)


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
    assert "epoch 1/2" in said
    assert "loss 0.2500" in said
    assert "images/s" in said
    assert "left" in said


@pytest.mark.parametrize("make", [Progress, Lines])
def test_every_kind_of_progress_can_follow_a_training(
    make: Callable[[], Progress], capsys: pytest.CaptureFixture[str]
) -> None:
    batches = Batches(_images(4), Scaling(0, 255), 2)
    _train(Level(), batches, Settings(epochs=2), batches, progress=make())
    assert capsys.readouterr().err.count("epoch") == (2 if make is Lines else 0)
