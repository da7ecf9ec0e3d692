"""What belongs together, by the names of pictures."""

import re
from collections.abc import Sequence

from caes.errors import ArgumentError


def groups_of(names: Sequence[str], pattern: str | None) -> list[str]:
    r"""Give each picture's group: what a pattern's first group finds in its name.

    Without a pattern there are no groups. A name that has none is one by itself.

    >>> groups_of(["a1_x.png", "a1_y.png", "b.png"], r"(a\d+)_")
    ['a1', 'a1', 'b.png']
    """
    if pattern is None:
        return []
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise _refused(pattern, f"a pattern that can be read ({error})") from error
    if wanted.groups < 1:
        raise _refused(pattern, "a pattern with a group in parentheses")
    found = [wanted.search(name) for name in names]
    if not any(found):
        raise _refused(pattern, f"a pattern that is in names such as {names[0]!r}")
    return [
        (each[1] or name) if each else name
        for name, each in zip(names, found, strict=True)
    ]


def _refused(pattern: str, allowed: str) -> ArgumentError:
    return ArgumentError(
        "--group-by", repr(pattern), allowed, r"Try --group-by '(part\d+)'."
    )
