"""caes decode: pictures of codes, the way back from encode."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from caes.cli.output import say
from caes.cli.pictures import OfRun


@dataclass(kw_only=True)
class Decode(OfRun):
    """Write the picture of each code of a table that caes encode wrote.

    The codes may have been changed, and rows added or taken out; their width and the
    run must be the same. NAME.png or .tif is in the source's units and type;
    decoded.csv says which file is of which row.

    Args:
        codes: The table: .parquet, .npy or .csv.
        out: Folder to write to.
        force: Replace the folder if it exists.
        quiet: Print nothing but errors and the path of what was written.
    """

    codes: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CODES")]
    out: Path
    force: bool = False
    quiet: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.estimators import CAE
        from caes.files import new_folder
        from caes.runs.codes import read_codes
        from caes.tasks.decode import FILES, TABLE, check_codes, decode

        cae, codes = CAE.load(self.model), read_codes(self.codes)
        check_codes(cae, codes, self.codes)
        with new_folder(self.out, FILES, force=self.force) as staged:
            decode(cae, codes, staged)
        if codes.about is None:
            unsaid = f"note: {self.codes} does not say which run its codes are of"
            say(f"{unsaid}; only their width was checked", self.quiet)
        say(f"{len(codes.rows.names):,} pictures", self.quiet)
        print(self.out / TABLE)
