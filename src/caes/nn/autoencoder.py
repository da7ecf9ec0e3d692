"""The mirrored auto-encoder: convolutions and poolings in, convolutions back."""

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caes.errors import NotationError
from caes.nn.architecture import Architecture, Shape
from caes.nn.kernels import fused, threads
from caes.nn.kernels.threads import Runner
from caes.nn.layers import (
    Convolution,
    Dense,
    crop,
    initialise,
    inside,
    is_plain,
    outside,
    pad,
)
from caes.nn.linear import LinearPath, Subspace
from caes.nn.model import Model


class Autoencoder(Model):
    """A convolutional auto-encoder: encoder as written, decoder its mirror.

    Each level of the encoder is a convolution, a max-pooling and an activation. The
    decoder takes the levels from the top: a convolution to the level's own maps,
    activation and nearest up-sampling; one more convolution and the output's activation
    give the picture. A linear path may stand beside both (see `caes.nn.linear`).

    Args:
        arch: What the encoder is; not with valid convolutions, whose sizes up-sampling
            cannot give back.
        picture: As for `Model`.
        seed: Of the weights: Glorot-uniform, biases zero.
    """

    def __init__(self, arch: Architecture, picture: Shape, seed: int = 0) -> None:
        super().__init__(arch, picture)
        if arch.padding == "valid":
            raise NotationError(
                "padding",
                "'valid' with the mirrored decoder",
                "a decoder of each level's own for it",
                "Add decoder='tied'.",
            )
        *stages, last = arch.stages(picture)
        plain = replace(last, activation="linear")  # `activate` comes after `_logits`
        layers = [
            (Dense if stage.operation == "connect" else Convolution)(stage)
            for stage in (*stages, plain)
        ]
        self.encoder = nn.Sequential(*layers[: arch.depth])
        self.decoder = nn.Sequential(*layers[arch.depth :])
        self.linear = LinearPath(picture, arch.dense[-1]) if arch.linear else None
        initialise(self, torch.Generator().manual_seed(seed))

    def encode(self, pictures: Tensor) -> Tensor:
        """Encode N×H×W×C float32 in [0, 1] to N×h×w×maps, or N×units."""
        if self._runs_fused(pictures) and not torch.is_grad_enabled():
            return self._fused(tuple(pictures.shape[1:])).encode(pictures)
        return self._encode(pictures)

    def takes_bytes(self, picture: Shape) -> bool:
        """Tell where the compiled loop does, and nothing has to be added around."""
        return self.path == "fused" and not any(self.arch.frame(*picture[:2]))

    def encode_bytes(
        self, pictures: NDArray[np.uint8], unit: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Encode pictures as they are stored: see `Model`."""
        return self._fused(pictures.shape[1:]).encode_bytes(pictures, unit)

    def _encode(self, pictures: Tensor) -> Tensor:
        codes = outside(self.encoder(pad(inside(pictures), self.arch)))
        return codes if self.linear is None else codes + self.linear.encode(pictures)

    def decode(self, codes: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Decode to N×H×W×C in [0, 1]; (H, W) is ``size`` or the training pictures'."""
        height, width = size or self.picture[:2]
        if self._runs_fused(codes) and not torch.is_grad_enabled():
            return self._fused((height, width, self.picture[2])).decode(codes)
        return self.finished(self._logits(codes, (height, width)))

    def forward(self, pictures: Tensor) -> Tensor:
        """Reconstruct pictures: N×H×W×C float32 in [0, 1], in and out."""
        return self.through(pictures)[1]

    def through(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Give codes and reconstructions, encoding once."""
        height, width = pictures.shape[1:3]
        codes = self.encode(pictures)
        return codes, self.decode(codes, (height, width))

    def _logits(self, codes: Tensor, size: tuple[int, int]) -> Tensor:
        """Decode codes up to, but without, the last activation: N×H×W×C float32."""
        pictures = outside(crop(self.decoder(inside(codes)), *size, self.arch))
        return pictures if self.linear is None else pictures + self.linear.decode(codes)

    @torch.no_grad()
    def begin(self, subspace: Subspace) -> None:
        """Begin at PCA's answer: what the network adds to the linear path is 0."""
        if self.linear is None:
            raise TypeError("a network without a linear path cannot begin at PCA")
        self.linear.begin(subspace)
        for part in (self.encoder, self.decoder):
            for parameter in part[-1].parameters():
                parameter.zero_()

    def decoder_parameters(self) -> list[nn.Parameter]:
        """Give what only the way back needs."""
        named = self.named_parameters()
        own = ("decoder.", "linear.weight_back", "linear.bias_back")
        return [each for name, each in named if name.startswith(own)]

    def raw(self, inputs: Tensor) -> Tensor:
        """Reconstruct, but for the last activation: N×H×W×C, in and out."""
        height, width = inputs.shape[1:3]
        return self._logits(self._encode(inputs), (height, width))

    @property
    def path(self) -> str:
        """How training runs here: "fused" (compiled, in cache) or "torch"."""
        return "fused" if self._runs_fused(self._weights[0]) else "torch"

    def compiled(self, loss: str) -> Runner | None:
        """Give the compiled loop for batches of the training pictures' size, if any."""
        return self._fused(self.picture, loss) if self.path == "fused" else None

    def _fused(self, shape: Shape, loss: str = "bce") -> fused.FusedAutoencoder:
        # One at a time: a folder of many sizes must not pile memory up.
        about = (shape, loss, threads.count())
        if self._kept.get("about") != about:
            made = fused.FusedAutoencoder(self.arch, *about, self._weights)
            self._kept.update(about=about, fused=made)
        return self._kept["fused"]  # type: ignore[no-any-return]

    def _runs_fused(self, tensor: Tensor) -> bool:
        return is_plain(tensor, self._weights[0]) and self._fusable

    @cached_property
    def _weights(self) -> list[nn.Parameter]:
        return list(self.parameters())

    @cached_property
    def _kept(self) -> dict[str, Any]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process: threads, addresses, buffers."""
        mine = ("_kept", "_weights", "_fusable")
        return {key: value for key, value in vars(self).items() if key not in mine}

    @cached_property
    def _fusable(self) -> bool:
        return fused.fits(self.arch, self.picture) and fused.available()
