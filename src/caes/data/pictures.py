"""Decode one PNG, JPEG, BMP or WebP picture, or say why it cannot be."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from caes.data.adapt import with_channels
from caes.data.kind import Options
from caes.data.resizing import fitted

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
FORMATS = "PNG, JPEG, BMP or WebP"
_PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")

PALETTE = "Palette pictures were expanded to colour"
ALPHA = "Pictures with transparency were laid on white"
CMYK = "CMYK pictures were converted to RGB"
GREYED = "Colour pictures were turned grey"
COLOURED = "Grey pictures were repeated to three channels"
DEEP_COLOUR = "Pictures of 16 bits a colour were read with 8"


@dataclass(frozen=True)
class Decoded:
    """One picture, and what was done to it.

    Args:
        pixels: H×W×C, uint8 with 1 or 3 channels, or uint16 with 1.
        notes: Sentences without full stop, the same for every picture they are true of.
    """

    pixels: NDArray[Any]
    notes: tuple[str, ...] = ()


class UnreadableError(Exception):
    """A picture cannot be read; the text is a short reason."""


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence Pillow's warnings, and refuse bombs; to be entered before any threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(picture: Path | bytes, options: Options, name: str = "") -> Decoded:
    """Decode a picture upright, grey staying grey and 16-bit grey staying 16-bit.

    Args:
        picture: A file, or a file's bytes.
        options: The size and channels to bring it to.
        name: The picture's, which has a say in where it is cropped at random.

    Raises:
        UnreadableError: Empty, damaged, too large, forbidden, or not a picture.
    """
    with _opened(picture) as image:
        if options.size and options.fit != "random-crop":
            # JPEG can decode at a fraction of its size, far faster; twice what is asked
            # for leaves the resampling its say, and either axis may be the height yet.
            image.draft(None, (2 * max(options.size), 2 * max(options.size)))
        upright, notes = _upright(image)
        pixels = _array(upright)
        if options.size:
            pixels, done = fitted(pixels, options.size, options.fit, name, options.seed)
            notes = (*notes, *done)
        if options.channels and options.channels != pixels.shape[2]:
            notes = (*notes, GREYED if options.channels == 1 else COLOURED)
            pixels = with_channels(pixels, options.channels)
        return Decoded(pixels, notes)


def upright_size(picture: Path | bytes) -> tuple[int, int]:
    """Read a picture's height and width, as its EXIF orientation turns them.

    Raises:
        UnreadableError: As for `decode`, as far as the header tells.
    """
    with _opened(picture) as image:
        turned = image.getexif().get(0x0112, 1) >= 5
        return image.size if turned else image.size[::-1]


@contextmanager
def _opened(picture: Path | bytes) -> Iterator[Image.Image]:
    try:
        _check_not_empty(picture)
        file = BytesIO(picture) if isinstance(picture, bytes) else picture
        with Image.open(file, formats=_PILLOW_FORMATS) as image:
            yield image
    except UnreadableError:
        raise
    # Pillow's readers of hostile bytes raise SyntaxError, struct.error, KeyError …
    except Exception as error:
        raise UnreadableError(_reason(error)) from error


def _check_not_empty(picture: Path | bytes) -> None:
    if isinstance(picture, bytes):
        size = len(picture)
    else:
        stat = picture.stat()
        if not S_ISREG(stat.st_mode):  # opening a pipe would wait for ever
            raise UnreadableError("not a regular file")
        size = stat.st_size
    if size == 0:
        raise UnreadableError("empty")


def _reason(error: Exception) -> str:
    match error:
        case UnidentifiedImageError():
            return f"not a {FORMATS} picture"
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


def _upright(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Give the picture in mode L, RGB or I;16, and what that took."""
    stored = str(getattr(image, "tile", ""))  # names the raw mode, such as RGB;16B
    notes = []
    ImageOps.exif_transpose(image, in_place=True)
    image.load()
    if image.mode.startswith("I;16"):
        return image, ()
    if ";16B" in stored:
        notes.append(DEEP_COLOUR)
    if image.mode == "P":
        notes.append(PALETTE)
    if image.mode == "CMYK":
        notes.append(CMYK)
    grey = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        notes.append(ALPHA)
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    mode = "L" if grey else "RGB"
    return (image if image.mode == mode else image.convert(mode)), tuple(notes)


def _array(image: Image.Image) -> NDArray[Any]:
    pixels = np.asarray(image)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return pixels if pixels.ndim == 3 else pixels[..., None]
