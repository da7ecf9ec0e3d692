"""The fused path: a whole auto-encoder in one compiled loop that stays in cache.

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
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from caes.errors import OutputError
from caes.files import cache_folder, write_atomically
from caes.nn.architecture import Architecture, Shape

SOURCE = Path(__file__).with_name("fused.c")
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")
BLOCK = 8
"""Pictures whose gradients are summed together: fixed, so that the result is the same
to the bit for every number of threads."""
MOST_WEIGHTS = 100_000
"""Weights of one convolution from which on PyTorch is as fast."""
MOST_TAPS = 64
"""The C file's limit for kernel side and up-sampling factor together."""


def _integers(names: str) -> list[tuple[str, Any]]:
    return [(name, ctypes.c_int32) for name in names.split()]


class _Stage(ctypes.Structure):
    _fields_ = _integers("height width inputs outputs kernel up pool relu")


class _Network(ctypes.Structure):
    _fields_ = [
        *_integers("stages height width top left squared"),
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
        self.arch = arch
        self.picture = picture
        self.parameters = parameters
        self._stages = _stages(arch, picture)
        self._levels = len(arch.levels)
        top, left = arch.margins(*picture[:2])
        self._network = _Network(
            len(self._stages), *picture[:2], top, left, loss == "mse", self._stages
        )
        floats = library.caes_memory(ctypes.byref(self._network))
        self._memory = [torch.zeros(floats) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None
        self._lock = Lock()

    def step(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Run a batch forward and backward.

        Gives loss, squared error and accuracy as Keras counts it, means over pixels,
        (3,) float64; the loss's gradient, flat float32 in the parameters' order.
        """
        count = sum(p.numel() for p in self.parameters)
        gradients = torch.empty(-(-len(inputs) // BLOCK), count)
        figures = self._run(self._padded(inputs), targets=targets, gradients=gradients)
        return figures, gradients.sum(0)

    def evaluate(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Give the three figures of `step`, without gradients."""
        return self._run(self._padded(inputs), targets=targets)

    def encode(self, inputs: Tensor) -> Tensor:
        """Give codes, N×h×w×maps float32, of pictures N×H×W×C."""
        last = self._stages[self._levels]
        codes = torch.empty(len(inputs), last.height, last.width, last.inputs)
        self._run(self._padded(inputs), last=self._levels, out=codes)
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """Give pictures, N×H×W×C float32 in [0, 1], from codes N×h×w×maps."""
        pictures = torch.empty(len(codes), *self.picture)
        self._run(codes, first=self._levels, out=pictures)
        return pictures

    def _run(
        self,
        inputs: Tensor,
        *,
        first: int = 0,
        last: int | None = None,
        targets: Tensor | None = None,
        out: Tensor | None = None,
        gradients: Tensor | None = None,
    ) -> Tensor:
        inputs = inputs.contiguous()
        targets = None if targets is None else targets.contiguous()
        weights = [parameter.contiguous() for parameter in self.parameters]
        addresses = (ctypes.c_void_p * len(weights))(*map(_address, weights))
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
                *map(_address, (inputs, targets, out, gradients)),
                0 if gradients is None else gradients.shape[1],
                1.0 / pixels,
                _address(sums),
                ctypes.byref(following),
            )

        with self._lock:
            others = [
                self._pool.submit(run, memory)
                for memory in self._memory[1:blocks]
                if self._pool
            ]
            run(self._memory[0])
            wait(others)
        return sums.sum(0) / pixels

    def _padded(self, pictures: Tensor) -> Tensor:
        around = self.arch.frame(*pictures.shape[1:3])
        if not any(around):
            return pictures  # padding by nothing would copy it
        maps = pictures.permute(0, 3, 1, 2)
        return F.pad(maps, around, mode="replicate").permute(0, 2, 3, 1)


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


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


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
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if os.environ.get("CAES_FUSED") == "0" or compiler is None:
        return None
    try:
        library = _loaded(compiler)
    except (OSError, subprocess.SubprocessError):
        return None
    library.caes_memory.restype = ctypes.c_size_t
    library.caes_run.restype = None
    p, i = ctypes.c_void_p, ctypes.c_int
    library.caes_run.argtypes = [*[p] * 3, *[i] * 4, *[p] * 4, i, ctypes.c_float, p, p]
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
