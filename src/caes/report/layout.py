"""One layout for every page, and a page on disk with its figures and tables."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.colors import to_hex

from caes.data.imageset import ImageSet
from caes.errors import by_signs
from caes.files import TableWriter, write_whole
from caes.report import numbers, pictures
from caes.report.charts import Chart

MOST_SKIPPED = 200
"""Files left out that are named; the page counts the rest."""
Table = Sequence[Sequence[object]]
"""Rows of cells, the first row their names."""


class Fact(NamedTuple):
    """One headline figure: what it is, how much, and a few words to read it by."""

    name: str
    value: str
    note: str = ""


class Verdict(NamedTuple):
    """The page's first words."""

    lead: str  # one sentence
    figures: str  # what it rests on
    context: str  # why it may be so, and how far it holds; may be empty
    advice: str = ""  # what to try next, where it is not good


def render(name: str, **values: object) -> str:
    """Fill a template, such as "classifier.html"; every text is escaped."""
    return _environment().get_template(name).render(values)


def sources(
    parts: Mapping[str, ImageSet], notes: Sequence[str] = ()
) -> dict[str, object]:
    """Give what "pictures.html" asks for, of pictures by what they were used for.

    What training and test pictures both say, for they share a source, is said once.
    """
    said = [note for images in parts.values() for note in images.notes]
    skipped = [skip for images in parts.values() for skip in images.skipped]
    return {
        "most_skipped": MOST_SKIPPED,
        "notes": [*dict.fromkeys([*notes, *said])],
        "parts": parts,
        "skipped": [*dict.fromkeys(skipped)],
    }


def publish(
    folder: Path,
    page: str,
    charts: Iterable[Chart],
    montages: Mapping[str, bytes] | None = None,
    tables: Mapping[str, Table] | None = None,
) -> Path:
    """Write ``figures/*.svg`` and ``*.png``, ``*.csv`` and at last ``report.html``.

    What has the same name is replaced, charts of older pages among them. Gives the
    path of the page.
    """
    figures = folder / "figures"
    for chart in charts:
        write_whole(figures / f"{chart.name}.svg", chart.svg.encode())
        (figures / f"{chart.name}.png").unlink(missing_ok=True)
    for name, png in (montages or {}).items():
        write_whole(figures / f"{name}.png", png)
    for name, table in (tables or {}).items():
        with TableWriter(folder / f"{name}.csv") as writer:
            for row in table:
                writer.row(row)
    path = folder / "report.html"
    write_whole(path, page.encode())
    return path


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("caes.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    written = "chance count decibels duration figure percent points share signed sure"
    shown = "drawable enlargement heat_png per_row png"
    environment.filters |= {
        **{name: getattr(numbers, name) for name in written.split()},
        **{name: getattr(pictures, name) for name in shown.split()},
        "setting": _setting,
        "shape": by_signs,
        "uri": _uri,
        "whole": "{:,}".format,
    }
    ramp = pictures.COLOURS(np.linspace(0, 1, 9))
    environment.globals |= {
        "palette": pictures.PALETTE,
        "ramp": ", ".join(to_hex(colour) for colour in ramp),
    }
    return environment


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _setting(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, tuple | list):
        return ", ".join(map(_setting, value))
    if hasattr(value, "architecture_"):
        return f"a trained {value.architecture_}"
    return f"{value:g}" if isinstance(value, float) else str(value)
