"""What every detector is: normal pictures in, how strange others are out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from caes.anomalies.album import Album, crop
from caes.anomalies.light import halved, levelled
from caes.data.scaling import Scaling
from caes.estimators import CAE
from caes.train.history import History
from caes.train.loop import Passes, Plain, Settings, train
from caes.train.progress import Progress

Pictures = NDArray[np.float32]
"""N×H×W×C, in [0, 1], as a detector sees them."""
Maps = NDArray[np.float32]
"""N×H×W: how strange each place is, in units of the detector's own."""
Scores = NDArray[np.float64]
State = dict[str, NDArray[Any]]

HIGHEST = 1 / 300
"""Share of the places, the strangest ones, whose mean is a large picture's score."""


@dataclass(frozen=True)
class View:
    """How detectors see pictures: scaled to [0, 1], and freed from uneven light.

    Args:
        scaling: From the source's units.
        level: Whether slow changes of light are taken out (see `levelled`).
        whole: (H, W) of pictures that are all of one size and small enough to be seen
            at once; None where they are looked at place by place.
        channels: Of the pictures.
        half: Whether they are seen half as tall and wide: larger surroundings for as
            much computing.
    """

    scaling: Scaling
    level: bool
    whole: tuple[int, int] | None
    channels: int
    half: bool = False

    def __call__(self, pictures: NDArray[np.generic]) -> Pictures:
        """Give N×H×W×C in the source's units as detectors see them."""
        return self.seen(self.scaling.to_unit(pictures))

    def together(self, album: Album) -> Pictures:
        """Give all pictures of an album, which have one size, as detectors see them."""
        return np.concatenate([self(batch) for batch in album.batches()])

    def seen(self, unit: Pictures) -> Pictures:
        """Give N×H×W×C that are scaled already as detectors see them."""
        return self.even(self.small(unit))

    def small(self, unit: Pictures) -> Pictures:
        """Give N×H×W×C that are scaled already as large as detectors see them."""
        return halved(unit) if self.half else unit

    def even(self, small: Pictures) -> Pictures:
        """Free what is scaled and as large as it is seen from uneven light."""
        return levelled(small) if self.level else small

    def unit(self, pictures: NDArray[np.generic]) -> Pictures:
        """Give them scaled to [0, 1] only, as they are to be looked at."""
        return self.scaling.to_unit(pictures).clip(0, 1)

    @property
    def side(self) -> tuple[int, int]:
        """(H, W) of what networks learn from: whole pictures, or pieces of them."""
        return self.whole or (SIDE, SIDE)


MOST = 1024
"""Side of pictures, in pixels, from which on only pieces are learnt from."""
PIECE, SIDE = 64, 96
"""Sides of the pieces of larger pictures that the auto-encoder and the other networks
learn from, in pixels as they are seen."""


@dataclass(frozen=True)
class Normals:
    """What a detector learns from.

    Args:
        album: Normal pictures, in the source's units.
        view: How they are seen.
        cae: The auto-encoder that has learnt from them, as they are seen.
        seed: Of all that is drawn.
        progress: Makes what tells of a training.
    """

    album: Album
    view: View
    cae: CAE
    seed: int
    progress: Callable[[], Progress] = Progress
    steps: int | None = None  # of each network; None for what suits its kind

    def batches(self, plain: bool = False) -> Iterator[Pictures]:
        """Give all pictures as they are seen, those of one size some together.

        Of large ones a piece, drawn at random. Plain ones are only scaled.
        """
        random = np.random.default_rng(self.seed)
        for batch in self.album.batches():
            tall, wide = (min(side, MOST) for side in batch.shape[1:3])
            if batch.shape[1:3] != (tall, wide):
                batch = np.stack([crop(each, (tall, wide), random) for each in batch])
            yield self.view.scaling.to_unit(batch) if plain else self.view(batch)

    def pieces(self, count: int, random: np.random.Generator) -> Pictures:
        """Draw pieces as large as they are seen, in [0, 1], not levelled.

        Whole small pictures, or squares, as they are or mirrored.
        """
        rows = random.integers(len(self.album), size=count)
        times = 2 if self.view.half else 1
        size = times * self.view.side[0], times * self.view.side[1]
        found = [crop(self.album.pictures[row], size, random) for row in rows]
        if not self.view.whole:
            found = [np.flip(each, _axes(random)) for each in found]
        return self.view.small(self.view.unit(np.stack(found)))


def _axes(random: np.random.Generator) -> tuple[int, ...]:
    """Draw along which axes a piece is mirrored."""
    return tuple(np.flatnonzero(random.random(2) < 0.5).tolist())


class Detector(ABC):
    """Tells how strange pictures are, and where, by one of several ways.

    It is fitted once; `state` and `restore` keep what it has learnt.
    """

    name: str
    local: ClassVar[bool] = True  # whether it tells where
    plain: ClassVar[bool] = False  # whether it takes pictures that are only scaled
    weight: ClassVar[float] = 1.0  # of its scores in the mean of several

    @abstractmethod
    def fit(self, normals: Normals) -> None:
        """Learn from normal pictures."""

    def maps(self, pictures: Pictures) -> Maps | None:
        """Tell how strange each place is; None from one that cannot tell where."""
        return None

    def scores(self, pictures: Pictures, maps: Maps | None) -> Scores:
        """Tell how strange pictures are, N, given what `maps` told of them."""
        if maps is None:
            raise NotImplementedError
        return pooled(maps)

    @abstractmethod
    def state(self) -> State:
        """Give what was learnt."""

    @abstractmethod
    def restore(self, state: State, view: View, cae: CAE) -> None:
        """Take what was learnt back."""


def pooled(maps: Maps) -> Scores:
    """Give the mean of the strangest places of N×H×W: of small pictures, of all.

    Three hundredths of pictures of 64×64 and larger; no fewer than 12 places.
    """
    flat = maps.reshape(len(maps), -1)
    places = flat.shape[1]
    most = places if places < SMALL else max(12, int(HIGHEST * places))
    highest = np.partition(flat, places - most, axis=1)[:, places - most :]
    found: Scores = highest.mean(axis=1, dtype=np.float64)
    return found


RATE = 3e-3
"""Highest learning rate of the detectors' own networks."""
SMALL = 64 * 64
"""Below so many places all count alike: what is strange is the whole picture."""


def learn(
    objective: nn.Module,
    batches: Passes,
    normals: Normals,
    steps: int,
) -> History:
    """Train a detector's own network for so many steps, by the one loop there is.

    Where the normals say how many, it is those; in whole passes of the batches.
    """
    epochs = max(1, round((normals.steps or steps) / len(batches)))
    settings = Settings(epochs, RATE, "one-cycle", weight_decay=0.01)
    return train(
        objective,
        batches,
        None,
        settings,
        fabric=Plain(),
        progress=normals.progress(),
    )


def weights_of(network: nn.Module) -> State:
    """Give a network's weights as arrays."""
    return {
        name: value.detach().float().numpy()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def fill(network: nn.Module, state: State) -> None:
    """Put weights that `weights_of` gave into a network."""
    import torch

    known = network.state_dict()
    for name, value in known.items():
        if name in state:
            value.copy_(torch.from_numpy(np.array(state[name])))
    network.eval()
