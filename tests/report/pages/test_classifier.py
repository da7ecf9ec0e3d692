import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from caes.data.imageset import ImageSet, Skipped
from caes.files import read_table
from caes.report import pictures as tiles
from caes.report.comparison import Contender
from caes.report.pages import classifier
from caes.report.pages.classifier import (
    mistakes,
    scores,
    scores_table,
    write_classification_report,
)
from caes.report.statistics import reliability
from caes.train.history import History
from tests.report.fake import answers, history, pictures
from tests.report.reading import Page, check

TRUTH = np.repeat(np.arange(4), [40, 25, 20, 15])
CLASSES = ("ant", "bee", "cat", "dog")


def contenders(*wrong: Sequence[int], k: int = 4) -> list[Contender]:
    """The classifier and its controls, each wrong on these pictures."""
    names = ("the classifier", "the same network from random weights", "pixels alone")
    return [
        Contender(name, answers(TRUTH, k, rows), 75 - 70 * at)
        for at, (name, rows) in enumerate(zip(names, wrong, strict=False))
    ]


def report(folder: Path, **about: Any) -> Page:
    usual: dict[str, Any] = {
        "images": pictures(len(TRUTH), 6, 9, 1, source="pets", split="test"),
        "truth": TRUTH,
        "classes": CLASSES,
        "contenders": contenders(range(4), range(2, 20), range(1, 6)),
        "history": history([1.2, 0.4, 0.3], [1.3, 0.6, 0.5]),
        "settings": {"epochs": 3, "dropout": 0.5, "patience": None},
        "provenance": {"caes": "0.0", "seed": "7"},
        "command": "caes classify pets --labels 40",
        "notes": ["Ten labels a class."],
        "labelled": 40,
        "unlabelled": 5000,
    }
    path = write_classification_report(folder, **(usual | about))
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Page]:
    folder = tmp_path_factory.mktemp("run")
    return folder, report(folder)


def test_the_page_needs_nothing_but_itself(usual: tuple[Path, Page]) -> None:
    folder, read = usual
    check(folder / "report.html")
    assert [heading.get("id") for heading in read.all("h2")] == [
        *("controls", "confusion", "mistakes", "calibration", "training", "made"),
        "pictures",
    ]


def test_the_page_says_what_was_done(usual: tuple[Path, Page]) -> None:
    _, read = usual
    for told in (
        "pets 4 classes, learned from 40 pictures with labels, 5,000 without",
        "The classifier is better than the same network from random weights and not to be told apart from pixels alone. It errs on 4.0% of 100 test pictures",
        "caes classify pets --labels 40",
        "Accuracy 96.0% 95% confidence: 90.2% to 98.4%",
        "Error 4.0% 4 of 100 test pictures",
        "F1 0.968 mean over 4 classes",
        "Calibration error 16.0% expected, 10 bins",
        "Labelled 40 pictures to learn from, with their class",
        "Unlabelled 5,000 pictures seen without their class",
        "Epochs 3 as asked",
        "Time 1 min 15 s for training",
        "The classifier 4 4.0% 1.6% to 9.8% – – 1 min 15 s",
        "The same network from random weights 18 18.0% 11.7% to 26.7% +14.0 0.00262 5.0 s",
        "Always “ant”, the most frequent here 60 60.0% 50.2% to 69.1% +56.0 < 0.001 –",
        "Difference: the error minus that of the classifier, in percentage points.",
        "ant 1.000 0.900 0.947 40 bee (4×)",
        "All 4 mistakes, the surest first.",
        "ant → bee 80.0% sure 00000",
        "On average it is 80.0% sure and 96.0% right: too modest, by 16.0 points.",
        "70% to 80% 100 80.0% 96.0%",
        "The expected calibration error, 16.0%, is the mean distance",
        "After epoch 3 the cross-entropy was 0.300 on the training pictures and 0.500 on the validation pictures.",
        "patience not set",
        "seed 7",
        "Test pets test 100 6×9×1 uint8, 0 to 255",
        "Ten labels a class.",
    ):
        assert told in read.text


def test_figures_and_tables_are_files_too(usual: tuple[Path, Page]) -> None:
    folder, _ = usual
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == [
        "confusion.csv",
        *(f"figures/{name}.svg" for name in ("accuracy", "confusion", "loss")),
        *("figures/mistakes.png", "figures/reliability.svg"),
        *("per_class.csv", "report.html"),
    ]
    head, row, *_ = read_table(folder / "confusion.csv")
    assert head == ["true class", *CLASSES]
    assert row == ["ant", "36", "4", "0", "0"]
    head, _, row, *_ = read_table(folder / "per_class.csv")
    assert head == ["class", "precision", "recall", "f1", "support"]
    assert row == ["bee", "0.862069", "1", "0.925926", "25"]


def test_a_faultless_classifier_has_no_mistakes_to_show(tmp_path: Path) -> None:
    read = report(tmp_path, contenders=contenders([]), history=History())
    assert "The classifier names every test picture correctly." in read.text
    assert "There is none: all 100 test pictures got the right answer." in read.text
    assert "No other classifier was given to compare with." in read.text
    assert "No epoch was finished." in read.text
    assert "Beside its controls" not in read.text
    figures = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert figures == ["confusion.svg", "reliability.svg"]


def test_epochs_are_told_with_their_end_and_of_the_last_round(tmp_path: Path) -> None:
    settings = {"epochs": 20, "rounds": 1}
    stopped = history([0.4, 0.3, 0.2], [0.5, 0.4, 0.6], best_epoch=2, ended="early")
    read = report(tmp_path, history=stopped, settings=settings, unlabelled=0)
    assert "Epochs 3 of 20: stopped early; weights of epoch 2 kept" in read.text
    assert "in the last round" in report(tmp_path, settings=settings).text


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (pictures(100, 5, 5, 2), "Shown is the first of 2 channels."),
        (pictures(100, 400, 300, 3), "All 4 mistakes"),
        (ImageSet.from_pixels(np.full((100, 5, 5, 7), 60000, np.uint16)), "Shown are the first 3 of 7 channels as red, green and blue."),
    ],
    ids=["two channels", "photographs", "16 bits"],
)  # fmt: skip
def test_any_pictures_give_a_page(tmp_path: Path, images: ImageSet, told: str) -> None:
    assert told in report(tmp_path, images=images).text
    assert (tmp_path / "report.html").stat().st_size < 2_000_000


def test_two_classes_and_one_picture_give_a_page(tmp_path: Path) -> None:
    truth = np.array([1])
    read = report(
        tmp_path,
        images=pictures(1, 3, 3, 1),
        truth=truth,
        classes=("no", "yes"),
        contenders=[Contender("it", answers(truth, 2, [0]), 0.0)],
    )
    assert "It names 0.0% of the test pictures correctly." in read.text
    assert "The only mistake." in read.text
    assert "So few test pictures make an anecdote, not a measurement." in read.text
    assert "no – 0" not in read.text
    assert "no 0.000 – 0.000 0" in read.text
    assert "yes – 0.000 0.000 1 no (1×)" in read.text


def test_many_classes_are_cut_down_to_the_most_confused(tmp_path: Path) -> None:
    classes = tuple(f"class {at}" for at in range(40))
    wrong = contenders(range(4), k=40)
    read = report(tmp_path, classes=classes, contenders=wrong)
    for told in (
        "Nothing is known of classes without a test picture: “class 4”, “class 5”, “class 6”, “class 7”, “class 8” and 31 more.",
        "The 30 of 40 classes with the most mistakes.",
        "Scores by class, of these 30",
        "The tables beside this page have all 40 classes.",
    ):
        assert told in read.text
    lines = (tmp_path / "per_class.csv").read_text().splitlines()
    assert len(lines) == 41
    assert lines[40] == "class 39,,,,0"


def test_names_from_outside_are_escaped(tmp_path: Path) -> None:
    bad = "<script>alert('x')</script>"
    images = pictures(100, 4, 4, 1, source=bad, notes=(bad,), names=[bad] * 100)
    read = report(
        tmp_path,
        images=replace(images, skipped=(Skipped(bad, bad),)),
        classes=(bad, "bee", "cat", bad),
        contenders=[replace(each, name=bad) for each in contenders([0], [1])],
        settings={bad: bad},
        provenance={bad: bad},
        command=bad,
        notes=[bad],
    )
    assert not read.all("script")
    assert read.text.count(bad) > 20
    assert bad in (tmp_path / "confusion.csv").read_text()


def test_a_class_that_the_figures_cannot_write_is_numbered(tmp_path: Path) -> None:
    read = report(tmp_path, classes=("ant", "bee", "猫", "dog"))
    assert "no. 3 猫 1.000 1.000 1.000 20" in read.text


SAME = np.zeros(200, np.int64)


@settings(deadline=None)
@given(st.tuples(st.integers(2, 6), st.integers(1, 60), st.integers(0, 999)))
def test_scores_are_scikit_learns(size: tuple[int, int, int]) -> None:
    k, n, seed = size
    truth, given = np.random.default_rng(seed).integers(0, k, (2, n))
    every = list(range(k))
    counts = metrics.confusion_matrix(truth, given, labels=every)
    found = scores(counts, [str(at) for at in every])
    expected = metrics.precision_recall_fscore_support(
        truth, given, labels=every, zero_division=np.nan
    )
    measured = [(each.precision, each.recall, each.f1, each.support) for each in found]
    np.testing.assert_allclose(np.array(measured).T, np.array(expected))


def test_what_is_not_defined_is_left_empty() -> None:
    counts = np.array([[3, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    rows = scores(counts, ["a", "b", "c", "d"])
    assert scores_table(rows) == [
        ("class", "precision", "recall", "f1", "support"),
        ("a", "0.75", "0.75", "0.75", 4),
        ("b", "0.666667", "1", "0.8", 2),
        ("c", "", "", "", 0),
        ("d", "", "0", "0", 1),
    ]
    assert classifier.mean_f1(rows) == pytest.approx((0.75 + 0.8 + 0) / 3)
    assert math.isnan(rows[2].f1)


def test_classes_are_drawn_by_their_mistakes_and_told_by_the_most_frequent() -> None:
    counts = np.diag(np.full(40, 7))
    counts[38, 3], counts[5, 39] = 2, 1
    assert classifier.most_confused(counts).tolist() == [*range(28), 38, 39]
    rows = scores(np.array([[9, 1, 2], [0, 5, 0], [4, 4, 0]]), ["a", "b", "c"])
    told = [(row.number, row.taken_for, row.taken) for row in rows]
    assert told == [(1, "c", 2), (2, "", 0), (3, "a", 4)]


def test_the_surest_mistakes_come_first() -> None:
    truth = np.array([0, 1, 2, 0, 1])
    given = np.concatenate(
        [answers(truth[:3], 3, [0, 2], sure=0.5), answers(truth[3:], 3, [1], sure=0.9)]
    )
    found = mistakes(pictures(5, 4, 4, 1), truth, given)
    told = [(each.name, each.true, each.answer) for each in found]
    assert told == [("00004", 1, 2), ("00000", 0, 1), ("00002", 2, 0)]
    sure = [each.probability for each in found]
    assert sure == pytest.approx([0.9, 0.5, 0.5])
    truth, images = np.zeros(90, np.int64), pictures(90, 4, 4, 1)
    assert mistakes(images, truth, answers(truth, 2)) == []
    assert len(mistakes(images, truth, answers(truth, 2, range(90)))) == 24


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.bool_])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_pictures_of_any_type_are_shown(dtype: type, channels: int) -> None:
    rng = np.random.default_rng(0)
    unit = rng.random((2, 5, 6, channels))
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    images = ImageSet.from_pixels((unit.round() * top).astype(dtype))
    truth = np.array([0, 1])
    found = mistakes(images, truth, answers(truth, 2, [1]))
    expected = tiles.tile(unit[1].round().astype(np.float32))
    np.testing.assert_array_equal(found[0].picture, expected)


@pytest.mark.parametrize(
    ("sure", "told"),
    [
        (0.9, "On average it is 90.0% sure and 90.0% right: it knows how often it errs."),
        (0.95, "On average it is 95.0% sure and 90.0% right: too sure of itself, by 5.0 points."),
        (0.6, "On average it is 60.0% sure and 90.0% right: too modest, by 30.0 points."),
    ],
)  # fmt: skip
def test_confidence_is_weighed_against_accuracy(sure: float, told: str) -> None:
    bins = reliability(answers(SAME, 2, range(20), sure), SAME)
    assert classifier.how_reliable(bins) == told


@pytest.mark.parametrize(("error", "told"), [(0.1, False), (0.3, True)])
def test_the_page_says_so_where_another_answer_erred_less(
    tmp_path: Path, error: float, told: bool
) -> None:
    judged = {"the network": (error, 0.5), "logistic regression on codes": (0.2, 0.6)}
    settings = {"epochs": 3, "augment": "flip", "rounds": 0}
    read = report(tmp_path, judged=judged, answer="the network", settings=settings)
    assert "The network predicts" in read.text
    assert ("though another answer erred less" in read.text) is told
    assert "It took 3 epochs; it was not sure enough" in read.text
