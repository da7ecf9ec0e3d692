"""Pictures of any sizes, one after the other, as often as they are asked for."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data import ImageSet, Skipped
from caes.errors import DataError, by_signs
from caes.files import cache_folder, output_errors
from caes.nn.architecture import Shape

PIXELS_AT_ONCE = 2**18
"""Pixels that are worked on together, but for a single larger picture."""
Picture = NDArray[Any]
"""H×W×C, any real number type, in the source's units."""


@dataclass(frozen=True, eq=False)
class Album:
    """Pictures of one type and number of channels, and of any sizes.

    Args:
        pictures: N of H×W×C, or all as one array, which may lie on disk.
        names: N names.
        source: What was opened, as the user would write it.
        skipped: What was left out while reading.
    """

    pictures: Sequence[Picture] | NDArray[Any]
    names: Sequence[str]
    source: str = "array"
    skipped: Sequence[Skipped] = field(default=())

    @classmethod
    def of(cls, images: ImageSet) -> "Album":
        """Take a set of pictures of one size."""
        about = images.source, images.skipped
        return cls(images.pixels, list(images.names), *about)

    @classmethod
    def listed(cls, pictures: Iterable[Any]) -> "Album":
        """Take pictures H×W or H×W×C of any sizes.

        Raises:
            DataError: One of them is no picture of finite numbers, or they differ in
                their channels.
        """
        found = [ImageSet.from_pixels(np.asarray(each)[None]) for each in pictures]
        if not found:
            ImageSet.from_pixels(np.empty((0, 1, 1)))
        _check_channels([each.shape[1:] for each in found], "X")
        dtype = np.result_type(*{each.dtype for each in found})
        whole = [each.pixels[0].astype(dtype, copy=False) for each in found]
        return cls(whole, [f"{at:05d}" for at in range(len(whole))])

    @classmethod
    def gathered(cls, pieces: Iterable[ImageSet | Skipped], source: str) -> "Album":
        """Take pictures that come one by one; they are kept in a file, not in memory.

        The file vanishes with the process. What is of another type or number of
        channels than the first is left out.
        """
        forms: list[tuple[int, Shape]] = []
        names: list[str] = []
        skipped: list[Skipped] = []
        dtype: np.dtype[Any] | None = None
        folder = cache_folder()
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with output_errors(folder), tempfile.TemporaryFile(dir=folder) as file:
            for piece in pieces:
                if isinstance(piece, Skipped):
                    skipped.append(piece)
                    continue
                shape = piece.shape[1:]
                dtype = dtype or piece.dtype
                if forms and (shape[2], piece.dtype) != (forms[0][1][2], dtype):
                    reason = f"{shape[2]} channels of {piece.dtype}, unlike the first"
                    skipped.extend(Skipped(name, reason) for name in piece.names)
                    continue
                for pixels in piece.pixels:
                    forms.append((file.tell(), shape))
                    file.write(np.ascontiguousarray(pixels).tobytes())
                names.extend(piece.names)
            if dtype is None:
                raise DataError(
                    source,
                    "no pictures",
                    "at least one",
                    "Name another split or folder.",
                )
            file.flush()
            whole = np.memmap(file, np.uint8, "r")
        pictures = [
            np.ndarray(shape, dtype, whole.data, offset) for offset, shape in forms
        ]
        return cls(pictures, names, source, skipped)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, rows: Sequence[int] | NDArray[np.int64]) -> "Album":
        """Pick pictures by their rows."""
        names = [self.names[row] for row in rows]
        if isinstance(self.pictures, np.ndarray):
            return Album(self.pictures[np.asarray(rows)], names, self.source)
        return Album([self.pictures[row] for row in rows], names, self.source)

    @property
    def size(self) -> tuple[int, int] | None:
        """(H, W) of all pictures; None where they differ."""
        if isinstance(self.pictures, np.ndarray):
            return self.pictures.shape[1], self.pictures.shape[2]
        sizes = {each.shape[:2] for each in self.pictures}
        return sizes.pop() if len(sizes) == 1 else None

    @property
    def shorter_side(self) -> int:
        """The shortest side of any picture, in pixels."""
        return min(self.size or (min(each.shape[:2]) for each in self.pictures))

    @property
    def channels(self) -> int:
        """Channels of each picture."""
        return int(self.pictures[0].shape[2])

    def batches(self) -> Iterator[NDArray[Any]]:
        """Give all pictures in order, n×H×W×C: those of one size some together."""
        start = 0
        while start < len(self):
            shape = self.pictures[start].shape
            most = max(1, PIXELS_AT_ONCE // (shape[0] * shape[1]))
            end = start + 1
            while end < min(start + most, len(self)):
                if self.pictures[end].shape != shape:
                    break
                end += 1
            yield np.stack([self.pictures[at] for at in range(start, end)])
            start = end

    def crops(self, count: int, side: int, random: np.random.Generator) -> ImageSet:
        """Cut squares out of pictures drawn at random, n×side×side×C.

        Pictures with a shorter side are continued by their mirror image.
        """
        rows = random.permutation(np.arange(count) % len(self))
        found = [crop(self.pictures[row], (side, side), random) for row in rows]
        return ImageSet.from_pixels(np.stack(found), source=self.source)


def crop(
    picture: Picture, size: tuple[int, int], random: np.random.Generator
) -> Picture:
    """Cut a piece (H, W) out of a picture, at a place drawn at random."""
    missing = [
        max(side - had, 0) for side, had in zip(size, picture.shape, strict=False)
    ]
    if any(missing):
        ends = [(0, missing[0]), (0, missing[1]), (0, 0)]
        picture = np.pad(picture, ends, mode="symmetric")
    spare = [picture.shape[axis] - size[axis] for axis in (0, 1)]
    top, left = (int(random.integers(each + 1)) for each in spare)
    return picture[top : top + size[0], left : left + size[1]]


def _check_channels(shapes: Sequence[Shape], source: str) -> None:
    if len({shape[2] for shape in shapes}) > 1:
        first, other = (by_signs(each) for each in (shapes[0], shapes[-1]))
        raise DataError(
            source,
            f"pictures of {first} and of {other}",
            "pictures of one number of channels",
            "Load them with channels=1 or channels=3.",
        )
