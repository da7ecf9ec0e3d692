"""All that the report of an auto-encoder says, measured once."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.errors import DataError, by_signs
from caes.nn.architecture import Architecture
from caes.report.baseline import (
    Baseline,
    Fitted,
    Winners,
    baseline,
    from_code,
    winners,
)
from caes.report.layout import Fact
from caes.report.numbers import count, decibels, duration, figure, psnr
from caes.report.phases import Phase, Plan, phases, plan
from caes.report.pictures import Tile, reduced, tile
from caes.report.training import epoch_of, epochs
from caes.train.history import History

SHOWN = 10
"""Test pictures beside their reconstructions."""
EXTREMES = 5
"""Best and worst reconstructed ones."""
STRONGEST = 99.9
"""The percentile of the shown differences that gets the strongest colour."""


class Example(NamedTuple):
    """A test picture beside what the autoencoder made of it."""

    name: str
    error: float  # mean squared, on the network's scale
    picture: Tile
    again: Tile
    difference: Tile  # absolute, H×W; 255 is the strongest of `Results` and more


class Rival(NamedTuple):
    """One row of the comparison on the test pictures."""

    name: str
    code: int  # values it keeps of a picture
    places: int  # of winners, that it is told beside them
    learned: int  # numbers it learned
    mse: float


@dataclass(frozen=True, eq=False)
class Results:
    """A trained autoencoder, measured on test pictures."""

    history: History
    loss: str  # "bce" or "mse", what pictures were compared by
    plan: Plan
    arch: Architecture
    parameters: int
    code_shape: tuple[int, ...]
    picture_shape: tuple[int, int, int]  # (H, W, C)
    errors: NDArray[np.float64]  # N mean squared errors on the network's scale
    peak: float  # of the PSNR, on the same scale
    winners: Winners
    alone: NDArray[np.float64] | None  # N errors, had the places not been told
    pca: Baseline
    same: bool  # whether the test pictures are the training pictures themselves
    shown: Sequence[Example]  # spread evenly over the test pictures
    best: Sequence[Example]  # the smallest error first
    worst: Sequence[Example]  # the largest error first
    filters: NDArray[np.float32] | None  # maps×k×k×C, the first level's kernels
    strongest: float  # the difference that gets the strongest colour, white being 1

    @property
    def phases(self) -> list[Phase]:
        """The training in its phases."""
        return phases(self.history, self.plan)

    @property
    def staged(self) -> bool:
        """Whether there was more than one phase."""
        return len(self.phases) > 1

    @property
    def room(self) -> float:
        """Values in a picture for one in its code."""
        return math.prod(self.picture_shape) / math.prod(self.code_shape)

    @property
    def mse(self) -> float:
        """Mean squared error over the test pictures, on the network's scale."""
        return float(self.errors.mean())

    def psnr_of(self, mse: float) -> float:
        """Give a mean squared error in dB."""
        return psnr(mse, self.peak)

    @property
    def pca_mse(self) -> float:
        """PCA's mean squared error on the same pictures."""
        return float(self.pca.errors.mean())

    @property
    def mean_mse(self) -> float:
        """The mean training picture's, as the only answer."""
        return float(self.pca.mean_errors.mean())

    @property
    def alone_mse(self) -> float | None:
        """The autoencoder's mean squared error from the code alone."""
        return None if self.alone is None else float(self.alone.mean())

    @property
    def diverged_at(self) -> str | None:
        """The first epoch whose loss is not finite, as a sentence names it, or None."""
        rows = [(phase, row) for phase in self.phases for row in phase.rows]
        lost = [(phase, row) for phase, row in rows if not math.isfinite(row.loss)]
        return epoch_of(lost[0][0], lost[0][1].epoch) if lost else None


def examine(cae: Fitted, train: ImageSet, test: ImageSet) -> Results:
    """Measure an autoencoder on test pictures, and PCA beside it.

    Raises:
        DataError: Training and test pictures are not of one H×W×C.
    """
    learned, tried = (by_signs(images.shape[1:]) for images in (train, test))
    if learned != tried:
        raise DataError(
            test.source,
            f"test pictures of {tried}",
            f"pictures like the training ones, {learned}",
            "Load them with size and channels as the training pictures were.",
        )
    alike = train.shape == test.shape and train.dtype == test.dtype
    settings = cae.chosen_
    arch, picture = cae.architecture_, cae.picture_shape_
    errors = np.asarray(cae.errors(test), dtype=np.float64)
    shown, best, worst = _chosen(errors)
    chosen, strongest = examples(cae, test, [*shown, *best, *worst], errors)
    code_shape = arch.code_shape(picture)
    sparse = settings.get("sparsity") is not None
    beside = winners(arch, picture, sparse=sparse)
    return Results(
        history=cae.history_,
        loss=str(settings["loss"]),
        plan=plan(settings, arch),
        arch=arch,
        parameters=arch.parameters(picture),
        code_shape=code_shape,
        picture_shape=picture,
        errors=errors,
        peak=cae.scaling_.peak,
        winners=beside,
        alone=from_code(cae, test) if beside.places and not sparse else None,
        pca=baseline(cae, train, test, math.prod(code_shape)),
        same=alike and train.fingerprint == test.fingerprint,
        shown=chosen[: len(shown)],
        best=chosen[len(shown) : len(shown) + len(best)],
        worst=chosen[len(shown) + len(best) :],
        filters=cae.first_filters(),
        strongest=strongest,
    )


def _chosen(errors: NDArray[np.float64]) -> tuple[list[int], list[int], list[int]]:
    """Pick rows to show: spread evenly, the best, and the worst with NaN first."""
    n = len(errors)
    spread = np.unique(np.linspace(0, n - 1, min(n, SHOWN)).round().astype(int))
    order = np.argsort(errors, kind="stable")
    extremes = min(EXTREMES, n // 2)
    return spread.tolist(), order[:extremes].tolist(), order[::-1][:extremes].tolist()


def examples(
    cae: Fitted, images: ImageSet, rows: Sequence[int], errors: NDArray[np.float64]
) -> tuple[list[Example], float]:
    """Reconstruct some of the pictures, whose N errors are known, and make tiles.

    Beside them stands the difference that gets the strongest colour, in two digits.
    """
    some = images[np.asarray(rows, dtype=np.intp)]
    given = cae.to_unit(some), cae.reconstruct(some)
    before, after = map(cae.scaling_.shown, given)
    apart = np.abs(before - after).mean(axis=-1)
    finite = apart[np.isfinite(apart)]
    seen = float(np.percentile(finite, STRONGEST)) if finite.size else 0.0
    strongest = float(f"{seen:.2g}") or 1.0
    made = [
        Example(
            name=some.names[at],
            error=float(errors[row]),
            picture=tile(before[at]),
            again=tile(after[at]),
            difference=reduced(apart[at] / strongest),
        )
        for at, row in enumerate(rows)
    ]
    return made, strongest


def facts(results: Results) -> list[Fact]:
    """Give the headline figures in the page's order."""
    size, form = math.prod(results.code_shape), by_signs(results.picture_shape)
    values = f"{math.prod(results.picture_shape):,} values a picture, {form}"
    maps = len(results.code_shape) > 1
    code = by_signs(results.code_shape) if maps else "one a dense unit"
    tried = count(len(results.errors), "picture")
    found = [
        Fact("Parameters", f"{results.parameters:,}", "weights and biases"),
        Fact("Code", count(size, "value"), code),
        Fact("Compression", f"{results.room:.3g} : 1", values),
        Fact("Test error", figure(results.mse), f"mean squared, {tried}"),
        Fact("Test PSNR", decibels(results.psnr_of(results.mse)), "of that mean error"),
        epochs(results.phases),
    ]
    if rows := results.history.rows:
        speed = statistics.median(row.images_per_second for row in rows)
        unit, units = ("stretch", "steps") if rows[0].steps else ("epoch", "epochs")
        note = f"in training, median {unit}"
        found.append(Fact("Speed", f"{speed:,.0f} images/s", note))
        spent = sum(row.seconds for row in rows)
        found.append(Fact("Time", duration(spent), f"for all {units}"))
    return found


def rivals(results: Results) -> list[Rival]:
    """Compare the autoencoder with PCA and with the mean training picture."""
    pca, own, learned = results.pca, results.winners, results.parameters
    rows = [
        Rival("Autoencoder", own.size, own.count, learned, results.mse),
        Rival("PCA", pca.components, 0, pca.learned, results.pca_mse),
        Rival("Mean training picture", 0, 0, pca.features, results.mean_mse),
    ]
    if results.alone_mse is not None:
        name = "Autoencoder, from its code alone"
        rows.insert(1, Rival(name, own.size, 0, learned, results.alone_mse))
    return rows
