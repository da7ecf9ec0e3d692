"""What takes a step down the gradient: Adam as Keras has it, or plain descent.

Adam's ε is added before the bias correction, as Keras has it: a step is
rate·√(1 - β₂ᵗ)/(1 - β₁ᵗ)·m/(√v + ε), the form at the end of section 2 of Kingma & Ba
2015. PyTorch adds ε to the corrected √(v/(1 - β₂ᵗ)) instead: the same for its ε divided
by √(1 - β₂ᵗ). Weights, but not biases and normalisations, decay by their share times
the rate (Loshchilov & Hutter 2019).
"""

import inspect
import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from caes.nn.kernels import fused
from caes.train.options import OptimizerName

BETAS = (0.9, 0.999)
"""What Adam's running means of gradients and of their squares keep at each step."""
EPSILON = 1e-7
"""What Adam adds to the root of the mean square, as Keras does."""

Descend = Callable[[float], None]
"""Takes a step at a learning rate, and forgets the gradient."""


def compiled(objective: nn.Module, name: OptimizerName, decay: float) -> Descend | None:
    """Give Adam's step in one compiled call, where it knows the weights."""
    weights = list(_decaying(objective, decay))
    known = all(
        each.device.type == "cpu"
        and each.dtype == torch.float32
        and each.is_contiguous()
        for each, _ in weights
    )
    if name != "adam" or not known or not fused.available():
        return None
    return fused.Adam(weights, BETAS, EPSILON)


def optimizer(objective: nn.Module, name: OptimizerName, decay: float) -> Optimizer:
    """Build PyTorch's, which `stepping` takes steps with."""
    groups: dict[float, list[Tensor]] = {}
    for each, share in _decaying(objective, decay):
        groups.setdefault(share, []).append(each)
    params = [{"params": each, "weight_decay": share} for share, each in groups.items()]
    if name == "sgd":
        return _uncompiled(torch.optim.SGD)(params, fused=True)
    adam = _uncompiled(torch.optim.AdamW)(params, betas=BETAS, fused=True)
    steps = itertools.count(1)

    def before_step(*_: object) -> None:
        epsilon = EPSILON / math.sqrt(1 - BETAS[1] ** next(steps))
        for group in adam.param_groups:
            group["eps"] = epsilon

    adam.register_step_pre_hook(before_step)
    return adam


def stepping(optimizer: Optimizer) -> Descend:
    """Have PyTorch's take the steps."""

    def descend(rate: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()

    return descend


def _decaying(objective: nn.Module, decay: float) -> Iterator[tuple[Tensor, float]]:
    """Give what is learnt, and the share that each loses in a step, times the rate."""
    for each in objective.parameters():
        if each.requires_grad:
            yield each, decay if each.ndim > 1 else 0.0


def _uncompiled(kind: type[Optimizer]) -> Callable[..., Optimizer]:
    """Take off what an optimizer does for `torch.compile`, which is not used here.

    It would import torch._dynamo, for one to two seconds.
    """
    bare = {
        name: torch.no_grad()(inspect.unwrap(getattr(kind, name)))
        for name in ("add_param_group", "step", "zero_grad")
    }
    return type(kind.__name__, (kind,), bare)
