import math
from dataclasses import replace
from typing import Any

import pytest

from caes.errors import ArgumentError
from caes.nn.architecture import parse
from caes.report.phases import Phase, Plan, phases, plan
from caes.train.history import History
from tests.refusals import refusing
from tests.report.fake import history, stack_history

ARCH = parse("4C3-MP2-2C3-8N")
THREE = Plan({1: 3, 2: 2, 3: 2})
REFINED = Plan({1: 3, 2: 2, 0: 2})
PATIENT = Plan({1: 9, 2: 9}, best=True)


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
    message = "epochs: received 2 values for 3 levels; allowed: one value, or in a greedy schedule one a level. Give a single value."
    with refusing(ArgumentError, message):
        plan({"epochs": (3, 2), "schedule": "greedy"}, ARCH)


WATCHED = stack_history(
    {1: [3.0, 2, 1], 2: [3.0, 2, 1, 1]},
    {1: [3.0, 2, 2.5], 2: [2.0, 1, 3, 4]},
    ended="early",
    best_epoch=2,
)
CUT: dict[str, Any] = {"ended": "interrupted"}
FIRST: dict[str, Any] = CUT | {"best_epoch": 0}
LOST: dict[str, Any] = {"ended": "diverged", "best_epoch": 1}


@pytest.mark.parametrize(
    ("about", "plan", "words"),
    [
        (stack_history({1: [3, 2, 1], 2: [2, 1], 0: [2, 1]}), REFINED, "1: 3 3 complete, 2: 2 2 complete, 0: 2 2 complete"),
        (stack_history({3: [2, 1]}), THREE, "1: 0 0 taken over, 2: 0 0 taken over, 3: 2 2 complete"),
        (stack_history({1: [3, 2]}, **CUT), THREE, "1: 2 2 interrupted, 2: 0 0 not begun, 3: 0 0 not begun"),
        (stack_history({1: [3, 2, 1]}, **FIRST), THREE, "1: 3 3 complete, 2: 0 0 interrupted, 3: 0 0 not begun"),
        (stack_history({1: [3, 2, 1], 2: [2, 1]}, **FIRST), REFINED, "1: 3 3 complete, 2: 2 2 complete, 0: 0 0 interrupted"),
        (stack_history({1: [3, 2, 1], 2: [2, math.nan]}, **LOST), THREE, "1: 3 3 complete, 2: 2 1 diverged, 3: 0 0 not begun"),
        (WATCHED, PATIENT, "1: 3 2 early, 2: 4 2 early"),
        (WATCHED, replace(PATIENT, best=False), "1: 3 3 early, 2: 4 2 early"),
        (history([], **CUT), THREE, "1: 0 0 interrupted, 2: 0 0 not begun, 3: 0 0 not begun"),
        (history([3, 2], **CUT), Plan({0: 5}), "0: 2 2 interrupted"),
        (history([3], **FIRST), Plan({0: 5}), "0: 1 0 interrupted"),
    ],
)  # fmt: skip
def test_each_phase_has_its_epochs_the_one_that_was_kept_and_its_end(
    about: History, plan: Plan, words: str
) -> None:
    found = phases(about, plan)
    said = (
        f"{each.level}: {len(each.rows)} {each.kept} {each.state}" for each in found
    )
    assert ", ".join(said) == words
    assert [each.sole for each in found] == [len(found) == 1] * len(found)


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
