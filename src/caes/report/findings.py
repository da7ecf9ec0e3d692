"""All that a report says, measured once: what the page and the verdict read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.errors import DataError
from caes.nn.architecture import Architecture
from caes.report.account import epoch_of, loss_name
from caes.report.amounts import psnr, shape
from caes.report.code_alone import from_code
from caes.report.fitted import Fitted
from caes.report.pca import Baseline, baseline
from caes.report.phases import Phase, Plan, phases, plan
from caes.report.tiles import Example, examples
from caes.report.winners import Winners, winners
from caes.train.history import History

SHOWN = 10
"""Test pictures beside their reconstructions."""
EXTREMES = 5
"""Best and worst reconstructed ones."""


@dataclass(frozen=True, eq=False)
class Findings:
    """A trained autoencoder, measured on test pictures.

    Args:
        history: How the training went.
        loss: "bce" or "mse", what pictures were compared by.
        plan: What the training was asked to do.
        arch: The network.
        parameters: Weights and biases of the network.
        code_shape: Shape of a picture's code.
        picture_shape: (H, W, C).
        errors: N float64, each test picture's mean squared error on the network's
            scale: [0, 1], but for the scales that reach beyond it.
        peak: Of the PSNR, on the same scale.
        winners: What of the code reconstructs, and the places it is told beside.
        alone: N float64, the errors from the code alone, where the places were not
            told; None where there are none, or nothing was decoded so.
        pca: What PCA and the mean picture do on the same pictures.
        same: Whether the test pictures are the training pictures themselves.
        shown: Pictures spread evenly over the test pictures.
        best: Those with the smallest errors, the smallest first.
        worst: Those with the largest errors, the largest first.
        filters: maps×k×k×C float32, the first level's kernels, or None.
    """

    history: History
    loss: str
    plan: Plan
    arch: Architecture
    parameters: int
    code_shape: tuple[int, ...]
    picture_shape: tuple[int, int, int]
    errors: NDArray[np.float64]
    peak: float
    winners: Winners
    alone: NDArray[np.float64] | None
    pca: Baseline
    same: bool
    shown: Sequence[Example]
    best: Sequence[Example]
    worst: Sequence[Example]
    filters: NDArray[np.float32] | None

    @property
    def loss_name(self) -> str:
        """What was trained on, for a reader."""
        return loss_name(0, self.loss)

    @property
    def phases(self) -> list[Phase]:
        """The training in its phases."""
        return phases(self.history, self.plan)

    @property
    def code_size(self) -> int:
        """Values in a picture's code."""
        return math.prod(self.code_shape)

    @property
    def picture_size(self) -> int:
        """Values in a picture."""
        return math.prod(self.picture_shape)

    @property
    def mse(self) -> float:
        """Mean squared error over the test pictures, on the network's scale."""
        return float(self.errors.mean())

    @property
    def psnr(self) -> float:
        """The same in dB."""
        return self.psnr_of(self.mse)

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
        for phase in self.phases:
            for row in phase.rows:
                if not math.isfinite(row.loss):
                    staged = self.plan.staged
                    return (
                        epoch_of(phase, row.epoch) if staged else f"epoch {row.epoch}"
                    )
        return None


def examine(cae: Fitted, train: ImageSet, test: ImageSet) -> Findings:
    """Measure an autoencoder on test pictures, and PCA beside it.

    Raises:
        DataError: Training and test pictures are not of one H×W×C.
    """
    _check(train, test)
    settings = cae.get_params()
    arch, picture = cae.architecture_, cae.picture_shape_
    errors = np.asarray(cae.errors(test), dtype=np.float64)
    shown, best, worst = _chosen(errors)
    chosen = examples(cae, test, [*shown, *best, *worst], errors)
    code_shape = arch.code_shape(picture)
    sparse = settings.get("sparsity") is not None
    told = winners(arch, picture, sparse=sparse)
    return Findings(
        history=cae.history_,
        loss=str(settings["loss"]),
        plan=plan(settings, arch),
        arch=arch,
        parameters=arch.parameters(picture),
        code_shape=code_shape,
        picture_shape=picture,
        errors=errors,
        peak=cae.scaling_.peak,
        winners=told,
        alone=from_code(cae, test) if told.places and not sparse else None,
        pca=baseline(cae, train, test, math.prod(code_shape)),
        same=_same(train, test),
        shown=chosen[: len(shown)],
        best=chosen[len(shown) : len(shown) + len(best)],
        worst=chosen[len(shown) + len(best) :],
        filters=cae.first_filters(),
    )


def _chosen(errors: NDArray[np.float64]) -> tuple[list[int], list[int], list[int]]:
    """Pick rows to show: spread evenly, the best, and the worst with NaN first."""
    n = len(errors)
    spread = np.unique(np.linspace(0, n - 1, min(n, SHOWN)).round().astype(int))
    order = np.argsort(errors, kind="stable")
    extremes = min(EXTREMES, n // 2)
    return spread.tolist(), order[:extremes].tolist(), order[::-1][:extremes].tolist()


def _check(train: ImageSet, test: ImageSet) -> None:
    learned, tried = (shape(images.shape[1:]) for images in (train, test))
    if learned != tried:
        raise DataError(
            test.source,
            f"test pictures of {tried}",
            f"pictures like the training ones, {learned}",
            "Load them with size and channels as the training pictures were.",
        )


def _same(train: ImageSet, test: ImageSet) -> bool:
    alike = train.shape == test.shape and train.dtype == test.dtype
    return alike and train.fingerprint == test.fingerprint
