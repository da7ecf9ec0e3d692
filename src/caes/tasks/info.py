"""What a run is: tables on the terminal, or JSON."""

from collections.abc import Iterable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from caes.data.census.survey import number
from caes.data.sources.tree import printable
from caes.errors import by_signs
from caes.nn.architecture import Architecture, Row, Shape
from caes.train.history import Epoch

if TYPE_CHECKING:
    from caes.nn.classifier import Classifier
    from caes.runs.checkpoint import Run

Layer = tuple[str, tuple[int, ...], int]
"""What it is, its output's shape, its parameters."""


def print_run(folder: Path) -> None:
    """Print a run's layers, how it went, and how it was made."""
    from caes.runs.checkpoint import read

    run = read(folder)
    console = Console()
    console.print(_table(_title(run), _layers(run)))
    rows: list[tuple[str, str]] = [("ended", run.history.ended)]
    if run.history.rows:
        rows += _last(run.history.rows[-1])
    code = int(np.prod(run.model.arch.code_shape(run.picture)))
    pixels = int(np.prod(run.picture))
    rows.append(("code", f"{code} values for {pixels}, {pixels / code:.2f} : 1"))
    console.print(pairs([*rows, *run.provenance.items()]))


def run_as_dict(folder: Path) -> dict[str, Any]:
    """Give the same as JSON has it: docs/census.md says what each key is."""
    from caes.runs.checkpoint import read

    run = read(folder)
    layers = _layers(run)
    return {
        "run": printable((str(folder),)),
        "architecture": str(run.model.arch),
        "picture": list(run.picture),
        "layers": [
            {"layer": name, "output_shape": list(shape), "parameters": parameters}
            for name, shape, parameters in layers
        ],
        "parameters": sum(parameters for *_, parameters in layers),
        "code": int(np.prod(run.model.arch.code_shape(run.picture))),
        "classes": list(run.names),
        "ended": run.history.ended,
        "last_epoch": _figures(run.history.rows[-1]) if run.history.rows else None,
        "provenance": dict(run.provenance),
    }


def _figures(row: Epoch) -> dict[str, Any]:
    return {
        key: number(value) if isinstance(value, float) else value
        for key, value in asdict(row).items()
    }


def _last(row: Epoch) -> list[tuple[str, str]]:
    """Say what the last epoch gave."""
    return [
        *([("level", str(row.level))] if row.level else []),
        ("epochs", str(row.epoch)),
        ("loss", f"{row.loss:.5f}"),
        *_given("validation loss", row.validation_loss, "{:.5f}"),
        *_given("PSNR", row.psnr, "{:.2f} dB"),
    ]


def _given(name: str, value: float | None, form: str) -> list[tuple[str, str]]:
    return [] if value is None else [(name, form.format(value))]


def classifier_summary(model: "Classifier", names: tuple[str, ...]) -> Table:
    """Make the same table of a classifier: its encoder, its head, its classes."""
    return _table(_classifier_title(model, names), _classifier_layers(model, names))


def summary(arch: Architecture, picture: Shape) -> Table:
    """Make the table of layer, output shape and parameters, as Keras prints it."""
    layers = _named(picture, arch.rows(picture))
    return _table(f"{arch} on {by_signs(picture)}", layers)


def _title(run: "Run") -> str:
    from caes.nn.classifier import Classifier

    if isinstance(run.model, Classifier):
        return _classifier_title(run.model, run.names)
    return f"{run.model.arch} on {by_signs(run.picture)}"


def _layers(run: "Run") -> list[Layer]:
    from caes.nn.classifier import Classifier

    if isinstance(run.model, Classifier):
        return _classifier_layers(run.model, run.names)
    return _named(run.picture, run.model.arch.rows(run.picture))


def _classifier_title(model: "Classifier", names: tuple[str, ...]) -> str:
    return f"{model.arch} on {by_signs(model.picture)}, {len(names)} classes"


def _classifier_layers(model: "Classifier", names: tuple[str, ...]) -> list[Layer]:
    used = [*[model.arch.activation] * len(model.head_units), "softmax"]
    widths = pairwise((*model.widths, len(names)))
    head: list[Layer] = [
        (f"dense {units}, {activation}", (units,), (inputs + 1) * units)
        for (inputs, units), activation in zip(widths, used, strict=True)
    ]
    return _named(model.picture, model.arch.rows(model.picture, "encoder")) + head


def _named(picture: Shape, rows: Iterable[Row]) -> list[Layer]:
    layers = [(row.title, row.output, row.parameters) for row in rows]
    return [("input", picture, 0), *layers]


def _table(title: str, layers: Iterable[Layer]) -> Table:
    """Make a table with a row a layer, and their sum."""
    table = Table(title=title)
    table.add_column("layer")
    table.add_column("output shape")
    table.add_column("parameters", justify="right")
    total = 0
    for name, shape, parameters in layers:
        table.add_row(name, by_signs(shape), f"{parameters:,}")
        total += parameters
    table.add_section()
    table.add_row("total", "", f"{total:,}")
    return table


def pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """Make a table without frame, of names and what belongs to them."""
    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows:
        table.add_row(Text(name), Text(value))  # names of folders are no markup
    return table
