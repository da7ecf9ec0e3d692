"""Codes of pictures, a row a picture, of any number and any sizes in bounded memory."""

import itertools
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from caes.data import ImageSet, Skipped
from caes.data.decode.gather import Tiling, tiled
from caes.data.imageset import join
from caes.data.mapped import AT_ONCE as AT_HAND
from caes.data.reading import overlap_of, side_of
from caes.data.sources.arrays import Arrays
from caes.data.sources.splits import rows_of
from caes.errors import ArgumentError
from caes.estimators import CAE, CAEClassifier
from caes.files import read_table
from caes.nn.architecture import Shape
from caes.nn.inference import AT_ONCE
from caes.nn.model import Model
from caes.runs import checkpoint
from caes.runs.codes import About, Part
from caes.runs.codes_writer import codes_writer
from caes.runs.pictures import Opening, Progress, for_others, streamed
from caes.runs.provenance import digest_of
from caes.train.loop import stop_on_interrupt

Encoder = CAE | CAEClassifier
TILE = 256
"""Side in pixels of the parts that pictures of any size go through a network by."""
SMALL = 64 * 64
"""Pixels of a picture of which a whole batch is encoded at once, at least."""


@dataclass(frozen=True)
class Pool:
    """Over which places of a code h×w×maps its values are summed up."""

    kind: str = "none"  # or "mean", or "max"
    parts: int = 1  # down and across, of each of which there is a mean

    @classmethod
    def parse(cls, text: str) -> "Pool":
        """Read none, mean, max or grid:N."""
        found = re.fullmatch(r"(none|mean|max)|grid:([1-9]\d?)", text)
        if found is None:
            raise ArgumentError(
                "pool",
                repr(text),
                "none, mean, max, or grid:N, the means of N×N parts",
                "Try 'mean'.",
            )
        return cls(found[1] or "mean", int(found[2] or 1))

    def __str__(self) -> str:
        return self.kind if self.parts == 1 else f"grid:{self.parts}"

    def __call__(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sum codes up, n×h×w×maps: n×maps, or n×parts×parts×maps, or as they are."""
        if self.kind == "none":
            return codes
        maps = torch.from_numpy(codes).movedim(3, 1)
        if self.kind == "max":
            return maps.amax((2, 3)).numpy()
        means = F.adaptive_avg_pool2d(maps, self.parts).movedim(1, 3).numpy()
        return means if self.parts > 1 else means[:, 0, 0]


@dataclass(frozen=True)
class Encoding:
    """What was encoded: all that `caes encode --json` prints."""

    rows: int
    mean_error: float | None  # in squared units of the network
    seconds: float
    about: About


def errors_beside(folder: Path) -> dict[str, float]:
    """Give the mean squared errors on a run's test pictures, as its page has them.

    By "autoencoder", "PCA" and "mean picture"; empty where the run has no page.
    """
    try:
        _, *rows = read_table(folder / "errors.csv")
        found = {who: float(error) for who, error in rows}
    except (OSError, ValueError):
        return {}
    return found if {"autoencoder", "PCA"} <= {*found} else {}


def load_encoder(folder: Path) -> Encoder:
    """Read the run of an auto-encoder, or of a classifier, whose encoder is used.

    Raises:
        RunError: As for `CAE.load`.
    """
    kind = CAE if isinstance(checkpoint.read(folder).model, Model) else CAEClassifier
    return kind.load(folder)


def opening_for(encoder: Encoder, source: str, pool: Pool, **given: Any) -> Opening:
    """Say how pictures are opened to be encoded, as ``given``, else as the run's were.

    They get the run's size, or its tiles. But where codes are summed up over their
    places, pictures keep their sizes, if the network takes any.
    """
    shape, arch = encoder.picture_shape_, encoder.architecture_
    tile = getattr(encoder, "tile", None)
    own: dict[str, Any] = {"size": given.get("size") or shape[:2]}
    if pool.kind != "none":
        if arch.dense and tile is None:
            raise ArgumentError(
                "pool",
                f"{str(pool)!r} for {arch}, whose code is {arch.dense[-1]} units",
                "codes of h×w×maps, or of tiles, which have places",
                "Leave it out.",
            )
        if isinstance(encoder, CAE):
            own, tile = {}, None
    elif tile is not None:
        own = {"tile": tile, "overlap": encoder.overlap}
    return for_others(encoder.opening_, source, shape, **given | own)


def pictures_in(opening: Opening) -> int:
    """Count the pictures that are asked for, those that cannot be read among them."""
    return sum(len(rows) for _, rows in rows_of(opening.asked(), opening.splits))


def together(opening: Opening, progress: Progress = None) -> ImageSet | None:
    """Open pictures of one size as a set; None where they come a few at a time.

    These are tiles, pictures of any sizes, and those of a .npy file that are to be
    resized, or many.
    """
    if opening.tile is not None or opening.size is None:
        return None
    source = opening.source_at_hand
    if isinstance(source, Arrays) and source.spec.suffix.lower() == ".npy":
        first = source.read("train", range(1))
        many = pictures_in(opening) * first.pixels.nbytes > AT_HAND
        same = (opening.channels or first.shape[3]) == first.shape[3]
        if many or not same or first.shape[1:3] != opening.size:
            return None
    return opening.load(opening.asked(), progress)


def apart(
    encoder: Encoder, opening: Opening, tell: Callable[[int], None]
) -> Iterator[ImageSet | Skipped]:
    """Open pictures a few at a time, tell how many, and cut them where that is asked.

    Small ones of one size that follow each other come together.
    """
    shape, dtype = encoder.picture_shape_, encoder.scaling_.dtype
    waiting: list[ImageSet] = []
    most = max(SMALL, math.prod(shape[:2]))
    for piece in streamed(opening, shape, dtype):
        tell(1 if isinstance(piece, Skipped) else len(piece))
        if isinstance(piece, Skipped):
            yield piece
            continue
        if opening.tile is not None:
            piece = cut(piece, opening)
        if waiting and (_form(piece) != _form(waiting[0]) or _many(waiting)):
            yield join(waiting)
            waiting = []
        waiting.append(piece)
        if math.prod(piece.shape[1:3]) > most:
            yield join(waiting)
            waiting = []
    if waiting:
        yield join(waiting)


def cut(images: ImageSet, opening: Opening) -> ImageSet:
    """Cut pictures into the tiles that they are opened by."""
    side = side_of(opening.tile)
    tiling = Tiling(side, overlap_of(opening.overlap, side))
    return tiled([images], tiling, opening.source, images.split, opening.strict)


def _form(images: ImageSet) -> tuple[Any, ...]:
    return images.shape[1:], images.dtype, images.classes, images.labels is None


def _many(waiting: list[ImageSet]) -> bool:
    return sum(map(len, waiting)) >= AT_ONCE


def coded(
    encoder: Encoder,
    pieces: Iterable[ImageSet | Skipped],
    pool: Pool,
    *,
    errors: bool = True,
) -> Iterator[Part]:
    """Encode sets of pictures, each of one size: parts of a table of codes.

    The codes come as they are, n×h×w×maps or n×units, or summed up as ``pool`` says.
    """
    for images in pieces:
        if isinstance(images, Skipped):
            continue
        if isinstance(encoder, CAE) and not _takes_whole(encoder, images):
            work = _each(encoder, images, errors)
        else:
            work = encoder.encode(images, errors=errors)
        at = 0
        for codes, *found in work:
            names = images.names[at : at + len(codes)]
            labels = _labels(images, at, at + len(codes))
            at += len(codes)
            yield Part(names, labels, pool(codes), found[0] if found else None)


def _takes_whole(cae: CAE, images: ImageSet) -> bool:
    """Tell pictures that go through the network as they are, in batches."""
    size, own = images.shape[1:3], cae.picture_shape_[:2]
    if cae.architecture_.dense or size == own:
        return size == own
    small = math.prod(size) <= max(SMALL, math.prod(own))
    return small and min(size) >= cae.architecture_.smallest


def _each(
    cae: CAE, images: ImageSet, errors: bool
) -> Iterator[tuple[NDArray[Any], ...]]:
    """Encode pictures of any size one by one, part by part."""
    tile = None if cae.tile or cae.architecture_.dense else TILE
    for row in range(len(images)):
        one = images[row : row + 1]
        found = (next(cae.code_maps(one, tile=tile))[None],)
        yield (*found, cae.errors(one, tile=tile)) if errors else found


def _labels(images: ImageSet, start: int, end: int) -> list[str | None]:
    if images.labels is None:
        return [None] * (end - start)
    names = (*images.classes, None)  # -1 finds the last
    return [names[label] for label in images.labels[start:end].tolist()]


def encode(
    encoder: Encoder,
    folder: Path,
    opening: Opening,
    parts: Iterator[Part],
    out: Path,
    *,
    pool: Pool,
    dtype: str = "float32",
) -> Encoding:
    """Write parts of a table of codes; the first Ctrl-C ends it, and keeps all so far.

    Args:
        encoder: What encoded them.
        folder: The folder of its run.
        opening: How the pictures were opened.
        parts: What `coded` gives.
        out: The file.
        pool: What the codes were summed up by.
        dtype: "float32" or "float16", of the codes.
    """
    began, rows, total = time.perf_counter(), 0, 0.0
    with stop_on_interrupt() as stop, codes_writer(out, dtype) as writer:
        first = next(parts)  # nothing to read is an error before
        writer.about = _about(encoder, folder, opening, pool, first)
        for part in itertools.chain([first], parts):
            writer.add(part._replace(codes=part.codes.reshape(len(part.codes), -1)))
            rows += len(part.names)
            total += math.nan if part.errors is None else float(part.errors.sum())
            if stop.is_set():
                writer.about = replace(writer.about, complete=False)
                break
        writer.end()
    mean = None if math.isnan(total) else total / rows
    return Encoding(rows, mean, time.perf_counter() - began, writer.about)


def _about(
    encoder: Encoder, folder: Path, opening: Opening, pool: Pool, part: Part
) -> About:
    return About(
        run=f"sha256:{digest_of(encoder.model_)}",
        folder=str(folder),
        architecture=str(encoder.architecture_),
        picture=_picture(encoder, opening),
        code=part.codes.shape[1:],
        pool=str(pool),
        shown=encoder.scaling_.extent,
        # JSON has no tile of two sides, which only Python gives.
        opening=opening if isinstance(opening.tile, int | None) else None,
    )


def _picture(encoder: Encoder, opening: Opening) -> Shape | None:
    size = opening.size if opening.tile is None else side_of(opening.tile)
    return size and (*size, encoder.picture_shape_[2])
