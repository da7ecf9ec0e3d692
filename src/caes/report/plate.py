"""One chart on light and on dark paper, ready for a file and for the page."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from caes.report.canvas import DARK, DOTS, LIGHT, Theme, png


@dataclass(frozen=True)
class Plate:
    """One chart, drawn.

    Args:
        name: Name of its file, without ``.png``.
        alt: What a reader who cannot see it should know.
        caption: What to read it by; may be empty.
        width: Width on the page, in pixels.
        height: Height on the page, in pixels.
        light: PNG for light paper, also the file.
        dark: PNG for the dark page.
    """

    name: str
    alt: str
    caption: str
    width: int
    height: int
    light: bytes
    dark: bytes


def plate(name: str, draw: Callable[..., Figure], alt: str, caption: str = "") -> Plate:
    """Draw a chart in both themes.

    Args:
        name: Name of its file, without ``.png``.
        draw: Takes ``theme=`` and gives the figure.
        alt: What a reader who cannot see it should know.
        caption: What to read it by.
    """

    def themed(theme: Theme) -> Figure:
        return draw(theme=theme)

    light = themed(LIGHT)
    width, height = (round(inches * DOTS) for inches in light.get_size_inches())
    dark = png(themed(DARK))
    return Plate(name, alt, caption, width, height, png(light), dark)
