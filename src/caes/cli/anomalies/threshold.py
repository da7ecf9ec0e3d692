"""caes anomalies threshold: another threshold for a detector, without fitting."""

import json
from dataclasses import dataclass
from typing import Annotated

import tyro

from caes.cli.anomalies.shared import OfDetector, parse_share, pieces_of
from caes.cli.output import say
from caes.cli.pictures import Pictures
from caes.errors import ArgumentError


@dataclass(kw_only=True)
class Threshold(Pictures, OfDetector):
    """Set another threshold: by false alarms, or, with labelled pictures, by recall.

    Args:
        source: Labelled pictures for --recall: a folder with a folder for each kind.
        size: HEIGHTxWIDTH to resize every picture to; without it as in scoring.
        false_alarms: Share of normal pictures that may be flagged, as 0.1%.
        recall: Share of the pictures with something strange that are to be flagged, as
            95%.
        normal: Name of the normal pictures' class among the labelled ones.
        json: Print what was set as JSON and nothing else.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[DATA]")] = ""
    false_alarms: Annotated[str | None, tyro.conf.arg(metavar="SHARE")] = None
    recall: Annotated[str | None, tyro.conf.arg(metavar="SHARE")] = None
    normal: str = "normal"
    json: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.anomalies.estimator import AnomalyDetector

        self.quiet = self.quiet or self.json
        if (self.false_alarms is None) == (self.recall is None):
            both = "both" if self.recall else "neither --false-alarms nor --recall"
            raise ArgumentError(
                "threshold", both, "one of the two", "Try --false-alarms 0.1%."
            )
        if bool(self.source) != (self.recall is not None):
            raise ArgumentError(
                "--recall",
                f"{self.recall} with pictures {self.source!r}",
                "labelled pictures for --recall, and none for --false-alarms",
                "Try caes anomalies threshold DETECTOR DATA --recall 95%.",
            )
        detector = AnomalyDetector.load(self.detector)
        if self.false_alarms is not None:
            rate = parse_share("--false-alarms", self.false_alarms)
            detector.set_threshold(rate)
            said = detector.calibration_.said(rate)
        else:
            from caes.tasks.anomalies import recall_threshold

            share = self._share()
            with pieces_of(detector, self, "scoring") as pieces:
                at, said = recall_threshold(detector, pieces, share, self.normal)
            detector.set_threshold(strangeness=at)
        detector.write(self.detector, threshold_only=True)
        say(said, self.quiet)
        if self.json:
            rate = detector.false_alarms_now()
            print(json.dumps({"threshold": detector.threshold_, "false_alarms": rate}))
        else:
            print(self.detector)

    def _share(self) -> float:
        text = str(self.recall)
        return 1.0 if text.strip() in ("1", "100%") else parse_share("--recall", text)
