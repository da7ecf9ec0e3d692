"""What is in a source, before anything is trained on it."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from caes.data.imageset import ImageSet, Skipped
from caes.data.kind import Kind


@dataclass
class Survey:
    """The census of a source: every picture was looked at.

    Args:
        source: What was looked over.
        splits: Rows of each split.
        sizes: Pictures of each (H, W).
        channels: Pictures of each number of channels.
        dtypes: Pictures of each type, such as "uint8".
        classes: Pictures of each class, by name; those without a label are not counted.
        low: Smallest value, in the source's units.
        high: Largest value.
        mean: Mean over all pixels.
        skipped: What cannot be read.
    """

    source: str
    splits: dict[str, int]
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    low: float = np.inf
    high: float = -np.inf
    mean: float = 0.0
    skipped: list[Skipped] = field(default_factory=list)
    _pixels: int = 0

    @property
    def pictures(self) -> int:
        """Pictures that could be read."""
        return self.sizes.total()

    def add(self, images: ImageSet) -> None:
        """Count pictures in."""
        n, height, width, channels = images.shape
        self.sizes[height, width] += n
        self.channels[channels] += n
        self.dtypes[str(images.dtype)] += n
        if images.labels is not None:
            # In the classes' own order, whichever picture comes first.
            self.classes.update(dict.fromkeys(images.classes, 0))
            known = images.labels[images.labels >= 0]
            self.classes.update(images.classes[label] for label in known)
        self.low = min(self.low, float(images.pixels.min()))
        self.high = max(self.high, float(images.pixels.max()))
        total = images.pixels.size + self._pixels
        sums = float(images.pixels.sum(dtype=np.float64)) + self.mean * self._pixels
        self.mean, self._pixels = sums / total, total


def survey_of(kind: Kind, source: str) -> Survey:
    """Look every picture of a source over."""
    found = Survey(source, kind.splits())
    for split in found.splits:
        for piece in kind.pieces(split):
            if isinstance(piece, Skipped):
                found.skipped.append(piece)
            else:
                found.add(piece)
                found.skipped += piece.skipped
    return found
