"""All that a report says, measured once: what the page and the verdict read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.errors import DataError
from caes.history import History
from caes.report.amounts import psnr, shape
from caes.report.fitted import Fitted
from caes.report.pca import Baseline, baseline
from caes.report.tiles import Example, examples

LOSSES = {"bce": "binary cross-entropy", "mse": "mean squared error"}
SHOWN = 10
"""Test pictures beside their reconstructions."""
EXTREMES = 5
"""Best and worst reconstructed ones."""


@dataclass(frozen=True, eq=False)
class Findings:
    """A trained autoencoder, measured on test pictures.

    Args:
        history: How the training went.
        loss: "bce" or "mse", what was trained on.
        epochs_asked: Epochs in the settings.
        parameters: Weights and biases of the network.
        code_shape: Shape of a picture's code.
        picture_shape: (H, W, C).
        errors: N float64, each test picture's mean squared error on the scale [0, 1].
        pca: What PCA and the mean picture do on the same pictures.
        same: Whether the test pictures are the training pictures themselves.
        shown: Pictures spread evenly over the test pictures.
        best: Those with the smallest errors, the smallest first.
        worst: Those with the largest errors, the largest first.
        filters: maps×k×k×C float32, the first level's kernels, or None.
    """

    history: History
    loss: str
    epochs_asked: int
    parameters: int
    code_shape: tuple[int, ...]
    picture_shape: tuple[int, int, int]
    errors: NDArray[np.float64]
    pca: Baseline
    same: bool
    shown: Sequence[Example]
    best: Sequence[Example]
    worst: Sequence[Example]
    filters: NDArray[np.float32] | None

    @property
    def loss_name(self) -> str:
        """What was trained on, for a reader."""
        return LOSSES.get(self.loss, self.loss)

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
        """Mean squared error over the test pictures, on the scale [0, 1]."""
        return float(self.errors.mean())

    @property
    def psnr(self) -> float:
        """The same in dB."""
        return psnr(self.mse)

    @property
    def pca_mse(self) -> float:
        """PCA's mean squared error on the same pictures."""
        return float(self.pca.errors.mean())

    @property
    def mean_mse(self) -> float:
        """The mean training picture's, as the only answer."""
        return float(self.pca.mean_errors.mean())

    @property
    def diverged_at(self) -> int | None:
        """The first epoch whose loss is not finite, or None."""
        rows = self.history.rows
        lost = (row.epoch for row in rows if not math.isfinite(row.loss))
        return next(lost, None)


def examine(cae: Fitted, train: ImageSet, test: ImageSet) -> Findings:
    """Measure an autoencoder on test pictures, and PCA beside it.

    Raises:
        DataError: Training and test pictures are not of one H×W×C.
    """
    _check(train, test)
    settings = cae.get_params()
    picture = cae.picture_shape_
    code_shape = cae.architecture_.code_shape(picture)
    errors = np.asarray(cae.errors(test), dtype=np.float64)
    shown, best, worst = _chosen(errors)
    chosen = examples(cae, test, [*shown, *best, *worst], errors)
    return Findings(
        history=cae.history_,
        loss=str(settings["loss"]),
        epochs_asked=int(settings["epochs"]),
        parameters=cae.architecture_.parameters(picture),
        code_shape=code_shape,
        picture_shape=picture,
        errors=errors,
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
