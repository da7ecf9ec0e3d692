"""Which part of a source is meant: ``train[:10%]+test``, as ``datasets`` writes it."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from itertools import combinations

from caes.errors import ArgumentError

Picked = list[tuple[str, range]]  # the name of a split, and some rows of it

_ALLOWED = (
    "split names with an optional [start:stop] in pictures or whole percents, "
    "joined by +"
)
_EXAMPLES = "Try train, train[:1000], train[10%:] or train[:80%]+test."
_CANONICAL = {"t10k": "test", "val": "validation", "valid": "validation"}
SPLITS = ("train", "test", "validation")  # that a file or folder can say it is

_PART = re.compile(r"\s*(?P<name>[^\s\[\]+:%]+)\s*(\[(?P<slice>[^\[\]]*)\])?\s*")
_BOUND = re.compile(r"(?P<number>-?[0-9]{1,18})(?P<percent>%?)")


def rows_of(split: str, counts: Mapping[str, int]) -> Picked:
    """Find the rows of each split that a split expression picks.

    Bounds work as in Python: negative ones count from the end, and those beyond an end
    stop there. Percents are rounded to the closest row, halves to the even one. Unlike
    in `datasets`, no row can be picked twice: names are unique in an `ImageSet`.
    """
    if not isinstance(split, str):
        raise ArgumentError("split", repr(split), _ALLOWED, _EXAMPLES)
    picked = []
    position = 0
    for text in split.split("+"):
        picked.append(_part(split, text, position, counts))
        position += len(text) + 1
    _check_picked(split, picked, counts)
    return picked


def _part(
    split: str, text: str, position: int, counts: Mapping[str, int]
) -> tuple[str, range]:
    match = _PART.fullmatch(text)
    if match is None:
        raise _unreadable(split, text, position, "a split")
    name = match["name"]
    if name not in counts:
        close = get_close_matches(name, counts, n=1, cutoff=0.4)
        raise ArgumentError(
            "split",
            repr(split),
            f"parts of {', '.join(counts)}",
            f"Did you mean {close[0]}?" if close else "Choose one of these.",
        )
    if match["slice"] is None:
        return name, range(counts[name])
    start = position + match.start("slice")
    return name, _rows(split, match["slice"], start, counts[name])


def _rows(split: str, text: str, position: int, count: int) -> range:
    if text.count(":") != 1:
        raise _unreadable(split, text, position, "start:stop")
    before, after = text.split(":")
    start = _bound(split, before, position, count)
    stop = _bound(split, after, position + len(before) + 1, count)
    both = before.strip() and after.strip()
    if both and ("%" in before) != ("%" in after):
        raise _unreadable(split, text, position, "both in pictures or both in %")
    rows = range(count)[start:stop]
    return range(rows.start, max(rows.start, rows.stop))


def _bound(split: str, text: str, position: int, count: int) -> int | None:
    if not text.strip():
        return None
    match = _BOUND.fullmatch(text.strip())
    if match is None:
        raise _unreadable(split, text, position, "a whole number or percent")
    number = int(match["number"])
    if not match["percent"]:
        return number
    if abs(number) > 100:
        raise _unreadable(split, text, position, "between -100% and 100%")
    # A negative percent that rounds to 0 rows counts from the start, as `datasets` has
    # it: -1% of 10 pictures is row 0, not the end.
    return round(number * count / 100)


def _check_picked(split: str, picked: Picked, counts: Mapping[str, int]) -> None:
    if not any(len(rows) for _, rows in picked):
        there = ", ".join(f"{name} ({count:,})" for name, count in counts.items())
        raise ArgumentError(
            "split",
            f"{split!r}, which picks no pictures",
            f"parts of {there}",
            "Widen the bounds.",
        )
    for (name, rows), (other, others) in combinations(picked, 2):
        low, high = max(rows.start, others.start), min(rows.stop, others.stop)
        if name == other and low < high:
            raise ArgumentError(
                "split",
                f"{split!r}, which picks rows {low} to {high - 1} of {name} twice",
                "parts that do not overlap",
                "Change the bounds.",
            )


def _unreadable(split: str, text: str, position: int, wanted: str) -> ArgumentError:
    found = repr(text) if text.strip() else "nothing"
    return ArgumentError(
        "split",
        f"{split!r}: {found} at character {position + 1} is not {wanted}",
        _ALLOWED,
        _EXAMPLES,
    )


def split_named(word: str) -> str | None:
    """Read a word as a split: train, test or validation, else None."""
    word = word.casefold()
    word = _CANONICAL.get(word, word)
    return word if word in SPLITS else None


def leading_split(stem: str) -> str | None:
    """Read the word that a file's name starts with as a split.

    >>> leading_split("train-00000-of-00002"), leading_split("training")
    ('train', None)
    """
    return split_named(re.split(r"[^A-Za-z0-9]", stem, maxsplit=1)[0])
