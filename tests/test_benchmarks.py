"""The scripts of the benchmarks start, and the page of results says what was run."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from caes.runs.ledger import Ledger, commit
from caes.tasks.studies import filters, masci2011
from caes.tasks.studies.study import FIGURES, KEYS

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Import the scripts as they import each other."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def reproduction(
    scripts: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """Give the script that writes the page, with no runs kept and no page written."""
    module = import_module("reproduction")
    monkeypatch.setattr(module, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(module, "PAGE", tmp_path / "page.md")
    return module


def python(*words: str) -> str:
    """Run Python beside the scripts; nothing may be said against it."""
    words = (sys.executable, *words)
    run = subprocess.run(words, cwd=BENCHMARKS, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def test_every_script_finds_what_it_imports() -> None:
    names = sorted(path.stem for path in BENCHMARKS.glob("*.py"))
    needed = ", ".join(name for name in names if name != "memory_stages")
    assert python("-c", f"import {needed}") == ""


HELPFUL = "greedy train_paper_cnn reproduction prepared census hostile mutants"


@pytest.mark.parametrize("name", HELPFUL.split())
def test_a_script_starts_and_has_help(name: str) -> None:
    assert python(f"{name}.py", "--help").startswith(f"usage: {name}.py ")


def test_every_module_to_be_changed_and_every_test_of_it_is_there(
    scripts: None,
) -> None:
    for name, tests in import_module("mutants").MODULES.items():
        for path in (f"src/caes/{name}", *(f"tests/{test}" for test in tests)):
            assert (BENCHMARKS.parent / path).exists(), path


def test_a_sheet_names_the_commit_as_every_ledger_does(
    scripts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = import_module("sheet")
    assert sheet.machine()["commit"] == (commit() or "unknown")
    monkeypatch.setattr("caes.runs.ledger.commit", lambda: "")
    assert sheet.machine()["commit"] == "unknown"


def test_without_runs_the_page_says_so(reproduction: ModuleType) -> None:
    page = reproduction.page()
    template = (BENCHMARKS / "reproduction.template.md").read_text("utf-8")
    tables = [
        f"{paper}-{data}"
        for paper in ("masci2011", "successors")
        for data in ("mnist", "cifar10")
    ]
    for place in (*tables, "successors-codes", "filters"):
        assert f"{{{place}}}" in template
        template = template.replace(f"{{{place}}}", "*Not run yet.*")
    assert page == template


def test_kept_runs_come_as_tables_with_how_they_were_made(
    reproduction: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caes.runs.ledger.commit", lambda: "abc1234")
    path = reproduction.RUNS / "masci2011-mnist" / "runs.csv"
    ledger = Ledger(path, KEYS, FIGURES)
    for start, error in (("stack", 7), ("random", 8)):
        key = {"table": "masci2011-mnist", "labels": 1_000, "seed": 0, "start": start}
        key["recipe"] = masci2011.MNIST.recipe(1_000)
        figures = {"error": error, "test_pictures": 10_000, "seconds": 1_800}
        row = ledger.add(key, figures)
    page = reproduction.page()
    assert (
        "| 1,000 | 7.00 (6.52 to 7.52) | 8.00 (7.48 to 8.55) | -1.00 |  | 1 "
        "| 7.23 | 7.63 | 7.65 |\n\n"
        "[2 runs](../benchmarks/results/reproduction/masci2011-mnist/runs.csv), errors "
        f"in % on 10,000 test pictures; commit abc1234; torch {row['torch']}; "
        f"{row['machine']} with {row['threads']} thread(s) a run; 1.0 hours in all."
    ) in page
    assert page.count("*Not run yet.*") == 5


def test_kept_filters_come_with_their_figure(reproduction: ModuleType) -> None:
    path = reproduction.RUNS / "filters" / "filters.csv"
    ledger = Ledger(path, filters.KEYS, filters.FIGURES)
    figures = {"pixels": "20.00", "response": "9.00", "loss": "0.01", "seconds": 36}
    for title in ("clean", "max-pooling"):
        ledger.add({"data": "mnist", "autoencoder": title}, figures)
    page = reproduction.page()
    assert "| mnist | clean | 20.00 | 9.00 | 0.01 |\n| mnist | max-pooling |" in page
    shown = "../benchmarks/results/reproduction/filters/filters-mnist.png"
    assert page.count(f"![filters, mnist]({shown})") == 1
    assert "0.0 hours in all." in page


def test_the_page_is_written_and_compared(
    reproduction: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reproduction.main(check=True) == 1
    assert reproduction.main() == 0
    assert capsys.readouterr().out == f"{reproduction.PAGE}\n"
    assert reproduction.main(check=True) == 0
    reproduction.PAGE.write_text("changed by hand")
    assert reproduction.main(check=True) == 1
