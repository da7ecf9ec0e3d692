"""A batch shared between threads that never wait for one another inside an operator.

PyTorch by default lends all threads to each operator in turn, and they meet at the end
of each: for the short operators of a small network that costs half the time, and under
load far more, since the threads wait by spinning. Sharing out the batch instead, each
share on one thread from start to end, they meet once a step.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TypeVar

import torch
from torch import Tensor

LEAST = 8
"""Pictures that are worth a thread of their own."""

Result = TypeVar("Result")

_reserved: ContextVar[int | None] = ContextVar("reserved threads", default=None)


def count() -> int:
    """Give the number of threads for sharing out: PyTorch's, before any reservation."""
    return _reserved.get() or torch.get_num_threads()


def are_reserved() -> bool:
    """Tell whether this is inside `reserved`."""
    return _reserved.get() is not None


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


class Shares:
    """Compares a batch's pictures with their targets on several threads.

    Args:
        compare: Gives mean figures, the first of them the loss, of inputs and targets.
        parameters: What the loss depends on.
    """

    def __init__(
        self,
        compare: Callable[[Tensor, Tensor], Tensor],
        parameters: Sequence[Tensor],
    ) -> None:
        self.compare = compare
        self.parameters = parameters

    def step(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Give the batch's figures and the loss's gradient.

        Args:
            inputs: N×H×W×C.
            targets: The same shape.

        Returns:
            The figures, float64; the gradient, flat, in the parameters' order. Both are
            sums of the shares' in a fixed order: the same for the same threads.
        """

        def one(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            with torch.enable_grad():
                figures = self.compare(inputs, targets)
                parts = torch.autograd.grad(figures[0], self.parameters)
            return figures.detach().double(), torch.cat([p.flatten() for p in parts])

        results, weights = self._shared(one, inputs, targets)
        figures = [w * f for w, (f, _) in zip(weights, results, strict=True)]
        gradients = [w * g for w, (_, g) in zip(weights, results, strict=True)]
        return torch.stack(figures).sum(0), torch.stack(gradients).sum(0)

    def evaluate(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Give the figures of `step`, without gradients."""

        def one(inputs: Tensor, targets: Tensor) -> Tensor:
            with torch.no_grad():
                return self.compare(inputs, targets).double()

        results, weights = self._shared(one, inputs, targets)
        figures = [w * f for w, f in zip(weights, results, strict=True)]
        return torch.stack(figures).sum(0)

    def _shared(
        self, work: Callable[[Tensor, Tensor], Result], inputs: Tensor, targets: Tensor
    ) -> tuple[list[Result], list[float]]:
        n = max(1, min(count(), len(inputs) // LEAST))
        parts = list(zip(inputs.tensor_split(n), targets.tensor_split(n), strict=True))
        first, *others = parts
        waiting = [self._pool.submit(work, *part) for part in others]
        results = [work(*first), *(future.result() for future in waiting)]
        return results, [len(part) / len(inputs) for part, _ in parts]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        # Each thread tells PyTorch for itself that it works alone.
        return ThreadPoolExecutor(
            max(1, count() - 1), initializer=torch.set_num_threads, initargs=(1,)
        )
