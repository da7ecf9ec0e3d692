"""A network at work: batches to its device, one at a time, and results back."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

AT_ONCE = 256
"""Pictures that go through a network together."""


@contextmanager
def placed(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Have a model on a device for a while, in evaluation.

    Elsewhere it is on the CPU, where it is kept, read and written.
    """
    before = next(model.parameters()).device
    model.to(device).eval()
    try:
        yield
    finally:
        model.to(before)


def infer(
    model: nn.Module,
    compute: Callable[[Tensor], Tensor],
    batches: Iterable[Sequence[Tensor]],
    device: torch.device,
) -> Iterator[NDArray[Any]]:
    """Give what a model computes of the first tensor of each batch, without gradients.

    The model goes to the device, and back when all is done; batches are on the CPU.
    """

    def alone(batch: Tensor) -> tuple[Tensor]:
        return (compute(batch),)

    for (found,) in infer_all(model, alone, batches, device):
        yield found


def infer_all(
    model: nn.Module,
    compute: Callable[[Tensor], Iterable[Tensor]],
    batches: Iterable[Sequence[Tensor]],
    device: torch.device,
) -> Iterator[tuple[NDArray[Any], ...]]:
    """Do the same where it computes several things of a batch."""
    with placed(model, device):
        for batch, *_ in batches:
            with torch.inference_mode():
                found = [each.cpu() for each in compute(batch.to(device))]
            yield tuple(each.numpy() for each in found)


def joined(parts: Iterable[NDArray[Any]], rows: int) -> NDArray[Any]:
    """Put parts into one array of so many rows, each as it comes."""
    coming = iter(parts)
    first = next(coming)
    whole = np.empty((rows, *first.shape[1:]), first.dtype)
    at = 0
    for part in chain([first], coming):
        whole[at : at + len(part)] = part
        at += len(part)
    return whole


def double(tensor: Tensor) -> Tensor:
    """Give 64-bit numbers: on the CPU where the device has none."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()
