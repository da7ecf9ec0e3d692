"""caes anomalies drift: whether a threshold still holds on new normal pictures."""

import json
from dataclasses import asdict, dataclass

from caes.cli.anomalies.shared import OfDetector, pieces_of
from caes.cli.pictures import Pictures


@dataclass(kw_only=True)
class Drift(Pictures, OfDetector):
    """Score new normal pictures, and say whether the rate of false alarms still holds.

    Args:
        source: New normal pictures.
        size: HEIGHTxWIDTH to resize every picture to; without it as in scoring.
        json: Print what was found as JSON and nothing else.
    """

    json: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.anomalies.conformal import drift
        from caes.anomalies.estimator import AnomalyDetector
        from caes.tasks.anomalies import strangeness_of, words

        self.quiet = self.quiet or self.json
        detector = AnomalyDetector.load(self.detector)
        with pieces_of(detector, self, "scoring") as pieces:
            scores = strangeness_of(detector, pieces)
        rate = detector.false_alarms_now()
        found = drift(detector.calibration_, scores, detector.threshold_, rate)
        if self.json:
            print(json.dumps({**asdict(found), "holds": found.holds}))
        else:
            print(words(found))
