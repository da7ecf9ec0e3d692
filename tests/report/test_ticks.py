import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from caes.report.ticks import apart, ticks


@given(st.floats(1e-3, 100), st.floats(1.1, 1e5))
def test_ticks_are_few_and_lie_on_the_axis(low: float, ratio: float) -> None:
    found = ticks(low, low * ratio)
    assert 2 <= len(found) <= 9
    assert found == sorted(set(found))
    assert low * 0.999 <= found[0] <= found[-1] <= low * ratio * 1.001


def test_numbers_that_would_run_into_each_other_are_left_out() -> None:
    tried = np.array([100.0, 110.0, 120.0, 1000.0, 60000.0])
    assert apart(tried, 1.2, 600) == [100, 1000, 60000]
    assert apart(np.array([7.0]), 1.2, 600) == [7]
