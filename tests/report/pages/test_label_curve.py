import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_rel

from caes.files import read_table
from caes.report.pages.label_curve import (
    CurveRun,
    curves,
    judge,
    sentences,
    summarise,
    summary_table,
    write_label_curve,
)
from tests.report.reading import Page, check

ERRORS = {
    ("the classifier", 100): [9.0, 10.0, 11.5],
    ("the classifier", 1000): [3.0, 3.2, 3.1],
    ("random weights", 100): [15.0, 16.5, 17.0],
    ("random weights", 1000): [3.1, 3.0, 3.3],
}


def runs(errors: dict[tuple[str, int], list[float]] | None = None) -> list[CurveRun]:
    """A run for each error, its place in the list being its seed."""
    return [
        CurveRun(contender, labels, seed, error)
        for (contender, labels), row in (errors or ERRORS).items()
        for seed, error in enumerate(row)
    ]


def report(folder: Path, **about: Any) -> Page:
    usual: dict[str, Any] = {
        "runs": runs(),
        "test_pictures": 2000,
        "provenance": {"data": "mnist", "caes": "0.0"},
        "command": "caes curve mnist",
        "notes": ["The labels are the same for all."],
        "settings": {"epochs": 20},
    }
    path = write_label_curve(folder, **(usual | about))
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Page]:
    folder = tmp_path_factory.mktemp("curve")
    return folder, report(folder)


def test_the_page_says_what_was_found_by_itself(usual: tuple[Path, Page]) -> None:
    folder, read = usual
    check(folder / "report.html")
    for told in (
        "mnist the classifier and random weights",
        "The classifier errs less than random weights with 100 labels. Errors are means over 3 seeds, on 2,000 test pictures. Every p is corrected for 2 comparisons (Holm 1979).",
        "caes curve mnist",
        "Labels 100 to 1,000 2 numbers of them",
        "Runs 12 trainings in all",
        "With 100 labels the classifier errs on 10.17%; random weights on 16.17%, 6.00 points more, more than chance (p = 0.00461). With 1,000 labels the classifier errs on 3.10%; random weights on 3.13%, 0.03 points more, which may be chance (p = 0.808).",
        "Errors on 2,000 test pictures Labels Runs Mean SD Difference p the classifier 100 3 10.17% 1.26 – – 1,000 3 3.10% 0.10 – – random weights 100 3 16.17% 1.04 +6.00 0.00461 1,000 3 3.13% 0.15 +0.03 0.808",
        "The labels are the same for all.",
        "epochs 20",
    ):
        assert told in read.text


def test_tables_and_the_figure_are_files_too(usual: tuple[Path, Page]) -> None:
    folder, _ = usual
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == [
        "curve.csv",
        "figures/label-curve.svg",
        "report.html",
        "summary.csv",
    ]
    head, *rows = read_table(folder / "curve.csv")
    assert head == ["contender", "labels", "seed", "error"]
    assert [
        CurveRun(name, int(labels), int(seed), float(error))
        for name, labels, seed, error in rows
    ] == runs()


def test_the_summary_is_scipys(usual: tuple[Path, Page]) -> None:
    head, *rows = read_table(usual[0] / "summary.csv")
    assert head == ["contender", "labels", "n", "mean", "sd", "difference", "p"]
    assert [row[5:] for row in rows[:2]] == [["", ""], ["", ""]]
    for name, labels, n, *numbers in rows[2:]:
        own = ERRORS[name, int(labels)]
        first = ERRORS["the classifier", int(labels)]
        apart = np.mean(np.subtract(own, first)), ttest_rel(own, first).pvalue
        times = 2 if labels == "100" else 1  # of two tests the surer one
        wanted = [np.mean(own), np.std(own, ddof=1), apart[0], times * apart[1]]
        assert n == "3"
        assert [float(each) for each in numbers] == pytest.approx(wanted, rel=1e-5)


def test_only_seeds_in_common_are_compared() -> None:
    given = [
        CurveRun("a", 10, 1, 5.0),
        CurveRun("a", 10, 2, 7.0),
        CurveRun("b", 10, 2, 8.0),
        CurveRun("b", 10, 3, 90.0),
        CurveRun("b", 20, 1, 4.0),
        CurveRun("c", 10, 1, 6.5),
        CurveRun("c", 10, 2, 8.5),
    ]
    rows = summarise(given)
    assert summary_table(rows)[1:] == [
        ("a", 10, 2, "6", "1.41421", "", ""),
        ("b", 10, 2, "49", "57.9828", "1", ""),
        ("b", 20, 1, "4", "", "", ""),
        ("c", 10, 2, "7.5", "1.41421", "1.5", ""),
    ]
    assert sentences(rows, 100) == [
        "With 10 labels a errs on 6.00%; b on 49.00%, 1.00 points more, and one seed cannot say whether this is chance; c on 7.50%, 1.50 points more, and two seeds cannot say whether this is chance.",
        "With 20 labels b errs on 4.00%, with no seed in common.",
    ]


@pytest.mark.parametrize(
    ("errors", "lead"),
    [
        ("it 100: 9.0 9.1", "It errs on 9.05% with 100 labels."),
        (
            "it 1: 9; it 60000: 1",
            "It errs on 9.00% with 1 label, and on 1.00% with 60,000.",
        ),
        ("it 10: 9.0 9.1; b 10: 9.2 9.0", "It is not to be told apart from b."),
        (
            "it 1: 9.0 9.1 9.0; b 1: 8 8 8; c 1: 9.0 9.2 8.9",
            "It errs more than b with 1 label. It is not to be told apart from c.",
        ),
        (
            "it 10: 9.0 9.1 9.0; it 20: 9.0 9.1 9.0; it 40: 9.0 9.1 9.0; "
            "b 10: 8.0 8.0 8.0; b 20: 9.9 9.9 9.8; b 40: 9.9 9.9 9.8; "
            "c 10: 20.0 20.1 20.3; c 20: 20.0 20.1 20.3; c 40: 20.0 20.1 20.3",
            "It errs less than b with 20 and 40 labels and errs more than b with 10 labels. It errs less than c with every number of labels tried, 10 to 40.",
        ),
    ],
)
def test_the_lead_follows_the_errors(errors: str, lead: str) -> None:
    rows = [row.partition(":") for row in errors.split("; ")]
    names = [head.split() for head, _, _ in rows]
    given = {
        (name, int(labels)): [float(each) for each in row[2].split()]
        for (name, labels), row in zip(names, rows, strict=True)
    }
    assert judge(summarise(runs(given)), 1000).lead == lead


def test_one_seed_is_called_an_anecdote() -> None:
    rows = summarise(runs({("a", 10): [5.0], ("b", 10): [5.0, 6.0]}))
    begin = "Errors are means over 1 to 2 seeds,"
    assert judge(rows, 10).figures.startswith(begin)
    rows = summarise(runs({("a", 10): [5.0], ("b", 10): [5.0]}))
    told = judge(rows, 1)
    assert told.figures == "Errors are means over 1 seed, on 1 test picture."
    assert told.context == "One seed makes an anecdote, not a measurement."
    assert sentences(rows, 1) == [
        "With 10 labels a errs on 5.00%; b on 5.00%, no more and no fewer."
    ]


def test_no_bar_and_no_mean_falls_below_the_floor() -> None:
    errors = {("a", 10): [0.0, 0.0], ("a", 20): [0.1, 5.0], ("a", 30): [4.0]}
    (line,) = curves(summarise(runs(errors)), floor=0.5)
    assert line.means.tolist() == [0.5, 2.55, 4.0]
    down, up = line.spread
    assert down[:2] == pytest.approx([0, 2.05])
    assert up[:2] == pytest.approx([0, 4.9 / math.sqrt(2)])
    assert np.isnan(line.spread[:, 2]).all()


def test_an_error_of_nothing_without_a_source_is_explained(tmp_path: Path) -> None:
    nothing = runs({("it", 100): [0.0, 0.0]})
    read = report(tmp_path, runs=nothing, notes=[], provenance={})
    assert read.text.startswith("Label curve · caes Label curve · report of a")
    told = "An error of 0 is drawn as if half a picture were wrong."
    assert told in read.text
    assert "Notes" not in read.text


def test_names_from_outside_are_escaped(tmp_path: Path) -> None:
    bad = "<script>alert('x')</script>"
    read = report(
        tmp_path,
        runs=runs({(bad, 100): [1.0, 2.0], (f"{bad}b", 100): [2.0, 2.5]}),
        provenance={"data": bad},
        settings={bad: bad},
        command=bad,
        notes=[bad],
    )
    assert not read.all("script")
    assert read.text.count(bad) > 12
