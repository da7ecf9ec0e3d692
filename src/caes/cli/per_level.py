"""Options that take one value, or one a level of a stack: ``3`` or ``3,2,1``."""

from collections.abc import Callable
from typing import Any

import tyro


def per_level(
    number: Callable[[str], Any],
) -> "tyro.constructors.PrimitiveConstructorSpec[Any]":
    """Read ``3`` as a number, and ``3,2,1`` as a tuple of them.

    Args:
        number: Reads one of them, and raises a ValueError where it cannot.
    """

    def read(words: list[str]) -> Any:
        values = tuple(number(word) for word in words[0].split(","))
        return values if len(values) > 1 else values[0]

    def write(value: Any) -> list[str]:
        values = value if isinstance(value, tuple) else (value,)
        return [",".join(map(str, values))]

    name = "INT" if number is int else "FLOAT"
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=f"{name}[,{name}…]",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, int | float | tuple),
        str_from_instance=write,
    )
