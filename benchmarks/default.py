"""What a person gets without options, beside PCA and the Keras example's network.

Every set is fitted with the defaults, at several sizes of the code, and tried once on
test pictures that nothing was chosen on. Each fit is a row of a table as soon as it is
done; what is there is not run again. Exits with 1 when the default loses to PCA.
"""

import math
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy.typing import NDArray
from skimage import data as scikit_image
from skimage.metrics import structural_similarity

from caes import CAE, ImageSet, load
from caes.files import data_folder
from caes.nn.linear import Subspace, sample
from caes.runs.ledger import Ledger
from caes.runs.pictures import Opening, learnt_and_shown
from sheet import RESULTS, Sheet

CODES = (8, 32, 128)
KEYS = ("set", "code", "minutes", "seed")
FIGURES = (
    "learned",
    "tested",
    "pca",
    "mse",
    "ratio",
    "pca_psnr",
    "psnr",
    "pca_ssim",
    "ssim",
    "seconds",
    "steps",
    "network",
)
EXAMPLE = "example"
SHOWN = 1000
"""Test pictures whose structural similarity is measured."""
SMALL = 5000
"""Below so many pictures, PCA is hard to beat with many values."""
LEVEL = 1.02
"""What the error may be of PCA's there."""

Pair = tuple[ImageSet, ImageSet]


def main(
    only: tuple[str, ...] = (),
    seed: int = 0,
    minutes: float = 5.0,
    out: Path = RESULTS,
) -> int:
    """Fit, measure, print, judge.

    Args:
        only: Sets, or sets and codes, such as digits or digits/32; all if not said.
        seed: Of weights, order and splits.
        minutes: Of a fit, at most.
        out: Folder of the table and the result.
    """
    ledger = Ledger(out / "default.csv", KEYS, FIGURES)
    ledger.claim()
    for name, code in _wanted(only):
        key = {"set": name, "code": code, "minutes": minutes, "seed": seed}
        if ledger.find(**key) is None:
            row = ledger.add(key, _fitted(*SETS[name](), code, seed, minutes))
            print(*row.values(), flush=True)
    return _judge(ledger, out)


def _wanted(only: tuple[str, ...]) -> Iterator[tuple[str, int | str]]:
    for name in SETS:
        for code in (*CODES, EXAMPLE):
            if not only or name in only or f"{name}/{code}" in only:
                yield name, code


def _fitted(
    train: ImageSet, test: ImageSet, code: int | str, seed: int, minutes: float
) -> Mapping[str, object]:
    options: dict[str, Any] = {"recipe": "example"}
    if code != EXAMPLE:
        options = {"code": code, "minutes": minutes}
    start = time.perf_counter()
    cae = CAE(**options, random_state=seed, verbose=True).fit(train)
    seconds = time.perf_counter() - start
    pixels, again = cae.to_unit(test), cae.reconstruct(test)
    values = math.prod(train.shape[1:])
    seen = cae.to_unit(train[sample(len(train), values)]).reshape(-1, values)
    size = math.prod(cae.architecture_.code_shape(cae.picture_shape_))
    subspace = Subspace.fit(seen, size)
    rival = subspace.project(pixels.reshape(-1, values), clipped=True)
    rival = rival.reshape(pixels.shape)
    pca, mse = (float(np.square(each - pixels).mean()) for each in (rival, again))
    rows = cae.history_.rows
    return {
        "learned": len(train),
        "tested": len(test),
        "pca": f"{pca:.6g}",
        "mse": f"{mse:.6g}",
        "ratio": f"{mse / pca:.4f}",
        "pca_psnr": f"{-10 * math.log10(pca):.2f}",
        "psnr": f"{-10 * math.log10(mse):.2f}",
        "pca_ssim": f"{_similarity(pixels, rival):.4f}",
        "ssim": f"{_similarity(pixels, again):.4f}",
        "seconds": f"{seconds:.0f}",
        "steps": rows[-1].steps or "",
        "network": str(cae.architecture_),
    }


def _similarity(pixels: NDArray[np.float32], again: NDArray[np.float32]) -> float:
    """Give the mean structural similarity of pictures N×H×W×C, the first ones'."""
    found = [
        structural_similarity(one, other, data_range=1.0, channel_axis=-1)
        for one, other in zip(pixels[:SHOWN], again[:SHOWN], strict=True)
    ]
    return float(np.mean(found))


def _standard(name: str) -> Pair:
    return load(name, split="train"), load(name, split="test")


def _few() -> Pair:
    train, test = _standard("mnist")
    rows = np.random.default_rng(0).permutation(len(train))[:300]
    return train[np.sort(rows)], test


def _cifar(channels: int) -> Pair:
    folder = data_folder() / "cifar10-jpeg"
    train, test = (
        load(folder, split=split, channels=channels) for split in ("train", "test")
    )
    return train, test


def _opened(*parts: str, **how: Any) -> Pair:
    """Open pictures as the command does, a tenth of them kept apart."""
    return learnt_and_shown(Opening(source=str(data_folder().joinpath(*parts)), **how))


def _twelve_bits() -> Pair:
    """Cut scikit-image's own pictures into pieces, as a camera of 12 bits has them."""
    names = ("camera", "coins", "moon", "brick", "grass", "gravel", "clock")
    pieces = []
    for name in names:
        picture = np.asarray(getattr(scikit_image, name)(), np.uint16) * 16
        height, width = (side // 32 for side in picture.shape)
        cut = picture[: 32 * height, : 32 * width].reshape(height, 32, width, 32)
        pieces.append(cut.swapaxes(1, 2).reshape(-1, 32, 32))
    images = ImageSet.from_pixels(np.concatenate(pieces))
    rows = np.random.default_rng(0).permutation(len(images))
    tenth = len(images) // 10
    return images[np.sort(rows[tenth:])], images[np.sort(rows[:tenth])]


SETS = {
    "digits": lambda: _standard("digits"),
    "mnist": lambda: _standard("mnist"),
    "cifar10-grey": lambda: _cifar(1),
    "cifar10-colour": lambda: _cifar(3),
    "tiles-64": lambda: _opened("magnetic-tiles", "normal", size=(64, 64)),
    "tiles-by-tile-64": lambda: _opened("magnetic-tiles", "normal", tile=64),
    "photographs-by-tile-32": lambda: _opened("bsd", "train400", tile=32),
    "mnist-300": _few,
    "twelve-bits": _twelve_bits,
}


def _judge(ledger: Ledger, out: Path) -> int:
    sheet = Sheet("The default beside PCA and the Keras example")
    rows = [row for row in ledger if row["code"] != EXAMPLE]
    head = ["set", "code", "learned", "PCA", "default", "ratio", "PSNR", "SSIM"]
    head += ["minutes", "s"]
    cells = [
        (
            row["set"],
            row["code"],
            row["learned"],
            row["pca"],
            row["mse"],
            row["ratio"],
            f"{row['pca_psnr']} → {row['psnr']}",
            f"{row['pca_ssim']} → {row['ssim']}",
            row["minutes"],
            row["seconds"],
        )
        for row in ledger
    ]
    sheet.table(head, cells)
    for row in rows:
        few = int(row["learned"]) < SMALL and (
            row["set"] == "mnist-300" or row["code"] == "128"
        )
        most = LEVEL if few else 1.0
        ratio = ledger.number(row, "ratio")
        name = f"{row['set']}, {row['code']} values, {row['minutes']} minutes"
        sheet.at_most(f"{name}: the default's error over PCA's", ratio, most, "{:.3f}")
    return sheet.finish(out)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
