"""A census as JSON has it: docs/census.md says what each key is."""

import math
from typing import TYPE_CHECKING, Any

from caes.data.census.duplicates import Group, Repeats
from caes.data.sources.tree import printable

if TYPE_CHECKING:
    from caes.data.census.survey import Survey, Values


def written(found: "Survey") -> dict[str, Any]:
    """Give a survey in plain dicts, lists, texts and finite numbers."""
    return {
        "source": found.source,
        "splits": dict(found.splits),
        "pictures": found.pictures,
        "sizes": [
            {"height": height, "width": width, "pictures": n}
            for (height, width), n in found.sizes.most_common()
        ],
        "channels": [
            {"channels": channels, "pictures": n}
            for channels, n in found.channels.most_common()
        ],
        "dtypes": dict(found.dtypes.most_common()),
        "modes": dict(found.modes.most_common()),
        "formats": dict(found.formats.most_common()),
        "values": [_values(each) for each in found.values.values()],
        "classes": dict(found.classes),
        "unlabelled": found.pictures - found.classes.total(),
        "duplicates": _repeats(found.repeats),
        "unreadable": [
            {"name": each.name, "reason": printable((each.reason,))}
            for each in found.skipped
        ],
    }


def _values(values: "Values") -> dict[str, Any]:
    return {
        "dtype": values.dtype,
        "channels": values.channels,
        "pictures": values.pictures,
        "low": number(values.low),
        "high": number(values.high),
        "nominal": None if values.nominal is None else list(values.nominal),
        "used": values.used,
        "mean": [number(each) for each in values.mean.tolist()],
        "std": [number(each) for each in values.std.tolist()],
    }


def _repeats(repeats: Repeats) -> dict[str, Any]:
    return {
        "pictures": repeats.pictures,
        "groups": repeats.groups,
        "first": [_group(each) for each in repeats.first],
        "across_splits": [
            {"split": later, "also_in": earlier, "pictures": n}
            for (later, earlier), n in repeats.across.items()
        ],
        "first_across_splits": [_group(each) for each in repeats.first_across],
        "different_labels": repeats.differing,
        "first_different_labels": [_group(each) for each in repeats.first_differing],
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "pictures": group.pictures,
        "names": list(group.names),
        "classes": list(group.classes),
    }


def number(value: float) -> float | int | None:
    """Give a number as JSON has it: whole where it is, None where it is not finite.

    >>> number(255.0), number(0.5), number(float("nan"))
    (255, 0.5, None)
    """
    if not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else value
