"""caes index drop: pictures out of an index."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from caes.cli.index.indexed import OfIndex, as_option, print_json, some


@dataclass(kw_only=True)
class Drop(OfIndex):
    """Take pictures out of an index, by name. The others are not touched.

    Args:
        names: Names of pictures, as caes index search writes them.
        json: Print what was done as JSON and nothing else.
    """

    names: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME…")
    ]
    json: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.tasks.index.image_index import ImageIndex
        from caes.tasks.index.results import left_on_disk

        some(self.names, "NAME", "names of pictures, as caes index search writes them")
        index = ImageIndex.load(self.index)
        before = len(index)
        with as_option("names", str(self.index)):
            index.remove(self.names)
        index.save(self.index, graph=False)
        dropped = before - len(index)
        if self.json:
            found = {"dropped": dropped, "pictures": len(index)}
            print_json({"index": str(self.index), **found})
        else:
            print(f"{dropped:,} pictures dropped, {len(index):,} left in {self.index}")
            print(f"What was dropped stays {left_on_disk(index, self.index)}")
