"""What a report asks of a trained autoencoder; `caes.CAE` offers it once fitted."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caes.data.imageset import ImageSet
from caes.data.scaling import Scaling
from caes.nn.architecture import Architecture
from caes.train.history import History


class Fitted(Protocol):
    """A trained autoencoder."""

    @property
    def architecture_(self) -> Architecture:
        """The encoder as it was written."""

    @property
    def picture_shape_(self) -> tuple[int, int, int]:
        """(H, W, C) of the pictures it was trained on."""

    @property
    def scaling_(self) -> Scaling:
        """From the pictures' units to the network's."""

    @property
    def history_(self) -> History:
        """How the training went."""

    @property
    def provenance_(self) -> Mapping[str, str]:
        """How it was made: versions, machine, seed, data, ready to print."""

    def get_params(self) -> Mapping[str, Any]:
        """Give the settings by name."""

    def to_unit(self, images: ImageSet) -> NDArray[np.float32]:
        """Scale to what the network sees: N×H×W×C float32, in new memory."""

    def reconstruct(self, images: ImageSet) -> NDArray[np.float32]:
        """Encode and decode: N×H×W×C, on the network's scale."""

    def transform(self, images: ImageSet) -> NDArray[np.float32]:
        """Encode: N×code, the maps h×w×maps of each picture flattened, or units."""

    def inverse_transform(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Decode codes of pictures of the training size: N×H×W×C."""

    def errors(self, images: ImageSet) -> NDArray[np.float64]:
        """Give each picture's mean squared error, N values, on the network's scale."""

    def first_filters(self) -> NDArray[np.float32] | None:
        """Give the first level's kernels, maps×k×k×C, or None without any."""
