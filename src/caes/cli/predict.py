"""caes predict: the class of each picture, as a table."""

from dataclasses import dataclass
from pathlib import Path

from caes.cli.output import announce, decoding, say
from caes.cli.pictures import OfRun, Pictures


@dataclass(kw_only=True)
class Predict(Pictures, OfRun):
    """Write the class and its probability for each picture.

    Args:
        model: The folder of a classifier's run.
        out: The table to write.
        force: Replace the table if it exists.
    """

    out: Path = Path("predictions.csv")
    force: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.estimators import CAEClassifier
        from caes.files import check_new
        from caes.tasks.predict import predict, write_predictions

        check_new(self.out, self.force)
        classifier = CAEClassifier.load(self.model)
        progress = decoding(self.quiet)
        images = classifier.open(self.source, **self.given(), progress=progress)
        announce(images, self.quiet)
        predictions = predict(classifier, images)
        write_predictions(predictions, self.out)
        if predictions.accuracy is not None:
            error = 100 * (1 - predictions.accuracy)
            say(f"error {error:.2f} % of the labelled pictures", self.quiet)
        print(self.out)
