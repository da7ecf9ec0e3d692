"""What is in a source, before anything is trained on it."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.census.duplicates import Contents, Group, Repeats
from caes.data.imageset import ImageSet, Skipped, join
from caes.data.reading import Progress
from caes.data.sources.base import Source
from caes.data.sources.tree import printable

_MODES = {1: "grey", 3: "colour"}
_TOGETHER = 2**22  # bytes of small pictures that are measured together

Seen = Callable[[ImageSet | Skipped], None]


@dataclass
class Values:
    """What the values of pictures of one type and number of channels are like."""

    dtype: str  # such as "uint8"
    channels: int  # of each picture
    pictures: int = 0
    low: float = np.inf  # the smallest value, in the source's units
    high: float = -np.inf
    # Each channel's mean and standard deviation (of the whole), in the source's units.
    mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    std: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    _pixels: int = 0

    def add(self, images: ImageSet) -> None:
        """Take pictures of this form in.

        Two parts are put together as Chan et al. 1983 do; of their roots, so that no
        square can overflow.
        """
        low, high = images.statistics.extremes
        mean, std = images.statistics.moments
        n, height, width, _ = images.shape
        total = self._pixels + n * height * width
        share = n * height * width / total
        apart = (mean - self.mean) * np.sqrt(share * (1 - share))
        within = np.hypot(self.std * np.sqrt(1 - share), std * np.sqrt(share))
        self.mean = self.mean + (mean - self.mean) * share
        self.std = np.hypot(within, apart)
        self.low, self.high = min(self.low, low.min()), max(self.high, high.max())
        self.pictures, self._pixels = self.pictures + n, total

    @property
    def nominal(self) -> tuple[float, float] | None:
        """The values that stand for black and white.

        They are the type's of truth values and whole numbers of 8 and 16 bits, 0 and 1
        of floating-point numbers that lie between; others have none.
        """
        kind = np.dtype(self.dtype)
        if kind.kind == "b":
            return 0, 1
        if kind.kind in "iu" and kind.itemsize <= 2:
            return int(np.iinfo(kind).min), int(np.iinfo(kind).max)
        if kind.kind == "f" and self.low >= 0 and self.high <= 1:
            return 0, 1
        return None

    @property
    def used(self) -> float | None:
        """The share of the nominal range that lies between the extremes, in [0, 1]."""
        if self.nominal is None:
            return None
        low, high = self.nominal
        return float((self.high - self.low) / (high - low))

    def as_dict(self) -> dict[str, Any]:
        """Give everything as JSON has it."""
        return {
            "dtype": self.dtype,
            "channels": self.channels,
            "pictures": self.pictures,
            "low": number(self.low),
            "high": number(self.high),
            "nominal": None if self.nominal is None else list(self.nominal),
            "used": self.used,
            "mean": [number(each) for each in self.mean.tolist()],
            "std": [number(each) for each in self.std.tolist()],
        }


@dataclass
class Survey:
    """The census of a source: every picture was looked at.

    What is counted are pictures: of each (H, W), number of channels, type such as
    "uint8", mode of their files such as "palette" (of what are no files grey, colour,
    or the channels), file format, and class, by name.
    """

    source: str
    splits: dict[str, int] = field(default_factory=dict)  # rows of each
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    values: dict[tuple[str, int], Values] = field(default_factory=dict)
    """Range, mean and deviation, by (type, channels)."""
    classes: Counter[str] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)  # what cannot be read
    _contents: Contents = field(default_factory=Contents)

    @property
    def pictures(self) -> int:
        """Pictures that could be read."""
        return self.sizes.total()

    @property
    def low(self) -> float:
        """Smallest value, in the source's units."""
        return min((each.low for each in self.values.values()), default=np.inf)

    @property
    def high(self) -> float:
        """Largest value."""
        return max((each.high for each in self.values.values()), default=-np.inf)

    @cached_property
    def repeats(self) -> Repeats:
        """Pictures that are the same, once all were taken in."""
        return self._contents.repeats()

    def add(self, images: ImageSet, split: str = "train") -> None:
        """Count pictures in."""
        self.add_files(images)
        self.add_pixels(images, split)

    def add_files(self, images: ImageSet) -> None:
        """Count in how pictures are stored, and which could not be read."""
        n, *_, channels = images.shape
        self.skipped += images.skipped
        if images.stored is not None:
            self.formats[images.stored.format] += n
            self.modes[images.stored.mode] += n
        else:
            self.modes[_MODES.get(channels, f"{channels} channels")] += n

    def add_pixels(self, images: ImageSet, split: str) -> None:
        """Count in what pictures hold."""
        n, height, width, channels = images.shape
        dtype = str(images.dtype)
        self.sizes[height, width] += n
        self.channels[channels] += n
        self.dtypes[dtype] += n
        self.values.setdefault((dtype, channels), Values(dtype, channels)).add(images)
        self._contents.add(images, split)
        if images.labels is not None:
            # In the classes' own order, whichever picture comes first.
            self.classes.update(dict.fromkeys(images.classes, 0))
            known = images.labels[images.labels >= 0]
            counts = np.bincount(known, minlength=len(images.classes)).tolist()
            self.classes.update(dict(zip(images.classes, counts, strict=True)))

    def as_dict(self) -> dict[str, Any]:
        """Give everything as JSON has it; docs/census.md says what each key is."""
        return {
            "source": self.source,
            "splits": dict(self.splits),
            "pictures": self.pictures,
            "sizes": [
                {"height": height, "width": width, "pictures": n}
                for (height, width), n in self.sizes.most_common()
            ],
            "channels": [
                {"channels": channels, "pictures": n}
                for channels, n in self.channels.most_common()
            ],
            "dtypes": dict(self.dtypes.most_common()),
            "modes": dict(self.modes.most_common()),
            "formats": dict(self.formats.most_common()),
            "values": [each.as_dict() for each in self.values.values()],
            "classes": dict(self.classes),
            "unlabelled": self.pictures - self.classes.total(),
            "duplicates": _repeats(self.repeats),
            "unreadable": [
                {"name": each.name, "reason": printable((each.reason,))}
                for each in self.skipped
            ],
        }


class _Gathered:
    """Puts small pictures of one form together: to measure each costs too much."""

    def __init__(self, survey: Survey, split: str) -> None:
        self.survey, self.split = survey, split
        self.waiting: dict[tuple[Any, ...], list[ImageSet]] = {}
        self.bytes = 0

    def add(self, images: ImageSet) -> None:
        self.survey.add_files(images)
        form = (*images.shape[1:], images.dtype)
        self.waiting.setdefault(form, []).append(images)
        self.bytes += images.pixels.nbytes
        if self.bytes >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        for sets in self.waiting.values():
            self.survey.add_pixels(join(sets), self.split)
        self.waiting, self.bytes = {}, 0


def survey_of(
    opened: Source, progress: Progress | None = None, seen: Seen | None = None
) -> Survey:
    """Look every picture of a source over."""
    found = Survey(printable((opened.called,)), opened.splits())
    total, done = sum(found.splits.values()), 0
    for split, count in found.splits.items():
        gathered = _Gathered(found, split)
        for piece in opened.stream(split, range(count)):
            if seen:
                seen(piece)
            if isinstance(piece, Skipped):
                found.skipped.append(piece)
            else:
                gathered.add(piece)
            done += 1 if isinstance(piece, Skipped) else len(piece)
            if progress:
                progress(min(done, total), total)
        gathered.flush()
    return found


def survey_of_sets(*sets: ImageSet) -> Survey:
    """Look pictures over that are in memory, or in a prepared set, already."""
    found = Survey(printable((sets[0].source,)))
    for images in sets:
        found.splits[images.split] = len(images) + len(images.skipped)
        found.add(images, images.split)
    # What is skipped belongs to the source, and two sets of one may both tell of it.
    found.skipped = list(dict.fromkeys(chain.from_iterable(s.skipped for s in sets)))
    return found


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
    names, classes = list(group.names), list(group.classes)
    return {"pictures": group.pictures, "names": names, "classes": classes}


def number(value: float) -> float | int | None:
    """Give a number as JSON has it: whole where it is, None where it is not finite.

    >>> number(255.0), number(0.5), number(float("nan"))
    (255, 0.5, None)
    """
    if not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else value
