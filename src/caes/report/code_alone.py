"""The fair rival of PCA where a decoder is told places: decoding the code alone."""

import math

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.report.fitted import Fitted
from caes.report.pca import CHUNK


def from_code(cae: Fitted, test: ImageSet) -> NDArray[np.float64] | None:
    """Encode pictures, decode nothing but the codes, and measure the errors.

    Returns:
        N float64, each picture's mean squared error on the network's scale; None for
        pictures of another size than the training ones, whose codes fit no decoder.
    """
    picture = cae.picture_shape_
    if tuple(test.shape[1:]) != tuple(picture):
        return None
    step = max(1, CHUNK // math.prod(picture))
    parts = [_errors(cae, test[at : at + step]) for at in range(0, len(test), step)]
    return np.concatenate(parts)


def _errors(cae: Fitted, images: ImageSet) -> NDArray[np.float64]:
    codes = np.asarray(cae.transform(images))
    again = np.asarray(cae.inverse_transform(codes)).reshape(images.shape)
    apart = np.subtract(again, cae.to_unit(images), dtype=np.float64)
    return np.asarray(np.square(apart).mean(axis=(1, 2, 3)))
