"""caes cache: the prepared sets, and being rid of some."""

from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class Cache:
    """List the pictures that are kept decoded, and be rid of some.

    Large folders and Parquet files are decoded once and kept, so that the next start
    takes no time. Without options nothing is deleted.

    Args:
        clear: Delete all of them.
        keep: Delete those that were not used for longest, until the others take no more
            than this, such as 10GB.
        older_than: Delete those that were not used for this long, such as 30d or 12h.
    """

    clear: bool = False
    keep: Annotated[str | None, tyro.conf.arg(metavar="SIZE")] = None
    older_than: Annotated[str | None, tyro.conf.arg(metavar="TIME")] = None

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.data.cache.sets import prepared_sets, remove, superfluous
        from caes.tasks.cache import parse_bytes, parse_time, print_sets, written_bytes

        keep = None if self.keep is None else parse_bytes("--keep", self.keep)
        older = None
        if self.older_than is not None:
            older = parse_time("--older-than", self.older_than)
        sets = prepared_sets()
        leaving = sets if self.clear else superfluous(sets, keep=keep, older=older)
        if gone := remove(leaving):
            freed = written_bytes(sum(each.size for each in gone))
            print(f"deleted {len(gone):,}, {freed}")
        print_sets([each for each in sets if each not in gone])
