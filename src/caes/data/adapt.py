"""Bring a picture to a size and a number of channels, keeping its type."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from caes.data.imageset import ImageSet
from caes.data.kind import too_large
from caes.errors import DataError

Picture = NDArray[Any]  # H×W×C, any real number type

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow and OpenCV use it


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """Resize with antialiasing to exactly H×W, proportions not kept.

    A triangle filter as wide as the reduction: unlike sharper ones, it never leaves the
    range of the values that it averages. Types other than uint8 pass through float32:
    wide ones as shares of the way between their extremes, which keeps large offsets.

    Args:
        picture: H×W×C, any real number type.
        size: (H, W), at least 1 each.

    Returns:
        H×W×C, in the picture's type.
    """
    if picture.shape[:2] == size:
        return picture
    if picture.dtype == np.uint8 and picture.shape[2] in (1, 3):
        return _resampled(
            picture.squeeze(2) if picture.shape[2] == 1 else picture, size
        )
    low, span = _extent(picture)
    shares = ((picture - low) / span).astype(np.float32)
    planes = [np.ascontiguousarray(plane) for plane in np.moveaxis(shares, 2, 0)]
    stretched = np.concatenate([_resampled(plane, size) for plane in planes], axis=2)
    return _in_type_of(picture, stretched.astype(np.float64) * span + low)


def with_channels(picture: Picture, channels: int) -> Picture:
    """Turn colour into grey by luma, or grey into colour by repetition.

    Args:
        picture: H×W×C, any real number type, C of 1 or 3 or already ``channels``.
        channels: 1 or 3.

    Returns:
        H×W×channels, in the picture's type.

    Raises:
        ValueError: Another number of channels cannot be converted.
    """
    given = picture.shape[2]
    if given == channels:
        return picture
    if (given, channels) == (1, 3):
        return np.repeat(picture, 3, axis=2)
    if (given, channels) == (3, 1):
        return _in_type_of(picture, (picture @ _LUMA)[..., None])
    raise ValueError(f"{given} channels to {channels}")


def adapted(
    images: ImageSet, size: tuple[int, int] | None, channels: int | None
) -> ImageSet:
    """Bring every picture of a set to a size and number of channels.

    Args:
        images: Any set.
        size: (H, W), or None to keep it.
        channels: 1 or 3, or None to keep them.

    Returns:
        The same set where nothing changes, else a copy of the same type and range.

    Raises:
        DataError: The set has neither 1 nor 3 channels, and others are asked for.
    """
    _, height, width, given = images.shape
    size = size or (height, width)
    channels = channels or given
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
        raise too_large(images.source, "×".join(map(str, form))) from error
    for row, picture in enumerate(images.pixels):
        pixels[row] = with_channels(resized(picture, size), channels)
    return replace(images, pixels=pixels)


def _resampled(plane: Picture, size: tuple[int, int]) -> Picture:
    height, width = size
    image = Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _extent(picture: Picture) -> tuple[np.float64, np.float64]:
    """Give the offset and the length of the values where float32 may not hold them."""
    if picture.dtype.itemsize <= 2:
        return np.float64(0), np.float64(1)
    low, high = np.float64(picture.min()), np.float64(picture.max())
    span = high - low
    return (low, span) if 0 < span < np.inf else (low, np.float64(1))


def _in_type_of(picture: Picture, values: Picture) -> Picture:
    """Round where the type is whole, and keep within the picture's extremes."""
    if picture.dtype.kind in "iub":
        values = np.rint(values)
    return np.clip(values, picture.min(), picture.max()).astype(picture.dtype)
