"""The auto-encoder: pictures to codes and back, and how far off it is.

Pictures and maps are N×H×W×C here as everywhere in caes.
"""

from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caes import fused
from caes.layers import Convolution, Dense, crop, initialise, pad
from caes.notation import Architecture, Shape

LOSSES = ("bce", "mse")


class Autoencoder(nn.Module):
    """A convolutional auto-encoder: encoder as written, decoder its mirror.

    Each level of the encoder is a convolution, a max-pooling and a ReLU. The decoder
    takes the levels from the top: a convolution to the level's own maps, ReLU and
    nearest up-sampling; one more convolution and a sigmoid give the picture.

    Args:
        arch: What the encoder is.
        picture: (H, W, C) of the pictures it is trained on. Without dense layers other
            sizes can be passed as well.
        seed: Of the weights: Glorot-uniform, biases zero.
    """

    def __init__(self, arch: Architecture, picture: Shape, seed: int = 0) -> None:
        super().__init__()
        self.arch = arch
        self.picture = picture
        arch.check(picture)
        self.encoder = nn.ModuleList(_encoder(arch, picture))
        self.decoder = nn.ModuleList(_decoder(arch, picture))
        initialise(self, torch.Generator().manual_seed(seed))

    def encode(self, pictures: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            pictures: N×H×W×C float32 in [0, 1].

        Returns:
            N×h×w×maps, or N×units with dense layers; float32, the convolutional ones
            not below 0.
        """
        if self._fused_for(pictures, "encode"):
            runner = self._fused(tuple(pictures.shape[1:]), "bce")
            return runner.encode(_padded(pictures, self.arch), self._weights)
        maps = pad(pictures.permute(0, 3, 1, 2), self.arch)
        for layer in self.encoder:
            maps = _apply(layer, maps)
        return maps.permute(0, 2, 3, 1) if maps.ndim == 4 else maps

    def decode(self, codes: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Decode codes.

        Args:
            codes: As `encode` gives them.
            size: (H, W) of the pictures; without it, the training pictures' size.

        Returns:
            N×H×W×C float32 in [0, 1].
        """
        shape = (*(size or self.picture[:2]), self.picture[2])
        if self._fused_for(codes, "decode"):
            runner = self._fused(shape, "bce")
            return runner.decode(codes.contiguous(), self._weights)
        return self.logits(codes, shape).sigmoid()

    def forward(self, pictures: Tensor) -> Tensor:
        """Reconstruct pictures: N×H×W×C float32 in [0, 1], in and out."""
        height, width = pictures.shape[1:3]
        return self.decode(self.encode(pictures), (height, width))

    def logits(self, codes: Tensor, shape: Shape) -> Tensor:
        """Decode codes up to, but without, the sigmoid: N×H×W×C float32."""
        height, width, _ = shape
        maps = codes.permute(0, 3, 1, 2) if codes.ndim == 4 else codes
        for layer in self.decoder:
            if maps.ndim == 2 and isinstance(layer, Convolution):
                maps = self._unflatten(maps)
            maps = _apply(layer, maps)
        if maps.ndim == 2:
            maps = self._unflatten(maps)
        return crop(maps, height, width, self.arch).permute(0, 2, 3, 1)

    def compare(self, inputs: Tensor, targets: Tensor, loss: str) -> Tensor:
        """Reconstruct ``inputs`` and compare with ``targets``.

        Args:
            inputs: N×H×W×C float32 in [0, 1].
            targets: The same shape and range.
            loss: "bce" (binary cross-entropy) or "mse" (mean squared error).

        Returns:
            (3,): the loss, the one figure with a gradient; the mean squared error; the
            accuracy as Keras counts it.
        """
        if self._fused_for(inputs, "train"):
            runner = self._fused(tuple(inputs.shape[1:]), loss)
            padded = _padded(inputs, self.arch)
            if torch.is_grad_enabled():
                figures: Tensor = _FusedComparison.apply(  # type: ignore[no-untyped-call]
                    runner, padded, targets.contiguous(), *self._weights
                )
                return figures
            return runner.evaluate(padded, targets.contiguous(), self._weights)
        shape = tuple(inputs.shape[1:])
        logits = self.logits(self.encode(inputs), shape)
        return _figures(logits, targets, loss)

    @property
    def path(self) -> str:
        """How training runs here: "fused" (compiled, in cache) or "torch"."""
        return "fused" if self._fused_for(torch.empty(0), "train") else "torch"

    def _unflatten(self, features: Tensor) -> Tensor:
        *_, channels = (self.picture[2], *(level.maps for level in self.arch.levels))
        height, width = self.arch.padded(*self.picture[:2])
        stride = self.arch.stride
        shape = (height // stride, width // stride, channels)
        return features.reshape(-1, *shape).permute(0, 3, 1, 2)

    @cached_property
    def _weights(self) -> list[nn.Parameter]:
        return list(self.parameters())

    def _fused_for(self, tensor: Tensor, use: str) -> bool:
        tracked = use != "train" and torch.is_grad_enabled()
        return (
            tensor.device.type == "cpu"
            and tensor.dtype == torch.float32
            and self._weights[0].dtype == torch.float32
            and self._weights[0].device.type == "cpu"
            and not torch.is_autocast_enabled("cpu")
            and not tracked
            and self._fusable
        )

    @cached_property
    def _fusable(self) -> bool:
        return fused.fits(self.arch, self.picture) and fused.available()

    def _fused(self, shape: Shape, loss: str) -> fused.FusedAutoencoder:
        key = (shape, loss, fused.threads())
        if self._runners.get("key") != key:
            # One size at a time: a folder of many sizes must not pile memory up.
            runner = fused.FusedAutoencoder(self.arch, *key)
            self._runners.update(key=key, runner=runner)
        return self._runners["runner"]  # type: ignore[no-any-return]

    @cached_property
    def _runners(self) -> dict[str, Any]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process: threads, addresses, buffers."""
        mine = ("_runners", "_weights", "_fusable")
        return {key: value for key, value in vars(self).items() if key not in mine}


class _FusedComparison(torch.autograd.Function):
    """`compare` whose gradient is computed together with its value."""

    @staticmethod
    def forward(
        ctx: Any,
        runner: fused.FusedAutoencoder,
        inputs: Tensor,
        targets: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        figures, ctx.gradient = runner.step(inputs, targets, parameters)
        ctx.shapes = [parameter.shape for parameter in parameters]
        return figures

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        flat = ctx.gradient * outer[0][0].to(ctx.gradient.dtype)
        sizes = [shape.numel() for shape in ctx.shapes]
        parts = zip(flat.split(sizes), ctx.shapes, strict=True)
        return None, None, None, *(part.view(shape) for part, shape in parts)


def _figures(logits: Tensor, targets: Tensor, loss: str) -> Tensor:
    pictures = logits.sigmoid()
    square = F.mse_loss(pictures, targets)
    value = (
        square if loss == "mse" else F.binary_cross_entropy_with_logits(logits, targets)
    )
    with torch.no_grad():
        if targets.shape[-1] == 1:
            right = (pictures > 0.5).to(targets.dtype) == targets
        else:
            right = pictures.argmax(-1) == targets.argmax(-1)
        accuracy = right.to(value.dtype).mean()
    return torch.stack([value, square.detach(), accuracy])


def _padded(pictures: Tensor, arch: Architecture) -> Tensor:
    return pad(pictures.permute(0, 3, 1, 2), arch).permute(0, 2, 3, 1).contiguous()


def _apply(layer: nn.Module, maps: Tensor) -> Tensor:
    if isinstance(layer, Dense) and maps.ndim == 4:
        maps = maps.permute(0, 2, 3, 1).flatten(1)
    return layer(maps)  # type: ignore[no-any-return]


def _encoder(arch: Architecture, picture: Shape) -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = picture[2]
    for level in arch.levels:
        layers.append(Convolution(channels, level.maps, level.kernel, pool=level.pool))
        channels = level.maps
    return layers + _dense(arch, picture, "encoder")


def _decoder(arch: Architecture, picture: Shape) -> list[nn.Module]:
    layers = _dense(arch, picture, "decoder")
    if not arch.levels:
        return layers
    channels, up = arch.levels[-1].maps, 1
    for level in reversed(arch.levels):
        layers.append(Convolution(channels, level.maps, level.kernel, up=up))
        channels, up = level.maps, level.pool
    kernel = arch.levels[0].kernel
    layers.append(Convolution(channels, picture[2], kernel, up=up, relu=False))
    return layers


def _dense(arch: Architecture, picture: Shape, part: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    inputs = 0
    for stage in arch.stages(picture):
        if stage.part == part and stage.action == "connect":
            relu = stage.activation == "relu"
            layers.append(Dense(inputs, stage.output[0], relu=relu))
        inputs = stage.output[0] if len(stage.output) == 1 else 0
    return layers
