"""scikit-learn's own test tables, laid out as pictures."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes import ImageSet
from caes.estimators.base import PictureEstimator


class Flattened(PictureEstimator):
    """Goes before an estimator: each row of a table is a square picture.

    The tables have any number of features; here the row is filled up with zeros to the
    next square. Everything else is the estimator's own.
    """

    def _unflatten(self, table: NDArray[Any], reset: bool) -> ImageSet:
        side = max(4, int(np.ceil(table.shape[1] ** 0.5)))
        square = np.zeros((len(table), side * side), table.dtype)
        square[:, : table.shape[1]] = table
        return super()._unflatten(square, reset)
