"""Opening pictures one by one, whatever their sizes, in a form that a model takes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from caes.cli.sources import form_of, parse_size, resize_of, say, split_of
from caes.data import ImageSet, Skipped, stream
from caes.data.decode.gather import unreadable, widened

if TYPE_CHECKING:
    from caes.cli.reconstruct import Reconstruct
    from caes.estimators import CAE


def streamed_for_model(
    options: "Reconstruct", model: "CAE"
) -> Iterator[ImageSet | Skipped]:
    """Open pictures of any sizes one by one, with the model's channels."""
    pieces = stream(
        options.source,
        split_of(options),
        size=parse_size(options.size),
        resize=resize_of(options, model),
        channels=form_of(model)[1],
        strict=options.strict,
        pages=options.pages,
    )
    return _like_the_learnt(pieces, options, model)


def told(
    pieces: Iterator[ImageSet | Skipped], quiet: bool
) -> Iterator[ImageSet | Skipped]:
    """Pass pictures on, and say which files were skipped."""
    for piece in pieces:
        if isinstance(piece, Skipped):
            say(f"skipped {piece.name}: {piece.reason}", quiet)
        yield piece


def _like_the_learnt(
    pieces: Iterator[ImageSet | Skipped], options: "Reconstruct", model: "CAE"
) -> Iterator[ImageSet | Skipped]:
    """Do what is done where pictures are opened together: widen some, skip others.

    What most of them have cannot be known here; the training pictures stand in.
    """
    channels = model.picture_shape_[2]
    odd, found = None, False
    for piece in pieces:
        if isinstance(piece, Skipped):
            yield piece
        elif piece.shape[3] == channels:
            found = True
            yield _deepened(piece, model.scaling_.dtype)
        else:
            odd = piece
            reason = f"channels: {piece.shape[3]}, while the model takes {channels}"
            for name in piece.names:
                skipped = Skipped(name, reason)
                if options.strict:
                    raise unreadable(options.source, skipped)
                yield skipped
    if odd is not None and not found:
        yield odd  # for the model to refuse


def _deepened(images: ImageSet, dtype: str | None) -> ImageSet:
    if (str(images.dtype), dtype) != ("uint8", "uint16"):
        return images
    deep = [widened(each, images.shape[3], np.dtype(dtype)) for each in images.pixels]
    return replace(images, pixels=np.stack(deep), value_range=(0.0, 65_535.0))
