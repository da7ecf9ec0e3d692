import math
from dataclasses import replace
from typing import Any

import pytest

from caes.nn.architecture import parse
from caes.report import training
from caes.report.charts import Chart
from caes.report.layout import Fact
from caes.report.phases import Phase, Plan, one_phase, phases
from caes.report.training import entries, epochs, story
from caes.train.history import History
from tests.report.fake import history, stack_history

ARCH = parse("4C3-MP2-2C3-5N")
PLAN = Plan({1: 3, 2: 2, 3: 2, 0: 4})
DONE = stack_history({1: [3, 2, 1], 2: [2, 1], 3: [2, 1], 0: [4, 3, 2, 1]})


def of(about: History, plan: Plan = PLAN) -> list[Phase]:
    return phases(about, plan)


CUT: dict[str, Any] = {"ended": "interrupted"}
OF = "of 3 + 2 + 2 + 4:"


@pytest.mark.parametrize(
    ("about", "plan", "value", "detail"),
    [
        (DONE, PLAN, "3 + 2 + 2 + 4", "as asked, level by level, then all at once"),
        (stack_history({1: [2, 1], 2: [1]}), Plan({1: 2, 2: 1}), "2 + 1", "as asked, level by level"),
        (stack_history({3: [2, 1]}), Plan({1: 2, 2: 2, 3: 2}), "2", "as asked, of level 3"),
        (stack_history({2: [2, 1], 3: [2, 1], 0: [1]}), PLAN, "2 + 2 + 1", "as asked, of levels 2 and 3 and the refinement"),
        (stack_history({1: [3, 2, 1], 2: [2]}, **CUT), PLAN, "3 + 1 + 0 + 0", f"{OF} interrupted after epoch 1 of level 2"),
        (stack_history({1: [3, 2]}, **CUT, best_epoch=0), PLAN, "2 + 0 + 0 + 0", f"{OF} level 1 stopped early; interrupted in the first epoch of level 2"),
        (stack_history({1: [3, math.nan]}, ended="diverged"), PLAN, "2 + 0 + 0 + 0", f"{OF} diverged in epoch 2 of level 1"),
        (history([], **CUT), PLAN, "0", f"{OF} not one was finished"),
    ],
)  # fmt: skip
def test_epochs_are_counted_level_by_level(
    about: History, plan: Plan, value: str, detail: str
) -> None:
    assert epochs(of(about, plan)) == Fact("Epochs", value, detail)


def test_levels_that_stopped_early_are_named_together() -> None:
    about = stack_history({1: [2, 1], 2: [2], 3: [1200] * 1200})
    told = "of 9 + 2 + 1,200: levels 1 and 2 stopped early"
    found = epochs(of(about, Plan({1: 9, 2: 2, 3: 1200}, best=True)))
    assert found == Fact("Epochs", "2 + 1 + 1,200", told)


def test_the_table_tells_what_each_level_learned_to_give_back() -> None:
    found = entries(of(DONE), ARCH, (7, 8, 1), "bce")
    assert [(each.learned, each.part, each.back, each.loss) for each in found] == [
        ("Level 1", "4C3-MP2", "pictures, 7×8×1", "binary cross-entropy"),
        ("Level 2", "2C3", "the code of level 1, 4×4×4", "mean squared error"),
        ("Level 3", "5N", "the code of level 2, 4×4×2", "mean squared error"),
        ("Refinement", "", "pictures, 7×8×1", "binary cross-entropy"),
    ]
    assert [(each.epochs, each.training) for each in found] == [
        ("3 of 3", "1.00"),
        ("2 of 2", "1.00"),
        ("2 of 2", "1.00"),
        ("4 of 4", "1.00"),
    ]


def test_the_table_has_the_losses_of_the_weights_that_were_kept() -> None:
    losses, watched = {2: [3.0, 2, 1], 3: [0.5, 0.4]}, {2: [3.0, 2, 4], 3: [0.7, 0.6]}
    cut = stack_history(losses, watched, ended="interrupted")
    plan = Plan({1: 3, 2: 9, 3: 9, 0: 2}, best=True)
    found = entries(of(cut, plan), ARCH, (7, 8, 1), "mse")
    assert [(each.epochs, each.training, each.validation) for each in found] == [
        ("taken over as it was", "–", "–"),
        ("3 of 9, stopped early; epoch 2 kept", "2.00", "2.00"),
        ("2 of 9, interrupted", "0.400", "0.600"),
        ("0 of 2, not begun", "–", "–"),
    ]
    assert found[0].loss == "–"


@pytest.mark.parametrize(
    ("about", "told"),
    [
        (DONE, "The levels learned one after the other, each to give back what comes into it, while those below it stayed as they were; then all learned together, from pictures to pictures."),
        (stack_history({3: [2, 1]}), "Level 3 learned to give back what comes into it, while those below it stayed as they were."),
        (stack_history({1: [2, 1]}, ended="interrupted"), "Level 1 learned to give back what comes into it."),
        (stack_history({1: [math.nan]}, ended="diverged", best_epoch=0), ""),
    ],
)  # fmt: skip
def test_how_the_stack_learned_is_told(about: History, told: str) -> None:
    assert story(of(about)) == told


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (history([3, 2, 1]), ("3", "as asked")),
        (history([3], ended="interrupted"), ("1", "of 3: interrupted")),
        (history([3, math.nan], ended="diverged"), ("2", "of 3: diverged")),
        (history([3, 2], [2, 3], ended="early", best_epoch=1), ("2", "of 3: stopped early; weights of epoch 1 kept")),
    ],
)  # fmt: skip
def test_epochs_of_one_training_are_counted(
    about: History, expected: tuple[str, str]
) -> None:
    assert epochs([one_phase(about, 3)]) == Fact("Epochs", *expected)


def charts(about: History, plan: Plan, loss: str = "mse") -> dict[str, Chart]:
    made = training.draw(phases(about, plan), loss, "Share of pixels.")
    return {each.name: each for each in made}


def test_the_charts_of_one_training_are_told_in_words() -> None:
    made = charts(history([0.4, 0.3]), Plan({0: 2}), "bce")
    assert [(each.name, each.alt, each.caption) for each in made.values()] == [
        ("loss", "Loss over 2 epochs, from 0.400 to 0.300.", ""),
        (
            "accuracy",
            "Accuracy over 2 epochs, from 80.0% to 80.0%.",
            "Share of pixels.",
        ),
        ("psnr", "PSNR over 2 epochs, from 20.0 dB to 20.0 dB.", ""),
    ]
    assert "Loss (binary cross-entropy)" in made["loss"].svg
    made = charts(history([4, 0.3]), Plan({0: 2}))
    assert made["loss"].caption == "The axis is logarithmic."
    made = charts(history([0.3]), Plan({0: 2}))
    assert made["loss"].alt == "Loss over 1 epoch: 0.300."


def test_the_charts_say_what_a_level_gives_back() -> None:
    made = charts(stack_history({1: [0.4, 0.2], 2: [0.3]}), Plan({1: 2, 2: 1}))
    expected = "Loss of level 1 over 2 epochs, from 0.400 to 0.200; of level 2 over 1 epoch: 0.300."
    assert made["loss"].alt == expected
    expected = "Level 1 gives back pictures, level 2 gives back the code below; their losses do not compare, for a code has a scale of its own."
    assert made["loss"].caption == expected
    assert made["accuracy"].caption == (
        "Share of pixels. Of level 1 by itself. The levels above it give back codes."
    )
    assert made["psnr"].alt == "PSNR of level 1 over 2 epochs, from 20.0 dB to 20.0 dB."


def test_two_kinds_of_loss_are_told_apart() -> None:
    about = stack_history({1: [4.0, 2], 2: [0.3], 3: [0.2], 0: [2]})
    made = charts(about, Plan({1: 2, 2: 1, 3: 1, 0: 1}), "bce")
    expected = "Level 1 and the refinement give back pictures (binary cross-entropy), levels 2 and 3 give back the code below (mean squared error); their losses do not compare, for a code has a scale of its own. The axis is logarithmic."
    assert made["loss"].caption == expected
    assert made["psnr"].caption == (
        "Of level 1 by itself, then of all levels in the refinement."
    )
    grown = charts(stack_history({2: [0.3], 0: [0.2]}), Plan({1: 1, 2: 1, 0: 1}), "bce")
    assert grown["loss"].caption.startswith(
        "The refinement gives back pictures (binary cross-entropy), level 2 gives back "
        "the code below (mean squared error); "
    )


@pytest.mark.parametrize(
    ("losses", "names", "caption"),
    [
        ({3: [0.4, 0.2]}, ["loss"], "Level 3 gives back the code below."),
        (
            {1: [0.4], 0: [0.2]},
            ["loss", "accuracy", "psnr"],
            "Level 1 and the refinement give back pictures.",
        ),
    ],
    ids=["a grown level", "one level and its refinement"],
)
def test_only_what_gives_back_pictures_has_figures_of_them(
    losses: dict[int, list[float]], names: list[str], caption: str
) -> None:
    plan = Plan({1: 2, 2: 2, 3: 2} if 3 in losses else {1: 1, 0: 1})
    made = charts(stack_history(losses), plan)
    assert list(made) == names
    assert made["loss"].caption == caption
    assert charts(History([], 0, "interrupted"), plan) == {}


def in_stretches(about: History, steps: int) -> History:
    rows = [replace(row, steps=row.epoch * steps) for row in about.rows]
    return replace(about, rows=rows)


@pytest.mark.parametrize(
    ("ended", "note"),
    [("early", "until no better"), ("time", "until the time was over"), ("complete", "as asked"), ("interrupted", "interrupted")],
)  # fmt: skip
def test_an_open_ended_training_is_counted_in_steps(ended: Any, note: str) -> None:
    about = in_stretches(history([3, 2, 1, 2], ended=ended, best_epoch=3), 50)
    (phase,) = of(about, Plan({0: 0}, best=True))
    kept = "weights of step 150 kept"
    assert epochs([phase]) == Fact("Steps", "200", f"{note}; {kept}")


def test_so_is_an_open_ended_training_level_by_level() -> None:
    about = stack_history({1: [3, 2], 2: [2, 1, 1]}, ended="time", best_epoch=2)
    found = of(in_stretches(about, 100), Plan({1: 0, 2: 0}, best=True))
    told = "of levels 1 and 2, each until no better or its time was over"
    assert epochs(found) == Fact("Steps", "200 + 300", told)
    rows = entries(found, parse("4C3-MP2-2C3"), (8, 8, 1), "mse")
    assert [row.epochs for row in rows] == [
        "200 steps",
        "300 steps, until the time was over; step 200 kept",
    ]
