"""Processes that hold one contender each, and work only when asked."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

PROGRAM = Path(__file__).with_name("contenders.py")


@dataclass(frozen=True)
class Entry:
    """A contender as it enters.

    Args:
        name: In the tables.
        system: One of ``contenders.SYSTEMS``.
        batch: Pictures a step.
        environment: Variables set for its process.
    """

    name: str
    system: str
    batch: int
    environment: Mapping[str, str] = field(default_factory=dict)


def caes(batch: int) -> Entry:
    return Entry("caes", "caes", batch)


def keras(backend: str, batch: int, **options: Any) -> Entry:
    """Enter Keras on a backend, with more arguments of its ``compile``."""
    named = "".join(f", {name}={value}" for name, value in options.items())
    variables = {
        "KERAS_BACKEND": backend,
        "KERAS_OPTIONS": json.dumps(options),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    return Entry(f"Keras + {KERAS[backend]}{named}", "keras", batch, variables)


KERAS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
"""Keras's backends and how they are written."""


def kerases(batch: int, system: str = "keras") -> list[Entry]:
    """Enter Keras as it is written, and with what may make it faster."""
    entries = [
        keras("tensorflow", batch),
        keras("tensorflow", batch, steps_per_execution=10),
        keras("tensorflow", batch, jit_compile=True),
        keras("tensorflow", batch, jit_compile=False),
        keras("jax", batch),
        keras("jax", batch, steps_per_execution=10),
    ]
    return [replace(entry, system=system) for entry in entries]


ONE = {"OMP_NUM_THREADS": "1"}


def torches(batch: int, system: str = "torch") -> list[Entry]:
    """Enter PyTorch in both orders of memory, and compiled, on one and all threads."""
    return [
        Entry(
            f"PyTorch, {form}{words}",
            system,
            batch,
            {"TORCH_FORM": form, "TORCHINDUCTOR_FREEZING": "1"} | threads,
        )
        for form in ("NCHW", "channels-last", "compile")
        for words, threads in ((", one thread", ONE), ("", {}))
    ]


def onnxes(batch: int) -> list[Entry]:
    """Enter ONNX Runtime on one thread and on all."""
    one = Entry("ONNX Runtime, one thread", "onnx", batch, {"ONNX_THREADS": "1"})
    return [one, Entry("ONNX Runtime", "onnx", batch)]


class Worker:
    """A running process of an entry; it ends with the ``with`` block, or with ours.

    Args:
        entry: Whom it holds.
        source: The pictures, as `caes.load` takes them.
    """

    def __init__(self, entry: Entry, source: str) -> None:
        self.entry = entry
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), entry.system, source, str(entry.batch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **entry.environment},
            text=True,
        )
        self.ready = self._answer()

    def ask(self, do: str, **details: Any) -> dict[str, Any]:
        """Have a method of the contender called, and wait for what it gives."""
        if self.process.stdin is not None:
            request = json.dumps({"do": do, **details})
            print(request, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise SystemExit(f"{self.entry.name} ended with code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.communicate()
