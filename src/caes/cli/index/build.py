"""caes index build: a new index of pictures."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from caes.cli.index.indexed import finish, pictures, print_json, put_in
from caes.cli.output import say
from caes.cli.pictures import OfRun, Pictures


@dataclass(kw_only=True)
class Build(Pictures, OfRun):
    """Encode pictures, and keep their codes with names, labels and small pictures.

    Where pictures have labels, the metric is chosen by them, and how many of the
    neighbours are of the same class is told beside PCA of the same size and the pixels.
    From where on two pictures are the same is found on copies, changed a little.
    Ctrl-C ends it and keeps what is in.

    Args:
        out: Folder of the index.
        metric: What near is; auto chooses by the labels, and is cosine without.
        prefix: What is put before each picture's name.
        json: Print what was done as JSON and nothing else.
        force: Replace the folder if it exists.
    """

    out: Path
    metric: Literal["auto", "euclidean", "cosine", "standardised", "whitened"] = "auto"
    prefix: Annotated[str, tyro.conf.arg(metavar="TEXT")] = ""
    json: bool = False
    force: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.estimators import CAE
        from caes.files import new_folder
        from caes.tasks.index.filling import begin, find_threshold, settle
        from caes.tasks.index.store import FILES

        quiet = self.quiet or self.json
        cae = CAE.load(self.model)
        with new_folder(self.out, FILES, force=self.force) as staged:
            given = self.given()
            opening = {name: given.pop(name) for name in ("size", "resize", "pages")}
            index = begin(cae)
            index.about["run"] |= {"folder": str(self.model), "from": os.getcwd()}
            index.about["opening"] = opening
            images = pictures(index, cae, self.source, quiet, **given)
            say(settle(index, cae, images, self.metric), quiet)
            done = put_in(index, cae, images, staged, self.prefix, quiet)
            find_threshold(index)
            finish(index, staged, done, self.out, quiet)
        if self.json:
            print_json({"index": str(self.out), **done, "about": index.about})
        else:
            print(self.out)
