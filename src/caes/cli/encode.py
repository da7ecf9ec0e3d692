"""caes encode: codes of pictures as a table, a row a picture."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from caes.cli.output import announce, counting, decoding, say, told
from caes.cli.pictures import OfRun, Pictures

if TYPE_CHECKING:
    from caes.data import ImageSet, Skipped
    from caes.runs.codes import Part
    from caes.runs.pictures import Opening
    from caes.tasks.encode import Encoder, Encoding, Pool


@dataclass(kw_only=True)
class Encode(Pictures, OfRun):
    """Write the code of each picture: a row with name, label, code and error.

    The error is the mean squared error of the reconstruction, in squared units of the
    network. The file says which run its codes are of; docs/encode.md says what is in
    it. Pictures get the size of the run's, or are cut into its tiles, a row a tile; but
    with --pool they keep their sizes, where the network takes any. Ctrl-C ends it and
    keeps what is encoded.

    Args:
        size: HEIGHTxWIDTH to resize every picture to; without it, that of the pictures
            the run was trained on; with --pool, their own.
        out: The file to write: .parquet, .npy (and beside it the names as CSV) or .csv.
        pool: How codes of h×w×maps are summed up: mean or max of each map, grid:N for
            the means of N×N parts, or none.
        dtype: Type of the codes: float32, or float16, in half the space.
        codes_only: Leave the errors out, which take the decoder as well.
        json: Print what was done as JSON and nothing else.
        force: Replace the file if it exists.
    """

    out: Path = Path("codes.parquet")
    pool: Annotated[str, tyro.conf.arg(metavar="HOW")] = "none"
    dtype: Literal["float32", "float16"] = "float32"
    codes_only: bool = False
    json: bool = False
    force: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.runs.codes_writer import check_codes_path
        from caes.tasks.encode import Pool, encode, load_encoder, opening_for

        check_codes_path(self.out, self.force)
        pool, encoder = Pool.parse(self.pool), load_encoder(self.model)
        given = {**self.given(), "folder": os.getcwd()}
        opening = opening_for(encoder, self.source, pool, **given)
        skipped: list[Skipped] = []
        with self._parts(encoder, opening, pool, skipped) as parts:
            found = encode(
                encoder, self.model, opening, parts, self.out,
                pool=pool, dtype=self.dtype,
            )  # fmt: skip
        self._tell(found, skipped)

    @contextmanager
    def _parts(
        self,
        encoder: "Encoder",
        opening: "Opening",
        pool: "Pool",
        skipped: "list[Skipped]",
    ) -> "Iterator[Iterator[Part]]":
        """Give what is encoded, with a bar, and note what is skipped."""
        from caes.estimators import CAE
        from caes.tasks.encode import apart, coded, pictures_in, together

        errors = isinstance(encoder, CAE) and not self.codes_only
        images = together(opening, decoding(self.quiet))
        if images is not None:
            announce(images, self.quiet)
            skipped += images.skipped
            with counting(len(images), "encoding", self.quiet) as tell:
                yield counted(coded(encoder, [images], pool, errors=errors), tell)
            return
        total = pictures_in(opening)
        say(f"{self.source}: {_pictures(opening, total)}", self.quiet)
        with counting(total, "encoding", self.quiet) as tell:
            pieces = noted(told(apart(encoder, opening, tell), self.quiet), skipped)
            yield coded(encoder, pieces, pool, errors=errors)

    def _tell(self, found: "Encoding", skipped: "list[Skipped]") -> None:
        from caes.tasks.encode import errors_beside

        over, beside = f"over {found.rows:,} rows", errors_beside(self.model)
        if found.mean_error is not None:
            say(f"mean squared error {found.mean_error:.6f} {over}", self.quiet)
            if beside:
                own, pca = beside["autoencoder"], beside["PCA"]
                words = f"on the run's test pictures {own:.6f}, PCA's {pca:.6f}"
                say(words, self.quiet)
        if not found.about.complete:
            kept = f"{self.out} holds what was encoded so far, {found.rows:,} rows"
            say(f"interrupted: {kept}", self.quiet)
        if not self.json:
            print(self.out)
            return
        summary = {
            "file": str(self.out),
            "rows": found.rows,
            "code": found.about.code,
            "pool": found.about.pool,
            "mean_error": found.mean_error,
            "test_errors": beside,
            "complete": found.about.complete,
            "seconds": round(found.seconds, 3),
            "run": found.about.run,
            "skipped": [{"name": each.name, "reason": each.reason} for each in skipped],
        }
        print(json.dumps(summary, indent=2))


def counted(parts: "Iterator[Part]", tell: Callable[[int], None]) -> "Iterator[Part]":
    """Pass rows on, and tell how many."""
    for part in parts:
        yield part
        tell(len(part.names))


def noted(
    pieces: "Iterator[ImageSet | Skipped]", skipped: "list[Skipped]"
) -> "Iterator[ImageSet | Skipped]":
    """Pass pictures on, and keep what was skipped."""
    from caes.data import Skipped

    for piece in pieces:
        if isinstance(piece, Skipped):
            skipped.append(piece)
        yield piece


def _pictures(opening: "Opening", total: int) -> str:
    """Say how pictures come that come a few at a time."""
    from caes.data.reading import side_of
    from caes.errors import by_signs

    if opening.tile is not None:
        tiles = by_signs(side_of(opening.tile))
        return f"{total:,} pictures, each cut into tiles of {tiles}, a row a tile"
    if opening.size is not None:
        return f"{total:,} pictures, a few at a time, as {by_signs(opening.size)}"
    return f"{total:,} pictures, each in its own size"
