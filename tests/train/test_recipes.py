"""The recipes: what is filled in, and what is refused."""

from dataclasses import asdict, fields, replace
from typing import Any, Literal

import numpy as np
import pytest

from caes.train.recipes import RECIPES, FineTuning, Recipe


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_left_out_is_as_the_recipe_says_and_can_also_be_given(
    name: Literal["default", "paper"],
) -> None:
    recipe = RECIPES[name]
    assert FineTuning(recipe=name).resolved() == recipe
    assert FineTuning(**asdict(recipe)).resolved() == recipe
    assert FineTuning().resolved() == RECIPES["default"]
    for each in fields(Recipe):
        default = FineTuning.__dataclass_fields__[each.name].default
        assert default is None or default == each.default


def test_what_is_given_goes_before_the_recipe_even_where_it_is_nothing() -> None:
    nothing: dict[str, Any] = {"dropout": 0.0, "weight_decay": 0, "average": 0}
    nothing |= {"normalise": False, "augment": "none"}
    found = FineTuning(**nothing).resolved()
    assert found == replace(RECIPES["default"], **nothing)
    assert FineTuning(recipe="paper", head="none").resolved().units == ()


def test_the_paper_s_recipe_switches_every_modern_option_off() -> None:
    paper = RECIPES["paper"]
    off = (paper.weight_decay, paper.dropout, paper.average, paper.rounds)
    assert off == (0, 0, 0, 0)
    assert (paper.normalise, paper.augment) == (False, "none")


@pytest.mark.parametrize(
    ("given", "rate"),
    [
        ({"recipe": "paper"}, 1e-3),
        ({"recipe": "paper", "optimizer": "sgd"}, 0.1),
        ({"recipe": "paper", "optimizer": "adam"}, 1e-3),
        ({"optimizer": "adam"}, 2e-3),
        ({"optimizer": "sgd", "learning_rate": 0.5}, 0.5),
        ({"optimizer": "sgd"}, 0.1),
    ],
)
def test_plain_descent_brings_its_own_learning_rate(
    given: dict[str, Any], rate: float
) -> None:
    assert FineTuning(**given).resolved().learning_rate == rate


@pytest.mark.parametrize(
    ("head", "units"),
    [("none", ()), ("300N", (300,)), ("500N-100N", (500, 100)), ("7n", (7,))],
)
def test_a_head_is_read_as_the_notation_s_dense_layers(
    head: str, units: tuple[int, ...]
) -> None:
    assert FineTuning(head=head).resolved().units == units


@pytest.mark.parametrize(
    ("epochs", "batch_size", "pictures", "passes"),
    [
        (0, 64, 64, 1500),
        (0, 64, 65, 750),
        (0, 64, 100, 750),
        (0, 64, 6_400, 15),
        (0, 64, 60_000, 10),
        (0, 1, 7, 215),
        (3, 64, 100, 3),
        (3, 64, 60_000, 3),
    ],
)
def test_no_epochs_are_as_many_passes_as_make_enough_steps(
    epochs: int, batch_size: int, pictures: int, passes: int
) -> None:
    recipe = FineTuning(epochs=epochs, batch_size=batch_size).resolved()
    assert recipe.passes(pictures) == passes
    steps = -(-pictures // batch_size) * passes
    assert epochs or steps >= 1500
    assert epochs or passes >= 10


@pytest.mark.parametrize(
    ("options", "pictures", "known", "passes"),
    [
        ({}, 1_200, 1_000, 159),  # 2 · 94 passes of 16 steps, in passes of 19
        ({}, 60_000, 1_000, 4),
        ({"epochs": 3}, 60_000, 1_000, 1),
        ({"epochs": 3}, 64, 64, 6),
        ({"epochs": 3, "round_epochs": 9}, 64, 64, 9),
        ({"round_epochs": 1}, 64, 64, 1),
    ],
)
def test_a_round_makes_twice_the_steps_of_the_first_training(
    options: dict[str, Any], pictures: int, known: int, passes: int
) -> None:
    recipe = FineTuning(**options).resolved()
    assert recipe.round_passes(pictures, known) == passes


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": np.int64(3), "dropout": np.float32(0.5), "normalise": np.True_},
        {"learning_rate": np.float64(0.1), "batch_size": np.uint8(7)},
        {"confidence": 0},
        {"validation": 0.5, "patience": 1},
        {"random_state": np.random.RandomState(0)},
        {"freeze": True, "rounds": 0},
    ],
)
def test_numbers_of_numpy_and_limits_are_taken(options: dict[str, Any]) -> None:
    FineTuning(**options).resolved()
