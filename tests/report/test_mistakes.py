import numpy as np
import pytest

from caes.data import ImageSet
from caes.report import tiles
from caes.report.canvas import png
from caes.report.mistakes import SHOWN, draw, mistakes
from tests.report.fake import answers, pictures


def test_the_surest_mistakes_come_first() -> None:
    truth = np.array([0, 1, 2, 0, 1])
    given = np.concatenate(
        [answers(truth[:3], 3, [0, 2], sure=0.5), answers(truth[3:], 3, [1], sure=0.9)]
    )
    found = mistakes(pictures(5, 4, 4, 1), truth, given)
    told = [(each.name, each.true, each.answer) for each in found]
    assert told == [("00004", 1, 2), ("00000", 0, 1), ("00002", 2, 0)]
    sure = [each.probability for each in found]
    assert sure == pytest.approx([0.9, 0.5, 0.5])


def test_there_may_be_none_or_more_than_are_shown() -> None:
    truth = np.zeros(90, np.int64)
    images = pictures(90, 4, 4, 1)
    assert mistakes(images, truth, answers(truth, 2)) == []
    assert len(mistakes(images, truth, answers(truth, 2, range(90)))) == SHOWN == 24


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.bool_])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_pictures_of_any_type_are_shown(dtype: type, channels: int) -> None:
    rng = np.random.default_rng(0)
    unit = rng.random((2, 5, 6, channels))
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    images = ImageSet.from_pixels((unit.round() * top).astype(dtype))
    truth = np.array([0, 1])
    found = mistakes(images, truth, answers(truth, 2, [1]))
    expected = tiles.tile(unit[1].round().astype(np.float32))
    np.testing.assert_array_equal(found[0].picture, expected)


@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize("shape", [(4, 4, 1), (300, 40, 3)])
def test_any_mistakes_can_be_drawn(count: int, shape: tuple[int, int, int]) -> None:
    truth = np.zeros(count, np.int64)
    images = pictures(count, *shape)
    found = mistakes(images, truth, answers(truth, 2, range(count)))
    figure = draw(found, ["$a_", "猫"])
    assert png(figure).startswith(b"\x89PNG")
    lines = [text.get_text() for text in figure.texts]
    assert lines[1:3] == ["$a_ → no. 2", "80.0% sure"]
