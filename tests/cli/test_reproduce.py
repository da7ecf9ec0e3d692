"""caes reproduce: tables and figure, or one line of what cannot be."""

from dataclasses import replace
from pathlib import Path

import pytest

from caes import ImageSet, load
from caes.cli import main
from caes.tasks.studies import filters, masci2011
from caes.tasks.studies.study import Table
from tests.cli.conftest import table

pytestmark = pytest.mark.usefixtures("one_thread", "here")


TINY = Table(
    name="tiny",
    data="digits",
    learn="train[:60]",
    test="test[:20]",
    stack={"arch": "2C5-MP4", "decoder": "tied", "loss": "mse", "epochs": 1},
    classifier={"recipe": "paper", "head": "none", "epochs": 1},
    seeds={20: 2},
    published={20: {"paper": 7.0}},
)


def few(data: str, split: str) -> ImageSet:
    return load("digits", "train[:64]")


def test_reproduce_makes_table_and_figure(
    in_empty_folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(masci2011, "QUICK", TINY)
    monkeypatch.setattr(masci2011, "TABLES", {"mnist": replace(TINY, name="large")})
    monkeypatch.setattr(filters, "load", few)
    monkeypatch.setattr(filters, "AUTOENCODERS", {"clean": {"arch": "20C7"}})
    words = ["reproduce", "masci2011", "--out", "made"]
    assert main([*words, "--quick"]) == 0
    said = capfd.readouterr()
    *lines, path = said.out.splitlines()
    assert path == "made/runs.csv"
    assert lines[0].startswith("| labels | from the stack | from random weights |")
    assert lines[2].startswith("| 20 | ")
    assert lines[2].endswith(" | 2 | 7.00 |")
    assert said.err.splitlines()[-1] == "made/filters-digits.png"
    assert main([*words, "--table", "mnist"]) == 0
    assert capfd.readouterr().err.startswith("large: training the stack 2C5-MP4\n")
    assert [row["table"] for row in table("made/runs.csv")] == ["tiny"] * 4 + [
        "large"
    ] * 4
