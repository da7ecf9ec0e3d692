"""caes anomalies fit: normal pictures in, a detector and its report out."""

import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from caes.cli.anomalies.shared import album_of, parse_share
from caes.cli.output import run_folder, run_name, say
from caes.cli.pictures import Pictures

if TYPE_CHECKING:
    from caes.anomalies.album import Album
    from caes.anomalies.estimator import AnomalyDetector
    from caes.runs.pictures import Opening


@dataclass(kw_only=True)
class Fit(Pictures):
    r"""Learn what normal pictures are like; write a detector and its report.

    Some pictures are kept apart: on half of them the detectors are chosen, by defects
    planted into them, on the others the threshold is found. Pictures may be of any
    sizes; nothing but normal pictures is needed. Ctrl-C ends the training that runs
    and keeps what it has learnt.

    Args:
        source: Normal pictures: a folder, or all that caes fit takes.
        split: Which part to learn from, as in train or train[:1000].
        size: HEIGHTxWIDTH to resize every picture to; without it they keep theirs,
            one or several.
        channels: 1 for grey, 3 for colour; without it pictures stay as they are.
        out: Folder of the detector; without it runs/NAME-anomalies-N, N counted up.
        false_alarms: Share of normal pictures that may be flagged, as 1% or 0.01.
        kept_apart: Share of the pictures that nothing is learnt from, as 40%.
        group_by: A pattern whose first group names what belongs together in a picture's
            name, such as one part photographed several times: (part\d+)_.
        detectors: Names of detectors to use, with commas between, instead of those that
            are chosen.
        look_for: novelties: pictures that are strange as a whole, of small pictures of
            one size; defects: places that are strange, in any; auto: novelties where
            pictures are small and of one size, else defects.
        steps: Steps of each network's training; without it as many as suit its kind.
        random_state: Seed of weights, order, splits and planted defects.
        json: Print what was done as JSON and nothing else.
        force: Replace the folder if it exists.
    """

    split: str | None = "train"
    channels: int | None = None
    out: Path | None = None
    false_alarms: Annotated[str, tyro.conf.arg(metavar="SHARE")] = "1%"
    kept_apart: Annotated[str, tyro.conf.arg(metavar="SHARE")] = "40%"
    group_by: Annotated[str | None, tyro.conf.arg(metavar="PATTERN")] = None
    detectors: str | None = None
    look_for: Literal["auto", "novelties", "defects"] = "auto"
    steps: int | None = None
    random_state: Annotated[int | None, tyro.conf.arg(name="seed")] = None
    json: bool = False
    force: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.anomalies.store import FILES
        from caes.files import new_folder
        from caes.tasks.groups import groups_of

        self.quiet = self.quiet or self.json
        made = self._estimator()
        made.check()
        with run_folder(self.out, f"{run_name(self.source)}-anomalies") as folder:
            with new_folder(folder, FILES, force=self.force) as staged:
                opening = self._opening()
                album = album_of(opening, self.quiet)
                groups = groups_of(album.names, self.group_by)
                detector = made.fit(album, groups=groups)
                detector.opening_ = opening
                detector.provenance_ |= {"command": typed, "folder": os.getcwd()}
                detector.write(staged)
            # The detector is safe by now, whatever happens to its report.
            page = self._report(folder, detector, album, typed)
        say(detector.calibration_.said(detector.false_alarms), self.quiet)
        summary = json.dumps(self._summary(detector, folder), indent=2)
        print(summary if self.json else page)

    def _estimator(self) -> "AnomalyDetector":
        from caes.anomalies.estimator import AnomalyDetector

        names = self.detectors and tuple(n.strip() for n in self.detectors.split(","))
        return AnomalyDetector(
            names or None,
            false_alarms=parse_share("--false-alarms", self.false_alarms),
            kept_apart=parse_share("--kept-apart", self.kept_apart),
            look_for=self.look_for,
            steps=self.steps,
            random_state=self.random_state,
            verbose=not self.quiet,
        )

    def _opening(self) -> "Opening":
        from caes.runs.pictures import Opening

        given = self.given_alone()
        return Opening(
            source=self.source,
            folder=os.getcwd(),
            channels=self.channels,
            seed=self.random_state or 0,
            **given,
        )

    def _report(
        self, folder: Path, detector: "AnomalyDetector", album: "Album", typed: str
    ) -> Path:
        from caes.report.pages.anomalies import write_anomalies_report
        from caes.tasks.diagnosis import diagnose

        tell = partial(say, quiet=self.quiet)
        found = diagnose(detector, album, tell)
        return write_anomalies_report(folder, detector, found, command=typed)

    def _summary(self, detector: "AnomalyDetector", folder: Path) -> dict[str, object]:
        choice = detector.ensemble_.choice
        rate = detector.calibration_.held(detector.false_alarms)
        return {
            "folder": str(folder),
            "detectors": list(choice.used),
            "planted_auroc": {name: choice.mean(name) for name in choice.found},
            "threshold": detector.threshold_,
            "false_alarms": rate,
            "calibrated_on": len(detector.calibration_),
        }
