"""Decoded pictures gathered in one array, widened when one needs more."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.decode.adapt import with_channels
from caes.data.decode.pictures import Decoded
from caes.data.formats import LISTED
from caes.data.imageset import Skipped, counted
from caes.data.reading import too_large
from caes.errors import DataError

REPEATED = "Grey pictures among colour ones were repeated to three channels"
DEEPENED = "8-bit pictures among 16-bit ones were multiplied by 257"
WIDENED = "Pictures of fewer bits among floating-point ones were given as many"

Family = tuple[int, str]


@dataclass(frozen=True)
class Batch:
    """What became of the pictures that were asked for.

    Args:
        pixels: N×H×W×C, those that could be read, in order.
        rows: N positions among the pictures that were asked for, ascending.
        skipped: Those that could not be read.
        notes: A sentence for each thing that was done to some of them.
    """

    pixels: NDArray[Any]
    rows: list[int]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


@dataclass
class Group:
    """Gathers pictures of one size and family whose number is known beforehand.

    Args:
        count: The most pictures that can come.
        source: What they belong to, for errors.
    """

    count: int
    source: str
    pixels: NDArray[Any] | None = None
    rows: list[int] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, row: int, decoded: Decoded) -> None:
        """Copy a picture in, given its position among all that were asked for."""
        picture, old = decoded.pixels, self.pixels
        if old is None:
            self.pixels = self._first(picture)
        else:
            self._join(picture, old)
        self.notes.update(decoded.notes)
        self.rows.append(row)

    def said(self) -> tuple[str, ...]:
        """Write the notes, each with the number of pictures it is true of."""
        return counted(self.notes)

    def _first(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Give the array of one picture: itself where it can be, as it may be large."""
        kept = picture.flags.c_contiguous and picture.flags.writeable
        return picture[None] if kept else picture[None].copy()

    def _join(self, picture: NDArray[Any], old: NDArray[Any]) -> None:
        pixels = self._wide_enough(picture, old)
        pixels[len(self.rows)] = widened(picture, pixels.shape[3], pixels.dtype)
        if picture.shape[2] < pixels.shape[3]:
            self.notes[REPEATED] += 1
        if picture.dtype != pixels.dtype:
            self.notes[deepening(pixels.dtype)] += 1

    def _wide_enough(self, picture: NDArray[Any], old: NDArray[Any]) -> NDArray[Any]:
        """Give the array, with room for a picture more, of all that it needs."""
        done = len(self.rows)
        channels = max(old.shape[3], picture.shape[2])
        dtype = np.promote_types(old.dtype, picture.dtype)
        self.notes[REPEATED] += done * (channels > old.shape[3])
        self.notes[deepening(dtype)] += done * (dtype != old.dtype)
        self.notes = +self.notes
        if (channels, dtype) == (old.shape[3], old.dtype) and done < len(old):
            return old
        # A few odd pictures, perhaps large ones, should not take room for all.
        room = len(old) if done < len(old) else 8 * done if done < 64 else self.count
        self.pixels = self._empty(room, (*picture.shape[:2], channels), dtype)
        for row in range(done):
            self.pixels[row] = widened(old[row], channels, dtype)
        return self.pixels

    def _empty(self, room: int, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        form = (min(room, self.count), *shape)
        try:
            return np.empty(form, dtype)
        except MemoryError as error:
            raise too_large(self.source, "×".join(map(str, form))) from error


@dataclass
class Stack:
    """Gathers pictures; those that cannot be brought to most others' form are skipped.

    Grey goes with colour, 8 bits with 16, and floating-point numbers with each other.

    Args:
        count: The most pictures that can come.
        source: What they belong to, for errors.
    """

    count: int
    source: str
    groups: dict[Family, Group] = field(default_factory=dict)
    skipped: dict[int, Skipped] = field(default_factory=dict)

    def fits(self, picture: NDArray[Any]) -> bool:
        """Whether a picture has the height and width of its like before."""
        group = self.groups.get(family_of(picture))
        if group is None or group.pixels is None:
            return True
        return group.pixels.shape[1:3] == picture.shape[:2]

    def add(self, row: int, decoded: Decoded) -> None:
        """Copy a picture in, given its position among all that were asked for."""
        family = family_of(decoded.pixels)
        if family not in self.groups:
            self.groups[family] = self.group()
        self.groups[family].add(row, decoded)

    def group(self) -> Group:
        """Make what gathers the pictures of one family."""
        return Group(self.count, self.source)

    def skip(self, row: int, skipped: Skipped, strict: bool) -> None:
        """Note a picture that cannot be read, or with ``strict`` raise."""
        if strict:
            raise self._unreadable(
                skipped, "Mend or remove it, or leave out --strict to skip it."
            )
        self.skipped[row] = skipped

    def reached(self, done: int) -> None:
        """Take note that so many pictures have been met."""

    def largest(self) -> list[Group]:
        """Give the families, that of most pictures first."""
        return sorted(self.groups.values(), key=lambda group: -len(group.rows))

    def batch(self, names: list[str], strict: bool) -> Batch:
        """Give what was gathered, of the largest family; nothing at all is an error.

        Args:
            names: The names of all pictures that were asked for.
            strict: Whether pictures of other families are an error too.
        """
        groups = self.largest()
        if not groups or groups[0].pixels is None:
            raise self._nothing()
        most, pixels = groups[0], groups[0].pixels
        odd = [(row, group.pixels) for group in groups[1:] for row in group.rows]
        for row, others in sorted(odd, key=lambda each: each[0]):
            self.skip(row, Skipped(names[row], unlike(others, pixels)), strict)
        skipped = tuple(self.skipped[row] for row in sorted(self.skipped))
        return Batch(pixels[: len(most.rows)], most.rows, skipped, most.said())

    def _unreadable(self, skipped: Skipped, next_step: str) -> DataError:
        alone = Path(self.source).name == skipped.name  # the source is this picture
        return DataError(
            self.source if alone else f"{skipped.name} in {self.source}",
            f"an unreadable picture ({skipped.reason})",
            f"a whole {LISTED} picture",
            next_step,
        )

    def _nothing(self) -> DataError:
        first = self.skipped[min(self.skipped)]
        if len(self.skipped) == 1:
            return self._unreadable(first, "Mend or replace it.")
        return DataError(
            self.source,
            f"{len(self.skipped):,} pictures, all unreadable "
            f"(the first, {first.name}: {first.reason})",
            f"at least one whole {LISTED} picture",
            "Check the files.",
        )


def family_of(picture: NDArray[Any]) -> Family:
    """Tell the pictures that this one, …×C, can be brought to the same form as."""
    channels, dtype = picture.shape[-1], picture.dtype
    if dtype in (np.uint8, np.uint16):
        kind = "unsigned"
    else:
        kind = "floating" if dtype.kind == "f" else dtype.name
    return 1 if channels == 3 else channels, kind


def unlike(pixels: NDArray[Any] | None, most: NDArray[Any]) -> str:
    """Say what sets a picture's channels or type, …×C, apart from most others'."""
    return f"{_form(pixels)}, while most pictures have {_form(most)}"


def _form(pixels: NDArray[Any] | None) -> str:
    if pixels is None:
        return "none"
    number = pixels.shape[-1]
    return f"{number} channel{'s' if number > 1 else ''} of {pixels.dtype}"


def deepening(dtype: np.dtype[Any]) -> str:
    """Say what `widened` does to pictures of fewer bits than this type's."""
    return WIDENED if dtype.kind == "f" else DEEPENED


def widened(picture: NDArray[Any], channels: int, dtype: Any) -> NDArray[Any]:
    """Bring a grey or narrow picture to more channels or bits, where it has fewer.

    Args:
        picture: H×W×C.
        channels: As many as it has, or 3.
        dtype: Its own type, or a wider one.
    """
    if picture.dtype != dtype:
        picture = picture.astype(dtype)
        if picture.dtype.kind == "u":
            picture = picture * dtype.type(257)  # 255 becomes 65,535
    return with_channels(picture, channels)
