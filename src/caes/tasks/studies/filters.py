"""The paper's figure of filters: what noise and pooling make of them.

Twenty filters of 7×7 from four auto-encoders of one topology (section 4.1 of Masci et
al. 2011): clean; noisy; with max-pooling; with both.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from caes.data import ImageSet, load
from caes.estimators import CAE
from caes.files import write_whole
from caes.report.pictures import SHARPNESS, Strip, enlarged, in_bytes, montage, seen
from caes.runs.ledger import Ledger, pass_on_interruption

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
SETS = {"mnist": "train[:10000]", "cifar10": "train[:10000]"}
EPOCHS = 5
FACTOR = 4
"""Page pixels a weight in the figure."""
GAP = 4
KEYS = ("data", "autoencoder")
FIGURES = ("pixels", "response", "of", "loss", "pictures", "epochs", "seconds")


def concentration(filters: NDArray[np.float32]) -> NDArray[np.float64]:
    """Count the pixels that carry a filter: its participation ratio.

    (Σ e)² / Σ e², e the squared weights summed over channels: 1 for a delta, k² for a
    filter with the same weight everywhere, about k²/3 for random weights. Takes
    maps×k×k×C.
    """
    energy = (filters.astype(np.float64) ** 2).sum(-1).reshape(len(filters), -1)
    total = energy.sum(1) ** 2
    found: NDArray[np.float64] = np.divide(
        total, (energy**2).sum(1), out=np.ones(len(energy)), where=total > 0
    )
    return found


def impulse_response(filters: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give what the auto-encoder makes of a single pixel, were its units linear.

    With tied weights and without pooling a picture comes back as x ∗ Σ_k W_k ⋆ W_k: an
    auto-encoder that has only learnt to copy has a delta here, whatever each single
    filter looks like. Takes maps×k×k×C; gives (2k-1)×(2k-1), the mean over channels.
    """
    shown = filters.astype(np.float64)
    each = np.moveaxis(shown, 3, 1).reshape(-1, *shown.shape[1:3])
    parts = [correlate(plane, plane) for plane in each]
    response: NDArray[np.float64] = np.sum(parts, axis=0) / shown.shape[3]
    return response


def draw_filters(folder: Path, *, quick: bool, say: Callable[[str], None]) -> None:
    """Train the four auto-encoders on each data set; write figures and filters.csv."""
    name = "filters-quick.csv" if quick else "filters.csv"
    ledger = Ledger(folder / name, KEYS, FIGURES)
    ledger.claim()
    for data, split in ({"digits": "train"} if quick else SETS).items():
        images = load(data, split)
        found = {
            title: _filters(title, images, folder, ledger, 3 if quick else EPOCHS, say)
            for title in AUTOENCODERS
        }
        path = folder / f"filters-{data}.png"
        write_whole(path, montage([_strip(*each) for each in found.items()], gap=GAP))
        say(str(path))


def _strip(title: str, filters: NDArray[np.float32]) -> Strip:
    """Lay maps×k×k×C side by side.

    Grey is 0; each filter's largest weight is black or white, or full colour.
    """
    largest = np.abs(filters).reshape(len(filters), -1).max(1)[:, None, None, None]
    unit = 0.5 + 0.5 * filters / np.where(largest > 0, largest, 1)
    tiles = [in_bytes(seen(each)) for each in unit]
    return Strip([enlarged(tile, FACTOR * SHARPNESS) for tile in tiles], title)


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
    key = {"data": images.source, "autoencoder": title}
    row = ledger.find(**key)
    if row is not None and kept.exists():
        cae = CAE.load(kept)
    else:
        cae = CAE(**TRAINING, **AUTOENCODERS[title], epochs=epochs).fit(images)
        pass_on_interruption(cae.history_)
        cae.save(kept, force=True)
        row = ledger.add(key, _figures(cae, len(images)))
    say(
        f"{images.source}, {title}: a filter lies on {row['pixels']} of {row['of']} "
        f"pixels, the linear response to one pixel on {row['response']} of 169"
    )
    return _shown(cae)


def _shown(cae: CAE) -> NDArray[np.float32]:
    filters = cae.first_filters()
    if filters is None:
        raise TypeError(f"{cae.arch} has no filters")
    return filters


def _figures(cae: CAE, pictures: int) -> dict[str, object]:
    """Say what the filters of a trained auto-encoder are like."""
    filters = _shown(cae)
    response = impulse_response(filters).astype(np.float32)[None, :, :, None]
    history = cae.history_.rows
    return {
        "pixels": f"{np.median(concentration(filters)):.2f}",
        "response": f"{concentration(response)[0]:.2f}",
        "of": filters[0, :, :, 0].size,
        "loss": f"{history[-1].loss:.6f}",
        "pictures": pictures,
        "epochs": len(history),
        "seconds": f"{sum(each.seconds for each in history):.1f}",
    }
