"""Options that several commands share: which pictures are meant, and how they are read.

A command inherits what it takes; an option's text stands where the option does.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from caes.cli.output import decoding, introduce
from caes.data.reading import Pages
from caes.errors import ArgumentError

if TYPE_CHECKING:
    from caes.data import ImageSet
    from caes.estimators import CAE
    from caes.runs.pictures import Opening


@dataclass(kw_only=True)
class Source:
    """Which pictures are meant.

    Args:
        source: Pictures: digits, mnist, cifar10, or a path.
        split: Which part; without it the test pictures, or, if there are none, all.
        strict: Stop at the first picture that cannot be read, instead of skipping
            it.
        in_memory: Decode picture files into memory, and keep nothing of them in the
            cache, however many they are.
        quiet: Print nothing but errors and the path of what was written.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    split: str | None = None
    strict: bool = False
    in_memory: bool = False
    quiet: bool = False


@dataclass(kw_only=True)
class Pictures(Source):
    """Which pictures are meant, and how they are read.

    Args:
        size: HEIGHTxWIDTH to resize every picture to; without it, that of the pictures
            the run was trained on.
        resize: How to bring pictures to that size: stretch, crop (evenly), pad (by
            their mirror image) or random-crop (a piece, not scaled); without it
            as in the run's training.
        pages: Whether each page of a TIFF, DICOM or FITS file is a picture, or all are
            channels of one; without it as in the run's training.
    """

    size: Annotated[str | None, tyro.conf.arg(metavar="HxW")] = None
    resize: Annotated[str | None, tyro.conf.arg(metavar="HOW")] = None
    pages: Pages | None = None

    def given(self) -> dict[str, Any]:
        """Give the options as Python takes them; None for what was not said."""
        names = ("split", "resize", "pages", "strict", "in_memory")
        return {
            "size": parse_size(self.size),
            **{name: getattr(self, name) for name in names},
        }

    def given_alone(self) -> dict[str, Any]:
        """Give those that were said, where no run tells a size beside --resize."""
        given = {name: value for name, value in self.given().items() if value}
        if self.resize is not None and "size" not in given:
            raise ArgumentError(
                "--resize",
                f"{self.resize!r} without a size",
                "--resize together with --size",
                "Add --size 64x96.",
            )
        return given


@dataclass(kw_only=True)
class OfRun:
    """Which run is meant.

    Args:
        model: The folder of a run.
    """

    model: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]


@dataclass(kw_only=True)
class Labelled(Pictures):
    """Which labelled pictures are meant.

    Args:
        split: Which part to learn from, as in train or train[:50000].
        hold_out: Share of the labelled pictures kept apart to test on, where the
            source has no labelled test split.
    """

    split: str | None = "train"
    hold_out: float = 0.2

    def opening(self, cae: "CAE") -> "Opening":
        """Say how pictures are opened for an auto-encoder, in the size of its own."""
        from caes.runs.pictures import for_others

        given = {**self.given(), "hold_out": self.hold_out}
        given["size"] = given["size"] or cae.picture_shape_[:2]
        return for_others(cae.opening_, self.source, cae.picture_shape_, **given)

    def open(
        self, opening: "Opening", labels: str | None, seed: int
    ) -> "tuple[ImageSet, ImageSet]":
        """Open pictures to learn from and to test on, and say what they are."""
        from caes.runs.pictures import labelled_pictures

        progress = decoding(self.quiet)
        train, test = labelled_pictures(opening, labels, seed, progress)
        introduce(train, test, quiet=self.quiet)
        return train, test


@dataclass(kw_only=True)
class FromStack(Labelled):
    """Which labelled pictures are meant, and which auto-encoder sees them.

    Args:
        stack: The folder of the auto-encoder's run.
    """

    stack: Annotated[Path, tyro.conf.arg(name="from", metavar="RUN")]


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read HEIGHTxWIDTH."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})[xX×](\d{1,6})", text.strip())
    if not found or 0 in (int(found[1]), int(found[2])):
        raise ArgumentError(
            "--size", repr(text), "HEIGHTxWIDTH in pixels", "Try --size 64x96."
        )
    return int(found[1]), int(found[2])
