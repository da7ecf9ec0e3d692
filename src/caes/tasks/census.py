"""What is in some pictures: a table on the terminal, or a few lines before a fit."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from rich.console import Console

from caes.data import ImageSet, Survey
from caes.data.census.duplicates import Group
from caes.data.census.survey import Values
from caes.data.decode.tiles import whole_names
from caes.report.numbers import count
from caes.tasks.info import pairs

_GROUPS = 3
"""Groups of the same picture that are named, and names in each."""
_PAIRS = 200
"""Pairs of pictures of one name that are asked whether one is the other's mask."""
_CHANNELS = 6
"""Channels whose means are told; JSON has those of all."""


def print_survey(found: Survey) -> None:
    """Print what a survey has found."""
    console = Console()
    console.print(pairs(_facts(found)))
    if found.classes:
        console.print("pictures of each class:")
        console.print(pairs((name, f"{n:,}") for name, n in found.classes.items()))
    for skipped in found.skipped:
        said = f"cannot be read: {skipped.name}: {skipped.reason}"
        # One line, however long.
        console.print(said, markup=False, highlight=False, soft_wrap=True)


def in_short(found: Survey) -> Iterator[str]:
    """Write what to know of pictures before a fit: a few lines, without full stops."""
    for each in found.values.values():
        yield f"values: {ranged(each)}{_of(found, each)}"
    yield from repeated(found)


def masks(images: ImageSet) -> str:
    """Name masks among pictures: the name of another one, its own ending, two values.

    Nothing where there are none.
    """
    named: dict[str, dict[str, int]] = {}
    for row, name in enumerate(whole_names(images.names)):
        path = PurePath(name)
        named.setdefault(path.stem, {}).setdefault(path.suffix, row)
    pairs = [rows for each in named.values() if len(rows := [*each.values()]) > 1]
    found = [
        (images.names[row], next(images.names[at] for at in rows if at != row))
        for rows in pairs[:_PAIRS]
        for row in rows
        if len(np.unique(images.pixels[row])) == 2
    ]
    if not found:
        return ""
    mask, of = found[0]
    return (
        f"{mask} looks like a mask of {of}, of the same name and with two values, and "
        "is learnt from like all others: move such files to a folder of their own"
    )


def ranged(values: Values) -> str:
    """Write the range of values beside the nominal one."""
    low, high = _number(values.low), _number(values.high)
    if values.nominal is None or values.used is None:
        return f"{low} to {high}, {values.dtype}"
    if (values.low, values.high) == values.nominal:
        return f"{low} to {high}, the whole range of {values.dtype}"
    share = "under 1" if 0 < values.used < 0.01 else f"{int(100 * values.used)}"
    nominal = " to ".join(map(_number, values.nominal))
    return f"{low} to {high} of {nominal}: {share} % of {values.dtype} is used"


def repeated(found: Survey) -> Iterator[str]:
    """Write what pictures are the same, a sentence each; nothing where none are."""
    repeats = found.repeats
    if repeats.pictures:
        first = _groups(repeats.first, repeats.groups)
        several = count(repeats.pictures, "picture")
        repeat = "repeats" if repeats.pictures == 1 else "repeat"
        yield f"{several} of {found.pictures:,} {repeat} another one: {first}"
    for (later, earlier), n in repeats.across.items():
        verb = "is" if n == 1 else "are"
        yield f"{count(n, 'picture')} of {later} {verb} in {earlier} too"
    if repeats.differing:
        first = _groups(repeats.first_differing, repeats.differing, labelled=True)
        yield f"the same picture has different labels: {first}"


def _groups(groups: Sequence[Group], total: int, *, labelled: bool = False) -> str:
    told = []
    for group in groups[:_GROUPS]:
        shown = [*zip(group.names, group.classes, strict=True)][:_GROUPS]
        names = [f"{name} ({its})" if labelled else name for name, its in shown]
        more = group.pictures - len(names)
        told.append(" = ".join(names) + f" and {more:,} more" * bool(more))
    if total > _GROUPS:
        told.append(f"and {total - _GROUPS:,} more such groups")
    return "; ".join(told)


def _facts(found: Survey) -> Iterator[tuple[str, str]]:
    sizes = {f"{height}×{width}": n for (height, width), n in found.sizes.items()}
    yield "source", found.source
    yield "splits", ", ".join(f"{name} {n:,}" for name, n in found.splits.items())
    yield "pictures", f"{found.pictures:,}"
    yield "sizes", _counts(sizes)
    yield "channels", _counts(found.channels)
    yield "types", _counts(found.dtypes)
    yield "modes", _counts(found.modes)
    if found.formats:
        yield "formats", _counts(found.formats)
    for values in found.values.values():
        of = _of(found, values)
        yield "values", ranged(values) + of
        yield "mean ± deviation", _means(values) + of
    for sentence in repeated(found):
        yield "duplicates", sentence
    if not found.repeats.pictures:
        yield "duplicates", "none"
    yield "classes", f"{len(found.classes)}" if found.classes else "none"
    unlabelled = found.pictures - found.classes.total()
    if found.classes and unlabelled:
        yield "without a label", f"{unlabelled:,}"
    yield "cannot be read", f"{len(found.skipped):,}"


def _means(values: Values) -> str:
    both = zip(values.mean, values.std, strict=True)
    told = [f"{mean:.4g} ± {std:.4g}" for mean, std in both]
    more = len(told) - _CHANNELS
    return ", ".join(told[:_CHANNELS]) + (f" and {more} more" if more > 0 else "")


def _of(found: Survey, values: Values) -> str:
    """Say which pictures are meant, where there are several sorts."""
    if len(found.values) == 1:
        return ""
    channels = count(values.channels, "channel")
    return f" ({values.pictures:,} of {values.dtype} with {channels})"


def _number(value: float) -> str:
    if float(value).is_integer() and abs(value) < 2**53:
        return f"{int(value):,}"
    return f"{value:.6g}"


def _counts(counts: Mapping[Any, int]) -> str:
    """Write counts, the most common first, and how many more there are."""
    if len(counts) == 1:
        return str(next(iter(counts)))
    ordered = Counter(counts).most_common(6)
    more = f" and {len(counts) - 6} more" if len(counts) > 6 else ""
    return ", ".join(f"{value} ({n:,})" for value, n in ordered) + more
