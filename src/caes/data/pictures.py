"""Decode one picture of any format, or say why it cannot be."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from caes.data.adapt import resized, with_channels
from caes.data.formats import (
    HEAD,
    LISTED,
    Decoded,
    Form,
    Opened,
    UnreadableError,
    recognised,
)
from caes.data.kind import Options

__all__ = [
    "Decoded",
    "Encoded",
    "Page",
    "UnreadableError",
    "count_pages",
    "decode",
    "quiet_decoding",
    "upright_size",
]

MAX_BYTES = 2**30  # what one picture may take, decoded

GREYED = "Colour pictures were turned grey"
COLOURED = "Grey pictures were repeated to three channels"
FIRST_PAGE = "Only the first page of files with several was read"

_LIBRARIES = ("tifffile", "pydicom", "astropy", "PIL")  # they log what they do not like


@dataclass(frozen=True)
class Page:
    """One of several pictures in a file.

    Args:
        path: The file.
        number: From 0.
    """

    path: Path
    number: int


Encoded = Path | Page | bytes  # a picture's file, a page of it, or the bytes of a file


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence the readers, and refuse bombs; to be entered before any threads."""
    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def decode(picture: Encoded, options: Options) -> Decoded:
    """Decode a picture upright, in its own type and number of channels.

    Args:
        picture: A file, a page of one, or a file's bytes.
        options: The size and channels to bring it to, and what pages are.

    Raises:
        UnreadableError: Empty, damaged, too large, forbidden, not a picture, not
            finite, or of channels that cannot be converted.
    """
    with _opened(picture) as opened:
        decoded = _read(opened, picture, options)
    pixels, notes = _checked(decoded.pixels), decoded.notes
    if options.size:
        pixels = resized(pixels, options.size)
    given = pixels.shape[2]
    if options.channels and options.channels != given:
        if given not in (1, 3):
            raise UnreadableError(
                f"{given} channels, which cannot be read as {options.channels}"
            )
        notes = (*notes, GREYED if options.channels == 1 else COLOURED)
        pixels = with_channels(pixels, options.channels)
    return Decoded(pixels, notes)


def upright_size(picture: Encoded) -> tuple[int, int]:
    """Read a picture's height and width, as its orientation turns them.

    Raises:
        UnreadableError: As for `decode`, as far as the header tells.
    """
    with _opened(picture) as opened:
        form = opened.form(picture.number if isinstance(picture, Page) else 0)
        return form.height, form.width


def count_pages(path: Path) -> int:
    """Count the pictures in a file by its headers; 1 for what cannot be read."""
    try:
        with _opened(path) as opened:
            return len(opened)
    except UnreadableError:
        return 1


def _read(opened: Opened, picture: Encoded, options: Options) -> Decoded:
    if options.pages == "channels" and len(opened) > 1:
        return _as_channels(opened, options)
    number = picture.number if isinstance(picture, Page) else 0
    _check_form(opened.form(number))
    decoded = opened.read(number, options.size)
    if isinstance(picture, Page) or len(opened) == 1:
        return decoded
    return Decoded(decoded.pixels, (*decoded.notes, FIRST_PAGE))


def _as_channels(opened: Opened, options: Options) -> Decoded:
    """Put all pages behind each other as the channels of one picture."""
    forms = [opened.form(number) for number in range(len(opened))]
    sizes = {f"{form.height}×{form.width}": None for form in forms}
    if len(sizes) > 1:
        raise UnreadableError(f"pages of {' and '.join([*sizes][:2])} as channels")
    first = forms[0]
    needed = sum(form.bytes for form in forms)
    _check_form(Form(first.height, first.width, needed))
    pages = [opened.read(number, options.size) for number in range(len(forms))]
    types = {str(page.pixels.dtype): None for page in pages}
    if len(types) > 1:
        raise UnreadableError(f"pages of {' and '.join(types)} as channels")
    notes = dict.fromkeys(note for page in pages for note in page.notes)
    return Decoded(np.concatenate([page.pixels for page in pages], 2), tuple(notes))


@contextmanager
def _opened(picture: Encoded) -> Iterator[Opened]:
    try:
        with _file(picture) as file:
            head = file.read(HEAD)
            if not head:
                raise UnreadableError("empty")
            found = recognised(head)
            if found is None:
                raise UnreadableError(f"not a {LISTED} picture")
            file.seek(0)
            with found.opened(file) as opened:
                yield opened
    except UnreadableError:
        raise
    # Readers of hostile bytes raise SyntaxError, struct.error, KeyError …
    except Exception as error:
        raise UnreadableError(_reason(error)) from error


def _file(picture: Encoded) -> BinaryIO:
    if isinstance(picture, bytes):
        return BytesIO(picture)
    path = picture.path if isinstance(picture, Page) else picture
    if not S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
        raise UnreadableError("not a regular file")
    return path.open("rb")


def _check_form(form: Form) -> None:
    """Refuse what is declared as too large before memory is taken for it."""
    most = Image.MAX_IMAGE_PIXELS
    if most and form.height * form.width > most:
        raise UnreadableError(f"declared as more than {most:,} pixels")
    if form.bytes > MAX_BYTES:
        raise UnreadableError(f"declared as more than {MAX_BYTES:,} bytes")


def _checked(pixels: NDArray[Any]) -> NDArray[Any]:
    """Refuse what is no picture of finite numbers; truth values become 0 and 255."""
    if not pixels.size:
        raise UnreadableError("no pixels")
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * 255
    if pixels.dtype.kind not in "uif":
        raise UnreadableError(f"values of type {pixels.dtype}")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        bad = int((~np.isfinite(pixels)).sum())
        raise UnreadableError(f"NaN or infinity in {bad:,} of {pixels.size:,} values")
    return pixels


def _reason(error: Exception) -> str:
    match error:
        case UnidentifiedImageError():
            return "damaged (its header cannot be read)"
        case PermissionError():
            return "no permission to read it"
        case FileNotFoundError():
            return "a link to nowhere"
        case Image.DecompressionBombError() | Image.DecompressionBombWarning():
            return f"declared as more than {Image.MAX_IMAGE_PIXELS:,} pixels"
        case MemoryError():
            return "more pixels than memory holds"
    text = " ".join(str(error).split()) or type(error).__name__
    return "truncated" if "truncated" in text.lower() else f"damaged ({text})"
