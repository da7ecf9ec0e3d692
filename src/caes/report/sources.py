"""The pictures that a page speaks of: where they are from, what was left out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from caes.data.imageset import ImageSet

MOST_SKIPPED = 200
"""Files left out that are named; the page counts the rest."""

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """The pictures of one kind that the page speaks of: "Training" or "Test"."""

    name: str
    images: ImageSet


def sources(*parts: Part, notes: Sequence[str] = ()) -> dict[str, object]:
    """Give the values that the template "pictures.html" asks for.

    Args:
        parts: The pictures.
        notes: What a reader should know beside what the pictures say of themselves.
    """
    told = [note for part in parts for note in part.images.notes]
    skipped = [skip for part in parts for skip in part.images.skipped]
    return {
        "most_skipped": MOST_SKIPPED,
        "notes": _once([*notes, *told]),
        "parts": parts,
        "skipped": _once(skipped),
    }


def _once(values: Iterable[T]) -> list[T]:
    """Drop what training and test pictures both say, for they share a source."""
    return list(dict.fromkeys(values))
