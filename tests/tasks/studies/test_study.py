"""A table's runs: in pairs, kept as they come, and gone on with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_rel

from caes import CAE, CAEClassifier, load
from caes.data.labels.draws import only
from caes.data.labels.labelled import labels_of
from caes.errors import DataError
from caes.report.pages.label_curve import CurveRun
from caes.runs.ledger import Ledger
from caes.tasks.studies import codes, masci2011, successors
from caes.tasks.studies import study as module
from caes.tasks.studies.study import (
    FIGURES,
    KEYS,
    TAUGHT,
    Table,
    errors_in,
    markdown,
    summary_lines,
)
from caes.train.recipes import RECIPES
from tests.refusals import refusing
from tests.tasks.conftest import Fits, Interrupt

TINY = Table(
    name="tiny",
    data="digits",
    learn="train[:60]",
    test="test[:20]",
    stack={
        "arch": "2C5-MP4",
        "schedule": "greedy",
        "decoder": "tied",
        "padding": "valid",
        "loss": "mse",
        "epochs": 1,
    },
    classifier={"recipe": "paper", "head": "none", "epochs": 1},
    seeds={20: 2, 30: 1},
    changes={30: {"epochs": 2}},
    published={20: {"paper": 7.0}},
)
PLAN = [
    (*each, start)
    for each in ((20, 0), (20, 1), (30, 0))
    for start in ("stack", "random")
]


def study(folder: Path, table: Table = TINY, say: Callable[[str], Any] = str) -> Ledger:
    return module.study(table, folder, say)


def runs(ledger: Ledger) -> list[tuple[int, int, str]]:
    return [(int(row["labels"]), int(row["seed"]), row["start"]) for row in ledger]


def test_every_run_is_made_once_in_pairs_that_share_their_labels(
    tmp_path: Path, fits: Fits
) -> None:
    told: list[str] = []
    ledger = study(tmp_path, say=told.append)
    assert runs(ledger) == PLAN == [*TINY.plan()]
    assert fits.stacks == ["2C5-MP4"]
    images = load("digits", "train[:60]")
    for (labels, seed, start), fit in zip(PLAN, fits.networks, strict=True):
        few = only(images, labels, seed)
        names = tuple(few[labels_of(few) >= 0].names)
        assert len(names) == labels
        assert fit == (start, seed, names, 0)
    assert [row["epochs"] for row in ledger] == ["1", "1", "1", "1", "2", "2"]
    assert {(row["table"], row["data"], row["stack"]) for row in ledger} == {
        ("tiny", "digits", "2C5-MP4")
    }
    assert {row["test_pictures"] for row in ledger} == {"20"}
    assert told[0] == "tiny: training the stack 2C5-MP4"
    assert told[1].startswith("tiny: 20 labels, seed 0, stack: error ")
    assert len(told) == 1 + len(PLAN)


def test_the_errors_are_those_on_the_test_pictures(tmp_path: Path) -> None:
    ledger = study(tmp_path)
    stack = CAE.load(tmp_path / "tiny-stack")
    few = only(load("digits", "train[:60]"), 20, 1)
    few = few[labels_of(few) >= 0]
    for start in ("stack", "random"):
        alone = CAEClassifier(
            stack, recipe="paper", head="none", epochs=1, start=start, random_state=1
        ).fit(few)
        row = ledger.find(labels=20, seed=1, start=start)
        assert row is not None
        wrong = 100 * (1 - alone.score(load("digits", "test[:20]")))
        assert ledger.number(row, "error") == pytest.approx(wrong, abs=1e-4)


def test_random_weights_are_trained_with_and_without_their_own_answers_too(
    tmp_path: Path, fits: Fits
) -> None:
    classifier = {**TINY.classifier, "rounds": 1}
    table = replace(TINY, beside=frozenset({20}), classifier=classifier)
    ledger = study(tmp_path, replace(table, seeds={20: 1, 30: 1}))
    assert [row["start"] for row in ledger] == [
        *("stack", "random", "random, own answers"),
        *("stack", "random"),
    ]
    starts, _, known, others = zip(*fits.networks, strict=True)
    assert starts == ("stack", "random", "random", "stack", "random")
    assert others == (40, 0, 40, 0, 0)
    assert len({*known[:3]}) == 1  # the labelled ones


def test_an_interrupted_study_goes_on_where_it_stopped(
    tmp_path: Path, fits: Fits
) -> None:
    def stop(line: str) -> None:
        if "labels" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, say=stop)
    assert len(fits.networks) == 1
    ledger = study(tmp_path)
    assert runs(ledger) == PLAN
    assert len(fits.networks) == len(PLAN)
    assert len(fits.stacks) == 1


def test_a_finished_study_opens_nothing_and_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = replace(TINY, seeds={20: 1})
    first = [*study(tmp_path, table)]

    def refuse(*_: object) -> None:
        pytest.fail("it was opened")

    monkeypatch.setattr("caes.tasks.studies.study.load", refuse)
    assert [*study(tmp_path, table)] == first


@pytest.mark.parametrize("who", [CAE, CAEClassifier])
def test_a_training_that_was_interrupted_is_not_kept(
    tmp_path: Path, interrupt: Interrupt, who: type[CAE | CAEClassifier]
) -> None:
    interrupt(who)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path)
    assert runs(Ledger(tmp_path / "runs.csv", KEYS, FIGURES)) == []
    assert (tmp_path / "tiny-stack").exists() == (who is CAEClassifier)


def test_the_stack_is_trained_again_only_where_it_would_be_another_one(
    tmp_path: Path, fits: Fits
) -> None:
    def more(seeds: int, **other: Any) -> None:
        study(tmp_path, replace(TINY, seeds={20: seeds}, **other))

    more(1)
    more(2)
    assert len(fits.stacks) == 1
    longer = {**TINY.stack, "epochs": 2}
    more(3, stack=longer)
    assert len(fits.stacks) == 2
    assert CAE.load(tmp_path / "tiny-stack").epochs == 2
    more(4, stack=longer, learn="train[:61]")
    assert len(fits.stacks) == 3
    more(5, stack=longer, learn="train[:61]")
    assert len(fits.stacks) == 3
    (tmp_path / "tiny-stack" / "model.json").write_text("{}")
    more(6, stack=longer, learn="train[:61]")
    assert len(fits.stacks) == 4


def test_epochs_of_each_level_survive_in_the_kept_stack(
    tmp_path: Path, fits: Fits
) -> None:
    both = {**TINY.stack, "arch": "2C5-2C5-MP4", "epochs": (2, 1)}
    for seeds in (1, 2):
        study(tmp_path, replace(TINY, seeds={20: seeds}, stack=both))
    assert len(fits.stacks) == 1


def test_tables_share_a_file_and_are_told_apart(tmp_path: Path) -> None:
    one = replace(TINY, seeds={20: 1})
    other = replace(one, name="other")
    study(tmp_path, one)
    ledger = study(tmp_path, other)
    assert [row["table"] for row in ledger] == ["tiny", "tiny", "other", "other"]
    assert {run.labels for run in errors_in(one, ledger)} == {20}
    assert errors_in(replace(one, name="third"), ledger) == []


def test_a_changed_recipe_is_run_anew_and_only_its_own_runs_are_told(
    tmp_path: Path, fits: Fits
) -> None:
    first = replace(TINY, seeds={20: 1, 30: 1})
    study(tmp_path, first)
    longer = replace(first, changes={30: {"epochs": 3}})
    ledger = study(tmp_path, longer)
    assert [row["epochs"] for row in ledger] == ["1", "1", "2", "2", "3", "3"]
    assert len(fits.networks) == 6  # those with 20 labels stand as they are
    for table, epochs in ((first, "2"), (longer, "3")):
        told = {run[:3]: run.error for run in errors_in(table, ledger)}
        assert {labels for _, labels, _ in told} == {20, 30}
        row = ledger.find(labels=30, start="stack", epochs=epochs)
        assert row is not None
        assert told["stack", 30, 0] == ledger.number(row, "error")
    assert len({TINY.recipe(20), TINY.recipe(30), longer.recipe(30)}) == 3


def test_the_table_has_the_errors_by_number_of_labels(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "runs.csv", KEYS, FIGURES)
    for labels, seed, start, error in (
        (30, 0, "stack", 4),
        (20, 0, "stack", 5),
        (20, 1, "stack", 7),
        (20, 1, "random", 9),
        (20, 0, "random", 6),
    ):
        key = {"table": "tiny", "labels": labels, "seed": seed, "start": start}
        ledger.add(key | {"recipe": TINY.recipe(labels)}, {"error": error})
    assert markdown(TINY, ledger)[2:] == [
        "| 20 | 6.00 ± 1.41 | 7.50 ± 2.12 | -1.50 |  | 2 | 7.00 |",
        "| 30 | 4.00 |  |  |  | 0 |  |",
    ]


@pytest.mark.parametrize("column", ["labels", "error"])
def test_a_number_damaged_by_hand_is_named(tmp_path: Path, column: str) -> None:
    ledger = Ledger(tmp_path / "runs.csv", KEYS, FIGURES)
    row = {"table": "tiny", "labels": 20, "seed": 0, "start": "stack", "error": 5}
    row["recipe"] = TINY.recipe(20)
    ledger.add(row | {column: "x"}, {})
    message = f"{tmp_path / 'runs.csv'}: received 'x' as {column} of a run; allowed: the table of an earlier run of the same command. Name another folder with --out, or move the file away."
    with refusing(DataError, message):
        markdown(TINY, ledger)


@pytest.mark.parametrize(
    "table",
    [
        *masci2011.TABLES.values(),
        *successors.TABLES.values(),
        masci2011.QUICK,
        successors.QUICK,
    ],
)
def test_the_tables_of_the_papers_can_be_made(table: Table) -> None:
    CAE(**table.stack).check()
    for labels in table.seeds:
        options = {**table.classifier, **table.changes.get(labels, {})}
        CAEClassifier(**options).resolved()
    assert table.changes.keys() <= table.seeds.keys()
    assert table.published.keys() <= table.seeds.keys()


@pytest.mark.parametrize(
    "changed",
    [
        {"stack": {**TINY.stack, "epochs": 2}},
        {"stack": {**TINY.stack, "noise": "masking:0.5"}},
        {"classifier": {**TINY.classifier, "epochs": 2}},
        {"changes": {20: {"epochs": 3}}},
        {"learn": "train[:50]"},
        {"test": "test[:10]"},
        {"beside": frozenset({20})},
    ],
)
def test_whatever_a_run_is_made_of_makes_another_recipe(
    changed: dict[str, Any],
) -> None:
    assert replace(TINY, **changed).recipe(20) != TINY.recipe(20)


@pytest.mark.parametrize(
    "changed", [{"dropout": 0.1}, {"augment": "digits"}, {"weight_decay": 0.1}]
)
def test_a_recipe_whose_defaults_change_is_another_one(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    before = TINY.recipe(20)
    other = replace(RECIPES["paper"], **changed)
    monkeypatch.setitem(RECIPES, "paper", other)
    assert TINY.recipe(20) != before


def test_the_stack_counts_with_its_defaults() -> None:
    said = {**TINY.stack, "batch_size": 64, "learning_rate": 1e-3, "noise": None}
    assert replace(TINY, stack=said).recipe(20) == TINY.recipe(20)
    other = {**said, "batch_size": 32}
    assert replace(TINY, stack=other).recipe(20) != TINY.recipe(20)


def test_rows_marked_the_earlier_way_count_and_are_not_made_again(
    tmp_path: Path, fits: Fits, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = replace(TINY, seeds={20: 1})
    ledger = Ledger(tmp_path / "runs.csv", KEYS, FIGURES)
    key = {"table": "tiny", "labels": 20, "seed": 0, "start": "stack"}
    ledger.add(key | {"recipe": "0ld0ld00"}, {"error": 5})
    assert errors_in(table, ledger) == []
    monkeypatch.setattr(module, "EARLIER", {table.recipe(20): "0ld0ld00"})
    assert [run.error for run in errors_in(table, ledger)] == [5]
    ledger = study(tmp_path, table)
    assert [start for start, *_ in fits.networks] == ["random"]
    assert {row["recipe"] for row in ledger} == {"0ld0ld00", table.recipe(20)}
    assert len(errors_in(table, ledger)) == 2


def test_every_earlier_mark_is_that_of_a_recipe_that_still_stands() -> None:
    tables = (*masci2011.TABLES.values(), *successors.TABLES.values())
    standing = {table.recipe(labels) for table in tables for labels in table.seeds}
    assert {*module.EARLIER} <= {*standing, codes._recipe()}


def test_what_only_names_a_table_is_no_part_of_its_recipes() -> None:
    renamed = replace(TINY, name="other", seeds={20: 9}, published={})
    assert renamed.recipe(20) == TINY.recipe(20)
    assert replace(TINY, changes={}).recipe(20) == TINY.recipe(20)


HEAD = "| labels | from the stack | from random weights | difference | p | seeds |"


def numbered(errors: dict[int, tuple[list[float], list[float]]]) -> list[CurveRun]:
    """Give errors from the stack and from random weights a seed each."""
    return [
        CurveRun(start, labels, seed, error)
        for labels, pair in errors.items()
        for start, row in zip(("stack", "random"), pair, strict=True)
        for seed, error in enumerate(row)
    ]


def test_means_spreads_and_the_paired_difference_are_as_by_hand() -> None:
    # Means 8 and 9; deviations -1, 0, 1 and -1, -0.5, 1.5 over n - 1 = 2.
    sd = (1 + 0.25 + 2.25) / 2
    assert summary_lines({}, numbered({1_000: ([7, 8, 9], [8, 8.5, 10.5])})) == [
        HEAD,
        "| --- | --- | --- | --- | --- | --- |",
        f"| 1,000 | 8.00 ± 1.00 | 9.00 ± {sd**0.5:.2f} | -1.00 | 0.074 | 3 |",
    ]


def test_only_seeds_that_both_starts_have_are_compared() -> None:
    pairs = ((1, 7.0), (0, 8.0), (2, 11.0), (9, 1.0))
    others = [CurveRun("random", 100, *run) for run in pairs]
    *_, line = summary_lines({}, [*numbered({100: ([5, 6, 10, 12], [])}), *others])
    p = f"{ttest_rel([5.0, 6.0, 10.0], [8.0, 7.0, 11.0]).pvalue:.2g}"
    assert line == f"| 100 | 8.25 ± 3.30 | 6.75 ± 4.19 | -1.67 | {p} | 3 |"


def test_a_single_run_has_its_interval_and_a_recipe_tried_again_says_so() -> None:
    runs = numbered({10: ([5.0], []), 20: ([5.0, 7.0], [])})
    low, high = proportion_interval(50, 1000)
    assert summary_lines({}, runs, {10}, 1000)[2:] == [
        f"| 10 (recipe changed after a test error) | 5.00 ({low} to {high}) |  |  |  | 0 |",
        "| 20 | 6.00 ± 1.41 |  |  |  | 0 |",
    ]


def proportion_interval(wrong: int, n: int) -> tuple[str, str]:
    """Wilson's interval by its formula, in per cent."""
    z, share = 1.959964, wrong / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return f"{100 * (centre - half):.2f}", f"{100 * (centre + half):.2f}"


def test_what_is_not_there_is_left_empty() -> None:
    few = {10: ([5.0], []), 20: ([], [5.0, 7.0]), 30: ([5.0], [6.0])}
    errors = numbered(few | {40: ([5.0, 6.0], [6.0, 7.0])})
    assert summary_lines({}, errors)[2:] == [
        "| 10 | 5.00 |  |  |  | 0 |",
        "| 20 |  | 6.00 ± 1.41 |  |  | 0 |",
        "| 30 | 5.00 | 6.00 | -1.00 |  | 1 |",
        # All differences are the same: there is no spread to compare them with.
        "| 40 | 5.50 ± 0.71 | 6.50 ± 0.71 | -1.00 |  | 2 |",
    ]


def test_the_stack_is_compared_with_both_controls_and_p_corrected_for_both() -> None:
    errors = {
        "stack": [5.0, 6.0, 10.0],
        "random": [8.0, 7.5, 13.0],
        TAUGHT: [6.0, 6.5, 10.0],
    }
    runs = [
        CurveRun(start, 20, seed, error)
        for start, each in errors.items()
        for seed, error in enumerate(each)
    ]
    low, high = (
        ttest_rel(errors["stack"], errors[name]).pvalue for name in ("random", TAUGHT)
    )
    assert low < high
    low = min(2 * low, 1)  # Holm: the smaller one twice, the larger one no less
    high = max(low, high)
    assert summary_lines({}, runs) == [
        f"{HEAD} … that learn from own answers | difference | p | seeds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        f"| 20 | 7.00 ± 2.65 | 9.50 ± 3.04 | -2.50 | {low:.2g} | 3 "
        f"| 7.50 ± 2.18 | -0.50 | {high:.2g} | 3 |",
    ]


def test_published_errors_stand_beside_where_they_are_known() -> None:
    published = {10: {"paper": 7.234}, 20: {"paper": 2.0, "others": 1.5}, 30: {}}
    errors = numbered({labels: ([1.0], []) for labels in (10, 20, 40)})
    assert summary_lines(published, errors) == [
        f"{HEAD} paper | others |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| 10 | 1.00 |  |  |  | 0 | 7.23 |  |",
        "| 20 | 1.00 |  |  |  | 0 | 2.00 | 1.50 |",
        "| 40 | 1.00 |  |  |  | 0 |  |  |",
    ]
