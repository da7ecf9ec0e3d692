"""What every model of pictures shares: its form, and how its error is computed.

Pictures and maps are N×H×W×C here as everywhere in caes.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from caes.nn.architecture import Architecture, Shape
from caes.nn.kernels.threads import Runner
from caes.nn.layers import activate
from caes.nn.sparsity import Sparsity


class Model(nn.Module):
    """Pictures to codes and back, and how far off the reconstructions are.

    Args:
        arch: What the network is.
        picture: (H, W, C) of the pictures it is trained on. Without dense layers other
            sizes can be passed as well.

    Raises:
        NotationError: The pictures are too small for the network.
    """

    sparsity: Sparsity | None = None

    def __init__(self, arch: Architecture, picture: Shape) -> None:
        super().__init__()
        arch.check(picture)
        self.arch = arch
        self.picture = picture

    def encode(self, pictures: Tensor) -> Tensor:
        """Encode N×H×W×C float32 in [0, 1] to N×h×w×maps or N×units."""
        raise NotImplementedError

    def takes_bytes(self, picture: Shape) -> bool:
        """Tell whether pictures of H×W×C can be encoded as they are stored."""
        return False

    def encode_bytes(
        self, pictures: NDArray[np.uint8], unit: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Encode pictures as they are stored, N×H×W×C, without a copy as floats.

        Args:
            pictures: Bytes.
            unit: What each of the 256 bytes stands for, as `encode` takes it.

        Returns:
            What `encode` would give.
        """
        raise NotImplementedError

    def decode(self, codes: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Decode codes to N×H×W×C; (H, W) is ``size`` or the training pictures'."""
        raise NotImplementedError

    def through(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Give codes and reconstructions, as `encode` and calling the model do."""
        return self.encode(pictures), self(pictures)

    def raw(self, inputs: Tensor) -> Tensor:
        """Reconstruct, but for the last activation: N×H×W×C, in and out."""
        raise NotImplementedError

    def finished(self, raw: Tensor) -> Tensor:
        """Make pictures of what `raw` gives; held in [0, 1] where they lie in it."""
        pictures = activate(raw, self.arch.output)
        return pictures.clamp(0, 1) if self.arch.bounded else pictures

    def compare(self, inputs: Tensor, targets: Tensor, loss: str) -> Tensor:
        """Reconstruct ``inputs`` and compare with ``targets``.

        Args:
            inputs: N×H×W×C float32 in [0, 1].
            targets: The same shape and range.
            loss: "bce" (binary cross-entropy) or "mse" (mean squared error).

        Returns:
            (3,): the loss, the one figure with a gradient; the mean squared error; the
            accuracy as Keras counts it, NaN where outputs may reach beyond [0, 1].
        """
        raw = self.raw(inputs)
        pictures = activate(raw, self.arch.output)
        value = square = F.mse_loss(pictures, targets)
        if loss == "bce":
            value = F.binary_cross_entropy_with_logits(raw, targets)
        with torch.no_grad():
            accuracy = _accuracy(pictures, targets)
            if self.arch.linear:  # what reaches beyond [0, 1] is held in it at last
                square = F.mse_loss(self.finished(raw), targets)
            # Without bounds there is no half-way between black and white.
            if self.arch.linear or not self.arch.bounded:
                accuracy = torch.full_like(accuracy, torch.nan)
        return torch.stack([value, square.detach(), accuracy])

    def decoder_parameters(self) -> list[nn.Parameter]:
        """Give what only the way back needs."""
        raise NotImplementedError

    @property
    def path(self) -> str:
        """How training runs here: "fused" (compiled, in cache) or "torch"."""
        return "torch"

    @property
    def splits_batches(self) -> bool:
        """Whether pictures can be compared in parts: none looks at the others."""
        alone = self.sparsity is None or self.sparsity.lifetime == 1
        return alone and not self.arch.normalised

    @property
    def is_local(self) -> bool:
        """Whether each reconstructed pixel depends on a neighbourhood only.

        Winners are chosen over a whole map.
        """
        return self.sparsity is None and not self.arch.dense

    def compiled(self, loss: str) -> Runner | None:
        """Give the compiled loop for batches of the training pictures' size, if any."""
        return None


def _accuracy(pictures: Tensor, targets: Tensor) -> Tensor:
    """Count as Keras does: rounded pixels, or, with colours, the largest channel.

    A pixel that is not a number is never right.
    """
    if targets.shape[-1] == 1:
        right = (pictures > 0.5).to(targets.dtype) == targets
        right &= pictures == pictures  # without NaN
    else:
        right = pictures.argmax(-1) == targets.argmax(-1)
        right &= (pictures + targets).isnan().any(-1).logical_not_()
    return right.to(pictures.dtype).mean()
