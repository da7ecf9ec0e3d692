"""The networks as PyTorch's users write them at their best: N×C×H×W, in a bare loop."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Objective = Callable[[Tensor, Tensor], Tensor]
"""Gives the loss of pictures N×C×H×W and what they are compared with."""


class PlainAutoencoder(nn.Module):
    """The Keras example's network; it gives logits.

    Only the loss is computed; the product and Keras find the accuracy as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 1, 3, padding=1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Give logits, N×1×H×W, for N×1×H×W in [0, 1]."""
        logits: Tensor = self.decoder(self.encoder(pictures))
        return logits


def plain_cnn() -> nn.Sequential:
    """Build the network of Masci et al. 2011 for N×1×28×28 in [0, 1]; logits."""
    return nn.Sequential(
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


def train(
    network: nn.Module, objective: Objective, pictures: Tensor, targets: Tensor, n: int
) -> None:
    """Run one epoch of shuffled batches of n, with Adam fused into one kernel."""
    optimizer = torch.optim.Adam(network.parameters(), eps=1e-7, fused=True)
    for rows in torch.split(torch.randperm(len(pictures)), n):
        optimizer.zero_grad()
        objective(pictures[rows], targets[rows]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
