"""The report's figures: drawn, named, and told in words."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from caes.report import filters, stack_training, training
from caes.report.amounts import count
from caes.report.amounts import figure as written
from caes.report.canvas import png
from caes.report.findings import Findings
from caes.report.gallery import Band, gallery
from caes.report.histogram import histogram
from caes.report.plate import Plate, plate
from caes.report.tiles import Example, per_row


def plates(findings: Findings) -> dict[str, Plate]:
    """Draw every chart that there is something to draw for, by name."""
    drawn = [*_curves(findings), _errors(findings), *_filters(findings)]
    return {each.name: each for each in drawn}


def galleries(findings: Findings) -> dict[str, bytes]:
    """Draw the pictures over their reconstructions: PNG files by name."""
    drawn = {"reconstructions": _bands("Test pictures", findings.shown)}
    if findings.best:
        best = _bands("Best reconstructed", findings.best)
        drawn["best-and-worst"] = best + _bands("Worst reconstructed", findings.worst)
    return {name: png(gallery(bands)) for name, bands in drawn.items()}


def _curves(findings: Findings) -> list[Plate]:
    history = findings.history
    if not history.rows:
        return []
    counted = _accuracy(findings.picture_shape[-1])
    if findings.plan.staged:
        phases = findings.phases
        return [
            *stack_training.loss(phases, findings.loss),
            *stack_training.accuracy(phases, counted),
            *stack_training.psnr(phases),
        ]
    return [
        training.loss(history, findings.loss_name),
        *training.accuracy(history, counted),
        *training.psnr(history),
    ]


def _errors(findings: Findings) -> Plate:
    median = float(np.median(findings.pca.errors))
    own = float(np.median(findings.errors))
    alt = (
        f"Histogram of the errors of {count(len(findings.errors), 'test picture')}; "
        f"their median is {written(own)}, that of PCA {written(median)}."
    )
    unusable = int((~np.isfinite(findings.errors)).sum())
    caption = f"{count(unusable, 'error')} not finite, left out." if unusable else ""
    return plate("errors", partial(histogram, findings.errors, median), alt, caption)


def _filters(findings: Findings) -> list[Plate]:
    if findings.filters is None:
        return []
    grid = filters.grid(findings.filters)
    side = findings.filters.shape[1]
    alt = f"Grid of {count(len(grid.tiles), 'filter')} of {side}×{side}."
    return [plate("filters", partial(filters.draw, grid), alt, _colours(grid))]


def _bands(title: str, examples: Sequence[Example]) -> list[Band]:
    step = per_row(examples[0].picture)
    parts = [examples[at : at + step] for at in range(0, len(examples), step)]
    return [(title if at == 0 else "", part) for at, part in enumerate(parts)]


def _accuracy(channels: int) -> str:
    if channels == 1:
        return (
            "As Keras counts it: the share of pixels that equal their reconstruction "
            "rounded to 0 or 1. A grey pixel never does, so 100% is out of reach."
        )
    return (
        "As Keras counts it: the share of pixels whose strongest channel is the same "
        "in the reconstruction."
    )


def _colours(grid: filters.Grid) -> str:
    scale = f"One scale for all, from −{grid.reach:.2g} to {grid.reach:.2g}."
    if grid.channels == 1:
        told = f"Red adds, blue takes away, white is 0. {scale}"
    elif grid.channels == 2:
        told = f"The first of 2 channels. Red adds, blue takes away. {scale}"
    elif grid.channels == 3:
        told = f"The weights of red, green and blue as colours; grey is 0. {scale}"
    else:
        told = (
            f"The weights of the first 3 of {grid.channels} channels as red, green and "
            f"blue; grey is 0. {scale}"
        )
    drawn = len(grid.tiles)
    return told if drawn == grid.total else f"The first {drawn} of {grid.total}. {told}"
