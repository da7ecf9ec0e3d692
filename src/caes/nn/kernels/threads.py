"""A batch shared between threads that never wait for one another inside an operator.

PyTorch by default lends all threads to each operator in turn, and they meet at the end
of each: for the short operators of a small network that costs half the time, and under
load far more, since the threads wait by spinning. Sharing out the batch instead, each
share on one thread from start to end, they meet once a step.

How many shares there are decides how their sums round: a training gives the same bits
for the same number of threads only. Shares of a fixed number would make it the same for
all numbers, but cost those with one thread: of 4, up to 2.6 times the time, where dense
layers are wide.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Protocol, TypeVar

import torch
from torch import Tensor

LEAST = 8
"""Pictures that are worth a thread of their own."""

Result = TypeVar("Result")

_reserved: ContextVar[int | None] = ContextVar("reserved threads", default=None)


def count() -> int:
    """Give the number of threads for sharing out: PyTorch's, before any reservation."""
    return _reserved.get() or torch.get_num_threads()


@contextmanager
def reserved() -> Iterator[None]:
    """Keep PyTorch's threads out of its operators, free for sharing out batches."""
    before = count()
    token = _reserved.set(before)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _reserved.reset(token)


class Runner(Protocol):
    """What computes a batch's figures and gradients together."""

    def step(
        self, inputs: Tensor, targets: Tensor, /
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Give the figures, and the first one's gradient by each parameter."""

    def evaluate(self, inputs: Tensor, targets: Tensor, /) -> Tensor:
        """Give the figures."""


def compared(
    runner: "Runner | Shares", parameters: Sequence[Tensor], *batch: Tensor
) -> Tensor:
    """Give a runner's figures of a batch.

    Where gradients are wanted, the first one's stands in the parameters' ``grad``: for
    small networks, autograd's way there would take longer than the batch on a core.
    """
    if not torch.is_grad_enabled():
        evaluated: Tensor = runner.evaluate(*batch)
        return evaluated
    figures, gradients = runner.step(*batch)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    return figures


class Shares:
    """Compares a batch's pictures with their targets on several threads.

    ``compare`` gives mean figures over the rows of its tensors, the loss first.
    """

    def __init__(
        self, compare: Callable[..., Tensor], parameters: Sequence[Tensor]
    ) -> None:
        self.compare = compare
        self.parameters = parameters

    def step(self, *batch: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Give a batch's figures, float64, and the loss's gradient by each parameter.

        Both are sums of the shares' in a fixed order: the same for as many threads.
        """

        def one(*share: Tensor) -> tuple[Tensor, Tensor]:
            with torch.enable_grad():
                figures = self.compare(*share)
                parts = torch.autograd.grad(figures[0], self.parameters)
            return figures.detach().double(), torch.cat([p.flatten() for p in parts])

        results, weights = self._shared(one, batch)
        figures, gradient = results[0]
        figures, gradient = figures.mul_(weights[0]), gradient.mul_(weights[0])
        for weight, (more, part) in zip(weights[1:], results[1:], strict=True):
            figures.add_(more, alpha=weight)
            gradient.add_(part, alpha=weight)
        parts = torch.split(gradient, [each.numel() for each in self.parameters])
        return figures, [
            part.view(each.shape)
            for part, each in zip(parts, self.parameters, strict=True)
        ]

    def evaluate(self, *batch: Tensor) -> Tensor:
        """Give the figures of `step`, without gradients."""

        def one(*share: Tensor) -> Tensor:
            with torch.no_grad():
                return self.compare(*share).double()

        results, weights = self._shared(one, batch)
        figures = [w * f for w, f in zip(weights, results, strict=True)]
        return torch.stack(figures).sum(0)

    def _shared(
        self, work: Callable[..., Result], batch: tuple[Tensor, ...]
    ) -> tuple[list[Result], list[float]]:
        rows = len(batch[0])
        n = max(1, min(count(), rows // LEAST))
        parts = list(zip(*(each.tensor_split(n) for each in batch), strict=True))
        first, *others = parts
        waiting = [self._pool.submit(work, *part) for part in others]
        results = [work(*first), *(future.result() for future in waiting)]
        return results, [len(part[0]) / rows for part in parts]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        # Each thread tells PyTorch for itself that it works alone.
        return ThreadPoolExecutor(
            max(1, count() - 1), initializer=torch.set_num_threads, initargs=(1,)
        )
