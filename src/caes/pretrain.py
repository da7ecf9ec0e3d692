"""Training without labels: the auto-encoder learns to give its pictures back."""

from contextlib import nullcontext

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from caes import threads
from caes.batches import Batches
from caes.corruption import Corruption, parse_corruption
from caes.data import ImageSet
from caes.errors import ArgumentError
from caes.history import History
from caes.loop import Settings, train
from caes.model import Autoencoder
from caes.options import Options
from caes.progress import Progress
from caes.scaling import Scaling


class Reconstruction(nn.Module):
    """The objective: pictures out as they came in, or as they were before the noise.

    Args:
        model: The auto-encoder.
        loss: "bce" or "mse".
        noise: Corrupts what comes in while training; None for nothing.
        seed: Of the noise.
    """

    def __init__(
        self,
        model: Autoencoder,
        loss: str,
        noise: Corruption | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.noise = noise
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, pictures: Tensor) -> Tensor:
        """Give loss, squared error and accuracy, (3,), for N×H×W×C in [0, 1].

        Without gradients, as in validation, nothing is corrupted.
        """
        inputs = pictures
        if self.noise is not None and torch.is_grad_enabled():
            inputs = self.noise(pictures, self.generator)
        return self.model.compare(inputs, pictures, self.loss)


def pretrain(
    model: Autoencoder,
    images: ImageSet,
    scaling: Scaling,
    options: Options,
    *,
    seed: int,
    fabric: Fabric,
    progress: Progress,
) -> History:
    """Train all levels at once.

    Args:
        model: Trained in place; on the CPU again afterwards.
        images: What to learn from; ``options.validation`` of it is kept apart.
        scaling: From the pictures' units to [0, 1].
        options: How to train.
        seed: Of the order and of the split.
        fabric: Device and precision.
        progress: Is told of every batch and epoch.

    Raises:
        ArgumentError: ``options.validation`` leaves no pictures on one side.
    """
    order = np.random.default_rng(seed)
    learn, watch = _split(len(images), options.validation, order)
    size = options.batch_size
    batches = Batches(images, scaling, size, shuffle=order, rows=learn)
    watched = Batches(images, scaling, size, rows=watch) if len(watch) else None
    settings = Settings(
        options.epochs, options.learning_rate, options.decay, options.patience
    )
    noise = parse_corruption(options.noise)
    objective = Reconstruction(model, options.loss, noise, seed)
    with threads.reserved() if fabric.device.type == "cpu" else nullcontext():
        history = train(
            objective, batches, watched, settings, fabric=fabric, progress=progress
        )
    model.to("cpu")
    return history


def _split(
    n: int, share: float, order: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    apart = round(n * share)
    if share and not 0 < apart < n:
        raise ArgumentError(
            "validation",
            f"{share:g} of {n} pictures",
            "a share that leaves at least one picture on each side",
            "Give more pictures, or validation=0.",
        )
    shuffled = order.permutation(n)
    return np.sort(shuffled[apart:]), np.sort(shuffled[:apart])
