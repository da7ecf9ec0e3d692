"""What a run is, and what is in some pictures, as tables on the terminal."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from caes.data import Survey, survey
from caes.data.kind import Pages
from caes.history import Epoch
from caes.notation import Architecture, Shape, Stage

if TYPE_CHECKING:
    from caes.classifier import Classifier


def print_run(folder: Path) -> None:
    """Print a run's layers, how it went, and how it was made.

    Raises:
        RunError: There is no run, or it is damaged.
    """
    from caes.checkpoint import read
    from caes.classifier import Classifier

    run = read(folder)
    console = Console()
    if isinstance(run.model, Classifier):
        console.print(classifier_summary(run.model, run.names))
    else:
        console.print(summary(run.model.arch, run.picture))
    rows: list[tuple[str, str]] = [("ended", run.history.ended)]
    if run.history.rows:
        rows += _last(run.history.rows[-1])
    code = int(np.prod(run.model.arch.code_shape(run.picture)))
    pixels = int(np.prod(run.picture))
    rows.append(("code", f"{code} values for {pixels}, {pixels / code:.2f} : 1"))
    console.print(_pairs([*rows, *run.provenance.items()]))


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
    title = f"{model.arch} on {_shape(model.picture)}, {len(names)} classes"
    table, total = _layers(title, model.picture, model.arch.encoder(model.picture))
    used = [*[model.arch.activation] * len(model.head_units), "softmax"]
    widths = pairwise((*model.widths, len(names)))
    for (inputs, units), activation in zip(widths, used, strict=True):
        count = (inputs + 1) * units
        table.add_row(f"dense {units}, {activation}", str(units), f"{count:,}")
        total += count
    table.add_section()
    table.add_row("total", "", f"{total:,}")
    return table


def summary(arch: Architecture, picture: Shape) -> Table:
    """Make the table of layer, output shape and parameters, as Keras prints it."""
    table, total = _layers(
        f"{arch} on {_shape(picture)}", picture, arch.stages(picture)
    )
    table.add_section()
    table.add_row("total", "", f"{total:,}")
    return table


def _layers(title: str, picture: Shape, stages: Iterable[Stage]) -> tuple[Table, int]:
    """Make a table with a row a stage; give it and the parameters so far."""
    table = Table(title=title)
    table.add_column("layer")
    table.add_column("output shape")
    table.add_column("parameters", justify="right")
    table.add_row("input", _shape(picture), "0")
    total = 0
    for stage in stages:
        table.add_row(stage.title, _shape(stage.output), f"{stage.parameters:,}")
        total += stage.parameters
    return table, total


def print_pictures(source: str, pages: Pages = "pictures") -> None:
    """Print what is in some pictures, whose files' pages are pictures or channels.

    Raises:
        DataError: They are missing or cannot be read at all.
    """
    found = survey(source, pages=pages)
    console = Console()
    console.print(_pairs(_facts(found)))
    if found.classes:
        table = _pairs((name, f"{n:,}") for name, n in found.classes.items())
        console.print("pictures of each class:")
        console.print(table)
    for skipped in found.skipped:
        line = f"cannot be read: {skipped.name}: {skipped.reason}"
        console.print(line, markup=False, soft_wrap=True)  # one line, however long


def _facts(found: Survey) -> list[tuple[str, str]]:
    sizes = {f"{height}×{width}": n for (height, width), n in found.sizes.items()}
    facts = [
        ("source", found.source),
        ("splits", ", ".join(f"{name} {n:,}" for name, n in found.splits.items())),
        ("pictures", f"{found.pictures:,}"),
        ("sizes", _counts(sizes)),
        ("channels", _counts(found.channels)),
        ("types", _counts(found.dtypes)),
    ]
    if found.pictures:
        spread = f"{found.low:g} to {found.high:g}, mean {found.mean:g}"
        facts.append(("values", spread))
    facts.append(("classes", f"{len(found.classes)}" if found.classes else "none"))
    facts.append(("cannot be read", f"{len(found.skipped):,}"))
    return facts


def _counts(counts: Mapping[Any, int]) -> str:
    """Write counts, the most common first, and how many more there are."""
    if len(counts) == 1:
        return str(next(iter(counts)))
    ordered = Counter(counts).most_common(6)
    more = f" and {len(counts) - 6} more" if len(counts) > 6 else ""
    return ", ".join(f"{value} ({n:,})" for value, n in ordered) + more


def _pairs(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows:
        table.add_row(Text(name), Text(value))  # names of folders are no markup
    return table


def _shape(shape: Shape) -> str:
    return "×".join(map(str, shape))
