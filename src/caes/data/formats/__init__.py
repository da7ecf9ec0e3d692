"""The formats of single pictures: one file a format, one line to register it."""

from caes.data.formats.by_pillow import ByPillow
from caes.data.formats.dicom import Dicom
from caes.data.formats.fits import Fits
from caes.data.formats.format import Format
from caes.data.formats.jpeg import Jpeg
from caes.data.formats.png import Png
from caes.data.formats.tiff import Tiff

FORMATS: tuple[Format, ...] = (
    Png(),
    Jpeg(),
    ByPillow("BMP", (".bmp",), b"BM"),
    ByPillow("WebP", (".webp",), b"RIFF....WEBP"),
    ByPillow("GIF", (".gif",), b"GIF8"),
    Tiff(),
    Dicom(),
    Fits(),
)

SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.suffixes)
LISTED = " or ".join((", ".join(f.name for f in FORMATS[:-1]), FORMATS[-1].name))


def recognised(head: bytes) -> Format | None:
    """Tell a file's format by its first bytes, whatever its name ends in."""
    return next((each for each in FORMATS if each.recognises(head)), None)


def has_pages(name: str) -> bool:
    """Whether a file's name ends as those do that can hold several pictures."""
    lower = name.lower()
    return any(each.paged and lower.endswith(each.suffixes) for each in FORMATS)
