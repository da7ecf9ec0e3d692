"""Pictures in batches, scaled for the network, in an order drawn from a seed."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caes.data import ImageSet
from caes.data.mapped import OnDisk, lazily, take
from caes.data.scaling import Scaling


class Batches:
    """Every picture once, ``size`` at a time; a new order at each pass if shuffled.

    Only one batch is ever held as floats, in a buffer used again for the next. Without
    a scaling, images are codes, N×h×w×maps or N×units float32, which stay as they are.

    With ``stretch``, a pass is so many batches instead, shuffled and full, and the next
    one goes on among the pictures where it ended.
    """

    def __init__(
        self,
        images: ImageSet | NDArray[np.float32],
        scaling: Scaling | None,
        size: int,
        *,
        shuffle: np.random.Generator | None = None,
        rows: NDArray[np.int64] | None = None,
        labels: NDArray[np.int64] | None = None,
        stretch: int | None = None,
    ) -> None:
        # Read batch by batch where it is large and lies on disk.
        self.pixels = lazily(images.pixels if isinstance(images, ImageSet) else images)
        self.scaling = scaling
        self.size = size
        self.shuffle = shuffle
        self.rows = np.arange(len(images)) if rows is None else rows
        self.labels = labels
        self.stretch = stretch
        self._ahead = self.rows[:0]  # of a stretch: those that come next

    @property
    def pictures(self) -> int:
        """Pictures in one pass."""
        if self.stretch:
            return self.stretch * min(self.size, len(self.rows))
        return len(self.rows)

    def __len__(self) -> int:
        return self.stretch or -(-len(self.rows) // self.size)

    def _order(self) -> NDArray[np.int64]:
        """Give the rows of one pass."""
        if self.shuffle is None:
            return self.rows
        if not self.stretch:
            return self.shuffle.permutation(self.rows)
        while len(self._ahead) < self.pictures:
            more = self.shuffle.permutation(self.rows)
            self._ahead = np.concatenate([self._ahead, more])
        rows, self._ahead = np.split(self._ahead, [self.pictures])
        return rows

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Give batches, n×H×W×C float32 in [0, 1], each valid until the next.

        With labels, n of them, int64, come as the second tensor.
        """
        rows = self._order()
        size = min(self.size, len(self.rows))
        unit = np.empty((size, *self.pixels.shape[1:]), np.float32)
        stored = unit
        if self.scaling is not None:
            stored = np.empty(unit.shape, self.pixels.dtype)
        whole = torch.from_numpy(unit)
        for start in range(0, len(rows), size):
            chosen = rows[start : start + size]
            n = len(chosen)
            take(self.pixels, chosen, out=stored[:n])
            if isinstance(self.pixels, OnDisk):
                self.pixels.expect(rows[start + size : start + 2 * size])
            if self.scaling is not None:
                self.scaling.to_unit(stored[:n], out=unit[:n])
            if self.labels is None:
                yield (whole[:n],)
            else:
                yield whole[:n], torch.from_numpy(self.labels[chosen])
