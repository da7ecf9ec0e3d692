"""A sealed study chooses, waits for the commit, and measures once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import log_loss

from caes import CAE, CAEClassifier, load
from caes.data.labels.draws import only
from caes.data.labels.labelled import labelled_only, labels_of
from caes.errors import ArgumentError
from caes.runs.ledger import Ledger
from caes.tasks.studies import masci2011, sealed
from caes.tasks.studies.sealed import SealedTable, Setting, best, choice_ledger, lines
from caes.train.recipes import StartName
from tests.refusals import refusing
from tests.tasks.conftest import Fits

SHORT, LONG = Setting(1e-3, 1), Setting(3e-3, 2)
TINY = SealedTable(
    name="tiny",
    data="digits",
    learn="train[20:80]",
    watch="train[80:110]",
    sealed="train[:20]",
    test="test[:25]",
    stack={
        "arch": "2C5-MP4",
        "schedule": "greedy",
        "decoder": "tied",
        "padding": "valid",
        "loss": "mse",
        "epochs": 1,
    },
    classifier={"recipe": "paper", "head": "none"},
    grid={20: (SHORT, LONG)},
    chosen={20: {"stack": LONG, "random": SHORT}},
    seeds={20: 2},
    published={20: {"paper": 7.0}},
)
OPEN = replace(TINY, chosen={})


@pytest.fixture(autouse=True)
def committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the source as it is for committed."""
    monkeypatch.setattr(sealed, "commit", lambda: "abc1234")


def quiet(_: str) -> None:
    """Say nothing."""


def measure(
    folder: Path, table: SealedTable = TINY, say: Callable[[str], None] = quiet
) -> Ledger:
    return sealed.measure(table, folder, say)


def error_of(
    folder: Path, seed: int, start: StartName, setting: Setting, split: str
) -> Any:
    """Train one classifier again by hand, from the stack that was kept."""
    few = labelled_only(only(load("digits", "train[20:80]"), 20, seed))
    alone = CAEClassifier(
        CAE.load(folder / f"tiny-{seed}-stack"),
        recipe="paper",
        head="none",
        start=start,
        random_state=seed,
        **setting._asdict(),
    ).fit(few)
    asked = load("digits", split)
    loss = log_loss(labels_of(asked), alone.predict_proba(asked), labels=range(10))
    return 100 * (1 - alone.score(asked)), loss


def test_nothing_is_measured_before_the_choice_is_in_the_source(
    tmp_path: Path, fits: Fits
) -> None:
    with pytest.raises(ArgumentError, match="not in the source; allowed"):
        measure(tmp_path, OPEN)
    choices = choice_ledger(tmp_path)
    tried = [(row["start"], row["learning_rate"], row["epochs"]) for row in choices]
    assert tried == [
        (start, f"{rate}", f"{epochs}")
        for start in ("stack", "random")
        for rate, epochs in (SHORT, LONG)
    ]
    assert [*sealed.run_ledger(tmp_path)] == []
    assert len(fits.networks) == 4
    for start, found in best(OPEN, choices, 20).items():
        rows = [row for row in choices if row["start"] == start]
        row = min(rows, key=lambda row: (float(row["error"]), float(row["log_loss"])))
        assert found == (float(row["learning_rate"]), int(row["epochs"]))
        error, loss = error_of(tmp_path, 0, start, found, "train[80:110]")
        assert choices.number(row, "error") == pytest.approx(error, abs=1e-4)
        assert choices.number(row, "log_loss") == pytest.approx(loss, abs=1e-4)


def test_the_refusal_says_what_to_write_and_to_commit() -> None:
    wanted = TINY.chosen[20]
    message = "the choice for 20 labels of tiny: received stack: rate 0.003, 2 epochs; random: rate 0.001, 1 epochs, which is not in the source; allowed: a choice that was committed before anything is measured. Write it into the table's chosen, commit, and run the same again."
    with refusing(ArgumentError, message):
        sealed.check_committed(OPEN, 20, wanted, quiet)


def test_code_that_is_not_committed_measures_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sealed, "commit", lambda: "abc1234+")
    message = "the source: received commit abc1234+, changed since; allowed: committed code, whose commit stands in each row. Commit, and run the same again."
    with refusing(ArgumentError, message):
        sealed.check_committed(TINY, 20, TINY.chosen[20], quiet)


def test_each_start_is_measured_by_its_own_choice_from_a_stack_a_seed(
    tmp_path: Path, fits: Fits
) -> None:
    told: list[str] = []
    runs = measure(tmp_path, say=told.append)
    assert [(row["seed"], row["start"], row["epochs"]) for row in runs] == [
        ("0", "stack", "2"),
        ("0", "random", "1"),
        ("1", "stack", "2"),
        ("1", "random", "1"),
    ]
    assert len(fits.stacks) == 2
    row = runs.find(seed=1, start="random")
    assert row is not None
    assert (row["sealed_pictures"], row["test_pictures"]) == ("20", "25")
    for column, split in (("sealed_error", "train[:20]"), ("error", "test[:25]")):
        error, _ = error_of(tmp_path, 1, "random", SHORT, split)
        assert runs.number(row, column) == pytest.approx(error, abs=1e-4)
    assert "tiny: 20 labels, random, seed 1, rate 0.001, 1 epochs: error " in told[-1]


def test_seeds_beyond_the_stacks_take_them_in_turn(tmp_path: Path, fits: Fits) -> None:
    table = replace(TINY, seeds={20: 3}, stacks=2)
    runs = measure(tmp_path, table)
    assert len(fits.stacks) == 2
    row = runs.find(seed=2, start="stack")
    assert row is not None
    again = CAE.load(tmp_path / "tiny-0-stack")
    few = labelled_only(only(load("digits", "train[20:80]"), 20, 2))
    alone = CAEClassifier(again, **TINY.options(LONG), random_state=2).fit(few)
    wrong = 100 * (1 - alone.score(load("digits", TINY.test)))
    assert runs.number(row, "error") == pytest.approx(wrong, abs=1e-4)


def test_a_machine_that_would_choose_otherwise_measures_the_committed_choice(
    tmp_path: Path,
) -> None:
    choices = choice_ledger(tmp_path)
    for key in TINY.choices(20):
        short = key["epochs"] == 1
        figures = {"error": 5 if short else 6, "log_loss": 1}
        choices.add(key, figures)
    told: list[str] = []
    measure(tmp_path, say=told.append)
    assert told[0] == (
        "tiny: here the choice is stack: rate 0.001, 1 epochs; random: rate 0.001, "
        "1 epochs; the committed one is measured"
    )


def test_what_is_there_is_not_trained_again(tmp_path: Path, fits: Fits) -> None:
    with pytest.raises(ArgumentError):
        measure(tmp_path, OPEN)
    first = [*measure(tmp_path)]
    assert len(fits.networks) == 8
    assert [*measure(tmp_path)] == first
    assert len(fits.networks) == 8


def test_equal_errors_are_told_apart_by_their_log_loss(tmp_path: Path) -> None:
    choices = choice_ledger(tmp_path)
    for key in TINY.choices(20):
        loss = 0.5 if key["epochs"] == (1 if key["start"] == "stack" else 2) else 0.6
        choices.add(key, {"error": 5, "log_loss": loss})
    assert best(TINY, choices, 20) == {"stack": SHORT, "random": LONG}


def test_the_tables_stand_on_both_sets_and_mark_what_was_chosen(tmp_path: Path) -> None:
    choices, runs = choice_ledger(tmp_path), sealed.run_ledger(tmp_path)
    assert lines(TINY, choices, runs) == []
    for key in TINY.choices(20):
        choices.add(key, {"error": key["epochs"], "log_loss": 1})
    for key in TINY.runs(20):
        error = 5 + key["seed"] + (key["start"] == "random")
        figures = {"sealed_error": error, "sealed_pictures": 20}
        runs.add(key, figures | {"error": 2 * error, "test_pictures": 25})
    told = lines(TINY, choices, runs)
    assert told[0] == "On 20 sealed pictures:"
    assert told[4] == "| 20 | 5.50 ± 0.71 | 6.50 ± 0.71 | -1.00 |  | 2 | 7.00 |"
    assert told[6] == "On 25 test pictures:"
    assert told[10] == "| 20 | 11.00 ± 1.41 | 13.00 ± 1.41 | -2.00 |  | 2 | 7.00 |"
    assert told[-4:] == [
        "| 20 | stack | 0.001 | 1 | 1.00 | 1 | chosen |",
        "| 20 | stack | 0.003 | 2 | 2.00 | 1 |  |",
        "| 20 | random | 0.001 | 1 | 1.00 | 1 | chosen |",
        "| 20 | random | 0.003 | 2 | 2.00 | 1 |  |",
    ]


@pytest.mark.parametrize("table", [masci2011.SEALED, masci2011.SEALED_QUICK])
def test_what_was_chosen_is_in_the_grid(table: SealedTable) -> None:
    for labels, chosen in table.chosen.items():
        assert {*chosen.values()} <= {*table.grid[labels]}
    assert table.seeds.keys() == table.grid.keys()


def test_the_quick_table_learns(tmp_path: Path) -> None:
    runs = measure(tmp_path, masci2011.SEALED_QUICK)
    assert len(runs.rows) == 6
    assert max(runs.number(row, "sealed_error") for row in runs) < 30
