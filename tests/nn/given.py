"""What tests of networks begin with: stages, drawn numbers, figures as in a training."""

from collections.abc import Iterable
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caes.nn.architecture import ActivationName, Level, PaddingName, Shape, Stage
from caes.nn.classifier import Classifier
from caes.nn.kernels import fused
from caes.nn.model import Model
from caes.nn.runner import runner
from caes.nn.stack import ConvolutionalLevel

Module = TypeVar("Module", bound=nn.Module)
needs_compiler = pytest.mark.skipif(
    not fused.available(), reason="no C compiler on this machine"
)


def convolution(
    inputs: int,
    level: Level,
    *,
    padding: PaddingName = "same",
    activation: ActivationName = "linear",
    normalised: bool = False,
) -> Stage:
    side = 12 * level.pool + (level.kernel - 1 if padding == "valid" else 0)
    return Stage(
        "encoder",
        "convolve",
        (side, side, inputs),
        (12, 12, level.maps),
        level.kernel,
        pool=level.pool,
        padding=padding,
        activation=activation,
        normalised=normalised,
    )


def level_of(
    inputs: int,
    level: Level,
    *,
    tied: bool = True,
    output: ActivationName = "linear",
    **options: Any,
) -> ConvolutionalLevel:
    """A level with no weight or bias of 0."""
    stage = convolution(inputs, level, **options)
    return stirred(ConvolutionalLevel(stage, tied=tied, output=output), 0.5, of="")


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def pictures_of(n: int, picture: Shape) -> Tensor:
    return torch.rand(n, *picture, generator=torch.Generator().manual_seed(2))


def stirred(module: Module, std: float = 0.1, *, of: str = "bias") -> Module:
    """Draw its biases, or all of its parameters, so that a lost one is seen."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in module.named_parameters():
        if of in name:
            nn.init.normal_(parameter, std=std, generator=generator)
    return module


def numbers(tensor: Tensor | None) -> NDArray[np.float64]:
    assert tensor is not None
    return tensor.detach().double().numpy()


def first(maps: Tensor) -> NDArray[np.float64]:
    """First picture of N×C×H×W, as H×W×C."""
    return numbers(maps[0].permute(1, 2, 0))


def compared(
    model: Model, inputs: Tensor, targets: Tensor, loss: str, *, plain: bool = True
) -> Tensor:
    """Give figures as a training gets them: by whoever it chooses."""
    by_hand = partial(model.compare, loss=loss)
    with runner(model, by_hand, plain=plain, loss=loss) as compare:
        return compare(inputs, targets)


def gradients(figures: Tensor, parameters: Iterable[Tensor]) -> list[Tensor]:
    """Give the loss's gradient by each parameter, whoever has computed the figures."""
    wanted = list(parameters)
    if figures.requires_grad:
        return list(torch.autograd.grad(figures[0], wanted))
    left = [each.grad for each in wanted]
    assert all(each is not None for each in left)
    return [each.clone() for each in left if each is not None]


def classified(model: Classifier, *batch: Tensor) -> Tensor:
    with runner(model, model.compare, plain=True) as compare:
        return compare(*batch)
