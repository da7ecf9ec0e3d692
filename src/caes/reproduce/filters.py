"""The paper's figure of filters: what noise and pooling make of them.

Twenty filters of 7×7 from four auto-encoders of one topology (section 4.1 of Masci et
al. 2011): clean; noisy; with max-pooling; with both.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data import ImageSet, load
from caes.estimators import CAE
from caes.files import write_atomically
from caes.ledger import Ledger
from caes.report.canvas import LIGHT, png
from caes.reproduce.plate import draw

AUTOENCODERS: dict[str, dict[str, Any]] = {
    "clean": {"arch": "20C7"},
    "30 % masking noise": {"arch": "20C7", "noise": "masking:0.3"},
    "max-pooling": {"arch": "20C7-MP2"},
    "max-pooling and noise": {"arch": "20C7-MP2", "noise": "masking:0.3"},
}
TRAINING: dict[str, Any] = {
    "decoder": "tied",
    "padding": "valid",
    "activation": "tanh",
    "loss": "mse",
    "random_state": 0,
}
SETS = {"mnist": "train[:20000]", "cifar10": "train[:20000]"}
EPOCHS = 10
KEYS = ("data", "autoencoder")
FIGURES = ("pixels", "of", "loss", "pictures", "epochs", "seconds")


def concentration(filters: NDArray[np.float32]) -> NDArray[np.float64]:
    """Count the pixels that carry a filter: its participation ratio.

    (Σ e)² / Σ e², e the squared weights summed over channels: 1 for a delta, k² for a
    filter with the same weight everywhere, about k²/3 for random weights.

    Args:
        filters: maps×k×k×C.

    Returns:
        maps, in [1, k²].
    """
    energy = (filters.astype(np.float64) ** 2).sum(-1).reshape(len(filters), -1)
    total = energy.sum(1) ** 2
    return np.divide(
        total, (energy**2).sum(1), out=np.ones(len(energy)), where=total > 0
    )


def draw_filters(folder: Path, *, quick: bool, say: Callable[[str], None]) -> None:
    """Train the four auto-encoders on each data set; write figures and filters.csv.

    Args:
        folder: Where to.
        quick: Whether on 5,000 digits only, for a few epochs.
        say: Told what the filters are like, a line each.

    Raises:
        DataError: The pictures are missing.
        OutputError: The folder cannot be written.
    """
    name = "filters-quick.csv" if quick else "filters.csv"
    ledger = Ledger(folder / name, KEYS, FIGURES)
    for data, split in ({"digits": "train"} if quick else SETS).items():
        images = load(data, split)
        found = {
            title: _filters(title, images, folder, ledger, 3 if quick else EPOCHS, say)
            for title in AUTOENCODERS
        }
        path = folder / f"filters-{data}.png"
        with write_atomically(path) as file:
            file.write(png(draw(found, LIGHT)))
        say(str(path))


def _filters(
    title: str,
    images: ImageSet,
    folder: Path,
    ledger: Ledger,
    epochs: int,
    say: Callable[[str], None],
) -> NDArray[np.float32]:
    """Train one auto-encoder, or read it where it is kept; give maps×k×k×C."""
    kept = folder / "filters" / f"{images.source}-{title.replace(' ', '-')}"
    row = ledger.find(data=images.source, autoencoder=title)
    if row is not None and kept.exists():
        cae = CAE.load(kept)
    else:
        cae = CAE(**TRAINING, **AUTOENCODERS[title], epochs=epochs).fit(images)
        cae.save(kept, force=True)
        row = None
    filters = cae.first_filters()
    if filters is None:
        raise TypeError(title)
    pixels = float(np.median(concentration(filters)))
    if row is None:
        last = cae.history_.rows[-1]
        seconds = sum(each.seconds for each in cae.history_.rows)
        ledger.add(
            {"data": images.source, "autoencoder": title},
            {
                "pixels": f"{pixels:.2f}",
                "of": filters[0, :, :, 0].size,
                "loss": f"{last.loss:.6f}",
                "pictures": len(images),
                "epochs": epochs,
                "seconds": f"{seconds:.1f}",
            },
        )
    say(f"{images.source}, {title}: a filter lies on {pixels:.1f} of 49 pixels")
    return filters
