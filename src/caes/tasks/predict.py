"""The class and its probability for each picture, as a table."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caes.data import ImageSet
from caes.data.labels.labelled import renumbered, unknown_class
from caes.estimators import CAEClassifier
from caes.files import TableWriter


@dataclass(frozen=True)
class Predictions:
    """What a classifier says of pictures."""

    names: list[str]  # N, of the pictures
    classes: tuple[str, ...]  # K names
    probabilities: NDArray[np.float32]  # N×K, rows summing to 1
    truth: NDArray[np.int64] | None  # N indices, -1 if not known; None without labels

    @property
    def accuracy(self) -> float | None:
        """Share of the labelled pictures whose class is found; None without any."""
        if self.truth is None or not (self.truth >= 0).any():
            return None
        known = self.truth >= 0
        right = self.probabilities.argmax(1)[known] == self.truth[known]
        return float(right.mean())


def predict(classifier: CAEClassifier, images: ImageSet) -> Predictions:
    """Classify pictures; where they have labels of the same classes, compare."""
    known = classifier.class_names_
    shared = [name for name in images.classes if name in known]
    strange = [name for name in images.classes if name not in known]
    if shared and strange:
        raise unknown_class(images.source, strange[0], known)
    truth = None
    if shared and images.labels is not None:
        truth = renumbered(images, known)
    found = classifier.predict_proba(images)
    return Predictions(list(images.names), known, found, truth)


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write a row a picture: name, class, probability, and each class's probability."""
    each = [f"p({name})" for name in predictions.classes]
    truth = [] if predictions.truth is None else ["label"]
    best = predictions.probabilities.argmax(1)
    with TableWriter(path) as table:
        table.row(["name", "class", "probability", *truth, *each])
        for row, name in enumerate(predictions.names):
            chances = predictions.probabilities[row].tolist()
            cells = [name, predictions.classes[best[row]], f"{chances[best[row]]:.6f}"]
            if predictions.truth is not None:
                at = predictions.truth[row]
                cells.append(predictions.classes[at] if at >= 0 else "")
            table.row([*cells, *(f"{chance:.6f}" for chance in chances)])
