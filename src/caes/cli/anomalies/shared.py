"""What the commands about anomalies share: shares as typed, and pictures opened."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from caes.cli.output import announce, counting, decoding, say, told
from caes.cli.pictures import Pictures
from caes.errors import ArgumentError, MixedSizesError

if TYPE_CHECKING:
    from caes.anomalies.album import Album
    from caes.anomalies.estimator import AnomalyDetector
    from caes.data import ImageSet, Skipped
    from caes.runs.pictures import Opening


@dataclass(kw_only=True)
class OfDetector:
    """Which detector is meant.

    Args:
        detector: The folder of a detector.
    """

    detector: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DETECTOR")]


def parse_share(option: str, text: str) -> float:
    """Read a share such as 1% or 0.01."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)", text.strip())
    value = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < value < 1:
        raise ArgumentError(
            option,
            repr(text),
            "a share above 0 and below 1, as 0.01 or 1%",
            f"Try {option} 1%.",
        )
    return value


def album_of(opening: "Opening", quiet: bool) -> "Album":
    """Open pictures to learn from, of one size or of several, and say what they are."""
    from caes.anomalies.album import Album
    from caes.data import stream

    split = opening.split or "train"
    try:
        images = opening.load(split, decoding(quiet))
    except MixedSizesError:
        pieces = stream(opening.source_at_hand, split, **opening.reading)
        album = Album.gathered(told(pieces, quiet), opening.source)
        say(f"{album.source} {split}: {len(album):,} pictures of several sizes", quiet)
        return album
    announce(images, quiet)
    return Album.of(images)


@contextmanager
def pieces_of(
    detector: "AnomalyDetector", pictures: Pictures, doing: str
) -> "Iterator[Iterator[ImageSet | Skipped]]":
    """Open pictures for a detector, a few at a time, with a bar."""
    from caes.data import Skipped
    from caes.runs.pictures import for_others, streamed
    from caes.tasks.encode import pictures_in

    view = detector.ensemble_.view
    given = pictures.given()
    given["size"] = given["size"] or view.whole
    shape = (*(view.whole or (1, 1)), view.channels)
    opening = for_others(detector.opening_, pictures.source, shape, **given)
    with counting(pictures_in(opening), doing, pictures.quiet) as tell:

        def counted() -> "Iterator[ImageSet | Skipped]":
            found = streamed(opening, shape, view.scaling.dtype)
            for piece in told(found, pictures.quiet):
                yield piece
                tell(1 if isinstance(piece, Skipped) else len(piece))

        yield counted()
