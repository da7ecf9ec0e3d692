"""Figures of a batch as a training gets them: by whoever it chooses."""

from functools import partial

from torch import Tensor

from caes.nn.classifier import Classifier
from caes.nn.model import Model
from caes.nn.runner import runner


def compared(
    model: Model, inputs: Tensor, targets: Tensor, loss: str, *, plain: bool = True
) -> Tensor:
    by_hand = partial(model.compare, loss=loss)
    with runner(model, by_hand, plain=plain, loss=loss) as compare:
        return compare(inputs, targets)


def classified(model: Classifier, *batch: Tensor) -> Tensor:
    with runner(model, model.compare, plain=True) as compare:
        return compare(*batch)
