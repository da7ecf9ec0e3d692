"""Pictures in memory already: NumPy arrays, torch tensors, lists, ImageSets."""

import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet, Skipped
from caes.data.reading import guarded
from caes.data.sources.base import Source, doubtful_axes
from caes.errors import DataError, by_signs


class Memory(Source):
    """Arrays N×H×W or N×H×W×C, a list of equal ones, or torch's N×C×H×W tensors.

    Whatever it is, it is one split, train, and shares memory with what was given
    wherever the type allows it.
    """

    name = "memory"

    @classmethod
    def opens(cls, spec: Any) -> bool:
        """Whether it is an array, a tensor, a list or an ImageSet."""
        return isinstance(spec, np.ndarray | list | ImageSet) or _is_tensor(spec)

    def splits(self) -> dict[str, int]:
        """Count the pictures: all are train."""
        if isinstance(self.spec, list) and self.spec:
            return {"train": len(self.spec)}
        return {"train": len(self._images)}

    def read(self, split: str, rows: range) -> ImageSet:
        """Slice, sharing memory."""
        return self._images[rows.start : rows.stop]

    def stream(self, split: str, rows: range) -> Iterator[ImageSet | Skipped]:
        """Give the pictures of a list one by one: they may differ in size."""
        if not isinstance(self.spec, list):
            yield from super().stream(split, rows)
            return
        for row in rows:
            with guarded("list", "arrays of numbers, H×W or H×W×C"):
                pixels = _one(self.spec[row])[None]
            names = self.names(split, range(row, row + 1))
            yield ImageSet.from_pixels(pixels, names, source=self.called)

    @cached_property
    def _images(self) -> ImageSet:
        if isinstance(self.spec, ImageSet):
            return self.spec
        with guarded(self.called, "numbers as N×H×W or N×H×W×C (tensors: N×C×H×W)"):
            pixels = _pixels(self.spec)
        notes = doubtful_axes(pixels)
        return ImageSet.from_pixels(pixels, source=self.called, notes=notes)

    @property
    def called(self) -> str:
        """What it is, for errors."""
        if _is_tensor(self.spec):
            return "tensor"
        return "list" if isinstance(self.spec, list) else "array"


def _is_tensor(source: Any) -> bool:
    # Where torch was never imported there can be no tensor, and importing it is slow.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.Tensor)


def _pixels(source: Any) -> NDArray[Any]:
    if _is_tensor(source):
        pixels = _from_tensor(source)
        return np.moveaxis(pixels, 1, -1) if pixels.ndim == 4 else pixels
    if isinstance(source, list):
        return _stacked([_one(picture) for picture in source])
    return np.asarray(source)


def _from_tensor(tensor: Any) -> NDArray[Any]:
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":  # NumPy has no such type
        tensor = tensor.float()
    return np.asarray(tensor.numpy())


def _one(picture: Any) -> NDArray[Any]:
    if _is_tensor(picture):
        pixels = _from_tensor(picture)
        return np.moveaxis(pixels, 0, -1) if pixels.ndim == 3 else pixels
    return np.asarray(picture)


def _stacked(pictures: list[NDArray[Any]]) -> NDArray[Any]:
    shapes = sorted({picture.shape for picture in pictures})
    if len(shapes) == 1:
        return np.stack(pictures)
    listed = ", ".join(by_signs(shape) for shape in shapes[:4])
    raise DataError(
        "list",
        f"arrays of {len(shapes)} shapes ({listed})" if shapes else "an empty list",
        "a list of arrays of one shape, H×W or H×W×C",
        "Bring them to one shape, or save them as pictures and give a size.",
    )
