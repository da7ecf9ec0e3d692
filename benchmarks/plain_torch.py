"""The networks as PyTorch's users write them: N×C×H×W, eager, layer by layer."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from caes import ImageSet
from caes.data.scaling import Scaling
from caes.train.batches import Batches
from caes.train.loop import Settings, fabric_for
from caes.train.loop import train as run_loop
from caes.train.progress import Progress


class PlainAutoencoder(nn.Module):
    """An objective for the product's loop that only computes the loss.

    The product and Keras find the accuracy as well; the time for it is spared here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 1, 3, padding=1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Give the loss three times, (3,), for N×H×W×1 in [0, 1]."""
        n, height, width, channels = pictures.shape
        # Not permuted: PyTorch would take that for channels-last, another formulation.
        maps = pictures.view(n, channels, height, width)
        logits = self.network(maps)
        return binary_cross_entropy_with_logits(logits, maps).expand(3)


def train(images: ImageSet, batch: int) -> None:
    """Run one epoch over 28×28×1 pictures."""
    scaling = Scaling(*images.value_range)
    batches = Batches(images, scaling, batch, shuffle=np.random.default_rng(0))
    fabric = fabric_for("cpu", "32-true")
    network = PlainAutoencoder()
    run_loop(network, batches, None, Settings(1), fabric=fabric, progress=Progress())


class PlainCnn(nn.Module):
    """The network of Masci et al. 2011, an objective for the product's loop.

    Args:
        channels_last: Whether weights and maps lie in memory channels last.
    """

    def __init__(self, *, channels_last: bool) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(1, 100, 5),
            nn.Tanh(),
            nn.MaxPool2d(2),
            nn.Conv2d(100, 150, 5),
            nn.Tanh(),
            nn.MaxPool2d(2),
            nn.Conv2d(150, 200, 3),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(800, 300),
            nn.Tanh(),
            nn.Linear(300, 10),
        )
        if channels_last:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """Give the loss three times, (3,), for N×H×W×1 in [0, 1]."""
        n, height, width, channels = pictures.shape
        logits = self.network(pictures.view(n, channels, height, width))
        return cross_entropy(logits, labels).expand(3)


def train_cnn(images: ImageSet, batch: int, *, channels_last: bool) -> None:
    """Run one epoch over 28×28×1 pictures with labels."""
    scaling = Scaling(*images.value_range)
    order = np.random.default_rng(0)
    batches = Batches(images, scaling, batch, shuffle=order, labels=images.labels)
    fabric = fabric_for("cpu", "32-true")
    network = PlainCnn(channels_last=channels_last)
    run_loop(network, batches, None, Settings(1), fabric=fabric, progress=Progress())
