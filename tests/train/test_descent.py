"""The compiled step of Adam beside PyTorch's, whose formula `test_loop` checks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from caes.train import descent
from caes.train.options import OptimizerName
from tests.nn.given import needs_compiler

SHAPES = st.lists(
    st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple), min_size=1
)


class Weights(nn.Module):
    """Drawn weights of some shapes, the last of which never has a gradient."""

    def __init__(self, shapes: list[tuple[int, ...]], seed: int) -> None:
        super().__init__()
        self.draws = torch.Generator().manual_seed(seed)
        self.each = nn.ParameterList(self.drawn(shape) for shape in [*shapes, (3, 2)])

    def drawn(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randn(shape, generator=self.draws)

    def descend(self, step: descent.Descend, rates: list[float]) -> None:
        """Go against drawn gradients, of which each is a million times the next."""
        for index, rate in enumerate(rates):
            for weight in list(self.each)[:-1]:
                weight.grad = self.drawn(tuple(weight.shape)) * 1e-6 ** (index % 2)
            step(rate)
            assert all(weight.grad is None for weight in self.each)


@needs_compiler
@settings(deadline=None)
@given(
    SHAPES,
    st.integers(0, 99),
    st.sampled_from([0.0, 0.3]),
    st.lists(st.sampled_from([1e-3, 0.1]), max_size=4),
)
def test_the_compiled_step_is_pytorch_s(
    shapes: list[tuple[int, ...]], seed: int, decay: float, rates: list[float]
) -> None:
    mine, theirs = Weights(shapes, seed), Weights(shapes, seed)
    compiled = descent.compiled(mine, "adam", decay)
    assert compiled is not None
    mine.descend(compiled, rates)
    theirs.descend(descent.stepping(descent.optimizer(theirs, "adam", decay)), rates)
    for one, other in zip(mine.each, theirs.each, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    assert torch.equal(mine.each[-1], Weights(shapes, seed).each[-1])


@pytest.mark.parametrize("case", ["float64", "turned", "sgd", "uncompiled"])
def test_other_weights_descend_by_pytorch(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = nn.Linear(3, 4)
    if case == "float64":
        objective.double()
    if case == "turned":
        objective.weight.data = objective.weight.data.T.contiguous().T
    if case == "uncompiled":
        monkeypatch.setattr("caes.nn.kernels.fused.available", lambda: False)
    name: OptimizerName = "sgd" if case == "sgd" else "adam"
    assert descent.compiled(objective, name, 0.0) is None
