"""Keeps a child that tries cases, and starts another where one has ended or hangs."""

import os
import pickle
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, Self

from tests.hostile.cases import SECONDS, Case, Outcome

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds in which a child must have imported everything."""
_PROGRAM = ("-X", "faulthandler", "-m", "tests.hostile.child")


class Parent:
    """A child process and its folder, for the ``with`` block's time."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="caes-hostile-")
        self._child: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._end()
        self._folder.cleanup()

    def tried(self, case: Case) -> Outcome:
        """Have a case tried; what ends the child is a failure of the case."""
        child = self._running()
        assert child.stdin is not None
        try:
            pickle.dump(case, child.stdin)
            child.stdin.flush()
            found = self._answer(2 * SECONDS)
        except (EOFError, OSError, pickle.UnpicklingError):
            found = None
        if isinstance(found, Outcome):
            return found
        child.kill()
        code = child.wait()
        said = f"the process ended with {code}:\n{self._said()[-3500:]}"
        self._end()
        return Outcome("failed", said, SECONDS, 0)

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._child is None:
            paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
            folder = Path(self._folder.name)
            self._log = (folder / "log").open("wb")
            self._child = subprocess.Popen(
                [sys.executable, *_PROGRAM, str(folder)],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
            )
            try:
                self._answer(PATIENCE)
            except EOFError as error:
                raise RuntimeError(self._said()) from error
        return self._child

    def _answer(self, seconds: float) -> Any:
        assert self._child is not None
        assert self._child.stdout is not None
        ready, _, _ = select.select([self._child.stdout], [], [], seconds)
        return pickle.load(self._child.stdout) if ready else None

    def _said(self) -> str:
        return (Path(self._folder.name) / "log").read_text(errors="replace")

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout, self._log):
                assert pipe is not None
                pipe.close()
        self._child = self._log = None
