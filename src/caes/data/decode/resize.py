"""Bring pictures to a size (stretch, crop, pad, random-crop) and to channels."""

from collections import Counter
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from caes.data.decode.tiles import mirrored
from caes.data.imageset import ImageSet, counted
from caes.data.reading import Reading, ResizeName, Side, too_large
from caes.errors import DataError, by_signs

Picture = NDArray[Any]  # H×W×C, any real number type
Box = tuple[float, float, float, float]  # (left, upper, right, lower), in pixels
Fitted = tuple[Picture, tuple[str, ...]]

SHRUNK = "Pictures larger than the size were shrunk"
CROPPED = "Pictures of other proportions were cropped at the middle"
PADDED = "Pictures of other proportions were padded by their mirror image"
DRAWN = "Pictures larger than the size were cropped at a place drawn by their name"
CONTINUED = "Pictures smaller than the size were continued by their mirror image"

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow and OpenCV use it


def fitted(
    picture: Picture, size: Side, resize: ResizeName, name: str = "", seed: int = 0
) -> Fitted:
    """Bring a picture to exactly H×W, antialiased where it is scaled.

    What is missing is filled by the picture's mirror image, which goes on with its
    texture: edges repeated teach a network stripes that are in no picture, and cost it
    some percent on pictures without padding; zeros cost it far more.

    The name draws, with the seed, the place of a random crop. Gives H×W×C in the
    picture's type, and what was done beyond scaling, in sentences without full stop.
    """
    if picture.shape[:2] == size:
        return picture, ()
    height, width = picture.shape[:2]
    alike = height * size[1] == width * size[0]
    if resize == "random-crop":
        return _drawn(picture, size, name, seed)
    if resize == "stretch" or alike:
        return resized(picture, size), ()
    if resize == "crop":
        return resized(picture, size, _middle((height, width), size)), (CROPPED,)
    return _padded(picture, size), (PADDED,)


def shrunk(given: Side, reading: Reading) -> tuple[str, ...]:
    """Say that a picture of H×W gets smaller, where it does."""
    if reading.size is None or reading.resize == "random-crop":
        return ()
    return (SHRUNK,) * (given[0] > reading.size[0] or given[1] > reading.size[1])


def resized(picture: Picture, size: Side, box: Box | None = None) -> Picture:
    """Resize with antialiasing to exactly H×W, proportions not kept.

    A triangle filter as wide as the reduction: unlike sharper ones, it never leaves the
    range of the values that it averages. Types other than uint8 pass through float32:
    wide ones as shares of the way between their extremes, which keeps large offsets.
    The box is the part to take; None for all.
    """
    if picture.shape[:2] == size and box is None:
        return picture
    if picture.dtype == np.uint8 and picture.shape[2] in (1, 3):
        plane = picture.squeeze(2) if picture.shape[2] == 1 else picture
        return _resampled(plane, size, box)
    low, span = _extent(picture)
    shares = ((picture - low) / span).astype(np.float32)
    planes = [np.ascontiguousarray(plane) for plane in np.moveaxis(shares, 2, 0)]
    each = [_resampled(plane, size, box) for plane in planes]
    scaled = np.concatenate(each, axis=2).astype(np.float64)
    return in_type_of(picture, scaled * span + low)


def in_type_of(picture: Picture, values: Picture) -> Picture:
    """Round where the type is whole, and keep within the picture's extremes."""
    if picture.dtype.kind in "iub":
        values = np.rint(values)
    return np.clip(values, picture.min(), picture.max()).astype(picture.dtype)


def with_channels(picture: Picture, channels: int) -> Picture:
    """Turn colour H×W×3 into grey by luma, or grey H×W×1 into colour by repetition."""
    given = picture.shape[2]
    if given == channels:
        return picture
    if (given, channels) == (1, 3):
        return np.repeat(picture, 3, axis=2)
    if (given, channels) == (3, 1):
        return in_type_of(picture, (picture @ _LUMA)[..., None])
    raise ValueError(f"{given} channels to {channels}")


def adapted(images: ImageSet, reading: Reading) -> ImageSet:
    """Bring a set to the size and channels asked for; itself where nothing changes."""
    _, height, width, given = images.shape
    size = reading.size or (height, width)
    channels = reading.channels or given
    if (size, channels) == ((height, width), given):
        return images
    if channels != given and given not in (1, 3):
        raise DataError(
            images.source,
            f"pictures of {given} channels, to be read with {channels}",
            "1 or 3 channels to convert between",
            "Leave channels out to keep them all.",
        )
    form = (len(images), *size, channels)
    try:
        pixels = np.empty(form, images.dtype)
    except MemoryError as error:
        raise too_large(images.source, by_signs(form)) from error
    done: Counter[str] = Counter()
    for row, picture in enumerate(images.pixels):
        name = images.names[row]
        brought, notes = fitted(picture, size, reading.resize, name, reading.seed)
        pixels[row] = with_channels(brought, channels)
        done.update(notes)
    done.update(dict.fromkeys(shrunk((height, width), reading), len(images)))
    return replace(images, pixels=pixels, notes=(*images.notes, *counted(done)))


def _resampled(plane: Picture, size: Side, box: Box | None) -> Picture:
    height, width = size
    image = Image.fromarray(plane)
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _extent(picture: Picture) -> tuple[np.float64, np.float64]:
    """Give the offset and the length of the values where float32 may not hold them."""
    if picture.dtype.itemsize <= 2:
        return np.float64(0), np.float64(1)
    low, high = np.float64(picture.min()), np.float64(picture.max())
    span = high - low
    return (low, span) if 0 < span < np.inf else (low, np.float64(1))


def _middle(have: Side, size: Side) -> Box:
    """Give the largest part of a size's proportions."""
    scale = max(size[0] / have[0], size[1] / have[1])
    tall, wide = (min(size[axis] / scale, have[axis]) for axis in (0, 1))
    upper, left = (have[0] - tall) / 2, (have[1] - wide) / 2
    return left, upper, left + wide, upper + tall


def _padded(picture: Picture, size: Side) -> Picture:
    height, width = picture.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    tall = min(max(round(height * scale), 1), size[0])
    wide = min(max(round(width * scale), 1), size[1])
    above, left = (size[0] - tall) // 2, (size[1] - wide) // 2
    frame = [(above, size[0] - tall - above), (left, size[1] - wide - left), (0, 0)]
    return np.pad(resized(picture, (tall, wide)), frame, mode="symmetric")


def _drawn(picture: Picture, size: Side, name: str, seed: int) -> Fitted:
    whole = mirrored(picture, size)
    spare = [whole.shape[axis] - size[axis] for axis in (0, 1)]
    draw = np.random.default_rng([seed, crc32(name.encode("utf-8", "replace"))])
    row, column = (int(draw.integers(0, most + 1)) for most in spare)
    notes = (DRAWN,) * any(spare) + (CONTINUED,) * (whole is not picture)
    return whole[row : row + size[0], column : column + size[1]], notes
