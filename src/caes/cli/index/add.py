"""caes index add: more pictures into an index."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from caes.cli.index.indexed import (
    WithRun,
    as_option,
    finish,
    pictures,
    print_json,
    put_in,
)
from caes.cli.pictures import Source


@dataclass(kw_only=True)
class Add(Source, WithRun):
    """Put more pictures into an index, opened as those that are in it.

    Pictures that are in it by the same name are left out; another picture of the same
    name is refused. Ctrl-C ends it and keeps what is in.

    Args:
        prefix: What is put before each picture's name.
        json: Print what was done as JSON and nothing else.
    """

    prefix: Annotated[str, tyro.conf.arg(metavar="TEXT")] = ""
    json: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        quiet = self.quiet or self.json
        index, cae = self.opened()
        given = {name: getattr(self, name) for name in ("split", "strict", "in_memory")}
        images = pictures(index, cae, self.source, quiet, **given)
        with as_option("names", self.source):
            done = put_in(index, cae, images, self.index, self.prefix, quiet)
        finish(index, self.index, done, self.index, quiet)
        if self.json:
            print_json({"index": str(self.index), **done, "pictures": len(index)})
        else:
            print(self.index)
