"""Pictures in batches, scaled for the network, in an order drawn from a seed."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caes.data import ImageSet
from caes.scaling import Scaling


class Batches:
    """Every picture once, ``size`` at a time; a new order at each pass if shuffled.

    Only one batch is ever held as floats, in a buffer used again for the next.

    Args:
        images: The pictures, in their own type.
        scaling: From their units to [0, 1].
        size: Pictures a batch.
        shuffle: Draws the order; None keeps it.
        rows: The pictures to use, by index; None for all.
    """

    def __init__(
        self,
        images: ImageSet,
        scaling: Scaling,
        size: int,
        *,
        shuffle: np.random.Generator | None = None,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.pixels = images.pixels
        self.scaling = scaling
        self.size = size
        self.shuffle = shuffle
        self.rows = np.arange(len(images)) if rows is None else rows

    @property
    def pictures(self) -> int:
        """Pictures in one pass."""
        return len(self.rows)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.size)

    def __iter__(self) -> Iterator[tuple[Tensor]]:
        """Give batches, n×H×W×C float32 in [0, 1], each valid until the next."""
        rows = (
            self.rows if self.shuffle is None else self.shuffle.permutation(self.rows)
        )
        size = min(self.size, len(rows))
        stored = np.empty((size, *self.pixels.shape[1:]), self.pixels.dtype)
        unit = np.empty(stored.shape, np.float32)
        whole = torch.from_numpy(unit)
        for start in range(0, len(rows), size):
            chosen = rows[start : start + size]
            n = len(chosen)
            # mode="clip" writes straight into the buffer; the rows are known to fit.
            np.take(self.pixels, chosen, axis=0, out=stored[:n], mode="clip")
            self.scaling.to_unit(stored[:n], out=unit[:n])
            yield (whole[:n],)
