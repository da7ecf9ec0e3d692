"""Bring a picture to a size and a number of channels, keeping its type."""

from collections import Counter
from dataclasses import replace

import numpy as np

from caes.data.decode.resize import Picture, fitted, in_type_of
from caes.data.imageset import ImageSet, counted
from caes.data.reading import ResizeName, too_large
from caes.errors import DataError

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow and OpenCV use it


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
        return in_type_of(picture, (picture @ _LUMA)[..., None])
    raise ValueError(f"{given} channels to {channels}")


def adapted(
    images: ImageSet,
    size: tuple[int, int] | None,
    channels: int | None,
    resize: ResizeName = "stretch",
    seed: int = 0,
) -> ImageSet:
    """Bring every picture of a set to a size and number of channels.

    Args:
        images: Any set.
        size: (H, W), or None to keep it.
        channels: 1 or 3, or None to keep them.
        resize: How pictures are brought to the size, as for `fitted`.
        seed: Draws random crops, together with the pictures' names.

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
    done: Counter[str] = Counter()
    for row, picture in enumerate(images.pixels):
        brought, notes = fitted(picture, size, resize, images.names[row], seed)
        pixels[row] = with_channels(brought, channels)
        done.update(notes)
    return replace(images, pixels=pixels, notes=(*images.notes, *counted(done)))
