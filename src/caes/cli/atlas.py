"""caes atlas: codes in two dimensions, with their pictures."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from caes.cli.output import say
from caes.errors import CaesError, DataError

if TYPE_CHECKING:
    from caes.report.pictures import Tile
    from caes.runs.codes import Codes


@dataclass(kw_only=True)
class Atlas:
    """Lay codes out in two dimensions: a page, a picture and a table of places.

    index.html opens offline and shows the picture under the pointer; atlas.png shows
    pictures that cover no other; coordinates.parquet has name, label, x and y. How much
    of the codes' neighbourhoods is left is told beside what PCA leaves.

    Args:
        codes: The table that caes encode wrote: .parquet, .npy or .csv.
        out: Folder to write to.
        method: tsne; pca, at once; or umap, by an extra. Of more than 10,000 rows, tsne
            and umap see 10,000, and place the others among these.
        pictures: Where the pictures are, if not where they were when they were encoded.
        seed: Of the sample, and of t-SNE and UMAP.
        json: Print what was done as JSON and nothing else.
        force: Replace the folder if it exists.
        quiet: Print nothing but errors and the path of what was written.
    """

    codes: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CODES")]
    out: Path = Path("atlas")
    method: Literal["tsne", "pca", "umap"] = "tsne"
    pictures: Annotated[str | None, tyro.conf.arg(metavar="DATA")] = None
    seed: int = 0
    json: bool = False
    force: bool = False
    quiet: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.files import new_folder
        from caes.options import whole
        from caes.runs.codes import parquet, read_codes
        from caes.tasks.atlas import FILES, PAGE, check_method, lay_out, write

        whole(0)("seed", self.seed, "Try 0.")
        check_method(self.method)
        parquet(self.out)
        codes = read_codes(self.codes)
        with new_folder(self.out, FILES, force=self.force) as staged:
            tiles = self._tiles(codes)
            n = len(codes.rows.names)
            say(f"{n:,} codes of {codes.rows.codes.shape[1]:,} values", self.quiet)
            layout = lay_out(codes.rows.codes, self.method, self.seed)
            given = staged, self.codes, codes, layout, tiles, self.seed, typed
            figures = write(*given)
        if self.json:
            print(json.dumps({"folder": str(self.out), **figures}, indent=2))
            return
        if figures["trustworthiness"] is not None:
            kept = f"{layout.kept:.3f} (PCA {layout.kept_by_pca:.3f}; 1 is best)"
            say(f"trustworthiness {kept}", self.quiet)
        print(self.out / PAGE)

    def _tiles(self, codes: "Codes") -> "dict[int, Tile]":
        """Give the small picture of each row that gets one, as far as there are any."""
        from caes.runs.pictures import Opening
        from caes.tasks.atlas import sample
        from caes.tasks.thumbnails import side_for, thumbnails

        about, names = codes.about, codes.rows.names
        opening = about.opening if about else None
        if self.pictures is not None:
            opening = opening or Opening(source=self.pictures)
            opening = replace(opening, source=self.pictures, folder="")
        where = "--pictures DATA says where they are"
        if opening is None:
            unsaid = f"note: no pictures, of which {self.codes} does not tell"
            say(f"{unsaid}; {where}", self.quiet)
            return {}
        rows = sample(len(names), self.seed).tolist()
        say(f"{opening.source}: {len(rows):,} pictures", self.quiet)
        try:
            wanted = [names[row] for row in rows]
            shown = about.shown if about else None
            found = thumbnails(opening, wanted, side_for(len(rows)), shown)
            if not found:
                raise DataError(
                    opening.source,
                    f"no picture of the name {wanted[0]!r}, nor of another row",
                    "the pictures that were encoded",
                    "Name them with --pictures.",
                )
        except CaesError as error:
            if self.pictures is not None:
                raise
            say(f"note: no pictures ({error}); {where}", self.quiet)
            return {}
        return {row: found[names[row]] for row in rows if names[row] in found}
