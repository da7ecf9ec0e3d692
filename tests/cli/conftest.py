"""The command line, run where it may write."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caes import CAEClassifier, ImageSet
from caes.cli import main
from tests import stripes

Run = Callable[..., str]
Notes = Callable[..., list[str]]

EACH = 8
"""Pictures of each class."""
FAST = ["--recipe", "paper", "--head", "none", "--epochs", "1", "--seed", "0"]
QUICK = [*FAST, "--quiet"]


@pytest.fixture
def refused(in_empty_folder: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command line, which has to refuse; give its last line."""

    def run(*words: str) -> str:
        capfd.readouterr()
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


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make pictures in sub-folders and beside one another, and a stack's run."""
    folder = tmp_path_factory.mktemp("made")
    stripes.write_folder(folder / "photos", EACH)
    stripes.write_folder(folder / "flat", EACH, nested=False)
    words = ["--arch", "2C3-MP2", "--decoder", "tied", "--schedule", "greedy"]
    words += ["--epochs", "1", "--seed", "0", "--quiet", "--out", str(folder / "stack")]
    assert main(["fit", str(folder / "photos"), *words]) == 0
    return folder


@pytest.fixture
def here(made: Path, in_empty_folder: Path) -> Path:
    """Work in a folder with links to the pictures and the stack."""
    for name in ("photos", "flat", "stack"):
        Path(name).symlink_to(made / name)
    return in_empty_folder


@pytest.fixture
def says(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command, which has to work; give what it says on standard output."""

    def run(*words: str) -> str:
        capfd.readouterr()
        assert main(words) == 0
        return capfd.readouterr().out

    return run


@pytest.fixture
def notes(capfd: pytest.CaptureFixture[str]) -> Notes:
    """Run a command, which has to work; give the lines of what it says beside."""

    def run(*words: str) -> list[str]:
        capfd.readouterr()
        assert main(words) == 0
        return capfd.readouterr().err.splitlines()

    return run


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[ImageSet]:
    """Note what classifiers learn from."""
    seen: list[ImageSet] = []
    fit: Callable[..., CAEClassifier] = CAEClassifier.fit

    def noting(self: CAEClassifier, images: ImageSet) -> CAEClassifier:
        seen.append(images)
        return fit(self, images)

    monkeypatch.setattr(CAEClassifier, "fit", noting)
    return seen


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Note what the report is told."""
    from caes.report.pages import classifier

    seen: dict[str, Any] = {}
    write = classifier.write_classification_report

    def noting(folder: Path, **told: Any) -> Path:
        seen.update(told)
        return write(folder, **told)

    monkeypatch.setattr(classifier, "write_classification_report", noting)
    return seen


def about(folder: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(folder, "model.json").read_text())
    return found


def table(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))
