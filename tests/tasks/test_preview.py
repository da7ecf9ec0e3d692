import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caes.tasks import preview
from caes.tasks.preview import Preview


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 3), st.data())
def test_it_is_the_mean_over_squares_however_the_bands_come(
    height: int, width: int, channels: int, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, "LARGEST", data.draw(st.integers(1, 30)))
        shown = Preview(height, width, channels)
    draw = np.random.default_rng(0)
    picture = draw.random((height, width, channels), np.float32)
    done = 0
    while done < height:
        rows = data.draw(st.integers(1, height - done))
        shown.add(picture[done : done + rows])
        done += rows
    found = shown.picture()
    factor = shown.factor
    assert found.shape == (-(-height // factor), -(-width // factor), channels)
    for row, column in np.ndindex(found.shape[:2]):
        y, x = row * factor, column * factor
        square = picture[y : y + factor, x : x + factor]
        np.testing.assert_allclose(found[row, column], square.mean((0, 1)), rtol=1e-5)


def test_nothing_is_shrunk_that_can_be_looked_at_as_it_is() -> None:
    assert Preview(2000, 3, 1).factor == 1
    assert Preview(2001, 3, 1).factor == 2
    assert Preview(200, 5000, 1).factor == 3
