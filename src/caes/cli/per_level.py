"""Options that take one value, or one a level of a stack: ``3`` or ``3,2,1``."""

from typing import Any

import tyro

NAMES = {int: "a whole number", float: "a number"}


def per_level(
    number: type[int] | type[float],
) -> "tyro.constructors.PrimitiveConstructorSpec[Any]":
    """Read ``3`` as a number, and ``3,2,1`` as a tuple of them."""

    def read(words: list[str]) -> Any:
        try:
            values = tuple(number(word) for word in words[0].split(","))
        except ValueError:
            allowed = f"{NAMES[number]}, or one for each level with commas between"
            raise ValueError(f"received {words[0]!r}; allowed: {allowed}") from None
        return values if len(values) > 1 else values[0]

    def write(value: Any) -> list[str]:
        values = value if isinstance(value, tuple) else (value,)
        return [",".join(map(str, values))]

    name = number.__name__.upper()
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=f"{name}[,{name}…]",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, int | float | tuple),
        str_from_instance=write,
    )
