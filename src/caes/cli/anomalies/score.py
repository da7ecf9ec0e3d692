"""caes anomalies score: how strange pictures are, where, and how sure that is."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from caes.cli.anomalies.shared import OfDetector, pieces_of
from caes.cli.output import say
from caes.cli.pictures import Pictures
from caes.errors import ArgumentError

LEAST_TILE = 192
"""Three times what neighbours share, where pictures are seen as they are."""


@dataclass(kw_only=True)
class Score(Pictures, OfDetector):
    """Score pictures of any sizes, and write a table; heatmaps where wanted.

    The table has, for each picture, name, strangeness, p_value (how seldom a normal
    picture is as strange), flagged (1 or 0), the number of regions that are stranger
    than normal pictures are anywhere, and row and column of the strangest place.

    Args:
        size: HEIGHTxWIDTH to resize every picture to; without it, that of the normal
            pictures where all had one, else their own.
        out: The table to write.
        heatmaps: A folder for NAME.heat.tif (deviations of normal pictures' heatmaps,
            32-bit), NAME.png (what is strange coloured over the picture, always on one
            scale) and regions.json (box, area and score of each region).
        ignore: A picture, white where nothing counts, for all; or a folder of such
            masks, by the pictures' names. Then a picture is as strange as its
            strangest other place; p_value and flagged compare that with the same parts
            of normal pictures, so that no more are flagged than asked.
        tile: Side in pixels of the tiles that larger pictures are looked at by, from
            192 on; it bounds memory, and heatmaps are blended where tiles meet.
        json: Print the table as JSON and nothing else.
        force: Replace table and folder if they exist.
    """

    out: Path = Path("scores.csv")
    heatmaps: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    ignore: Annotated[Path | None, tyro.conf.arg(metavar="MASK|DIR")] = None
    tile: Annotated[int, tyro.conf.arg(metavar="PIXELS")] = 2048
    json: bool = False
    force: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.anomalies.estimator import AnomalyDetector
        from caes.files import check_new
        from caes.tasks.anomalies import Ignored, as_rows, score

        self.quiet = self.quiet or self.json
        check_new(self.out, self.force)
        if self.tile < LEAST_TILE:
            allowed = f"{LEAST_TILE} pixels or more"
            raise ArgumentError("--tile", str(self.tile), allowed, "Try --tile 512.")
        detector = AnomalyDetector.load(self.detector)
        detector.ensemble_ = replace(detector.ensemble_, tile=self.tile)
        ignored = None if self.ignore is None else Ignored(self.ignore)
        with pieces_of(detector, self, "scoring") as pieces:
            found = score(
                detector,
                pieces,
                self.out,
                self.heatmaps,
                ignored,
                force=self.force,
            )
        flagged = sum(each.flagged for each in found)
        least = detector.calibration_.said(detector.false_alarms)
        say(f"{flagged:,} of {len(found):,} pictures are flagged ({least})", self.quiet)
        if self.json:
            print(json.dumps(as_rows(found), indent=1, ensure_ascii=False))
        else:
            print(self.out)
