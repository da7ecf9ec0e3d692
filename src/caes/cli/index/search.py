"""caes index search: the nearest pictures."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from caes.cli.index.indexed import (
    WithRun,
    as_option,
    checked_outputs,
    pictures,
    print_json,
    some,
)
from caes.cli.output import counting


@dataclass(kw_only=True)
class Search(WithRun):
    """Write the pictures that are nearest to others, as a table and a sheet.

    The table has a row a neighbour: query, rank, name, label, distance. The sheet, a
    PNG of the same name, shows the first 20 queries left and their neighbours beside.

    Args:
        queries: Pictures to search for: paths of pictures or folders, digits, mnist …
        split: Which part of them; without it the test pictures, or, if there are none,
            all.
        k: How many neighbours of each.
        label: Only neighbours with this label.
        within: Only neighbours at no larger distance.
        out: The table to write.
        json: Print what was found as JSON, beside table and sheet.
        force: Replace table and sheet if they exist.
        quiet: Print nothing but errors and the paths of what was written.
    """

    queries: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="QUERY…")
    ]
    split: str | None = None
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 10
    label: str | None = None
    within: float | None = None
    out: Path = Path("neighbours.csv")
    json: bool = False
    force: bool = False
    quiet: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.files import write_whole
        from caes.options import whole
        from caes.tasks.index.results import Answers
        from caes.tasks.index.sheet import sheet_of_neighbours

        some(self.queries, "QUERY", "a picture, a folder of pictures, or digits, mnist")
        whole(1)("k", self.k, "Try 10.")
        sheet = checked_outputs(self.out, self.force)
        quiet = self.quiet or self.json
        index, cae = self.opened()
        sets = [pictures(index, cae, q, quiet, split=self.split) for q in self.queries]
        within = math.inf if self.within is None else self.within
        with (
            Answers(self.out) as answers,
            as_option("label", "--label"),
            counting(sum(map(len, sets)), "searching", quiet) as tell,
        ):
            for images in sets:
                answers.take(index, cae, images, tell, self.k, self.label, within)
        write_whole(sheet, sheet_of_neighbours(index, answers.shown))
        if self.json:
            print_json(answers.as_dicts)
        else:
            print(self.out, sheet, sep="\n")
