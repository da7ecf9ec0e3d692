"""The fused path: a whole auto-encoder in one compiled loop that stays in cache.

A batch of a small network takes few milliseconds, and each small operation in Python
some hundredths of one: what stands around the loop, sums, gradients and Adam's step, is
compiled too.

`fused.c` is compiled on first use with the C compiler of the machine, if there is one,
and kept in the cache folder. Where there is none, where ``CAES_FUSED=0`` says so, or
where a network is not of the form it knows, PyTorch's operators do the same work.
"""

import ctypes
import hashlib
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from caes.errors import OutputError
from caes.files import cache_folder, write_atomically
from caes.nn.architecture import Architecture, Shape

SOURCE = Path(__file__).with_name("fused.c")
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC")
BLOCK = 8
"""Pictures whose gradients are summed together: fixed, so that the result is the same
to the bit for every number of threads."""
MOST_WEIGHTS = 100_000
"""Weights of one convolution from which on PyTorch is as fast."""
MOST_TAPS = 64
"""The C file's limit for kernel side and up-sampling factor together."""

Values = Tensor | NDArray[Any]


def _integers(names: str) -> list[tuple[str, Any]]:
    return [(name, ctypes.c_int32) for name in names.split()]


class _Stage(ctypes.Structure):
    _fields_ = _integers("height width inputs outputs kernel up pool relu")

    @property
    def maps(self) -> Shape:
        """Height, width and channels of what comes in."""
        return self.height, self.width, self.inputs


class _Network(ctypes.Structure):
    _fields_ = [
        *_integers("stages levels height width top left squared"),
        ("stage", ctypes.POINTER(_Stage)),
    ]


class FusedAutoencoder:
    """One mirrored auto-encoder for pictures of one size, ready to run.

    Its parameters are weights and biases, stage by stage, float32 on the CPU; the
    result does not depend on the threads that share a batch.
    """

    def __init__(
        self,
        arch: Architecture,
        picture: Shape,
        loss: str,
        threads: int,
        parameters: Sequence[Tensor],
    ) -> None:
        library = _library()
        if library is None or not fits(arch, picture):
            raise RuntimeError("the fused path is not available for this network")
        self._library = library
        self.picture = picture
        self.parameters = parameters
        sizes = [each.numel() for each in parameters]
        self._gradient = torch.empty(sum(sizes))
        parts = zip(torch.split(self._gradient, sizes), parameters, strict=True)
        self._parts = [part.view(each.shape) for part, each in parts]
        self._around = arch.frame(*picture[:2])
        self._stages = _stages(arch, picture)
        self._levels = len(arch.levels)
        top, left = arch.margins(*picture[:2])
        about = len(self._stages), self._levels, *picture[:2], top, left
        self._network = _Network(*about, loss == "mse", self._stages)
        floats = library.caes_memory(ctypes.byref(self._network))
        self._memory = [torch.zeros(floats) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None
        self._lock = Lock()

    def step(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Run a batch forward and backward.

        Gives loss, squared error and accuracy as Keras counts it, means over pixels,
        (3,) float64; the loss's gradient by each parameter, in memory that the next
        step takes again.
        """
        gradients = torch.empty(-(-len(inputs) // BLOCK), len(self._gradient))
        figures = self._run(self._padded(inputs), targets=targets, gradients=gradients)
        return figures, self._parts

    def evaluate(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Give the three figures of `step`, without gradients."""
        return self._run(self._padded(inputs), targets=targets)

    def encode(self, inputs: Tensor) -> Tensor:
        """Give codes, N×h×w×maps float32, of pictures N×H×W×C."""
        last = self._stages[self._levels]
        codes = torch.empty(len(inputs), *last.maps)
        self._run(self._padded(inputs), last=self._levels, out=codes)
        return codes

    def encode_bytes(
        self, pictures: NDArray[np.uint8], unit: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Do the same of pictures as they are stored; ``unit`` says what a byte means.

        They must not be padded. Nothing else than codes is written: hardly anything is
        left to do beside the loop.
        """
        last = self._stages[self._levels]
        codes = np.empty((len(pictures), *last.maps), np.float32)
        stored = np.ascontiguousarray(pictures)
        self._run(stored, unit=unit, last=self._levels, out=codes)
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """Give pictures, N×H×W×C float32 in [0, 1], from codes N×h×w×maps."""
        pictures = torch.empty(len(codes), *self.picture)
        self._run(codes, first=self._levels, out=pictures)
        return pictures

    def _run(
        self,
        inputs: Values,
        *,
        unit: Values | None = None,
        first: int = 0,
        last: int | None = None,
        targets: Tensor | None = None,
        out: Values | None = None,
        gradients: Tensor | None = None,
    ) -> Tensor:
        inputs = inputs.contiguous() if isinstance(inputs, Tensor) else inputs
        targets = None if targets is None else targets.contiguous()
        weights = [parameter.contiguous() for parameter in self.parameters]
        addresses = _addresses(weights)
        n = len(inputs)
        blocks = -(-n // BLOCK)
        sums = torch.zeros(blocks, 3, dtype=torch.float64)
        pixels = n * math.prod(self.picture)
        following = ctypes.c_int(0)

        def run(memory: Tensor) -> None:
            self._library.caes_run(
                ctypes.byref(self._network),
                addresses,
                _address(memory),
                first,
                len(self._stages) if last is None else last,
                n,
                BLOCK,
                *map(_address, (inputs, unit, targets, out, gradients)),
                0 if gradients is None else gradients.shape[1],
                1.0 / pixels,
                _address(sums),
                ctypes.byref(following),
            )

        figures = torch.empty(3, dtype=torch.float64)
        with self._lock:
            others = [
                self._pool.submit(run, memory)
                for memory in self._memory[1:blocks]
                if self._pool
            ]
            run(self._memory[0])
            for other in others:
                other.result()
            found = map(_address, (sums, gradients, figures, self._gradient))
            self._library.caes_total(blocks, len(self._gradient), pixels, *found)
        return figures

    def _padded(self, pictures: Tensor) -> Tensor:
        if not any(self._around):
            return pictures  # padding by nothing would copy it
        maps = pictures.permute(0, 3, 1, 2)
        return F.pad(maps, self._around, mode="replicate").permute(0, 2, 3, 1)


class Adam:
    """Adam's step on all weights in one call; `caes.train.descent` tells the formula.

    Args:
        weights: Float32, contiguous, on the CPU, each with the share that it loses in a
            step, times the learning rate.
        betas: What the running means of gradients and of their squares keep.
        epsilon: What is added to the root of the mean square.
    """

    def __init__(
        self,
        weights: Sequence[tuple[Tensor, float]],
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        library = _library()
        if library is None:
            raise RuntimeError("there is no compiler here")
        self._library = library
        self.weights = [each for each, _ in weights]
        self.decays = [decay for _, decay in weights]
        self.betas, self.epsilon = betas, epsilon
        self.steps = 0
        n = len(weights)
        self._sizes = (ctypes.c_int64 * n)(*(each.numel() for each in self.weights))
        self._means = [torch.zeros_like(each) for each in self.weights]
        self._squares = [torch.zeros_like(each) for each in self.weights]
        kept = self.weights, self._means, self._squares
        self._tensors = [_addresses(tensors) for tensors in kept]
        self._floats = ctypes.c_float * n

    def __call__(self, rate: float) -> None:
        """Take a step at a learning rate, and forget the gradient."""
        self.steps += 1
        slopes = [
            None if (slope := each.grad) is None else slope.contiguous()
            for each in self.weights
        ]
        first, second = (1 - beta**self.steps for beta in self.betas)
        self._library.caes_adam(
            len(slopes),
            self._sizes,
            *self._tensors,
            _addresses(slopes),
            self._floats(*(1 - rate * decay for decay in self.decays)),
            rate * math.sqrt(second) / first,
            self.epsilon,
            *(1 - beta for beta in self.betas),
        )
        for each in self.weights:
            each.grad = None


def available() -> bool:
    """Tell whether the compiled loop can be used on this machine."""
    return _library() is not None


def fits(arch: Architecture, picture: Shape) -> bool:
    """Tell whether the compiled loop knows, and is faster for, this form of network.

    Wide levels, with many weights, are limited by arithmetic: PyTorch's matrix
    products are as fast there.
    """
    stages = arch.stages(picture)
    return (
        bool(arch.levels)
        and not arch.dense
        and not arch.normalised
        and (arch.decoder, arch.padding) == ("mirror", "same")
        and (arch.activation, arch.output) == ("relu", "sigmoid")
        and max(stage.parameters for stage in stages) <= MOST_WEIGHTS
        and max(stage.kernel + stage.up for stage in stages) <= MOST_TAPS
    )


def _address(values: Values | None) -> int | None:
    if isinstance(values, Tensor):
        return values.data_ptr()
    return None if values is None else values.ctypes.data


def _addresses(tensors: Sequence[Tensor | None]) -> "ctypes.Array[ctypes.c_void_p]":
    return (ctypes.c_void_p * len(tensors))(*map(_address, tensors))


def _stages(arch: Architecture, picture: Shape) -> "ctypes.Array[_Stage]":
    stages = [
        _Stage(
            *(*stage.input, stage.output[2], stage.kernel, stage.up, stage.pool),
            stage.activation == "relu",
        )
        for stage in arch.stages(picture)
    ]
    return (_Stage * len(stages))(*stages)


@cache
def _library() -> ctypes.CDLL | None:
    """Give the compiled loop; None without a compiler, or where it is not wanted."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if os.environ.get("CAES_FUSED") == "0" or compiler is None:
        return None
    try:
        library = _loaded(compiler)
    except (OSError, subprocess.SubprocessError):
        return None
    library.caes_memory.restype = ctypes.c_size_t
    p, i, f = ctypes.c_void_p, ctypes.c_int, ctypes.c_float
    library.caes_run.argtypes = [*[p] * 3, *[i] * 4, *[p] * 5, i, f, p, p]
    library.caes_total.argtypes = [i, i, ctypes.c_double, *[p] * 4]
    library.caes_adam.argtypes = [i, *[p] * 6, *[f] * 4]
    for function in (library.caes_run, library.caes_total, library.caes_adam):
        function.restype = None
    return library


def _loaded(compiler: str) -> ctypes.CDLL:
    """Load the loop compiled for exactly this source, compiler and processor."""
    macros = subprocess.run(
        [compiler, "-march=native", "-dM", "-E", "-x", "c", os.devnull],
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    key = hashlib.sha256(SOURCE.read_bytes() + macros + " ".join(FLAGS).encode())
    path = cache_folder() / "fused" / f"{key.hexdigest()[:16]}.so"
    if path.exists():
        return ctypes.CDLL(str(path))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / path.name
        subprocess.run(
            [compiler, *FLAGS, "-o", str(made), str(SOURCE)],
            capture_output=True,
            check=True,
            timeout=120,
        )
        # A cache that cannot be written costs a second at each start, no more.
        with suppress(OutputError), write_atomically(path) as file:
            file.write(made.read_bytes())
        return ctypes.CDLL(str(made))
