"""Decode one picture of any format, or say why it cannot be."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from caes.data.decode.opening import Encoded, OpenFiles, Page, opened, silenced
from caes.data.decode.resize import fitted, shrunk, with_channels
from caes.data.formats.format import Decoded, Form, Opened, UnreadableError
from caes.data.imageset import Stored
from caes.data.reading import Reading

MAX_BYTES = 2**30  # what one picture may take, decoded

GREYED = "Colour pictures were turned grey"
COLOURED = "Grey pictures were repeated to three channels"
FIRST_PAGE = "Only the first page of files with several was read"

_LIBRARIES = ("tifffile", "pydicom", "astropy", "PIL")  # they log what they do not like


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence the readers, and refuse bombs; to be entered before any threads."""
    with silenced(*_LIBRARIES), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(
    picture: Encoded, options: Reading, name: str = "", files: OpenFiles | None = None
) -> Decoded:
    """Decode a picture upright, and bring it to the size and channels asked for."""
    with opened(picture, files) as found:
        decoded = _read(found, picture, options)
        form = found.form(_number(picture))
    pixels, notes = _checked(decoded.pixels), decoded.notes
    notes = (*notes, *shrunk((form.height, form.width), options))
    if options.size:
        pixels, done = fitted(pixels, options.size, options.resize, name, options.seed)
        notes = (*notes, *done)
    given, wanted = pixels.shape[2], options.channels
    if wanted and wanted != given:
        if given not in (1, 3):
            raise UnreadableError(f"{given} channels, which cannot be read as {wanted}")
        notes = (*notes, GREYED if wanted == 1 else COLOURED)
        pixels = with_channels(pixels, wanted)
    return Decoded(pixels, notes, decoded.stored)


def upright_size(picture: Encoded) -> tuple[int, int]:
    """Read a picture's height and width, as its orientation turns them."""
    with opened(picture) as found:
        form = found.form(_number(picture))
        return form.height, form.width


def _number(picture: Encoded) -> int:
    return picture.number if isinstance(picture, Page) else 0


def count_pages(path: Path) -> int:
    """Count the pictures in a file by its headers; 1 for what cannot be read."""
    try:
        with opened(path) as found:
            return len(found)
    except UnreadableError:
        return 1


def _read(found: Opened, picture: Encoded, options: Reading) -> Decoded:
    if options.pages == "channels" and len(found) > 1:
        return _as_channels(found, options)
    number = _number(picture)
    form = found.form(number)
    _check_form(form)
    decoded = found.read(number, _near(options))
    notes, stored = decoded.notes, Stored(found.format, form.mode)
    if not isinstance(picture, Page) and len(found) > 1:
        notes = (*notes, FIRST_PAGE)
    return Decoded(decoded.pixels, notes, stored)


def _as_channels(found: Opened, options: Reading) -> Decoded:
    """Put all pages behind each other as the channels of one picture."""
    forms = [found.form(number) for number in range(len(found))]
    sizes = {f"{form.height}×{form.width}": None for form in forms}
    if len(sizes) > 1:
        raise UnreadableError(f"pages of {' and '.join([*sizes][:2])} as channels")
    first = forms[0]
    needed = sum(form.bytes for form in forms)
    mode = f"pages as channels, {first.mode}"
    _check_form(Form(first.height, first.width, needed, mode))
    pages = [found.read(number, _near(options)) for number in range(len(forms))]
    types = {str(page.pixels.dtype): None for page in pages}
    if len(types) > 1:
        raise UnreadableError(f"pages of {' and '.join(types)} as channels")
    notes = dict.fromkeys(note for page in pages for note in page.notes)
    whole = np.concatenate([page.pixels for page in pages], 2)
    return Decoded(whole, tuple(notes), Stored(found.format, mode))


def _near(options: Reading) -> tuple[int, int] | None:
    """Give the size that decoders may come near: none where pictures keep theirs."""
    return None if options.resize == "random-crop" else options.size


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
