"""The scripts of the benchmarks start, and the page of results says what was run."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from caes.runs.ledger import Ledger, commit
from caes.tasks.studies import filters, masci2011, sealed
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


HELPFUL = "greedy train_keras_example encode speeds train_paper_cnn reproduction prepared census hostile mutants"


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
    sealed = "masci2011-mnist-sealed"
    for place in (sealed, *tables, "successors-codes", "filters"):
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
    assert page.count("*Not run yet.*") == 6


def test_sealed_runs_come_with_what_was_chosen(
    reproduction: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = replace(masci2011.SEALED_QUICK, name=masci2011.SEALED.name)
    monkeypatch.setattr(masci2011, "SEALED", table)
    folder = reproduction.RUNS / table.name
    choices, runs = sealed.choice_ledger(folder), sealed.run_ledger(folder)
    for key in table.choices(100):
        figures = {"error": 5, "log_loss": 1 / key["epochs"], "seconds": 1}
        choices.add(key, figures)
    assert "| 100 | stack | 0.0003 | 20 | 5.00 | 0.05 | chosen |" in reproduction.page()
    for key in table.runs(100):
        each = {"sealed_error": 4, "sealed_pictures": 500, "error": 6}
        runs.add(key, each | {"test_pictures": 1_000, "seconds": 1})
    page = reproduction.page()
    assert "On 500 sealed pictures:\n\n| labels | from the stack |" in page
    assert "[6 runs](../benchmarks/results/reproduction/masci2011-mnist-sealed" in page


def test_the_kept_page_is_what_the_kept_runs_say(scripts: None) -> None:
    assert import_module("reproduction").main(check=True) == 0


def test_each_start_is_measured_by_its_own_best_choice() -> None:
    folder = BENCHMARKS / "results" / "reproduction" / masci2011.SEALED.name
    choices = sealed.choice_ledger(folder)
    for labels, chosen in masci2011.SEALED.chosen.items():
        assert sealed.best(masci2011.SEALED, choices, labels) == chosen


def test_readme_has_the_range_of_the_kept_speeds(scripts: None) -> None:
    assert import_module("speeds").main(check=True) == 0


def test_a_race_is_kept_whole_and_told_by_its_range(
    scripts: None, tmp_path: Path
) -> None:
    speeds, module = import_module("speeds"), import_module("sheet")
    ledger = Ledger(tmp_path / "speeds.csv", speeds.KEYS, speeds.FIGURES)
    assert speeds.table(ledger) == ["*Not measured yet against all contenders.*"]
    sheet, work = module.Sheet("t"), speeds.TRAINING
    sheet.gemm = [100.0, 110.0, 90.0]
    race = {"caes": [1e4, 1.2e4, 8e3], "Keras + TensorFlow": [2e3] * 3, "o": [4e3] * 3}
    race["caes, CAES_FUSED=0"] = [9e3] * 3  # no rival
    speeds.keep(work, race, "caes", sheet, "digits", tmp_path)
    ledger = Ledger(ledger.path, speeds.KEYS, speeds.FIGURES)
    first = [*ledger]
    assert [row["contender"] for row in first] == [*race]
    assert {row["kind"] for row in first} == {module.kind()}
    # 4.0 Mflop a picture: 10,000 pictures/s of 100 Gflop/s are 40 %.
    about, last = f"{work} | {module.kind()}", f"{first[0]['date'][:10]}, {commit()}"
    assert speeds.table(ledger)[2] == f"| {about} | 5.0× | 2.5× | 40 % | 1 | {last} |"
    later = ("2100-01-01", 0.1), ("2100-01-02", 0.3)  # the second counts for nothing
    for run, scatter in later:
        for row in first:
            faster = f"{2 * float(row['ratio'])}"
            ledger.add({**row, "run": run, "ratio": faster, "scatter": scatter}, {})
    *_, told, _, contenders = speeds.table(ledger)
    last = f"2100-01-01, {commit()}"
    assert told == f"| {about} | 5.0× to 10.0× | 2.5× to 5.0× | 40 % | 2 | {last} |"
    assert contenders == "Contenders: 2."


def test_operations_are_those_of_the_network(scripts: None) -> None:
    speeds, plain = import_module("speeds"), import_module("plain_torch")
    counted: list[int] = []

    def count(layer: Any, inputs: Any, maps: Any) -> None:
        counted.append(layer.weight[0].numel() * maps.numel())

    def operations(network: Any) -> list[int]:
        counted.clear()
        for layer in network.modules():
            if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
                layer.register_forward_hook(count)
        network(torch.zeros(1, 1, 28, 28))
        return [2 * each for each in counted]

    example = operations(plain.PlainAutoencoder())
    assert speeds.FLOPS[speeds.ENCODING] == sum(example[:2])
    assert speeds.FLOPS[speeds.TRAINING] == 3 * sum(example) - example[0]
    paper = operations(plain.plain_cnn())
    assert speeds.FLOPS[speeds.PAPER] == 3 * sum(paper) - paper[0]


@pytest.mark.parametrize(("slowest", "held"), [(80.0, 0), (70.0, 1)])
def test_no_speed_is_judged_where_the_machine_is_not_steady(
    scripts: None, capsys: pytest.CaptureFixture[str], slowest: float, held: int
) -> None:
    sheet = import_module("sheet").Sheet("t")
    sheet.gemm = [100.0, 100.0, slowest]
    sheet.at_least("faster", 3.0, must=2)
    assert sheet.missed == bool(held)
    told = capsys.readouterr().out.splitlines()[-1]
    assert ("**not judged**: the GEMM's speed scattered by 30 %" in told) == bool(held)


def test_contenders_race_in_turns_beside_a_fixed_product(
    scripts: None, capsys: pytest.CaptureFixture[str]
) -> None:
    race, workers = import_module("interleaved"), import_module("workers")
    sheet = import_module("sheet").Sheet("t")
    few = [workers.Entry("caes", "caes", 8), *workers.torches(8)[:1]]
    for work in ("train", "encode"):
        speeds = race.race(few, work, "digits", sheet, rounds=2, seconds=0.01)
        race.tabulate(speeds, "caes", sheet)
        assert [len(each) for each in speeds.values()] == [2, 2]
    assert len(sheet.gemm) == 4
    assert "GEMM, Gflop/s" in capsys.readouterr().out


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
