"""caes index duplicates: pictures that are the same, exactly or nearly."""

from dataclasses import dataclass
from pathlib import Path

from caes.cli.index.indexed import (
    OfIndex,
    as_option,
    checked_outputs,
    print_json,
    steps,
)
from caes.cli.output import counting, say


@dataclass(kw_only=True)
class Duplicates(OfIndex):
    """Write groups of pictures that are the same, as a table and a sheet.

    exact: the same values. near: what correlates as a copy does that was scaled,
    compressed, cropped by 5 % or made brighter, from the threshold on that build has
    found. The first picture of a group stands for it.

    Args:
        against: Another index of the same run: only what is in both, as of a training
            and a test set.
        within: Take codes at no larger distance for the same, and compare no pictures.
        out: The table to write: group, kind, index, name, label, likeness, distance.
        json: Print the groups as JSON, beside table and sheet.
        force: Replace table and sheet if they exist.
        quiet: Print nothing but errors and the paths of what was written.
    """

    against: Path | None = None
    within: float | None = None
    out: Path = Path("duplicates.csv")
    json: bool = False
    force: bool = False
    quiet: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.files import write_whole
        from caes.tasks.index.image_index import ImageIndex
        from caes.tasks.index.results import groups_as_dicts, in_words, write_groups
        from caes.tasks.index.sheet import sheet_of_groups

        sheet = checked_outputs(self.out, self.force)
        quiet = self.quiet or self.json
        index = ImageIndex.load(self.index)
        other = None if self.against is None else ImageIndex.load(self.against)
        with (
            as_option("against", "--against"),
            as_option("within", "--within"),
            counting(len(other or index), "comparing", quiet) as tell,
        ):
            groups = index.duplicates(self.within, against=other, progress=steps(tell))
        write_groups(self.out, groups, self.index, self.against)
        write_whole(sheet, sheet_of_groups(index, other, groups))
        say(in_words(groups, other is not None), quiet)
        if self.json:
            print_json(groups_as_dicts(groups, self.index, self.against))
        else:
            print(self.out, sheet, sep="\n")
