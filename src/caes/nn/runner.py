"""Who computes a training's batches: chosen once, before its first step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from caes.nn.classifier import Classifier
from caes.nn.kernels import threads
from caes.nn.model import Model

Compare = Callable[..., Tensor]
"""Gives the figures of a batch, the loss first and with its gradient."""


@contextmanager
def runner(
    network: Model | Classifier, compare: Compare, *, plain: bool, loss: str = "bce"
) -> Iterator[Compare]:
    """Give what computes a batch fastest, as long as a training lasts.

    That is the compiled loop where it knows the network; else shares of the batch, a
    thread each, where no picture looks at the others; else PyTorch's operators, by
    which ``compare`` works. Arithmetic is plain in 32 bits on the CPU.
    """
    trunk = network.trunk if isinstance(network, Classifier) else network
    if not (plain and trunk.splits_batches):
        yield compare
        return
    learnt = [each for each in network.parameters() if each.requires_grad]
    with threads.reserved():
        compiled = trunk.compiled(loss) if trunk is network else None
        together = compiled or threads.Shares(compare, learnt)
        shared = partial(threads.compared, together, learnt)
        if not isinstance(network, Classifier) or trunk.path == "torch":
            yield shared
            return
        # Without a gradient the compiled loop encodes on all threads by itself.
        learns = not network.frozen
        yield lambda *batch: (
            shared if learns and torch.is_grad_enabled() else compare
        )(*batch)
