"""The recipes: what is filled in, and what is refused."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from caes.errors import ArgumentError
from caes.train.recipes import RECIPES, FineTuning, Recipe


def test_what_is_left_out_is_as_the_recipe_says() -> None:
    for name, recipe in RECIPES.items():
        assert FineTuning(recipe=name).resolved() == recipe
    assert FineTuning().resolved() == RECIPES["default"]


def test_what_is_given_goes_before_the_recipe_even_where_it_is_nothing() -> None:
    nothing: dict[str, Any] = {
        "dropout": 0.0,
        "weight_decay": 0,
        "normalise": False,
        "augment": "none",
        "average": 0,
    }
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


def test_every_field_of_a_recipe_is_an_option_left_out_by_default() -> None:
    for each in fields(Recipe):
        assert FineTuning.__dataclass_fields__[each.name].default is None


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


SHARE = "a number above 0 and below 1"
PASSES = "allowed: a whole number of at least 0. Try epochs=40, or 0 for enough."
AMOUNT = "allowed: a number above 0. Try 0 for none."
HEAD = "allowed: dense layers such as 300N or 500N-100N, or none. Try '300N'."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"recipe": "fast"},
            "recipe: received 'fast'; allowed: 'default' or 'paper'. Try 'default'.",
        ),
        (
            {"start": "zeros"},
            "start: received 'zeros'; allowed: 'stack' or 'random'. Try 'stack'.",
        ),
        ({"head": "4C3"}, f"head: received '4C3'; {HEAD}"),
        ({"head": "4C3-10N"}, f"head: received '4C3-10N'; {HEAD}"),
        ({"head": ""}, f"head: received ''; {HEAD}"),
        ({"head": "0N"}, f"head: received '0N'; {HEAD}"),
        ({"head": 300}, f"head: received '300'; {HEAD}"),
        ({"head": (300,)}, f"head: received '(300,)'; {HEAD}"),
        (
            {"freeze": "yes"},
            "freeze: received 'yes'; allowed: False or True. Try False.",
        ),
        (
            {"epochs": -1},
            f"epochs: received -1; {PASSES}",
        ),
        (
            {"epochs": 2.5},
            f"epochs: received 2.5; {PASSES}",
        ),
        (
            {"epochs": True},
            f"epochs: received True; {PASSES}",
        ),
        (
            {"batch_size": -1},
            "batch_size: received -1; allowed: a whole number of at least 1. "
            "Try batch_size=64.",
        ),
        (
            {"learning_rate": float("nan")},
            "learning_rate: received nan; allowed: a number above 0. Try 0.001.",
        ),
        (
            {"learning_rate": "0.1"},
            "learning_rate: received '0.1'; allowed: a number above 0. Try 0.001.",
        ),
        (
            {"optimizer": "lion"},
            "optimizer: received 'lion'; allowed: 'adam' or 'sgd'. Try 'adam'.",
        ),
        (
            {"decay": "slow"},
            "decay: received 'slow'; allowed: 'constant' or 'linear' or 'cosine' or "
            "'one-cycle'. Try 'constant'.",
        ),
        ({"weight_decay": -0.1}, f"weight_decay: received -0.1; {AMOUNT}"),
        (
            {"dropout": 1},
            f"dropout: received 1; allowed: {SHARE}. Try 0.4, or 0 for none.",
        ),
        (
            {"normalise": "batch"},
            "normalise: received 'batch'; allowed: False or True. Try False.",
        ),
        (
            {"augment": "rotate:999"},
            "augment: received 'rotate:999'; allowed: rotate:DEGREES with a number from "
            "0 to 180. Try rotate:15.",
        ),
        (
            {"augment": "flip+flip"},
            "augment: received 'flip' in 'flip+flip'; allowed: every part once. "
            "Keep one flip.",
        ),
        (
            {"average": 1.0},
            f"average: received 1.0; allowed: {SHARE}. Try 0.99, or 0 for none.",
        ),
        (
            {"confidence": 1.0},
            f"confidence: received 1.0; allowed: {SHARE}. Try 0.95.",
        ),
        (
            {"validation": 1.5},
            f"validation: received 1.5; allowed: {SHARE}. Try 0.1.",
        ),
        (
            {"validation": None},
            f"validation: received None; allowed: {SHARE}. Try 0.1.",
        ),
        (
            {"patience": 3},
            "patience: received 3 without validation pictures; allowed: patience "
            "together with validation. Add validation=0.1.",
        ),
        (
            {"patience": 0, "validation": 0.1},
            "patience: received 0; allowed: a whole number of at least 1. "
            "Try patience=5, or leave it out.",
        ),
        (
            {"random_state": -1},
            "random_state: received -1; allowed: a whole number of at least 0. Try 0.",
        ),
        (
            {"device": "tpu"},
            "device: received 'tpu'; allowed: 'auto' or 'cpu' or 'cuda' or 'mps'. "
            "Try 'auto'.",
        ),
        (
            {"precision": 16},
            "precision: received 16; allowed: '32-true' or 'bf16-mixed' or "
            "'16-mixed'. Try '32-true'.",
        ),
    ],
)
def test_options_that_cannot_work_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        FineTuning(**options).resolved()
    assert str(caught.value) == message
