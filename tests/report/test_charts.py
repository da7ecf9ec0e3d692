import io
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from caes.report import curves, filters
from caes.report.canvas import DARK, LIGHT, Theme, png
from caes.report.histogram import histogram
from caes.train.history import History
from tests.report.fake import history

NAN = math.nan
HISTORIES = {
    "one epoch": history([0.3]),
    "one epoch, watched": history([0.3], [0.4]),
    "constant": history([0.25] * 5, [0.25] * 5),
    "zero": history([0.0, 0.0]),
    "diverged": history([0.3, NAN], [0.2, math.inf], ended="diverged"),
    "never finite": history([NAN, NAN, NAN]),
    "enormous": history([3e30, 1e-12]),
    "long": history(list(1 / np.arange(1.0, 501)), list(2 / np.arange(1.0, 501))),
}


def pixels(figure: Figure) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png(figure))).convert("RGB"))


@pytest.mark.parametrize("about", HISTORIES.values(), ids=HISTORIES)
def test_every_history_can_be_drawn(about: History) -> None:
    for draw in (partial(curves.loss, name="bce"), curves.accuracy, curves.psnr):
        assert png(draw(about, theme=LIGHT)).startswith(b"\x89PNG")


def test_a_curve_goes_through_its_figures() -> None:
    (axes,) = curves.loss(history([0.4, 0.2], [0.5, 0.3]), LIGHT, name="bce").axes
    training, validation = axes.lines
    assert np.column_stack(training.get_data()).tolist() == [[1, 0.4], [2, 0.2]]
    assert np.column_stack(validation.get_data()).tolist() == [[1, 0.5], [2, 0.3]]
    assert training.get_linestyle() != validation.get_linestyle()


def test_the_kept_epoch_is_marked_when_it_is_not_the_last() -> None:
    stopped = history([0.4, 0.2, 0.1], [0.5, 0.3, 0.4], best_epoch=2)
    (axes,) = curves.loss(stopped, LIGHT, name="bce").axes
    *_, kept = axes.lines
    assert kept.get_label() == "weights kept: epoch 2"


def test_gaps_are_named() -> None:
    (axes,) = curves.loss(HISTORIES["diverged"], LIGHT, name="bce").axes
    assert [text.get_text() for text in axes.texts] == ["gaps: not a finite number"]


@pytest.mark.parametrize(
    "errors", [[0.1], [0.0, 0.0], [NAN], [NAN, 0.2], list(np.linspace(0, 1, 999))]
)
def test_the_histogram_counts_every_finite_error(errors: list[float]) -> None:
    (axes,) = histogram(np.array(errors), 0.05, LIGHT).axes
    heights = [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]
    assert sum(heights) == np.isfinite(errors).sum()
    low, high = axes.get_xlim()
    assert all(
        low <= x <= high
        for line in axes.lines
        for x in np.asarray(line.get_xdata(), float)
    )


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("count", [1, 5, 16, 100, 300])
def test_filters_are_drawn_without_blur(count: int, theme: Theme) -> None:
    weights = np.zeros((count, 3, 3, 1), np.float32)
    weights[:, 0, 0], weights[:, 2, 2] = -2, 1
    grid = filters.grid(weights)
    assert (len(grid.tiles), grid.reach) == (min(count, filters.MOST), 2)
    shown = {
        tuple(colour)
        for colour in pixels(filters.draw(grid, theme))[60:90, 24:60].reshape(-1, 3)
    }
    expected = {
        tuple(np.rint(c * 255).astype(int)) for c in grid.tiles[0].reshape(-1, 3)
    }
    paper = tuple(bytes.fromhex(theme.paper[1:]))
    assert shown <= expected | {paper}


def test_filters_of_three_channels_are_grey_where_they_are_nothing() -> None:
    weights = np.zeros((2, 3, 3, 3), np.float32)
    weights[0, 0, 0] = (4, -4, 0)
    grid = filters.grid(weights)
    assert grid.tiles[0, 0, 0].tolist() == [1, 0, 0.5]
    assert (grid.tiles[1] == 0.5).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 13])
@pytest.mark.parametrize("value", [0, NAN])
def test_dead_filters_can_be_drawn(channels: int, value: float) -> None:
    weights = np.full((4, 5, 5, channels), value, np.float32)
    drawn: Callable[[Theme], Figure] = partial(filters.draw, filters.grid(weights))
    assert png(drawn(DARK)).startswith(b"\x89PNG")
