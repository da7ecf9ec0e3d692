"""Opening pictures as the command line's options say, and saying what was opened."""

import re
import shlex
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from caes.data import ImageSet, load, split_names
from caes.data.labels.draws import keep_apart
from caes.data.reading import Pages
from caes.data.tiles import whole_names
from caes.errors import ArgumentError, MixedSizesError
from caes.files import reserved

if TYPE_CHECKING:
    from caes.cli.fit import Fit
    from caes.cli.predict import Predict
    from caes.cli.reconstruct import Reconstruct
    from caes.estimators import CAE, CAEClassifier


MOST_SKIPPED = 10
"""Skipped files that are named before the work begins."""


class Opening(Protocol):
    """The options that say which pictures are meant, and how they are read."""

    @property
    def source(self) -> str:
        """What the pictures come from."""

    @property
    def resize(self) -> str | None:
        """How pictures are brought to a size; None for the run's way, or stretched."""

    @property
    def strict(self) -> bool:
        """Whether an unreadable picture is an error."""

    @property
    def pages(self) -> Pages:
        """What the pages of a file are."""

    @property
    def in_memory(self) -> bool:
        """Whether decoded pictures are not kept in the cache."""

    @property
    def quiet(self) -> bool:
        """Whether nothing is said."""


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read HEIGHTxWIDTH.

    Raises:
        ArgumentError: The text is not of that form.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})[xX×](\d{1,6})", text.strip())
    if not found or "0" in (found[1].lstrip("0") or "0", found[2].lstrip("0") or "0"):
        raise ArgumentError(
            "--size", repr(text), "HEIGHTxWIDTH in pixels", "Try --size 64x96."
        )
    return int(found[1]), int(found[2])


def opened_for_training(options: "Fit") -> tuple[ImageSet, ImageSet]:
    """Open what to learn from, and what to show in the report.

    These are the source's own test pictures, or some kept apart, or, where that is not
    possible, the training pictures themselves; the sets' splits say which.
    """
    size = parse_size(options.size)
    if options.resize is not None and size is None:
        raise ArgumentError(
            "--resize",
            f"{options.resize!r} without a size",
            "--resize together with --size",
            "Add --size 64x96.",
        )
    form = (size, options.channels)
    if not 0 <= options.hold_out < 1:
        raise ArgumentError(
            "--hold-out",
            str(options.hold_out),
            "a share from 0 to below 1",
            "Try --hold-out 0.1.",
        )
    images = _learnt(options, options.split, *form)
    if (
        "test" in split_names(options.source, pages=options.pages)
        and "test" not in options.split
    ):
        return images, _learnt(options, "test", *form)
    # Tiles of one picture stay together: they overlap, and look alike.
    groups = None if options.tile is None else whole_names(images.names)
    return keep_apart(images, options.hold_out, groups)


def _learnt(
    options: "Fit", split: str, size: tuple[int, int] | None, channels: int | None
) -> ImageSet:
    return opened(
        options,
        split,
        size,
        channels,
        seed=options.random_state or 0,
        tile=options.tile,
        overlap=options.overlap,
    )


def opened_for_model(
    options: "Reconstruct | Predict", model: "CAE | CAEClassifier", fixed: bool = False
) -> ImageSet:
    """Open pictures in a form that a trained model can take.

    Channels are the model's. The size is the pictures' own where the network is fully
    convolutional and they are of one size, not below its poolings; else, or where it is
    ``fixed``, the size it was trained on.
    """
    split = split_of(options)
    own, channels = form_of(model)
    resize = resize_of(options, model)
    size = parse_size(options.size)
    if size is None and (fixed or model.architecture_.dense):
        size = own
    try:
        images = opened(options, split, size, channels, resize)
    except MixedSizesError:
        return opened(options, split, own, channels, resize)
    small = min(images.shape[1:3]) < model.architecture_.smallest
    if small and size is None:
        return opened(options, split, own, channels, resize)
    return images


def split_of(options: "Reconstruct | Predict") -> str:
    """Give the split that is asked for: else the test pictures, or all."""
    names = split_names(options.source, pages=options.pages)
    return options.split or ("test" if "test" in names else "+".join(names))


def resize_of(options: Opening, model: "CAE | CAEClassifier") -> str:
    """Give how pictures are brought to a size: as asked for, else as for training."""
    known = model.provenance_
    return options.resize or known.get("resize") or known.get("fit", "stretch")


def form_of(model: "CAE | CAEClassifier") -> tuple[tuple[int, int], int | None]:
    """Give (H, W) of a model's pictures, and the channels to convert others to.

    Only grey and colour are converted to; pictures of other channels stay.
    """
    height, width, channels = model.picture_shape_
    return (height, width), channels if channels in (1, 3) else None


def opened(
    options: Opening,
    split: str,
    size: tuple[int, int] | None,
    channels: int | None,
    resize: str | None = None,
    **more: Any,
) -> ImageSet:
    """Open a split of the pictures that are meant, in a size and with channels.

    Args:
        options: Which pictures are meant.
        split: Which part.
        size: (H, W), or None to keep theirs.
        channels: 1 or 3, or None to keep theirs.
        resize: How they are brought to the size; None as the options say.
        more: Further arguments of `load`.
    """
    return load(
        options.source,
        split,
        size=size,
        resize=resize or options.resize or "stretch",
        channels=channels,
        strict=options.strict,
        pages=options.pages,
        progress=decoding(options.quiet),
        prepare=False if options.in_memory else None,
        **more,
    )


def announce(images: ImageSet) -> None:
    """Say on standard error what was opened, and every file that was skipped."""
    n, height, width, channels = images.shape
    classes = f", {len(images.classes)} classes" if images.classes else ""
    print(
        f"{images.source} {images.split}: {n:,} pictures "
        f"{height}×{width}×{channels} {images.dtype}{classes}",
        file=sys.stderr,
    )
    for note in images.notes:
        print(f"note: {note}", file=sys.stderr)
    for skipped in images.skipped[:MOST_SKIPPED]:
        print(f"skipped {skipped.name}: {skipped.reason}", file=sys.stderr)
    if (more := len(images.skipped) - MOST_SKIPPED) > 0:
        told = shlex.join(["caes", "info", images.source])
        print(f"skipped {more:,} more; {told} names them all", file=sys.stderr)


def introduce(train: ImageSet, test: ImageSet | None, quiet: bool) -> None:
    """Announce what is learnt from, and say what the values are like and what is twice.

    Args:
        train: What is learnt from.
        test: What it is tested on, to be told from it by its split.
        quiet: Whether nothing is said.
    """
    from caes.data import survey_of_sets
    from caes.tasks.census import in_short

    if quiet:
        return
    announce(train)
    apart = test is not None and test.pixels is not train.pixels
    sets = [train, test] if apart and test is not None else [train]
    for line in in_short(survey_of_sets(*sets)):
        print(line, file=sys.stderr)


def decoding(quiet: bool) -> "Decoding | None":
    """Give a counter of decoded pictures, on a terminal that wants one."""
    return None if quiet or not sys.stderr.isatty() else Decoding()


class Decoding:
    """Counts decoded pictures on one line of standard error."""

    def __call__(self, done: int, total: int) -> None:
        """Show ``done`` of ``total``, every hundredth of the way."""
        if done == total:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        elif done % max(1, total // 100) == 0:
            text = f"\rreading pictures: {done:,} of {total:,}"
            print(text, end="", file=sys.stderr, flush=True)


def say(line: str, quiet: bool = False) -> None:
    """Print a line on standard error at once, unless nothing is to be said."""
    if not quiet:
        print(line, file=sys.stderr, flush=True)


def run_folder(out: Path | None, name: str) -> AbstractContextManager[Path]:
    """Give the folder of a run: the one that is named, or runs/NAME-N, N counted up."""
    return nullcontext(out) if out else reserved(Path("runs"), name)


def run_name(source: str) -> str:
    """Make a run's name from a source: its last part, without what folders dislike."""
    stem = Path(source.rstrip("/")).stem or "run"
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "run"
