"""The mirrored auto-encoder: convolutions and poolings in, convolutions back."""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from caes.errors import NotationError
from caes.nn.architecture import Architecture, Shape, Stage
from caes.nn.kernels import fused, threads
from caes.nn.kernels.threads import Runner
from caes.nn.layers import (
    Convolution,
    Dense,
    activate,
    crop,
    initialise,
    inside,
    is_plain,
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
        *stages, last = arch.stages(picture)
        plain = replace(last, activation="linear")  # `activate` comes after `logits`
        self.encoder = _modules(each for each in stages if each.part == "encoder")
        back = [each for each in stages if each.part == "decoder"]
        self.decoder = _modules([*back, plain])
        initialise(self, torch.Generator().manual_seed(seed))

    def encode(self, pictures: Tensor) -> Tensor:
        """Encode N×H×W×C float32 in [0, 1] to N×h×w×maps, or N×units."""
        if self._runs_fused(pictures) and not torch.is_grad_enabled():
            return self._fused(tuple(pictures.shape[1:])).encode(pictures)
        return self._encode(pictures)

    def _encode(self, pictures: Tensor) -> Tensor:
        maps = pad(inside(pictures), self.arch)
        for layer in self.encoder:
            maps = _apply(layer, maps)
        return outside(maps)

    def decode(self, codes: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Decode to N×H×W×C in [0, 1]; (H, W) is ``size`` or the training pictures'."""
        shape = (*(size or self.picture[:2]), self.picture[2])
        if self._runs_fused(codes) and not torch.is_grad_enabled():
            return self._fused(shape).decode(codes)
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

    def raw(self, inputs: Tensor) -> Tensor:
        """Reconstruct, but for the last activation: N×H×W×C, in and out."""
        return self.logits(self._encode(inputs), tuple(inputs.shape[1:]))

    def _unflatten(self, features: Tensor) -> Tensor:
        return inside(features.reshape(-1, *self._flattened))

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
    def _flattened(self) -> Shape:
        """Shape of the maps that go into the dense layers."""
        stages = self.arch.encoder(self.picture)
        return next(each.input for each in stages if each.operation == "connect")

    @cached_property
    def _fusable(self) -> bool:
        return fused.fits(self.arch, self.picture) and fused.available()


def _apply(layer: nn.Module, maps: Tensor) -> Tensor:
    if isinstance(layer, Dense) and maps.ndim == 4:
        maps = maps.permute(0, 2, 3, 1).flatten(1)
    return layer(maps)  # type: ignore[no-any-return]


def _modules(stages: Iterable[Stage]) -> nn.ModuleList:
    """Build a part; the network's last activation is applied apart from its layers."""
    return nn.ModuleList(_module(stage) for stage in stages)


def _module(stage: Stage) -> nn.Module:
    used = stage.activation
    if stage.operation == "connect":
        sizes = math.prod(stage.input), math.prod(stage.output)
        return Dense(*sizes, activation=used)
    return Convolution(
        stage.input[2],
        stage.output[2],
        stage.kernel,
        up=stage.up,
        pool=stage.pool,
        activation=used,
        normalised=stage.normalised,
    )
