"""The lines of a table, against numbers worked out by hand and by SciPy."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from caes.tasks.studies.summary import Errors, summary_lines

HEAD = "| labels | from the stack | from random weights | difference | p | seeds |"


def test_means_spreads_and_the_paired_difference_are_as_by_hand() -> None:
    stack, random = [7.0, 8.0, 9.0], [8.0, 8.5, 10.5]
    errors: Errors = {
        1_000: {"stack": dict(enumerate(stack)), "random": dict(enumerate(random))}
    }
    # Means 8 and 9; deviations -1, 0, 1 and -1, -0.5, 1.5 over n - 1 = 2.
    sd = (1 + 0.25 + 2.25) / 2
    p = f"{ttest_rel(stack, random).pvalue:.2g}"
    assert p == "0.074"
    assert summary_lines({}, errors) == [
        HEAD,
        "| --- | --- | --- | --- | --- | --- |",
        f"| 1,000 | 8.00 ± 1.00 | 9.00 ± {sd**0.5:.2f} | -1.00 | {p} | 3 |",
    ]


@pytest.mark.parametrize("seed", range(5))
def test_p_is_that_of_scipy_s_paired_test(seed: int) -> None:
    draw = np.random.default_rng(seed)
    stack, random = draw.normal(5, 1, 6), draw.normal(5.5, 1, 6)
    errors: Errors = {
        10: {
            "stack": dict(enumerate(stack.tolist())),
            "random": dict(enumerate(random.tolist())),
        }
    }
    *_, line = summary_lines({}, errors)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[3:] == [
        f"{(stack - random).mean():+.2f}",
        f"{ttest_rel(stack, random).pvalue:.2g}",
        "6",
    ]


def test_only_seeds_that_both_starts_have_are_compared() -> None:
    errors: Errors = {
        100: {"stack": {0: 5.0, 1: 6.0, 2: 10.0}, "random": {1: 7.0, 0: 8.0, 3: 1.0}}
    }
    *_, line = summary_lines({}, errors)
    p = f"{ttest_rel([5.0, 6.0], [8.0, 7.0]).pvalue:.2g}"
    assert line == f"| 100 | 7.00 ± 2.65 | 5.33 ± 3.79 | -2.00 | {p} | 2 |"


def test_what_is_not_there_is_left_empty() -> None:
    errors: Errors = {
        10: {"stack": {0: 5.0}},
        20: {"random": {0: 5.0, 1: 7.0}},
        30: {"stack": {0: 5.0}, "random": {0: 6.0}},
        40: {"stack": {0: 5.0, 1: 6.0}, "random": {0: 6.0, 1: 7.0}},
    }
    assert summary_lines({}, errors)[2:] == [
        "| 10 | 5.00 |  |  |  | 0 |",
        "| 20 |  | 6.00 ± 1.41 |  |  | 0 |",
        "| 30 | 5.00 | 6.00 | -1.00 |  | 1 |",
        # All differences are the same: there is no spread to compare them with.
        "| 40 | 5.50 ± 0.71 | 6.50 ± 0.71 | -1.00 |  | 2 |",
    ]


def test_published_errors_stand_beside_where_they_are_known() -> None:
    published = {10: {"paper": 7.234}, 20: {"paper": 2.0, "others": 1.5}, 30: {}}
    errors: Errors = {10: {"stack": {0: 1.0}}, 20: {}, 40: {}}
    assert summary_lines(published, errors) == [
        f"{HEAD} paper | others |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| 10 | 1.00 |  |  |  | 0 | 7.23 |  |",
        "| 20 |  |  |  |  | 0 | 2.00 | 1.50 |",
        "| 40 |  |  |  |  | 0 |  |  |",
    ]
