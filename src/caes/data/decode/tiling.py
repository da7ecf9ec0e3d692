"""Pictures of any sizes cut into a set of tiles, without holding all of them whole."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from caes.data.decode.gather import Gatherer, Tiling
from caes.data.formats.format import Decoded
from caes.data.imageset import ImageSet, Skipped
from caes.data.tiles import tile_name


class _Picture(NamedTuple):
    """What is known of a picture, once its pixels are cut."""

    name: str
    label: Any = None
    value_range: tuple[float, float] = (0.0, 1.0)
    dtype: np.dtype[Any] | None = None


def tiled(
    pieces: Iterable[ImageSet | Skipped],
    tiling: Tiling,
    source: str,
    split: str,
    strict: bool,
) -> ImageSet:
    """Cut pictures that come a few at a time, and give all tiles as one set."""
    gatherer = Gatherer(None, source, strict, tiling)
    seen: list[_Picture] = []
    classes: tuple[str, ...] = ()

    def skip(skipped: Skipped) -> None:
        gatherer.skip(len(seen), skipped)
        seen.append(_Picture(skipped.name))

    for piece in pieces:
        if isinstance(piece, Skipped):
            skip(piece)
            continue
        for each in piece.skipped:
            skip(each)
        classes, notes = piece.classes or classes, piece.notes
        known = piece.value_range, piece.dtype
        for row, name in enumerate(piece.names):
            gatherer.add(len(seen), Decoded(piece.pixels[row], () if row else notes))
            label = None if piece.labels is None else piece.labels[row]
            seen.append(_Picture(name, label, *known))
    batch = gatherer.batch([picture.name for picture in seen])
    kept = [seen[row] for row in batch.rows]
    names = [picture.name for picture in kept]
    labels = [picture.label for picture in kept]
    labelled = None not in labels
    about: dict[str, Any] = {}
    if len({picture.dtype for picture in kept}) == 1:
        low, high = zip(*{picture.value_range for picture in kept}, strict=True)
        about["value_range"] = min(low), max(high)
    tall, wide = tiling.tile
    cut = f"Cut into {len(kept):,} tiles of {tall}×{wide}, overlapping by "
    return ImageSet.from_pixels(
        batch.pixels,
        [tile_name(*each) for each in zip(names, batch.places, strict=True)],
        labels=np.array(labels, np.int64) if labelled else None,
        classes=classes if labelled else (),
        source=source,
        split=split,
        skipped=batch.skipped,
        notes=(f"{cut}{tiling.overlap} or more.", *batch.notes),
        **about,
    )
