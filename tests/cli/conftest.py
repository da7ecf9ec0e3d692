"""The command line, run where it may write."""

from collections.abc import Callable
from pathlib import Path

import pytest

from caes.cli import main

Run = Callable[..., str]


@pytest.fixture
def refused(in_empty_folder: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command line, which has to refuse; give its last line."""

    def run(*words: str) -> str:
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code  # type: ignore[assignment]
        assert code == 2
        said = capfd.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err
        return said.err.splitlines()[-1]

    return run
