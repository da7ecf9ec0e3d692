"""Pictures in memory, whatever they came from: the one form that all of caes reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caes.data.mapped import OnDisk, joined, parts, pick
from caes.data.measures import Statistics
from caes.errors import DataError


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    name: str  # as the user would write it
    reason: str  # a few words, such as "truncated"


class Stored(NamedTuple):
    """What a picture's file is."""

    format: str  # such as "PNG"
    mode: str  # how it stores pixels, such as "palette" or "16-bit grey"


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet:
    """N pictures of one size, in the type they were stored in.

    Args:
        pixels: N×H×W×C, any real number type, in the source's own units; those of a
            prepared set lie in a file, and many picked out of it are an `OnDisk`.
        names: N names, one a picture: its path inside the source, or its index.
        labels: N class indices, int64 in [0, len(classes)), -1 where a picture has no
            label; or None without classes.
        classes: The classes' names by index; empty without classes.
        value_range: (low, high): the values that stand for black and white, in the
            source's units: the type's range for uint8, uint16 and bool; (0, 1) for
            other types whose values lie in it; else the pictures' own extremes.
        source: What was opened, as the user would write it.
        split: Which part of the source this is, such as "train[:1000]".
        skipped: What was left out while reading.
        notes: What a reader should know of how the pictures were read, a sentence each.
        stored: What the pictures' files are, where all are known to be alike.
        statistics: What is known of the pixels; found when it is first asked for, and
            kept in copies of the set that have the same pixels.
    """

    pixels: NDArray[Any]
    names: Sequence[str]
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    value_range: tuple[float, float] = (0.0, 1.0)
    source: str = "array"
    split: str = "train"
    skipped: tuple[Skipped, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())
    stored: Stored | None = None
    statistics: Statistics = field(default_factory=lambda: Statistics(None))

    def __post_init__(self) -> None:
        if self.statistics.pixels is not self.pixels:
            object.__setattr__(self, "statistics", Statistics(self.pixels))

    @classmethod
    def from_pixels(
        cls, pixels: NDArray[Any], names: Sequence[str] | None = None, **about: Any
    ) -> "ImageSet":
        """Make a set from an array, checking it and finding its value range.

        Args:
            pixels: N×H×W (grey) or N×H×W×C, any real number type, finite.
            names: N names; without them the pictures are named by index, "00000" on.
            about: Any of the other fields.

        Raises:
            DataError: No pictures, objects or text instead of numbers, NaN or infinity,
                not three or four axes, or not a name and a label for each picture.
        """
        source = about.get("source", "array")
        if not isinstance(pixels, np.memmap):
            pixels = np.asarray(pixels)
        pixels = _in_form(pixels, source)
        statistics = Statistics(pixels)
        if not statistics.finite and (bad := _not_finite(pixels)):
            raise DataError(
                source,
                f"NaN or infinity in {bad} of {len(pixels)} pictures",
                "finite numbers",
                "Drop or mend them, for example with numpy.nan_to_num.",
            )
        about.setdefault("value_range", statistics.nominal)
        low, high = about["value_range"]
        if not np.isfinite(high - low):
            raise DataError(
                source,
                f"values from {low:g} to {high:g}",
                "values whose range is a finite number",
                "Divide them by their largest value.",
            )
        if names is None:
            names = index_names(range(len(pixels)), len(pixels))
        _check_rows(len(pixels), names, about.get("labels"), source)
        return cls(pixels=pixels, names=names, statistics=statistics, **about)

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.shape))
        return f"ImageSet: {shape}, {self.dtype} ({self.source} {self.split})"

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: Any) -> "ImageSet":
        """Pick pictures by slice, index array or mask: a smaller ImageSet."""
        picked = np.atleast_1d(np.arange(len(self))[rows])
        # A slice stays a view, so that splitting a large set copies nothing.
        where = rows if isinstance(rows, slice) else picked
        return replace(
            self,
            pixels=pick(self.pixels, where),
            names=[self.names[index] for index in picked],
            labels=None if self.labels is None else self.labels[where],
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        pixels: Any = self.pixels
        if isinstance(pixels, OnDisk):
            return np.asarray(pixels, dtype=dtype)
        return np.array(pixels, dtype=dtype, copy=copy)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, C)."""
        n, height, width, channels = self.pixels.shape
        return n, height, width, channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """The pixels' type, as stored in the source."""
        return self.pixels.dtype

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of shape, type and every pixel and label."""
        digest = self.statistics.content.copy()
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels).data)
        return str(digest.hexdigest())


def counted(notes: Mapping[str, int]) -> tuple[str, ...]:
    """Write notes as sentences, each with the number of pictures it is true of.

    >>> counted({"Palette pictures were expanded to colour": 1_200, "Seen whole.": 3})
    ('Palette pictures were expanded to colour: 1,200.', 'Seen whole.')
    """
    told = notes.items()
    return tuple(note if note.endswith(".") else f"{note}: {n:,}." for note, n in told)


def index_names(rows: range, count: int) -> list[str]:
    """Name rows out of ``count`` by their index, padded so that names sort as rows do.

    >>> index_names(range(2), 200_000)
    ['000000', '000001']
    """
    width = max(5, len(str(count - 1)))
    return [f"{row:0{width}d}" for row in rows]


def join(sets: Sequence[ImageSet]) -> ImageSet:
    """Put sets of one shape and type behind each other, as ``train+test`` asks for.

    The value range spans theirs; there are labels where all have some.
    """
    first = sets[0]
    if len(sets) == 1:
        return first
    forms = {f"{'×'.join(map(str, p.shape[1:]))} {p.dtype}": p.split for p in sets}
    if len(forms) > 1:
        described = " and ".join(f"{form} ({split})" for form, split in forms.items())
        raise DataError(
            first.source,
            f"parts that differ: {described}",
            "parts of one height, width, number of channels and type",
            "Give size and channels to read all of them alike.",
        )
    labels = [part.labels for part in sets if part.labels is not None]
    labelled = len(labels) == len(sets)
    lows, highs = zip(*(part.value_range for part in sets), strict=True)
    return replace(
        first,
        pixels=joined([part.pixels for part in sets]),
        names=[name for part in sets for name in part.names],
        labels=np.concatenate(labels) if labelled else None,
        classes=first.classes if labelled else (),
        value_range=(min(lows), max(highs)),
        skipped=tuple(skip for part in sets for skip in part.skipped),
        notes=tuple(dict.fromkeys(note for part in sets for note in part.notes)),
        stored=first.stored if len({part.stored for part in sets}) == 1 else None,
    )


def _in_form(pixels: NDArray[Any], source: str) -> NDArray[Any]:
    if pixels.dtype.kind not in "buif":
        raise DataError(
            source,
            f"an array of type {pixels.dtype}",
            "an array of numbers, N×H×W or N×H×W×C",
            "Stack pictures of one size with numpy.stack.",
        )
    if pixels.ndim not in (3, 4):
        raise DataError(
            source,
            f"an array of shape {pixels.shape}",
            "N×H×W (grey) or N×H×W×C",
            "Reshape it; a single picture needs a leading axis: array[None].",
        )
    if 0 in pixels.shape:
        raise DataError(
            source,
            f"an array of shape {pixels.shape}",
            "at least one picture of at least one pixel",
            "Check the selection that made it.",
        )
    # The other byte order, as files from another machine have it, stops torch.
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return pixels if pixels.ndim == 4 else pixels[..., None]


def _not_finite(pixels: NDArray[Any]) -> int:
    return sum(int((~np.isfinite(p)).any((1, 2, 3)).sum()) for p in parts(pixels))


def _check_rows(
    count: int, names: Sequence[str], labels: NDArray[Any] | None, source: str
) -> None:
    for what, given in (("names", names), ("labels", labels)):
        if given is not None and len(given) != count:
            raise DataError(
                source,
                f"{len(given)} {what} for {count} pictures",
                f"as many {what} as pictures",
                "Check how the two were selected.",
            )
