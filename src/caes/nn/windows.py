"""Large pictures through a network, part by part, in bounded memory.

Where every pixel depends on a neighbourhood only (`Model.is_local`), a part is computed
with as much of the picture around it as it depends on, and what is near the window's
border is thrown away. The parts are then those of the whole picture, to the rounding of
32-bit floats, and there is nothing to blend. With dense levels, or winners that are
chosen over a whole map, there is no such context: tiles are reconstructed each by
itself and fade into each other where they overlap.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caes.data.decode.tiles import Grid, mirrored
from caes.data.reading import Side
from caes.data.scaling import Scaling
from caes.nn.architecture import Architecture
from caes.nn.inference import infer, placed
from caes.nn.model import Model

Picture = NDArray[Any]
"""H×W×C, any real number type, in the source's units."""
Band = NDArray[np.float32]
"""Rows of a picture or a code, h×W×C float32."""
Work = Callable[[Picture], NDArray[np.float32]]
"""Makes pictures n×h×w×C into reconstructions or codes."""

CPU = torch.device("cpu")
PIXELS_AT_ONCE = 2**18
"""Pixels that go through the network together, but for a single larger window."""


@dataclass(frozen=True)
class TiledInference:
    """A network as large pictures go through it, by tiles (H, W) in pixels.

    Tiles overlap by so many pixels where they have to be blended.
    """

    model: Model
    scaling: Scaling
    tile: Side
    overlap: int = 0
    device: torch.device = CPU

    def reconstructed(self, picture: Picture) -> Iterator[Band]:
        """Reconstruct a picture of any size, in bands of rows from the top."""
        height, width = picture.shape[:2]
        if self.model.is_local:
            bands = self._local(mirrored(picture, (self.model.arch.smallest,) * 2))
        else:
            picture = mirrored(picture, self.tile)
            grid = Grid(picture.shape[:2], self.tile, self.overlap)
            bands = grid.blend(picture, self._run(self.model))
        with placed(self.model, self.device):
            yield from _cropped(bands, height, width)

    def beside(self, picture: Picture) -> Iterator[tuple[Band, Band]]:
        """Give bands of a picture, scaled, and of its reconstruction, from the top."""
        done = 0
        for again in self.reconstructed(picture):
            before = self.scaling.to_unit(picture[done : done + len(again)])
            done += len(again)
            yield before, again

    def error(self, picture: Picture) -> float:
        """Give a picture's mean squared error, in squared units of the network."""
        squares = (
            np.square(before - again, dtype=np.float64).sum()
            for before, again in self.beside(picture)
        )
        return float(sum(squares)) / picture.size

    def takes_whole(self, size: tuple[int, ...]) -> bool:
        """Tell pictures (H, W) that are no larger than a tile, as they are."""
        if not self.model.is_local:
            return size == self.tile
        least = self.model.arch.smallest
        sides = zip(size, self.tile, strict=True)
        return all(least <= side <= most for side, most in sides)

    def encoded(self, picture: Picture) -> Iterator[Band]:
        """Encode a picture of any size, in bands from the top.

        Without dense layers they are those of the whole picture's code, h×w×maps; with
        them 1×tiles×units, the codes of a row of tiles.
        """
        arch, run = self.model.arch, self._run(self.model.encode)
        bands: Iterator[Band]
        if arch.dense:
            picture = mirrored(picture, self.tile)
            grid = Grid(picture.shape[:2], self.tile, self.overlap)
            bands = (run(parts)[None] for parts in grid.bands(picture))
        else:
            picture = mirrored(picture, (arch.smallest,) * 2)
            bands = self._windows(picture, arch.code_context).bands(run, 1)
        with placed(self.model, self.device):
            yield from bands

    def _local(self, picture: Picture) -> Iterator[Band]:
        arch = self.model.arch
        windows = self._windows(picture, arch.context)
        top, left = arch.margins(*picture.shape[:2])
        bands = windows.bands(self._run(self.model), arch.stride, arch.shrinkage)
        height, width = picture.shape[:2]
        for band in _cropped(bands, top + height, left + width):
            skipped, top = min(top, len(band)), max(top - len(band), 0)
            if skipped < len(band):
                yield band[skipped:, left:]

    def _windows(self, picture: Picture, around: int) -> "Windows":
        arch = self.model.arch
        # Below twice the context most of the work would be thrown away.
        cells = [max(side // arch.stride, 2 * around, 1) for side in self.tile]
        return Windows(picture, arch, (cells[0], cells[1]), around)

    def _run(self, network: Callable[[Tensor], Tensor]) -> Work:
        """Put pictures n×h×w×C through the network, a bounded number at a time."""

        def run(pictures: Picture) -> Band:
            n, height, width, _ = pictures.shape
            step = max(1, PIXELS_AT_ONCE // (height * width))
            parts = (pictures[start : start + step] for start in range(0, n, step))
            batches = ((torch.from_numpy(self.scaling.to_unit(p)),) for p in parts)
            return np.concatenate([*infer(self.model, network, batches, self.device)])

        return run


@dataclass(frozen=True)
class Windows:
    """A picture H×W×C as windows with context: all of one size, each of whole cells.

    Of each, (down, across) ``cells`` are kept; so many ``around`` them are context,
    where the picture has as many. The network's padding is repeated here.
    """

    picture: Picture
    arch: Architecture
    cells: Side
    around: int

    def bands(self, work: Work, each: int, rest: int = 0) -> Iterator[Band]:
        """Give what is made of the padded picture, in bands from the top.

        So many values are made of each cell, and the rest of its last one.
        """
        down, across = (self._spans(axis) for axis in (0, 1))
        for rows in down:
            windows = np.stack([self._window(rows, columns) for columns in across])
            parts = [
                part[rows.kept(each, rest), columns.kept(each, rest)]
                for part, columns in zip(work(windows), across, strict=True)
            ]
            yield np.concatenate(parts, axis=1)

    def _spans(self, axis: int) -> list["Span"]:
        side = self.arch.padded(*self.picture.shape[:2])[axis]
        total = (side - self.arch.shrinkage) // self.arch.stride
        length = min(self.cells[axis] + 2 * self.around, total)
        spans = []
        for start in range(0, total, self.cells[axis]):
            end = min(start + self.cells[axis], total)
            first = min(max(start - self.around, 0), total - length)
            spans.append(Span(start, end, first, length, total))
        return spans

    def _window(self, rows: "Span", columns: "Span") -> Picture:
        """Cut a window out of the picture as the network would pad it."""
        margins = self.arch.margins(*self.picture.shape[:2])
        cut = []
        for axis, span in enumerate((rows, columns)):
            start = span.first * self.arch.stride - margins[axis]
            length = span.length * self.arch.stride + self.arch.shrinkage
            wanted = np.arange(start, start + length)
            cut.append(np.clip(wanted, 0, self.picture.shape[axis] - 1))
        return self.picture[np.ix_(*cut)]


@dataclass(frozen=True)
class Span:
    """Code cells along one axis: what is kept of a window, and the window's own.

    Kept are ``start`` to ``end``; the window begins at ``first`` and has ``length``
    cells of the picture's ``total``.
    """

    start: int
    end: int
    first: int
    length: int
    total: int

    def kept(self, stride: int, rest: int) -> slice:
        """Give the part to keep of a window's output, ``stride`` values a cell.

        The ``rest`` of pixels after the last cell goes with the picture's last cell.
        """
        more = rest if self.end == self.total else 0
        start, end = self.start - self.first, self.end - self.first
        return slice(start * stride, end * stride + more)


def _cropped(bands: Iterator[Band], height: int, width: int) -> Iterator[Band]:
    """Leave out what lies below ``height`` rows and right of ``width`` columns."""
    done = 0
    for band in bands:
        part = band[: height - done, :width]
        done += len(part)
        if len(part):
            yield part
