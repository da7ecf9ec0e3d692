"""Black pictures, of which only the labels matter."""

import numpy as np

from caes import ImageSet


def blank(labels: list[int], classes: tuple[str, ...] = ("a", "b", "c")) -> ImageSet:
    pixels = np.zeros((len(labels), 2, 2), np.uint8)
    return ImageSet.from_pixels(
        pixels, labels=np.array(labels), classes=classes, source="blank"
    )
