"""The auto-encoder: pictures to codes and back, and how far off it is.

Pictures and maps are N×H×W×C here as everywhere in caes.
"""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caes import fused, threads
from caes.layers import Convolution, Dense, crop, initialise, pad
from caes.notation import Architecture, Shape

Kept = TypeVar("Kept")


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
        if self._runs_fused(pictures) and not torch.is_grad_enabled():
            return self._fused(tuple(pictures.shape[1:]), "bce").encode(pictures)
        return self._encode(pictures)

    def _encode(self, pictures: Tensor) -> Tensor:
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
        if self._runs_fused(codes) and not torch.is_grad_enabled():
            return self._fused(shape, "bce").decode(codes)
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
        runner = self._runner(inputs, loss)
        if runner is None:
            return self._figures(inputs, targets, loss)
        if not torch.is_grad_enabled():
            return runner.evaluate(inputs, targets)
        figures: Tensor = _Comparison.apply(  # type: ignore[no-untyped-call]
            runner, inputs, targets, *self._weights
        )
        return figures

    @property
    def path(self) -> str:
        """How training runs here: "fused" (compiled, in cache) or "torch"."""
        return "fused" if self._runs_fused(self._weights[0]) else "torch"

    def _figures(self, inputs: Tensor, targets: Tensor, loss: str) -> Tensor:
        """Give the figures of `compare` by PyTorch's operators."""
        logits = self.logits(self._encode(inputs), tuple(inputs.shape[1:]))
        pictures = logits.sigmoid()
        square = F.mse_loss(pictures, targets)
        value = (
            square
            if loss == "mse"
            else F.binary_cross_entropy_with_logits(logits, targets)
        )
        with torch.no_grad():
            accuracy = _accuracy(pictures, targets)
        return torch.stack([value, square.detach(), accuracy])

    def _unflatten(self, features: Tensor) -> Tensor:
        *_, channels = (self.picture[2], *(level.maps for level in self.arch.levels))
        height, width = self.arch.padded(*self.picture[:2])
        stride = self.arch.stride
        shape = (height // stride, width // stride, channels)
        return features.reshape(-1, *shape).permute(0, 3, 1, 2)

    def _runner(self, inputs: Tensor, loss: str) -> "_Runner | None":
        """Give what compares batches fastest here; None for PyTorch's operators."""
        if self._runs_fused(inputs):
            return self._fused(tuple(inputs.shape[1:]), loss)
        if threads.are_reserved() and self._is_plain(inputs):
            compare = partial(self._figures, loss=loss)
            return self._kept(
                ("shares", loss), lambda: threads.Shares(compare, self._weights)
            )
        return None

    def _fused(self, shape: Shape, loss: str) -> fused.FusedAutoencoder:
        about = (shape, loss, threads.count())
        return self._kept(
            about, lambda: fused.FusedAutoencoder(self.arch, *about, self._weights)
        )

    def _kept(self, key: object, make: Callable[[], Kept]) -> Kept:
        # One at a time: a folder of many sizes must not pile memory up.
        if self._cache.get("key") != key:
            self._cache.update(key=key, runner=make())
        return self._cache["runner"]  # type: ignore[no-any-return]

    def _runs_fused(self, tensor: Tensor) -> bool:
        return self._is_plain(tensor) and self._fusable

    def _is_plain(self, tensor: Tensor) -> bool:
        """Tell 32-bit arithmetic on the CPU."""
        return not torch.is_autocast_enabled("cpu") and all(
            part.device.type == "cpu" and part.dtype == torch.float32
            for part in (tensor, self._weights[0])
        )

    @cached_property
    def _weights(self) -> list[nn.Parameter]:
        return list(self.parameters())

    @cached_property
    def _fusable(self) -> bool:
        return fused.fits(self.arch, self.picture) and fused.available()

    @cached_property
    def _cache(self) -> dict[str, Any]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process: threads, addresses, buffers."""
        mine = ("_cache", "_weights", "_fusable")
        return {key: value for key, value in vars(self).items() if key not in mine}


class _Runner(Protocol):
    """What computes figures and gradients together."""

    def step(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]: ...

    def evaluate(self, inputs: Tensor, targets: Tensor) -> Tensor: ...


class _Comparison(torch.autograd.Function):
    """`Autoencoder.compare` whose gradient is computed together with its value."""

    @staticmethod
    def forward(
        ctx: Any, runner: _Runner, inputs: Tensor, targets: Tensor, *parameters: Tensor
    ) -> Tensor:
        figures, ctx.gradient = runner.step(inputs, targets)
        ctx.shapes = [parameter.shape for parameter in parameters]
        return figures

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        flat = ctx.gradient * outer[0][0].to(ctx.gradient.dtype)
        sizes = [shape.numel() for shape in ctx.shapes]
        parts = zip(flat.split(sizes), ctx.shapes, strict=True)
        return None, None, None, *(part.view(shape) for part, shape in parts)


def _accuracy(pictures: Tensor, targets: Tensor) -> Tensor:
    """Count as Keras does: rounded pixels, or, with colours, the largest channel."""
    if targets.shape[-1] == 1:
        right = (pictures > 0.5).to(targets.dtype) == targets
    else:
        right = pictures.argmax(-1) == targets.argmax(-1)
    return right.to(pictures.dtype).mean()


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
