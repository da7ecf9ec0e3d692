"""What a stack's way back is told beside the code: where the winners were."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from caes.nn.architecture import Architecture, Shape
from caes.report.amounts import listed


@dataclass(frozen=True)
class Places:
    """The places that one level hands from the way up to the way down.

    Args:
        level: Which, counted from 1.
        count: Values that have one.
        among: Places that each of them chooses from.
    """

    level: int
    count: int
    among: int


@dataclass(frozen=True)
class Winners:
    """What of a code reconstructs, and what it is told beside.

    Args:
        used: Code values that take part in a reconstruction, at most.
        size: Code values there are.
        places: Level by level, the lowest first; none in a mirrored decoder.
    """

    used: int
    size: int
    places: Sequence[Places] = ()

    @property
    def partial(self) -> bool:
        """Whether a part of the code never reconstructs."""
        return self.used < self.size

    @property
    def count(self) -> int:
        """Places of all levels."""
        return sum(each.count for each in self.places)

    @property
    def told(self) -> str:
        """The places of each level, as a sentence has them."""
        counts = [f"{each.count:,} at level {each.level}" for each in self.places]
        among = list(dict.fromkeys(f"{each.among:,}" for each in self.places))
        if len(among) == 1:
            return f"{listed(counts)}, each one of {among[0]}"
        one_of = [f"{each.among:,}" for each in self.places]
        return f"{listed(counts)}, each one of {listed(one_of)} in turn"


def winners(arch: Architecture, picture: Shape, *, sparse: bool) -> Winners:
    """Count what a reconstruction is made from.

    In a stack a pooled value goes back to where in its cell it was the largest; with
    winner-take-all sparsity only the largest of each map goes back, to where it was.

    Args:
        arch: The network.
        picture: (H, W, C).
        sparse: Whether there is such sparsity.
    """
    code = arch.code_shape(picture)
    size = math.prod(code)
    if arch.decoder == "mirror":
        return Winners(size, size)
    used = code[-1] if sparse and len(code) == 3 else size
    found = [each for each in _places(arch, picture, sparse) if each.among > 1]
    return Winners(used, size, found)


def _places(arch: Architecture, picture: Shape, sparse: bool) -> Iterator[Places]:
    codes = [stage.output for stage in arch.encoder(picture)]
    for at, (level, code) in enumerate(zip(arch.levels, codes, strict=False), start=1):
        cell = level.pool**2
        if sparse:
            yield Places(at, level.maps, cell * math.prod(code[:2]))
        else:
            yield Places(at, math.prod(code), cell)
