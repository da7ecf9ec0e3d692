"""A stand-in for a fitted `caes.CAE`: it gives pictures back a little darker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data import ImageSet
from caes.data.scaling import Scaling
from caes.nn.architecture import Architecture, DecoderName, parse
from caes.train.history import Epoch, History


def history(
    losses: Sequence[float], watched: Sequence[float] | None = None, **about: Any
) -> History:
    rows = [
        Epoch(
            at, loss, None if watched is None else watched[at - 1], 0.8, 20, 1.5, 2000
        )
        for at, loss in enumerate(losses, start=1)
    ]
    return History(rows, **({"best_epoch": len(rows)} | about))


def stack_history(
    losses: Mapping[int, Sequence[float]],
    watched: Mapping[int, Sequence[float]] | None = None,
    **about: Any,
) -> History:
    """A stack's, level by level; only levels 0 and 1 give back pictures."""
    rows = [
        replace(row, level=level, accuracy=row.accuracy if level <= 1 else None)
        for level, each in losses.items()
        for row in history(each, (watched or {}).get(level)).rows
    ]
    return History(rows, **({"best_epoch": rows[-1].epoch if rows else 0} | about))


@dataclass(frozen=True)
class FakeCAE:
    """Multiplies pictures by ``keeps``; NaN makes a diverged one.

    From the code alone, which is the picture itself, it gives back half as much.
    """

    picture_shape_: tuple[int, int, int]
    arch: str = "4C3-MP2"
    keeps: float = 0.9
    loss: str = "bce"
    history_: History = field(default_factory=lambda: history([0.4, 0.3, 0.29]))
    provenance_: Mapping[str, str] = field(default_factory=lambda: {"caes": "0.0"})
    decoder: DecoderName = "mirror"
    bounded: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    scaling_: Scaling = field(default_factory=lambda: Scaling(0, 255))

    @property
    def architecture_(self) -> Architecture:
        form = {"decoder": self.decoder, "bounded": self.bounded}
        return replace(parse(self.arch), **form)  # type: ignore[arg-type]

    @property
    def chosen_(self) -> Mapping[str, Any]:
        usual = {"arch": self.arch, "loss": self.loss, "epochs": 3, "patience": None}
        return {**usual, **self.settings}

    def to_unit(self, images: ImageSet) -> NDArray[np.float32]:
        low, high = images.value_range
        return ((images.pixels - low) / (high - low)).astype(np.float32)

    def reconstruct(self, images: ImageSet) -> NDArray[np.float32]:
        return self.to_unit(images) * np.float32(self.keeps)

    def transform(self, images: ImageSet) -> NDArray[np.float32]:
        return self.to_unit(images).reshape(len(images), -1)

    def inverse_transform(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        return codes.reshape(-1, *self.picture_shape_) * np.float32(self.keeps / 2)

    def errors(self, images: ImageSet) -> NDArray[np.float64]:
        apart = (self.to_unit(images) - self.reconstruct(images)).astype(np.float64)
        return np.asarray(np.square(apart).mean(axis=(1, 2, 3)))

    def first_filters(self) -> NDArray[np.float32] | None:
        if not self.architecture_.levels:
            return None
        level = self.architecture_.levels[0]
        shape = (level.maps, level.kernel, level.kernel, self.picture_shape_[-1])
        weights = np.random.default_rng(0).normal(size=shape)
        return (weights * self.keeps).astype(np.float32)


def pictures(n: int, *shape: int, seed: int = 0, **about: Any) -> ImageSet:
    """Random uint8 pictures, each of its own brightness."""
    rng = np.random.default_rng(seed)
    bright = rng.random((n, 1, 1, 1))
    pixels = (rng.random((n, *shape)) * bright * 255).astype(np.uint8)
    return ImageSet.from_pixels(pixels, **about)


def answers(
    truth: NDArray[np.int64], k: int, wrong: Sequence[int] = (), sure: float = 0.8
) -> NDArray[np.float32]:
    """Probabilities that name every picture correctly but ``wrong``, which get the
    next class; the answer has ``sure``, the others share the rest."""
    named = truth.copy()
    named[list(wrong)] = (named[list(wrong)] + 1) % k
    given = np.full((len(truth), k), (1 - sure) / (k - 1), np.float32)
    given[np.arange(len(truth)), named] = sure
    return given


STACK = stack_history({1: [0.4, 0.3, 0.3], 2: [0.2, 0.2, 0.2], 0: [0.3, 0.3]})


def a_stack(about: History = STACK, **settings: Any) -> FakeCAE:
    """For 8×8×1, a code of 2×2×2 values, told 4·4·2 + 2·2·2 places."""
    usual = {"schedule": "greedy", "refine": 2}
    return FakeCAE(
        (8, 8, 1),
        arch="2C3-MP2-2C3-MP2",
        loss="mse",
        history_=about,
        decoder="tied",
        settings=usual | settings,
    )
