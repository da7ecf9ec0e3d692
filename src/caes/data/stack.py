"""One array that decoded pictures are gathered in, widened when one needs more."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.adapt import with_channels
from caes.data.imageset import Skipped
from caes.data.kind import too_large
from caes.data.pictures import FORMATS, Decoded
from caes.errors import DataError

REPEATED = "Grey pictures among colour ones were repeated to three channels"
DEEPENED = "8-bit pictures among 16-bit ones were multiplied by 257"


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
class Stack:
    """Gathers pictures of one size whose number is known beforehand.

    Args:
        count: The most pictures that can come.
        source: What they belong to, for errors.
    """

    count: int
    source: str
    pixels: NDArray[Any] | None = None
    rows: list[int] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def fits(self, picture: NDArray[Any]) -> bool:
        """Whether a picture has the height and width of those before."""
        return self.pixels is None or self.pixels.shape[1:3] == picture.shape[:2]

    def add(self, row: int, decoded: Decoded) -> None:
        """Copy a picture in, given its position among all that were asked for."""
        picture = decoded.pixels
        pixels = self._wide_enough(picture)
        self.notes.update(decoded.notes)
        pixels[len(self.rows)] = _widened(picture, pixels.shape[3], pixels.dtype)
        if picture.shape[2] < pixels.shape[3]:
            self.notes[REPEATED] += 1
        if picture.dtype != pixels.dtype:
            self.notes[DEEPENED] += 1
        self.rows.append(row)

    def skip(self, skipped: Skipped, strict: bool) -> None:
        """Note a picture that cannot be read, or with ``strict`` raise."""
        if strict:
            raise self._unreadable(
                skipped, "Mend or remove it, or leave out --strict to skip it."
            )
        self.skipped.append(skipped)

    def reached(self, done: int) -> None:
        """Take note that so many pictures have been met."""

    def batch(self) -> Batch:
        """Give what was gathered; nothing at all is an error."""
        if self.pixels is None:
            raise self._nothing()
        return Batch(
            self.pixels[: len(self.rows)],
            self.rows,
            tuple(self.skipped),
            written(self.notes),
        )

    def _unreadable(self, skipped: Skipped, next_step: str) -> DataError:
        alone = Path(self.source).name == skipped.name  # the source is this picture
        return DataError(
            self.source if alone else f"{skipped.name} in {self.source}",
            f"an unreadable picture ({skipped.reason})",
            f"a whole {FORMATS} picture",
            next_step,
        )

    def _nothing(self) -> DataError:
        first = self.skipped[0]
        if len(self.skipped) == 1:
            return self._unreadable(first, "Mend or replace it.")
        return DataError(
            self.source,
            f"{len(self.skipped):,} pictures, all unreadable "
            f"(the first, {first.name}: {first.reason})",
            f"at least one whole {FORMATS} picture",
            "Check the files.",
        )

    def _wide_enough(self, picture: NDArray[Any]) -> NDArray[Any]:
        old = self.pixels
        if old is None:
            self.pixels = self._empty(picture.shape, picture.dtype)
            return self.pixels
        channels = max(old.shape[3], picture.shape[2])
        dtype = np.promote_types(old.dtype, picture.dtype)
        if (channels, dtype) == (old.shape[3], old.dtype):
            return old
        done = len(self.rows)
        self.notes[REPEATED] += done * (channels > old.shape[3])
        self.notes[DEEPENED] += done * (dtype != old.dtype)
        self.notes = +self.notes
        self.pixels = self._empty((*picture.shape[:2], channels), dtype)
        for row in range(done):
            self.pixels[row] = _widened(old[row], channels, dtype)
        return self.pixels

    def _empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        form = (self.count, *shape)
        try:
            return np.empty(form, dtype)
        except MemoryError as error:
            raise too_large(self.source, "×".join(map(str, form))) from error


def written(notes: Counter[str]) -> tuple[str, ...]:
    """Write notes, and how many pictures each is true of, as sentences."""
    return tuple(f"{note}: {n:,}." for note, n in notes.items())


def _widened(picture: NDArray[Any], channels: int, dtype: Any) -> NDArray[Any]:
    if picture.dtype != dtype:
        picture = picture.astype(dtype) * 257  # 255 becomes 65,535
    return with_channels(picture, channels)
