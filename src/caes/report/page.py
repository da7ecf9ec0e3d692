"""The page: findings into one HTML file that needs nothing else."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.colors import to_hex

from caes.data.imageset import ImageSet
from caes.report import amounts, tiles
from caes.report.facts import facts, rivals
from caes.report.findings import Findings
from caes.report.fitted import Fitted
from caes.report.plates import Plate
from caes.report.verdict import verdict

MOST_SKIPPED = 200
"""Files left out that are named; the page counts the rest."""

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """The pictures of one kind that the report speaks of: "Training" or "Test"."""

    name: str
    images: ImageSet


def page(
    cae: Fitted,
    train: ImageSet,
    test: ImageSet,
    findings: Findings,
    plates: Mapping[str, Plate],
    *,
    command: str,
) -> str:
    """Write the page as HTML.

    Args:
        cae: The autoencoder.
        train: What it learned from.
        test: What it was measured on.
        findings: The measurements.
        plates: The charts by name.
        command: The command that made it, for the reader to copy.
    """
    stages = cae.architecture_.stages(cae.picture_shape_)
    return (
        _environment()
        .get_template("page.html")
        .render(
            arch=str(cae.architecture_),
            command=command,
            difference=tiles.DIFFERENCE,
            facts=facts(findings),
            findings=findings,
            last=findings.history.rows[-1] if findings.history.rows else None,
            most_skipped=MOST_SKIPPED,
            notes=_once(train.notes + test.notes),
            ramp=_ramp(),
            skipped=_once(train.skipped + test.skipped),
            parts=[Part("Training", train), Part("Test", test)],
            plates=plates,
            provenance=cae.provenance_,
            rivals=rivals(findings),
            settings={
                name: _setting(value) for name, value in cae.get_params().items()
            },
            stages=stages,
            verdict=verdict(findings),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("caes.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": amounts.count,
        "enlargement": tiles.enlargement,
        "figure": amounts.figure,
        "heat": tiles.heat_png,
        "per_row": tiles.per_row,
        "png": tiles.png,
        "shape": amounts.shape,
        "uri": _uri,
        "whole": "{:,}".format,
    }
    return environment


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _setting(value: object) -> str:
    if value is None:
        return "not set"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _once(values: tuple[T, ...]) -> list[T]:
    """Drop what training and test pictures both say, for they share a source."""
    return list(dict.fromkeys(values))


def _ramp() -> str:
    """Write the colours of the difference from 0 to its end, as CSS wants them."""
    colours = tiles.COLOURS(np.linspace(0, 1, 9))
    return ", ".join(to_hex(colour) for colour in colours)
