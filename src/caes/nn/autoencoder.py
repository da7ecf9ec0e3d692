"""The mirrored auto-encoder: convolutions and poolings in, convolutions back."""

from functools import cached_property

import torch
from torch import Tensor, nn

from caes.errors import NotationError
from caes.nn.architecture import Architecture, Shape
from caes.nn.kernels import fused, threads
from caes.nn.kernels.threads import Runner
from caes.nn.layers import (
    Convolution,
    Dense,
    activate,
    crop,
    initialise,
    inside,
    outside,
    pad,
)
from caes.nn.model import Model


class Autoencoder(Model):
    """A convolutional auto-encoder: encoder as written, decoder its mirror.

    Each level of the encoder is a convolution, a max-pooling and an activation. The
    decoder takes the levels from the top: a convolution to the level's own maps,
    activation and nearest up-sampling; one more convolution and the output's activation
    give the picture.

    Args:
        arch: What the encoder is.
        picture: (H, W, C) of the pictures it is trained on. Without dense layers other
            sizes can be passed as well.
        seed: Of the weights: Glorot-uniform, biases zero.

    Raises:
        NotationError: The convolutions are valid ones, whose sizes up-sampling cannot
            give back, or the pictures are too small.
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
        self.encoder = nn.ModuleList(_encoder(arch, picture))
        self.decoder = nn.ModuleList(_decoder(arch, picture))
        initialise(self, torch.Generator().manual_seed(seed))

    def encode(self, pictures: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            pictures: N×H×W×C float32 in [0, 1].

        Returns:
            N×h×w×maps, or N×units with dense layers; float32, with ReLU the
            convolutional ones not below 0.
        """
        if self._runs_fused(pictures) and not torch.is_grad_enabled():
            return self._fused(tuple(pictures.shape[1:]), "bce").encode(pictures)
        return self._encode(pictures)

    def _encode(self, pictures: Tensor) -> Tensor:
        maps = pad(inside(pictures), self.arch)
        for layer in self.encoder:
            maps = _apply(layer, maps)
        return outside(maps)

    def decode(self, codes: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Decode codes.

        Args:
            codes: As `encode` gives them.
            size: (H, W) of the pictures; without it, the training pictures' size.

        Returns:
            N×H×W×C float32 in [0, 1].
        """
        shape = (*(size or self.picture[:2]), self.picture[2])
        if self._runs_fused(codes) and not torch.is_grad_enabled():
            return self._fused(shape, "bce").decode(codes)
        return activate(self.logits(codes, shape), self.arch.output)

    def forward(self, pictures: Tensor) -> Tensor:
        """Reconstruct pictures: N×H×W×C float32 in [0, 1], in and out."""
        height, width = pictures.shape[1:3]
        return self.decode(self.encode(pictures), (height, width))

    def logits(self, codes: Tensor, shape: Shape) -> Tensor:
        """Decode codes up to, but without, the last activation: N×H×W×C float32."""
        height, width, _ = shape
        maps = inside(codes)
        for layer in self.decoder:
            if maps.ndim == 2 and isinstance(layer, Convolution):
                maps = self._unflatten(maps)
            maps = _apply(layer, maps)
        if maps.ndim == 2:
            maps = self._unflatten(maps)
        return outside(crop(maps, height, width, self.arch))

    def decoder_parameters(self) -> list[nn.Parameter]:
        """Give what only the way back needs."""
        return list(self.decoder.parameters())

    def both(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Give codes, as `encode` does, and reconstructions, as `raw` does."""
        codes = self._encode(inputs)
        return codes, self.logits(codes, tuple(inputs.shape[1:]))

    def _unflatten(self, features: Tensor) -> Tensor:
        *_, channels = (self.picture[2], *(level.maps for level in self.arch.levels))
        height, width = self.arch.padded(*self.picture[:2])
        stride = self.arch.stride
        shape = (height // stride, width // stride, channels)
        return inside(features.reshape(-1, *shape))

    def _fastest(self, inputs: Tensor, loss: str) -> Runner | threads.Shares | None:
        if self._runs_fused(inputs):
            return self._fused(tuple(inputs.shape[1:]), loss)
        return super()._fastest(inputs, loss)

    @property
    def path(self) -> str:
        """How training runs here: "fused" (compiled, in cache) or "torch"."""
        return "fused" if self._runs_fused(self._weights[0]) else "torch"

    def _fused(self, shape: Shape, loss: str) -> fused.FusedAutoencoder:
        about = (shape, loss, threads.count())
        return self._kept(
            about, lambda: fused.FusedAutoencoder(self.arch, *about, self._weights)
        )

    def _runs_fused(self, tensor: Tensor) -> bool:
        return self.is_plain(tensor) and self._fusable

    @cached_property
    def _fusable(self) -> bool:
        return fused.fits(self.arch, self.picture) and fused.available()


def _apply(layer: nn.Module, maps: Tensor) -> Tensor:
    if isinstance(layer, Dense) and maps.ndim == 4:
        maps = maps.permute(0, 2, 3, 1).flatten(1)
    return layer(maps)  # type: ignore[no-any-return]


def _encoder(arch: Architecture, picture: Shape) -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = picture[2]
    for level in arch.levels:
        layers.append(
            Convolution(
                channels,
                level.maps,
                level.kernel,
                pool=level.pool,
                activation=arch.activation,
                normalised=arch.normalised,
            )
        )
        channels = level.maps
    return layers + _dense(arch, picture, "encoder")


def _decoder(arch: Architecture, picture: Shape) -> list[nn.Module]:
    layers = _dense(arch, picture, "decoder")
    if not arch.levels:
        return layers
    channels, up = arch.levels[-1].maps, 1
    for level in reversed(arch.levels):
        used = arch.activation
        layers.append(
            Convolution(channels, level.maps, level.kernel, up=up, activation=used)
        )
        channels, up = level.maps, level.pool
    kernel = arch.levels[0].kernel
    layers.append(Convolution(channels, picture[2], kernel, up=up, activation="linear"))
    return layers


def _dense(arch: Architecture, picture: Shape, part: str) -> list[nn.Module]:
    layers: list[Dense] = []
    inputs = 0
    for stage in arch.stages(picture):
        if stage.part == part and stage.action == "connect":
            layers.append(Dense(inputs, stage.output[0], activation=arch.activation))
        inputs = stage.output[0] if len(stage.output) == 1 else 0
    # The code is linear; so is the last layer, whose activation is the output's own.
    if layers and (part == "encoder" or not arch.levels):
        layers[-1].activation = "linear"
    return [*layers]
