"""What every source offers: its splits, and any rows of one as an ImageSet."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, ClassVar, Self

from numpy.typing import NDArray

from caes.data.cache.lookup import decoded
from caes.data.decode.opening import Encoded
from caes.data.decode.parallel import Asked, attempts
from caes.data.formats.format import Decoded
from caes.data.imageset import ImageSet, Skipped, index_names
from caes.data.labels.classes import Indices
from caes.data.reading import Reading

_PIECE = 1000  # pictures
Classes = tuple[str, ...]


class Source(ABC):
    """Pictures, opened. To add a kind, write a subclass and list it in `SOURCES`.

    It is made of what the user gave, a path already being a `Path`; and pickles as that
    and how it is read. Sources without picture files need not heed size and channels,
    which `caes.data.load` sees to for all.
    """

    name: ClassVar[str]

    def __init__(self, spec: Any, reading: Reading) -> None:
        self.spec = spec
        self.reading = reading

    def read_as(self, reading: Reading) -> Self:
        """Give the same source, read in another way; what was found in it is kept."""
        if reading.pages != self.reading.pages:  # these say what a row is
            return type(self)(self.spec, reading)
        other = object.__new__(type(self))
        vars(other).update({**vars(self), "reading": reading})
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.spec, replace(self.reading, progress=None))

    @classmethod
    @abstractmethod
    def opens(cls, spec: Any) -> bool:
        """Whether this kind reads what was given, told from its looks and cheaply."""

    @abstractmethod
    def splits(self) -> dict[str, int]:
        """Count the rows of each split, without reading pixels."""

    @abstractmethod
    def read(self, split: str, rows: range) -> ImageSet:
        """Read at least one row of a split, and no others where that can be avoided.

        Gives what could be read, in order; names are unique in the whole source.
        """

    def stream(self, split: str, rows: range) -> Iterator[ImageSet | Skipped]:
        """Go through rows of a split bit by bit, whatever their sizes.

        Sources whose pictures may differ in size give them one by one, each in a set of
        its own, and in their places what cannot be read.
        """
        for start in range(rows.start, rows.stop, _PIECE):
            yield self.read(split, range(start, min(start + _PIECE, rows.stop)))

    @property
    def called(self) -> str:
        """What was given, for errors."""
        return str(self.spec)

    def names(self, split: str, rows: range) -> list[str]:
        """Name rows by index, behind the split's name where there are several."""
        counts = self.splits()
        names = index_names(rows, counts[split])
        return names if len(counts) == 1 else [f"{split}/{name}" for name in names]

    def labelled(self, split: str, rows: range) -> tuple[Indices | None, Classes]:
        """Give the labels of some rows, None where the split has none; and classes."""
        labels, classes = self.labels
        if split not in labels:
            return None, ()
        return labels[split][rows.start : rows.stop], classes

    @cached_property
    def labels(self) -> tuple[dict[str, Indices], Classes]:
        """Number the labels of all rows of every split with some, and name classes."""
        return {}, ()


class ArraySource(Source):
    """A source whose pictures are rows of an array, all of one size."""

    @abstractmethod
    def pixels(self, split: str, rows: range) -> NDArray[Any]:
        """Read some rows: N×H×W or N×H×W×C."""

    def read(self, split: str, rows: range) -> ImageSet:
        """Read these rows, with their labels."""
        pixels = self.pixels(split, rows)
        labels, classes = self.labelled(split, rows)
        return ImageSet.from_pixels(
            pixels,
            self.names(split, rows),
            labels=labels,
            classes=classes,
            source=self.called,
            notes=doubtful_axes(pixels),
        )


class EncodedSource(Source):
    """What folders and tables share: a subclass says which files or bytes they are."""

    @abstractmethod
    def encoded(self, split: str, rows: range) -> Iterator[Encoded]:
        """Give some rows of the pictures, in files or bytes; no bytes where none is."""

    @abstractmethod
    def stamps(self, split: str, rows: range) -> Iterator[str]:
        """Tell all that changes when some rows of the pictures do."""

    def unlisted(self) -> tuple[Skipped, ...]:
        """Give what stands for no row, for it cannot be looked into."""
        return ()

    def notes(self) -> tuple[str, ...]:
        """Say what of the source is not read."""
        return ()

    def read(self, split: str, rows: range) -> ImageSet:
        """Decode these rows and no others, or find them decoded in the cache."""
        names = self.names(split, rows)
        pictures = partial(self.encoded, split, rows)
        stamps = partial(self.stamps, split, rows)
        batch = decoded(Asked(pictures, names, self.called, self.reading, stamps))
        labels, classes = self.labelled(split, rows)
        return ImageSet.from_pixels(
            batch.pixels,
            [names[row] for row in batch.rows],
            labels=None if labels is None else labels[batch.rows],
            classes=classes,
            source=self.called,
            skipped=(*self.unlisted(), *batch.skipped),
            notes=(*self.notes(), *batch.notes),
        )

    def stream(self, split: str, rows: range) -> Iterator[ImageSet | Skipped]:
        """Give the pictures one by one, and what cannot be read."""
        yield from self.unlisted()
        labels, classes = self.labelled(split, rows)
        names = self.names(split, rows)
        found = attempts(self.encoded(split, rows), names, self.reading)
        for row, (name, result) in enumerate(zip(names, found, strict=True)):
            if isinstance(result, Decoded):
                yield ImageSet.from_pixels(
                    result.pixels[None],
                    [name],
                    labels=None if labels is None else labels[row : row + 1],
                    classes=classes,
                    source=self.called,
                    notes=result.notes,
                    stored=result.stored,
                )
            else:
                yield Skipped(name, str(result))


def doubtful_axes(pixels: NDArray[Any]) -> tuple[str, ...]:
    """Note where the axes, read as N×H×W×C, make unlikely pictures."""
    if pixels.ndim != 4 or pixels.shape[3] <= 4 or not {1, 3} & {*pixels.shape[1:3]}:
        return ()
    _, height, width, channels = pixels.shape
    return (
        f"Read as pictures of {height}×{width} with {channels} channels: NumPy arrays "
        "are taken as N×H×W×C and torch tensors as N×C×H×W.",
    )
