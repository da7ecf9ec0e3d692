"""From what was found to HTML: the templates, and how they write values."""

import base64
import math
from functools import cache

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.colors import to_hex

from caes.report import amounts, lettering, tiles


def render(name: str, **values: object) -> str:
    """Fill a template, such as "page.html"; every text in ``values`` is escaped."""
    ramp = _ramp()
    return _environment().get_template(name).render(values, ramp=ramp)


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
        "chance": amounts.chance,
        "count": amounts.count,
        "drawable": lettering.drawable,
        "duration": amounts.duration,
        "enlargement": tiles.enlargement,
        "figure": amounts.figure,
        "heat": tiles.heat_png,
        "per_row": tiles.per_row,
        "percent": amounts.percent,
        "png": tiles.png,
        "points": amounts.points,
        "setting": _setting,
        "shape": amounts.shape,
        "share": _share,
        "signed": amounts.signed,
        "sure": amounts.sure,
        "uri": _uri,
        "whole": "{:,}".format,
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


def _share(value: float) -> str:
    """Write a precision or the like; a dash where it is not defined."""
    return amounts.NOTHING if math.isnan(value) else f"{value:.3f}"


def _ramp() -> str:
    """Write the colours of the difference from 0 to its end, as CSS wants them."""
    colours = tiles.COLOURS(np.linspace(0, 1, 9))
    return ", ".join(to_hex(colour) for colour in colours)
