"""Options declared once: default, bounds and text stand at the field.

From the fields come the constructor, the check of every value, the estimators'
docstrings and, as tyro reads those, the command line's help.
"""

import inspect
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal, TypeVar, dataclass_transform, get_args, get_type_hints

from caes.errors import ArgumentError

T = TypeVar("T")
Rule = Callable[[str, Any, str], None]
"""Refuses what cannot work: given an argument's name, its value and what to try."""


def whole(least: int, beside: str = "") -> Rule:
    """Ask for a whole number of at least ``least``, or what is told ``beside`` it."""

    def check(name: str, value: Any, hint: str) -> None:
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
            allowed = f"a whole number of at least {least}{beside}"
            raise ArgumentError(name, repr(value), allowed, hint)

    return check


def number(low: float, high: float = math.inf, *, or_zero: bool = False) -> Rule:
    """Ask for a number strictly between two, or for 0 where that is allowed."""
    allowed = f"a number above {low:g}"
    if high < math.inf:
        allowed += f" and below {high:g}"

    def check(name: str, value: Any, hint: str) -> None:
        if or_zero and value == 0:
            return
        numeric = isinstance(value, int | float) or hasattr(value, "__float__")
        if isinstance(value, str | bool) or not numeric or not low < value < high:
            raise ArgumentError(name, repr(value), allowed, hint)

    return check


share = number(0, 1, or_zero=True)
"""Asks for a number from 0 to below 1."""


def one_of(literal: Any) -> Rule:
    """Ask for one of a Literal's values."""
    choices = get_args(literal)

    def check(name: str, value: Any, hint: str = "") -> None:
        if value not in choices:
            allowed = " or ".join(map(repr, choices))
            raise ArgumentError(name, repr(value), allowed, f"Try {choices[0]!r}.")

    return check


def seed(name: str, value: Any, hint: str) -> None:
    """Ask for a whole number of at least 0, or a generator of numpy's."""
    if isinstance(value, int):
        whole(0)(name, value, hint)


def read_by(parse: Callable[[Any], object]) -> Rule:
    """Ask for what a function reads, which says itself what it does not."""

    def check(name: str, value: Any, hint: str) -> None:
        parse(value)

    return check


def option(default: T, text: str, rule: Rule | None = None, *, hint: str = "") -> T:
    """Declare an option of a class made by `options`.

    Args:
        default: Its value where none is given; None stands for itself.
        text: What it is, for docstring and help; its line ends do not matter.
        rule: What its value, or each of a tuple of them, has to be. Without one,
            what is annotated as a Literal or bool is held to that.
        hint: What to try instead of a value that cannot work; the default, if not said.
    """
    about = {"text": " ".join(text.split()), "rule": rule, "hint": hint}
    made: T = field(default=default, metadata=about)
    return made


@dataclass_transform(eq_default=False)
def options(cls: type[T]) -> type[T]:
    """Make a dataclass, with every option's text in its docstring's Args.

    It can be changed, as scikit-learn does, and two of it are not compared.
    """
    dataclass(eq=False)(cls)
    cls.__doc__ = _documented(inspect.cleandoc(cls.__doc__ or ""), cls)
    return cls


def check(given: object, declared: type[Any]) -> None:
    """Refuse the first value that breaks its field's rule.

    Args:
        given: Has a value for every option.
        declared: The class that declares them.

    Raises:
        ArgumentError: The value, and what is allowed.
    """
    for name, default, rule, per_level, hint in _rules(declared):  # type: ignore[arg-type]
        value = getattr(given, name)
        if value is None and default is None:
            continue
        many = per_level and isinstance(value, tuple | list)
        for each in value if many else (value,):
            rule(name, each, hint)


def values(given: object, declared: type[Any]) -> dict[str, Any]:
    """Give the options that a class declares, without what a subclass adds."""
    return {each.name: getattr(given, each.name) for each in fields(declared)}


@cache
def _rules(declared: type[Any]) -> list[tuple[str, Any, Rule, bool, str]]:
    """Give name, default, rule, whether of every level by itself, and hint."""
    types = get_type_hints(declared)
    found = []
    for each in fields(declared):
        kind = types[each.name]
        kinds = [k for k in get_args(kind) if k is not type(None)] or [kind]
        rule = each.metadata["rule"]
        if rule is None and bool in kinds:
            rule = one_of(Literal[False, True])
        elif rule is None and (given := _literal(kind)):
            rule = one_of(given)
        if rule is not None:
            hint = each.metadata["hint"] or f"Try {each.name}={each.default!r}."
            per_level = any(getattr(k, "__origin__", None) is tuple for k in kinds)
            found.append((each.name, each.default, rule, per_level, hint))
    return found


def _literal(kind: Any) -> Any:
    """Give the Literal that a type is, or allows beside None."""
    candidates = [kind, *get_args(kind)]
    return next(
        (k for k in candidates if getattr(k, "__origin__", None) is Literal), None
    )


def _documented(doc: str, made: type[Any]) -> str:
    """Put a section of arguments before those that the docstring has."""
    lines = ["Args:"]
    for each in fields(made):
        text = f"{each.name}: {each.metadata['text']}"
        lines += textwrap.wrap(
            text,
            84,
            initial_indent=" " * 4,
            subsequent_indent=" " * 8,
            break_long_words=False,
            break_on_hyphens=False,
        )
    parts = doc.split("\n\n")
    first = next(
        (n for n, part in enumerate(parts) if part.startswith(("Attributes:", "Exam"))),
        len(parts),
    )
    return "\n\n".join([*parts[:first], "\n".join(lines), *parts[first:]])
