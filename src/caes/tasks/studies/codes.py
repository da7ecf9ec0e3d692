"""What codes are worth by themselves: a linear classifier on those of one level.

The comparison is that of Makhzani & Frey 2015 ("Winner-Take-All Autoencoders", section
4): a winner-take-all level learns from all pictures without their labels, and stays as
it is; a linear support vector machine learns from all labels. Network, threshold and
strength were chosen on pictures of the training set, MNIST's last 10,000.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from sklearn.svm import LinearSVC

from caes.data import ImageSet, load
from caes.data.labels.labelled import labels_of
from caes.estimators import CAE
from caes.runs.ledger import Ledger, Row
from caes.tasks.studies.study import (
    EARLIER,
    RETRIED,
    digest,
    kept_or_trained,
    resolved_stack,
    within,
)

NAME = "successors-codes"
KEYS = ("table", "labels", "features", "recipe")
FIGURES = ("error", "test_pictures", "dimensions", "seconds", "data", "stack")
STACK: dict[str, Any] = {
    "arch": "256C11-MP4",
    "schedule": "greedy",
    "decoder": "untied",
    "loss": "mse",
    "sparsity": "wta:0.03",
    "learning_rate": 1e-3,
    "epochs": 4,
    "random_state": 0,
}
ACTIVE = 0.05
"""Share of a map's values, over pictures and places, that the threshold leaves."""
STRENGTH = 0.01
"""C of the support vector machine, for values whose standard deviation is 1."""
FEW = 3_000
"""Pictures that are encoded at a time; the first of them give the thresholds."""
PUBLISHED = {"CONV-WTA, two levels": 0.48, "CONV-WTA, one level": 1.02}


def measure(folder: Path, say: Callable[[str], None]) -> Ledger:
    """Train level and classifier on MNIST, unless their error is kept already."""
    ledger = Ledger(folder / "runs.csv", KEYS, FIGURES)
    if runs_of(ledger):
        return ledger
    ledger.claim()
    train, test = load("mnist", "train"), load("mnist", "test")
    cae = kept_or_trained(CAE(**STACK), folder, NAME, train, say)
    began = time.perf_counter()
    bounds = thresholds(_maps(cae, train[:FEW]), ACTIVE)
    inside, outside = (_features(cae, images, bounds) for images in (train, test))
    say(f"{NAME}: a linear classifier on {inside.shape[1]:,} values")
    spread = _spread(inside)  # one for all: rare values are not to be blown up
    machine = LinearSVC(C=STRENGTH, dual=False, tol=1e-3, max_iter=300)
    machine.fit(inside / spread, labels_of(train))
    found = machine.predict(outside / spread)
    error = 100 * float((found != labels_of(test)).mean())
    about = NAME, len(train), "codes above a threshold", _recipe()
    figures = {
        "error": f"{error:.4f}",
        "test_pictures": len(test),
        "dimensions": inside.shape[1],
        "seconds": f"{time.perf_counter() - began:.1f}",
        "data": train.source,
        "stack": cae.arch,
    }
    ledger.add(dict(zip(KEYS, about, strict=True)), figures)
    say(f"{NAME}: {len(train):,} labels: error {error:.2f} %")
    return ledger


def thresholds(maps: NDArray[np.float32], active: float) -> NDArray[np.float32]:
    """Find for each map of N×places×maps the value that only a share of its exceeds."""
    each = maps.reshape(-1, maps.shape[2])
    return np.quantile(each, 1 - active, axis=0).astype(np.float32)


def above(maps: NDArray[np.float32], bounds: NDArray[np.float32]) -> csr_array:
    """Soft-threshold codes: max(0, z - α), for features that are mostly 0.

    Coates & Ng 2011, "The Importance of Encoding Versus Training with Sparse Coding and
    Vector Quantization", section 3.2; α is each map's own bound. Takes N×places×maps
    and gives N×(places·maps).
    """
    return csr_array(np.maximum(maps - bounds, 0).reshape(len(maps), -1))


def lines(ledger: Ledger) -> list[str]:
    """Write the error as a Markdown table, beside those that others report."""
    others = " | ".join(PUBLISHED)
    rows = [f"| labels | error | values | {others} |", "|---|---|---|---|---|"]
    told = " | ".join(f"{error:.2f}" for error in PUBLISHED.values())
    for row in runs_of(ledger):
        error = ledger.number(row, "error")
        labels, values = int(row["labels"]), int(row["dimensions"])
        found = f"{error:.2f} {within(error, int(row['test_pictures']))}"
        rows.append(f"| {labels:,} {RETRIED} | {found} | {values:,} | {told} |")
    return rows


def runs_of(ledger: Ledger) -> list[Row]:
    """Give the runs of this recipe, without those of an earlier one."""
    recipe = _recipe()
    marks = recipe, EARLIER.get(recipe)
    rows = (row for row in ledger if row["table"] == NAME)
    return [row for row in rows if row["recipe"] in marks]


def _recipe() -> str:
    return digest(resolved_stack(STACK), ACTIVE, STRENGTH)


def _features(cae: CAE, images: ImageSet, bounds: NDArray[np.float32]) -> csr_array:
    """Encode and threshold pictures, so many at a time that memory holds them."""
    parts = range(0, len(images), FEW)
    found = [above(_maps(cae, images[at : at + FEW]), bounds) for at in parts]
    return vstack(found, format="csr")


def _spread(features: csr_array) -> float:
    """Give the standard deviation of all values, zeros included."""
    mean, squares = features.mean(dtype=float), features.power(2).mean(dtype=float)
    return float(np.sqrt(squares - mean**2))


def _maps(cae: CAE, images: ImageSet) -> NDArray[np.float32]:
    """Encode pictures: N×places×maps."""
    _, _, maps = cae.architecture_.code_shape(cae.picture_shape_)
    found: NDArray[np.float32] = cae.transform(images).reshape(len(images), -1, maps)
    return found
