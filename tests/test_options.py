"""Options declared once: defaults, bounds, texts, and what is made of them."""

import inspect
import subprocess
import sys
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, Literal

import pytest

from caes import CAE, CAEClassifier
from caes.errors import ArgumentError
from caes.options import check, number, option, options, seed, share, values, whole
from caes.train.options import Options
from caes.train.recipes import FineTuning
from tests.refusals import refusing


@options
class Baking:
    """How to bake.

    Example:
        >>> 1
        1
    """

    flour: str = option("rye", "Of which corn.")
    _: KW_ONLY
    way: Literal["oven", "pan"] = option("oven", "Where.")
    steam: bool | None = option(None, "Whether with steam.")
    minutes: int | tuple[int, ...] = option(
        40,
        """Time, for all loaves or one by one, with a text so long that it does not fit
        into a single line.""",
        whole(1),
    )
    loaves: int = option(2, "How many.", whole(1))
    salt: float = option(0.5, "Share.", share, hint="Try a pinch.")
    heat: float | None = option(None, "Degrees.", number(0))
    luck: Any = option(None, "Seed.", seed, hint="Try 0.")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"minutes": (30, 40), "salt": 0, "heat": 1e9},
        {"steam": True, "luck": object()},
        {"way": "pan", "luck": 3},
    ],
)
def test_values_within_their_bounds_pass(given: dict[str, Any]) -> None:
    check(Baking(**given), Baking)


LEAST = "allowed: a whole number of at least 1."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"way": "grill"}, "way: received 'grill'; allowed: 'oven' or 'pan'. Try 'oven'."),
        ({"steam": 2}, "steam: received 2; allowed: False or True. Try False."),
        ({"minutes": (30, 0)}, f"minutes: received 0; {LEAST} Try minutes=40."),
        ({"minutes": True}, f"minutes: received True; {LEAST} Try minutes=40."),
        ({"loaves": (1, 2)}, f"loaves: received (1, 2); {LEAST} Try loaves=2."),
        ({"loaves": None}, f"loaves: received None; {LEAST} Try loaves=2."),
        ({"salt": 1}, "salt: received 1; allowed: a number above 0 and below 1. Try a pinch."),
        ({"heat": 0}, "heat: received 0; allowed: a number above 0. Try heat=None."),
        ({"luck": -1}, "luck: received -1; allowed: a whole number of at least 0. Try 0."),
    ],
)  # fmt: skip
def test_the_first_value_beyond_its_bounds_is_refused(
    given: dict[str, Any], message: str
) -> None:
    with refusing(ArgumentError, message):
        check(Baking(**given), Baking)


def test_the_texts_are_the_docstring_s_arguments_before_its_other_sections() -> None:
    lines = (inspect.getdoc(Baking) or "").splitlines()
    assert lines[:8] == [
        "How to bake.",
        "",
        "Args:",
        "    flour: Of which corn.",
        "    way: Where.",
        "    steam: Whether with steam.",
        "    minutes: Time, for all loaves or one by one, with a text so long that it does",
        "        not fit into a single line.",
    ]
    assert lines[-4:] == ["", "Example:", "    >>> 1", "    1"]


def test_what_a_subclass_adds_is_neither_checked_nor_given() -> None:
    @dataclass(kw_only=True)
    class Order(Baking):
        loaves: int = 3
        street: str = ""

    order = Order(street="High")
    check(order, Baking)
    assert values(order, Baking) == values(Baking(loaves=3), Baking)


@pytest.mark.parametrize(
    ("estimator", "declared", "own"),
    [
        (CAE, Options, ["start", "image_shape", "verbose"]),
        (CAEClassifier, FineTuning, ["stack", "image_shape", "verbose"]),
    ],
)
def test_estimators_take_and_describe_every_option(
    estimator: Any, declared: Any, own: list[str]
) -> None:
    parameters = inspect.signature(estimator).parameters
    positional = [
        name for name, each in parameters.items() if each.kind is not each.KEYWORD_ONLY
    ]
    assert positional == [fields(estimator)[0].name] or positional == own[:1]
    assert {*parameters} == {*own, *(each.name for each in fields(declared))}
    for name in parameters:
        assert f"\n    {name}: " in estimator.__doc__
    assert estimator() != estimator()


def test_options_are_declared_without_torch_or_numpy() -> None:
    program = (
        "import sys, caes.options; sys.exit(len({'torch', 'numpy'} & {*sys.modules}))"
    )
    assert not subprocess.run([sys.executable, "-c", program], check=False).returncode
