"""The mistakes that the classifier was surest of, as pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.data.scaling import Scaling
from caes.report.amounts import sure
from caes.report.canvas import LIGHT, MARGIN, blank, heading
from caes.report.gallery import GAP, paste, write
from caes.report.lettering import labels, width
from caes.report.tiles import Tile, enlargement, tile

SHOWN = 24
"""Pictures, at most."""
COLUMNS = 8
HEADING = 34
CAPTION = 36
"""Page pixels under a picture, for two lines."""


@dataclass(frozen=True, eq=False)
class Mistake:
    """A test picture that got a wrong answer.

    Args:
        name: The picture's name.
        true: Index of its class.
        answer: Index of the class it was taken for.
        probability: Of that answer, in [0, 1].
        picture: The picture.
    """

    name: str
    true: int
    answer: int
    probability: float
    picture: Tile


def mistakes(
    images: ImageSet, truth: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> list[Mistake]:
    """Give the mistakes with the highest probability, the highest first.

    Args:
        images: N pictures.
        truth: N class indices.
        probabilities: N×K, rows sum to 1.
    """
    answers, surest = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != truth)
    rows = wrong[np.argsort(-surest[wrong], kind="stable")][:SHOWN]
    some = images[rows]
    unit = Scaling(*images.value_range).to_unit(some.pixels)
    return [
        Mistake(
            name=some.names[at],
            true=int(truth[row]),
            answer=int(answers[row]),
            probability=float(surest[row]),
            picture=tile(unit[at]),
        )
        for at, row in enumerate(rows)
    ]


def draw(found: Sequence[Mistake], classes: Sequence[str]) -> Figure:
    """Draw them side by side, each over its class, its answer and the probability.

    Args:
        found: At least one; all pictures of one size.
        classes: The classes' names.
    """
    names = labels(classes)
    lines = [f"{names[each.true]} → {names[each.answer]}" for each in found]
    factor = enlargement(found[0].picture)
    tall, wide = (side * factor for side in found[0].picture.shape[:2])
    across = round(max(wide, 64, *map(width, lines))) + GAP
    columns = min(COLUMNS, len(found))
    down = tall + CAPTION
    rows = -(-len(found) // columns)
    size = max(columns * across, 260), rows * down + HEADING
    figure = blank(LIGHT, *(length + 2 * MARGIN for length in size))
    heading(figure, LIGHT, "Most confident mistakes: true class → answer")
    for at, (each, line) in enumerate(zip(found, lines, strict=True)):
        row, column = divmod(at, columns)
        left, top = MARGIN + column * across, MARGIN + HEADING + row * down
        paste(figure, each.picture, left, top, factor)
        write(figure, left, top + tall + 10, line, color=LIGHT.ink)
        write(figure, left, top + tall + 23, f"{sure(each.probability)} sure")
    return figure
