"""What a run is, and what is in some pictures, as tables on the terminal."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from caes.data import Survey, survey
from caes.notation import Architecture, Shape


def print_run(folder: Path) -> None:
    """Print a run's layers, how it went, and how it was made.

    Raises:
        RunError: There is no run, or it is damaged.
    """
    from caes.checkpoint import read

    run = read(folder)
    console = Console()
    console.print(summary(run.model.arch, run.picture))
    rows = [("ended", run.history.ended)]
    if run.history.rows:
        last = run.history.rows[-1]
        watched = last.validation_loss
        rows += [
            ("epochs", str(last.epoch)),
            ("loss", f"{last.loss:.5f}"),
            *([] if watched is None else [("validation loss", f"{watched:.5f}")]),
            ("PSNR", f"{last.psnr:.2f} dB"),
        ]
    code = int(np.prod(run.model.arch.code_shape(run.picture)))
    pixels = int(np.prod(run.picture))
    rows.append(("code", f"{code} values for {pixels}, {pixels / code:.2f} : 1"))
    console.print(_pairs([*rows, *run.provenance.items()]))


def summary(arch: Architecture, picture: Shape) -> Table:
    """Make the table of layer, output shape and parameters, as Keras prints it."""
    table = Table(title=f"{arch} on {_shape(picture)}")
    table.add_column("layer")
    table.add_column("output shape")
    table.add_column("parameters", justify="right")
    table.add_row("input", _shape(picture), "0")
    for stage in arch.stages(picture):
        table.add_row(stage.title, _shape(stage.output), f"{stage.parameters:,}")
    table.add_section()
    table.add_row("total", "", f"{arch.parameters(picture):,}")
    return table


def print_pictures(source: str) -> None:
    """Print what is in some pictures.

    Raises:
        DataError: They are missing or cannot be read at all.
    """
    Console().print(_pairs(_facts(survey(source))))
