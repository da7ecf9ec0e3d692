import numpy as np
import pytest

from caes.report import reliability
from caes.report.canvas import DARK, LIGHT, png
from caes.report.judgement import reliability as sorted_into_bins
from tests.report.fake import answers

TRUTH = np.zeros(200, np.int64)


@pytest.mark.parametrize(
    ("sure", "told"),
    [
        (
            0.9,
            "On average it is 90.0% sure and 90.0% right: it knows how often it errs.",
        ),
        (
            0.95,
            "On average it is 95.0% sure and 90.0% right: too sure of itself, by 5.0 points.",
        ),
        (
            0.6,
            "On average it is 60.0% sure and 90.0% right: too modest, by 30.0 points.",
        ),
    ],
)
def test_confidence_is_weighed_against_accuracy(sure: float, told: str) -> None:
    bins = sorted_into_bins(answers(TRUTH, 2, range(20), sure), TRUTH)
    assert reliability.described(bins) == told


def test_bars_stand_where_there_are_pictures() -> None:
    given = np.concatenate(
        [answers(TRUTH[:50], 2, range(20), 0.7), answers(TRUTH[:50], 2, range(5), 0.92)]
    )
    (axes,) = reliability.draw(sorted_into_bins(given, TRUTH[:100]), LIGHT).axes
    bars = axes.containers[0]
    assert [bar.get_x() for bar in bars] == pytest.approx([60, 90])
    assert [bar.get_height() for bar in bars] == pytest.approx([60, 90])
    dots = np.column_stack(axes.lines[0].get_data())
    np.testing.assert_allclose(dots, [[70, 60], [92, 90]], rtol=1e-5)


def test_one_picture_can_be_drawn() -> None:
    bins = sorted_into_bins(answers(TRUTH[:1], 2), TRUTH[:1])
    assert png(reliability.draw(bins, DARK)).startswith(b"\x89PNG")
