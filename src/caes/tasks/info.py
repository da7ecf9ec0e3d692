"""What a run is: tables on the terminal, or JSON."""

from collections.abc import Iterable
from dataclasses import asdict
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from caes.data.census.survey import number
from caes.data.sources.tree import printable
from caes.errors import by_signs

if TYPE_CHECKING:
    from caes.runs.checkpoint import Run

Layer = tuple[str, tuple[int, ...], int]
"""What it is, its output's shape, its parameters."""


def print_run(folder: Path) -> None:
    """Print a run's layers, how it went, and how it was made."""
    from caes.runs.checkpoint import read

    run = read(folder)
    title = f"{run.model.arch} on {by_signs(run.picture)}"
    table = Table(title=title + f", {len(run.names)} classes" * bool(run.names))
    table.add_column("layer")
    table.add_column("output shape")
    table.add_column("parameters", justify="right")
    layers = _layers(run)
    for name, shape, parameters in layers:
        table.add_row(name, by_signs(shape), f"{parameters:,}")
    table.add_section()
    table.add_row("total", "", f"{sum(parameters for *_, parameters in layers):,}")
    rows: list[tuple[str, str]] = [("ended", run.history.ended)]
    if run.history.rows:
        last = run.history.rows[-1]
        rows += [("level", str(last.level))] * bool(last.level)
        rows += [("epochs", str(last.epoch)), ("loss", f"{last.loss:.5f}")]
        if last.validation_loss is not None:
            rows.append(("validation loss", f"{last.validation_loss:.5f}"))
        if last.psnr is not None:
            rows.append(("PSNR", f"{last.psnr:.2f} dB"))
    code, pixels = prod(run.model.arch.code_shape(run.picture)), prod(run.picture)
    rows.append(("code", f"{code} values for {pixels}, {pixels / code:.2f} : 1"))
    console = Console()
    console.print(table)
    console.print(pairs([*rows, *run.provenance.items()]))


def run_as_dict(folder: Path) -> dict[str, Any]:
    """Give the same as JSON has it: docs/census.md says what each key is."""
    from caes.runs.checkpoint import read

    run = read(folder)
    layers = _layers(run)
    last = asdict(run.history.rows[-1]) if run.history.rows else {}
    figures = {k: number(v) if isinstance(v, float) else v for k, v in last.items()}
    return {
        "run": printable((str(folder),)),
        "architecture": str(run.model.arch),
        "picture": list(run.picture),
        "layers": [
            {"layer": name, "output_shape": list(shape), "parameters": parameters}
            for name, shape, parameters in layers
        ],
        "parameters": sum(parameters for *_, parameters in layers),
        "code": prod(run.model.arch.code_shape(run.picture)),
        "classes": list(run.names),
        "ended": run.history.ended,
        "last_epoch": figures or None,
        "provenance": dict(run.provenance),
    }


def _layers(run: "Run") -> list[Layer]:
    """Give the layers; of a classifier its encoder's, its head's and its classes."""
    from caes.nn.classifier import Classifier

    model, arch = run.model, run.model.arch
    rows, head = arch.rows(run.picture), list[Layer]()
    if isinstance(model, Classifier):
        rows = arch.rows(run.picture, "encoder")
        used = [*[arch.activation] * len(model.head_units), "softmax"]
        widths = pairwise((*model.widths, len(run.names)))
        head = [
            (f"dense {units}, {activation}", (units,), (inputs + 1) * units)
            for (inputs, units), activation in zip(widths, used, strict=True)
        ]
    layers = [(row.title, row.output, row.parameters) for row in rows]
    return [("input", run.picture, 0), *layers, *head]


def pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """Make a table without frame, of names and what belongs to them."""
    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows:
        table.add_row(Text(name), Text(value))  # names of folders are no markup
    return table
