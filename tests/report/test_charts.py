import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure

from caes.report import charts
from caes.report.charts import FIRST, SECOND, Chart, Curve, Stretch, chart
from caes.report.pictures import PALETTE, PAPER
from caes.report.statistics import reliability
from tests.report.fake import answers

NAN = math.nan


def stretch(
    values: Sequence[float], name: str = "", kept: int = 0, watched: bool = False
) -> Stretch:
    row = np.array(values, dtype=np.float64)
    kinds = ("training", "validation") if watched else ("training",)
    return Stretch(name, name[-1:], dict.fromkeys(kinds, row), kept)


def course(*stretches: Stretch) -> list[Axes]:
    return charts.course(stretches, "Loss").axes


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def drawn(draw: partial[Figure]) -> Chart:
    return chart("name", draw, "alt")


def test_one_drawing_has_the_colours_of_its_page() -> None:
    draw = partial(charts.course, [stretch([0.3, 0.2], watched=True)], "Loss <&>")
    made = chart("loss", draw, 'the "alt"')
    assert made == chart("loss", draw, 'the "alt"')
    assert PAPER in made.svg
    assert "Loss &lt;&amp;&gt;" in made.svg
    assert made.inline.startswith('<svg viewBox="0 0 276.48 204.48" width="384" ')
    assert 'role="img" aria-label="the &quot;alt&quot;">' in made.inline
    for name, (light, _) in PALETTE.items():
        assert light not in made.inline
        assert (f"var(--{name})" in made.inline) == (light in made.svg)
    inside = replace(made, svg='<svg width="1pt" height="1pt" viewBox="">#ffffff</svg>')
    assert inside.inline.endswith(">#ffffff</svg>")


@pytest.mark.parametrize(
    "stretches",
    [
        [stretch([0.3])],
        [stretch([0.25] * 5, watched=True)],
        [stretch([0.3, NAN], kept=1)],
        [stretch([0.0, 0.0], "level 1"), stretch([0.0], "level 2")],
        [stretch([NAN], "level 1"), stretch([math.inf, 1e-9], "level 2")],
        [stretch([NAN] * 3, watched=True)],
        [stretch([1e30, 1e-12])],
        [stretch(list(1 / np.arange(1.0, 1201)), "level 1", kept=700)] * 12,
    ],
)
def test_every_training_can_be_drawn(stretches: list[Stretch]) -> None:
    assert "</svg>" in drawn(partial(charts.course, stretches, "Loss")).svg


def test_each_phase_has_its_figures_in_a_room_of_its_own() -> None:
    first, second = course(stretch([0.4, 0.3], "level 1"), stretch([0.35], "level 2"))
    assert np.column_stack(first.lines[0].get_data()).tolist() == [[1, 0.4], [2, 0.3]]
    assert np.column_stack(second.lines[0].get_data()).tolist() == [[1, 0.35]]
    assert [axes.get_title() for axes in (first, second)] == ["level 1", "level 2"]
    assert first.get_ylim() == second.get_ylim()
    (alone,) = course(stretch([0.4, 0.3]))
    assert alone.get_title() == ""


def test_epochs_are_numbered_within_each_phase() -> None:
    def numbers(axes: Axes) -> list[str]:
        return [label.get_text() for label in axes.get_xticklabels()]

    short, long = stretch([3, 2, 1], "level 1"), stretch([1.5] * 50, "level 2")
    tens = ["10", "20", "30", "40", "50"]
    assert [numbers(axes) for axes in course(short, long)] == [["1", "2", "3"], tens]
    many = course(*[stretch([1.0] * 50, "level 1")] * 9)
    assert [numbers(axes) for axes in many] == [["50"]] * 9
    assert [axes.get_title() for axes in many] == ["1"] * 9


@pytest.mark.parametrize(
    ("last", "scale"), [(1 / 9.9, "linear"), (1 / 10.1, "log"), (0, "linear")]
)
def test_values_more_than_tenfold_apart_stand_on_a_logarithmic_axis(
    last: float, scale: str
) -> None:
    assert course(stretch([1.0, last]))[0].get_yscale() == scale


def test_each_kind_of_line_is_named_once() -> None:
    both = [stretch([3, 1, 2], f"level {at}", 2, watched=True) for at in (1, 2)]
    figure = charts.course(both, "Loss")
    assert texts(figure) == ["training", "validation", "weights kept"]
    assert list(np.asarray(figure.axes[1].lines[-1].get_xdata())) == [2, 2]
    training, validation = figure.axes[0].lines[:2]
    assert training.get_linestyle() != validation.get_linestyle()
    alone = charts.course([stretch([3, 1, 2], kept=2)], "Loss")
    assert texts(alone) == ["training", "weights kept: epoch 2"]
    assert not charts.course([stretch([3, 1, 2])], "Loss").legends


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.3, math.inf], "gaps: not a finite number"),
        ([NAN, NAN], "no epoch has a finite value"),
    ],
)
def test_gaps_are_named(values: list[float], words: str) -> None:
    assert texts(charts.course([stretch(values)], "Loss")) == ["training", words]


@given(st.floats(1e-3, 100), st.floats(1.1, 1e5))
def test_ticks_are_few_and_lie_on_the_axis(low: float, ratio: float) -> None:
    found = charts.ticks(low, low * ratio)
    assert 2 <= len(found) <= 9
    assert found == sorted(set(found))
    assert low * 0.999 <= found[0] <= found[-1] <= low * ratio * 1.001


def test_numbers_that_would_run_into_each_other_are_left_out() -> None:
    tried = np.array([100.0, 110.0, 120.0, 1000.0, 60000.0])
    assert charts.apart(tried, 1.2, 600) == [100, 1000, 60000]
    assert charts.apart(np.array([7.0]), 1.2, 600) == [7]


@pytest.mark.parametrize(
    "errors", [[0.1], [0.0, 0.0], [NAN], [NAN, 0.2], list(np.linspace(0, 1, 999))]
)
def test_the_histogram_counts_every_finite_error(errors: list[float]) -> None:
    draw = partial(charts.histogram, np.array(errors), 0.05)
    assert "</svg>" in drawn(draw).svg
    (axes,) = draw().axes
    (bars,) = axes.containers
    assert isinstance(bars, BarContainer)
    assert sum(bar.get_height() for bar in bars) == np.isfinite(errors).sum()
    low, high = axes.get_xlim()
    places = [float(x) for line in axes.lines for x in np.asarray(line.get_xdata())]
    assert all(low <= x <= high for x in places)
    assert texts(draw())[-1] == "median of PCA: 0.0500"


@pytest.mark.parametrize("count", [1, 5, 16, 100, 300])
def test_filters_are_drawn_pixel_by_pixel(count: int) -> None:
    weights = np.zeros((count, 3, 3, 1), np.float32)
    weights[:, 0, 0], weights[:, 2, 2] = -2, 1
    found = charts.coloured(weights)
    assert (len(found.tiles), found.strongest) == (min(count, charts.FILTERS), 2)
    axes, scale = charts.filters(found).axes
    (image,) = axes.images
    shown = np.asarray(image.get_array())
    np.testing.assert_array_equal(shown[:3, :3, :3], found.tiles[0])
    assert shown[..., 3].sum() == 9 * len(found.tiles)
    assert image.get_interpolation() == "none"
    ends = [label.get_text() for label in scale.get_xticklabels()]
    assert ends == ["−2", "0", "2"]


def test_filters_of_three_channels_are_grey_where_they_are_nothing() -> None:
    weights = np.zeros((2, 3, 3, 3), np.float32)
    weights[0, 0, 0] = (4, -4, 0)
    found = charts.coloured(weights)
    assert found.tiles[0, 0, 0].tolist() == [1, 0, 0.5]
    assert (found.tiles[1] == 0.5).all()
    assert len(charts.filters(found).axes) == 1


@pytest.mark.parametrize("channels", [1, 2, 3, 13])
@pytest.mark.parametrize("value", [0, NAN])
def test_dead_filters_can_be_drawn(channels: int, value: float) -> None:
    weights = np.full((4, 5, 5, channels), value, np.float32)
    made = drawn(partial(charts.filters, charts.coloured(weights)))
    assert "data:image/png;base64" in made.svg


def test_a_confusion_has_a_number_and_a_colour_in_every_cell_that_is_not_empty() -> (
    None
):
    counts = np.array([[12, 0, 3, 1], [0, 0, 0, 0], [1, 0, 5000, 0], [9, 9, 9, 9]])
    kept = np.array([0, 1, 2])
    (axes,) = charts.confusion(counts, kept, ["$a$", "b", "no. 3", "d"]).axes
    placed = {text.get_position(): text.get_text() for text in axes.texts}
    assert placed == {(0, 0): "12", (2, 0): "3", (0, 2): "1", (2, 2): "5000"}
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == ["$a$", "b", "no. 3"]
    (bars,) = axes.containers
    assert isinstance(bars, BarContainer)
    colours = (FIRST, SECOND, SECOND, FIRST)
    shares = (12 / 16, 3 / 16, 1 / 5001, 5000 / 5001)
    for bar, colour, share in zip(bars, colours, shares, strict=True):
        expected = to_rgba(colour, math.sqrt(share))
        assert bar.get_facecolor() == pytest.approx(expected)


@pytest.mark.parametrize("k", [2, 10, 30])
@pytest.mark.parametrize("name", ["", "a very long name of a class: $x^$ <b>"])
def test_any_classes_can_be_drawn(k: int, name: str) -> None:
    counts = np.random.default_rng(0).integers(0, 900, (k, k))
    names = [f"{name}{at}" for at in range(k)]
    made = drawn(partial(charts.confusion, counts, np.arange(k), names))
    assert made.svg.count("<text") >= k


def test_bars_of_reliability_stand_where_there_are_pictures() -> None:
    truth = np.zeros(100, np.int64)
    given = np.concatenate(
        [answers(truth[:50], 2, range(20), 0.7), answers(truth[:50], 2, range(5), 0.92)]
    )
    draw = partial(charts.reliability, reliability(given, truth))
    (axes,) = draw().axes
    (bars,) = axes.containers
    assert isinstance(bars, BarContainer)
    assert [bar.get_x() for bar in bars] == pytest.approx([60, 90])
    assert [bar.get_height() for bar in bars] == pytest.approx([60, 90])
    dots = np.column_stack(axes.lines[0].get_data())
    np.testing.assert_allclose(dots, [[70, 60], [92, 90]], rtol=1e-5)
    assert "right as often as sure" in drawn(draw).svg


def curve(name: str, labels: list[float], means: list[float]) -> Curve:
    spread = np.full((2, len(means)), NAN)
    return Curve(name, np.array(labels), np.array(means), spread)


def test_lines_of_a_label_curve_go_through_the_means() -> None:
    lines = [curve("a", [100, 1000], [10.0, 3.1]), curve("b", [100, 1000], [16, 3.2])]
    figure = charts.label_curve(lines)
    (axes,) = figure.axes
    bars = [each for each in axes.containers if isinstance(each, ErrorbarContainer)]
    for each, line in zip(bars, lines, strict=True):
        x, y = np.asarray(each.lines[0].get_data())
        np.testing.assert_allclose(x, line.labels, rtol=0.03)
        np.testing.assert_array_equal(y, line.means)
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert ticks == ["100", "1,000"]
    ticks = [tick.get_text() for tick in axes.get_yticklabels()]
    assert ticks == ["3", "4", "5", "7", "10", "15"]
    assert texts(figure) == ["b", "a"]  # as they end, from above


@pytest.mark.parametrize(
    "lines",
    [
        [curve("a", [7], [100.0])],
        [curve("$a^$", list(range(1, 60)), [50 / at for at in range(1, 60)])],
        [curve(f"contender {at} " * 9, [10], [at + 0.1]) for at in range(19)],
        [curve("no. 1", [10.0**at for at in range(7)], [3.3333] * 7)],
    ],
)
def test_any_label_curve_can_be_drawn(lines: list[Curve]) -> None:
    assert "</svg>" in drawn(partial(charts.label_curve, lines)).svg
    (axes,) = charts.label_curve(lines).axes
    low, high = axes.get_ylim()
    assert len(axes.get_yticks()) >= 2
    assert all(low <= place <= high for place in axes.get_yticks())
