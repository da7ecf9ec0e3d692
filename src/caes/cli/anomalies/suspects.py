"""caes anomalies suspects: training pictures that are not like the others."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from caes.cli.anomalies.shared import album_of
from caes.cli.output import say
from caes.cli.pictures import Pictures


@dataclass(kw_only=True)
class Suspects(Pictures):
    """Rank training pictures by how strange each is to those of other parts of the set.

    The set is cut into three; each part is scored by a detector of the other two, so
    that none has been learnt from. Look at the first ones, drop what does not belong,
    and fit.

    Args:
        source: The pictures: a folder, or all that caes fit takes.
        split: Which part, as in train or train[:1000].
        size: HEIGHTxWIDTH to resize every picture to; without it they keep theirs.
        channels: 1 for grey, 3 for colour; without it pictures stay as they are.
        out: The table to write: rank, name, strangeness, p_value.
        steps: Steps of each network's training; without it as many as suit its kind.
        random_state: Seed of weights, order and parts.
        json: Print the table as JSON and nothing else.
        force: Replace the table if it exists.
    """

    split: str | None = "train"
    channels: int | None = None
    out: Path = Path("suspects.csv")
    steps: int | None = None
    random_state: Annotated[int | None, tyro.conf.arg(name="seed")] = None
    json: bool = False
    force: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.files import check_new
        from caes.runs.pictures import Opening
        from caes.tasks.suspects import suspects, write_suspects

        self.quiet = self.quiet or self.json
        check_new(self.out, self.force)
        given = {name: value for name, value in self.given().items() if value}
        opening = Opening(source=self.source, channels=self.channels, **given)
        album = album_of(opening, self.quiet)
        found = suspects(
            album,
            seed=self.random_state or 0,
            steps=self.steps,
            tell=partial(say, quiet=self.quiet),
        )
        write_suspects(found, self.out)
        if self.json:
            print(json.dumps([each._asdict() for each in found], indent=1))
        else:
            print(self.out)
