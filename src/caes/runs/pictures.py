"""Opens what a run takes: the pictures it learnt from, and others in the same form."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np

from caes.data import ImageSet, Skipped, load, stream
from caes.data.decode.gather import unreadable, widened
from caes.data.decode.tiles import whole_names
from caes.data.labels.draws import hold_out, keep_apart, only, only_of_each
from caes.data.labels.labelled import (
    check_classes,
    labelled_only,
    labels_of,
    same_classes,
)
from caes.data.labels.tables import with_table
from caes.data.measures import coloured
from caes.data.reading import Pages, Reading, Side
from caes.data.sources import Source, open_source
from caes.errors import ArgumentError, MixedSizesError
from caes.nn.architecture import Architecture, Shape

Progress = Callable[[int, int], None] | None
FEW = 0.1
"""Share of pictures in colour up to which a set of grey ones stays grey."""


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How pictures are opened: the data that a run's model.json tells of.

    What is not said here is as in `Reading`.
    """

    source: str
    folder: str = ""  # where a path is from; empty for the folder at hand
    split: str | None = None  # None for the test pictures, or, if there are none, all
    size: Side | None = None
    resize: str = "stretch"
    channels: int | None = None
    pages: Pages = "pictures"
    tile: int | None = None
    overlap: int | None = None
    hold_out: float | int = 0.1  # share kept apart where there is no test split
    seed: int = 0
    strict: bool = False
    in_memory: bool = False  # whether decoded pictures are not kept in the cache

    @classmethod
    def read(cls, about: Any) -> "Opening":
        """Read what JSON has kept of one."""
        size = about.get("size") if isinstance(about, dict) else None
        found = cls(**{**about, "size": size and tuple(map(int, size))})
        for each in fields(cls):
            value = getattr(found, each.name)
            if each.name == "pages":
                fits = value in get_args(Pages)
            elif each.name == "size":
                fits = value is None or len(value) == 2
            else:
                fits = isinstance(value, each.type)  # type: ignore[arg-type]
            if not fits or (each.name == "hold_out" and not 0 <= value < 1):
                raise ValueError(f"pictures with {each.name} {value!r}")
        return found

    @classmethod
    def recorded(cls, provenance: dict[str, str]) -> "Opening | None":
        """Read it out of the command that made a run: all that is kept up to format 3.

        None where there is none, as of a run made in Python.
        """
        try:
            words = shlex.split(provenance.get("command", ""))[2:]
            return cls._typed(words, provenance)
        except (LookupError, ValueError):
            return None

    @classmethod
    def _typed(cls, words: list[str], provenance: dict[str, str]) -> "Opening":
        given: dict[str, str] = {}
        while words:
            word = words.pop(0)
            name, equals, value = word.partition("=")
            if not word.startswith("--"):
                given.setdefault("source", word)
            elif equals or name[2:] in _FLAGS:
                given[name[2:]] = value
            else:
                given[name[2:]] = words.pop(0)
        texts = ("split", "resize", "pages")
        whole = ("channels", "tile", "overlap", "seed")
        found: dict[str, Any] = {"split": "train"}
        found |= {name: given[name] for name in texts if name in given}
        found |= {name: int(given[name]) for name in whole if name in given}
        resize = provenance.get("resize") or provenance.get("fit") or given.get("fit")
        if resize:
            found["resize"] = resize
        if size := re.fullmatch(r"(\d+)\D(\d+)", given.get("size", "")):
            found["size"] = int(size[1]), int(size[2])
        return cls(
            source=given["source"],
            **found,
            folder=provenance.get("folder", ""),
            hold_out=float(given.get("hold-out", 0.1)),
            strict="strict" in given,
            in_memory="in-memory" in given,
        )

    @cached_property
    def place(self) -> str:
        """Where the source lies: as it was typed, or from where that was."""
        there = Path(self.folder) / self.source
        moved = self.folder and there.exists() and not Path(self.source).exists()
        return str(there) if moved else self.source

    @cached_property
    def source_at_hand(self) -> Source:
        """The source, opened once however often it is read."""
        return open_source(self.place, Reading(pages=self.pages))

    @cached_property
    def splits(self) -> dict[str, int]:
        """The rows of each split."""
        return self.source_at_hand.splits()

    def load(
        self, split: str, progress: Progress = None, size: Side | None = None
    ) -> ImageSet:
        """Open a part of the pictures; ``size`` is for those that have none given."""
        return load(
            self.source_at_hand,
            split,
            **self.reading | {"size": self.size or size},
            tile=self.tile,
            overlap=self.overlap,
            progress=progress,
            prepare=False if self.in_memory else None,
        )

    @property
    def reading(self) -> dict[str, Any]:
        """What `caes.data.load` and `caes.data.stream` take alike."""
        names = ("size", "resize", "channels", "seed", "strict", "pages")
        return {name: getattr(self, name) for name in names}

    def asked(self) -> str:
        """Give the split that is asked for: else the test pictures, or all."""
        usual = "test" if "test" in self.splits else "+".join(self.splits)
        return self.split or usual

    def own_test(self) -> bool:
        """Tell whether the source has test pictures beside the split."""
        return "test" in self.splits and "test" not in (self.split or "")


def for_others(
    made: Opening | None, source: str, shape: Shape, **given: Any
) -> Opening:
    """Give how to open others for a run that takes H×W×C, in the way of its own.

    Only grey and colour are converted to; pictures of other channels stay. Size, split,
    tiles and strictness are as ``given``, and not taken over.
    """
    base = made or Opening(source=source)
    names = ("resize", "pages", "seed", "hold_out")
    found = {name: getattr(base, name) for name in names}
    found["channels"] = shape[2] if shape[2] in (1, 3) else None
    asked = {name: value for name, value in given.items() if value is not None}
    return Opening(source=source, **found | asked)


_FLAGS = ("force", "strict", "in-memory", "quiet", "debug", "freeze")
"""Options of recorded commands that take no value."""


def opened(
    opening: Opening, shape: Shape, arch: Architecture, progress: Progress = None
) -> ImageSet:
    """Open pictures in a form that a trained network can take.

    Where no size is given, it is the pictures' own, if the network is fully
    convolutional and they are of one size, not below its poolings; else that of
    ``shape``, the training pictures' H×W×C.
    """
    split, own = opening.asked(), (shape[0], shape[1])
    if opening.tile is not None:
        return opening.load(split, progress)
    if arch.dense:
        return opening.load(split, progress, own)
    try:
        images = opening.load(split, progress)
    except MixedSizesError:
        return opening.load(split, progress, own)
    small = min(images.shape[1:3]) < arch.smallest
    return opening.load(split, progress, own) if small else images


def learnt_and_shown(
    opening: Opening, progress: Progress = None, size: Side | None = None
) -> tuple[ImageSet, ImageSet]:
    """Open what to learn from, and what to show in the report, as `Opening.load` does.

    These are the source's own test pictures, or some kept apart, or, where that is not
    possible, the training pictures themselves; the sets' splits say which.
    """
    images = opening.load(opening.split or "train", progress, size)
    if opening.own_test():
        return images, opening.load("test", progress, size)
    if opening.tile is None:
        return keep_apart(images, opening.hold_out)
    # Tiles of one picture stay together: they overlap, and look alike.
    groups = whole_names(images.names)
    if len({*groups}) == 1:  # then those of a row do
        groups = [name.rpartition(",")[0] for name in images.names]
    return keep_apart(images, opening.hold_out, groups)


def why_grey(images: ImageSet) -> str:
    """Say why pictures of three channels are read as grey; nothing where they aren't.

    A few in colour do not make colour pictures of all the others.
    """
    if images.shape[3] != 3:
        return ""
    colour = coloured(images.pixels)
    if not colour.any():
        return "three equal channels: taken as grey (--channels 3 keeps them)"
    if colour.mean() > FEW:
        return ""
    found = [images.names[int(row)] for row in np.flatnonzero(colour)]
    names = [*dict.fromkeys(whole_names(found))]
    few = ", ".join(names[:3]) + ", …" * (len(names) > 3)
    verb = "is" if len(names) == 1 else "are"
    return (
        f"{len(names):,} of {len({*whole_names(images.names)}):,} pictures {verb} in "
        f"colour ({few}): all are read as grey (--channels 3 keeps colour)"
    )


def labelled_pictures(
    opening: Opening, labels: str | None, seed: int, progress: Progress = None
) -> tuple[ImageSet, ImageSet]:
    """Open what to learn from, with labels for some or all of it, and what to test on.

    ``labels`` is a number of them, or of those of each class as in 10/class, the path
    of a table, or None for all; the seed draws them, and the pictures kept apart.
    """
    train, test = opening.load(opening.split or "train", progress), None
    asked = re.fullmatch(r"(\d{1,18})(/class)?", labels or "")
    if labels is not None and asked is None:
        train = with_table(train, Path(labels))
    check_classes(labels_of(train), train.classes)
    if opening.own_test():
        test = opening.load("test", progress)
    if test is None or (labels_of(test) < 0).all():
        train, test = hold_out(train, opening.hold_out, seed)
    test = same_classes(train, labelled_only(test))
    if asked is None:
        return train, test
    draw, count = only_of_each if asked[2] else only, int(asked[1])
    if asked[2] and count < 2:
        raise ArgumentError(
            "labels",
            str(labels),
            "at least 2 labelled pictures of each class",
            "Try --labels 10/class.",
        )
    return draw(train, count, seed), test


def streamed(
    opening: Opening, shape: Shape, dtype: str | None
) -> Iterator[ImageSet | Skipped]:
    """Open pictures of any sizes one by one, in the form of those learnt from.

    Some are widened, others skipped. What most of them have cannot be known here; the
    training pictures' H×W×C, and their type where it is known, stand in.
    """
    odd, found = None, False
    for piece in stream(opening.source_at_hand, opening.asked(), **opening.reading):
        if isinstance(piece, Skipped):
            yield piece
        elif piece.shape[3] == shape[2]:
            found = True
            yield _deepened(piece, dtype)
        else:
            odd = piece
            reason = f"channels: {piece.shape[3]}, while the model takes {shape[2]}"
            for name in piece.names:
                skipped = Skipped(name, reason)
                if opening.strict:
                    raise unreadable(opening.source, skipped)
                yield skipped
    if odd is not None and not found:
        yield odd  # for the model to refuse


def _deepened(images: ImageSet, dtype: str | None) -> ImageSet:
    if (str(images.dtype), dtype) != ("uint8", "uint16"):
        return images
    deep = [widened(each, images.shape[3], np.dtype(dtype)) for each in images.pixels]
    return replace(images, pixels=np.stack(deep), value_range=(0.0, 65_535.0))
