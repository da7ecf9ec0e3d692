import math
from dataclasses import replace
from typing import Any

import pytest

from caes.errors import ArgumentError
from caes.nn.architecture import parse
from caes.report.phases import Phase, Plan, phases, plan
from caes.train.history import History
from tests.report.fake import history, stack_history

ARCH = parse("4C3-MP2-2C3-8N")
THREE = Plan({1: 3, 2: 2, 3: 2})
REFINED = Plan({1: 3, 2: 2, 0: 2})
PATIENT = Plan({1: 9, 2: 9}, best=True)


def told(about: History, plan: Plan) -> list[tuple[int, int, int, str]]:
    found = phases(about, plan)
    return [(each.level, len(each.rows), each.kept, each.state) for each in found]


@pytest.mark.parametrize(
    ("settings", "epochs", "best"),
    [
        ({"epochs": 3}, {0: 3}, False),
        ({"epochs": 3, "schedule": "joint", "refine": 2, "patience": 1}, {0: 3}, True),
        ({"epochs": 3, "schedule": "greedy", "refine": 0}, {1: 3, 2: 3, 3: 3}, False),
        ({"epochs": [3, 2, 1], "schedule": "greedy"}, {1: 3, 2: 2, 3: 1}, False),
        (
            {"epochs": (3, 2, 1), "schedule": "greedy", "refine": 4},
            {1: 3, 2: 2, 3: 1, 0: 4},
            False,
        ),
    ],
)
def test_the_plan_is_read_from_the_settings(
    settings: dict[str, Any], epochs: dict[int, int], best: bool
) -> None:
    found = plan(settings, ARCH)
    assert (list(found.epochs.items()), found.best) == ([*epochs.items()], best)


def test_epochs_that_are_not_the_levels_are_refused() -> None:
    with pytest.raises(ArgumentError) as caught:
        plan({"epochs": (3, 2), "schedule": "greedy"}, ARCH)
    assert str(caught.value) == (
        "epochs: received 2 values for 3 levels; allowed: one value, or in a greedy "
        "schedule one a level. Give a single value."
    )


def test_a_complete_stack_keeps_each_levels_last_epoch() -> None:
    about = stack_history({1: [3, 2, 1], 2: [2, 1], 0: [2, 1]})
    assert told(about, REFINED) == [
        (1, 3, 3, "complete"),
        (2, 2, 2, "complete"),
        (0, 2, 2, "complete"),
    ]


def test_levels_below_the_first_were_taken_over() -> None:
    assert told(stack_history({3: [2, 1]}), THREE) == [
        (1, 0, 0, "taken over"),
        (2, 0, 0, "taken over"),
        (3, 2, 2, "complete"),
    ]


def test_levels_above_the_end_were_not_begun() -> None:
    cut = stack_history({1: [3, 2]}, ended="interrupted")
    assert told(cut, THREE) == [
        (1, 2, 2, "interrupted"),
        (2, 0, 0, "not begun"),
        (3, 0, 0, "not begun"),
    ]


def test_what_ended_in_its_first_epoch_is_the_level_without_rows() -> None:
    cut = stack_history({1: [3, 2, 1]}, ended="interrupted", best_epoch=0)
    assert told(cut, THREE) == [
        (1, 3, 3, "complete"),
        (2, 0, 0, "interrupted"),
        (3, 0, 0, "not begun"),
    ]
    before_refinement = stack_history(
        {1: [3, 2, 1], 2: [2, 1]}, ended="interrupted", best_epoch=0
    )
    assert told(before_refinement, REFINED)[1:] == [
        (2, 2, 2, "complete"),
        (0, 0, 0, "interrupted"),
    ]


def test_a_loss_that_is_no_number_ends_its_level() -> None:
    lost = stack_history({1: [3, 2, 1], 2: [2, math.nan]}, ended="diverged")
    lost.best_epoch = 1
    assert told(lost, THREE)[1:] == [(2, 2, 1, "diverged"), (3, 0, 0, "not begun")]


def test_patience_keeps_each_levels_best_epoch() -> None:
    losses = {1: [3.0, 2, 1], 2: [3.0, 2, 1, 1]}
    watched = {1: [3.0, 2, 2.5], 2: [2.0, 1, 3, 4]}
    about = stack_history(losses, watched, ended="early", best_epoch=2)
    assert told(about, PATIENT) == [(1, 3, 2, "early"), (2, 4, 2, "early")]
    assert told(about, replace(PATIENT, best=False))[0] == (1, 3, 3, "early")


def test_no_epoch_at_all_tells_nothing_of_a_level() -> None:
    assert told(history([], ended="interrupted"), THREE) == [
        (1, 0, 0, "interrupted"),
        (2, 0, 0, "not begun"),
        (3, 0, 0, "not begun"),
    ]


def test_a_training_of_all_levels_is_one_phase() -> None:
    cut = history([3, 2], ended="interrupted")
    assert told(cut, Plan({0: 5})) == [(0, 2, 2, "interrupted")]
    assert told(history([3], ended="interrupted", best_epoch=0), Plan({0: 5})) == [
        (0, 1, 0, "interrupted")
    ]


@pytest.mark.parametrize(
    ("losses", "watched", "kept", "falling"),
    [
        ([0.4, 0.3], None, 2, True),
        ([0.4, 0.3], [0.4, 0.4], 2, False),
        ([0.4, 0.3], None, 1, False),
        ([0.3], None, 1, False),
        ([0.4, 0.3999], None, 2, False),
    ],
)
def test_a_phase_falls_until_its_last_epoch(
    losses: list[float], watched: list[float] | None, kept: int, falling: bool
) -> None:
    rows = history(losses, watched).rows
    assert Phase(2, 2, rows, kept, "complete").falling is falling
