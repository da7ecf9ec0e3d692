"""Errors with few and with more labels: paired, kept as they come, and gone on with."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caes import CAE, CAEClassifier, ImageSet
from caes.cli.label_curve import parse_counts
from caes.data.labels.draws import only
from caes.data.labels.labelled import labels_of
from caes.errors import ArgumentError, DataError, OutputError
from caes.report.pages.label_curve import CurveRun
from caes.runs.ledger import Ledger
from caes.tasks import label_curve as module
from caes.tasks.classify import CODES, CONTROL, PIXELS
from caes.tasks.label_curve import CONTENDERS, FIGURES, KEYS, STACK, label_curve
from caes.train.recipes import FineTuning
from tests import stripes
from tests.cli.conftest import table
from tests.refusals import refusing
from tests.tasks.conftest import Fits, Interrupt

OPTIONS = FineTuning(recipe="paper", head="none", epochs=1, rounds=1)
CURVE = [3, 9]
RUNS = len(CURVE) * 2 * len(CONTENDERS)


@pytest.fixture
def no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("something was trained")

    monkeypatch.setattr(CAEClassifier, "fit", refuse)
    monkeypatch.setattr(module, "fit_probe", refuse)


Curve = Callable[..., list[CurveRun]]


@pytest.fixture
def curve(tmp_path: Path, stack: CAE, images: ImageSet, test_images: ImageSet) -> Curve:
    """Give what makes the curve in one folder, each time with a new ledger."""

    def run(say: Callable[[str], Any] = str, **other: Any) -> list[CurveRun]:
        given: dict[str, Any] = {
            "cae": stack,
            "train": images,
            "test": test_images,
            "counts": CURVE,
            "seeds": 2,
            "options": OPTIONS,
            "ledger": Ledger(tmp_path / "runs.csv", KEYS, FIGURES),
        }
        return label_curve(**{**given, **other}, say=say)

    return run


def test_all_contenders_of_a_seed_learn_from_the_same_labels(
    curve: Curve, fits: Fits, images: ImageSet
) -> None:
    told: list[str] = []
    runs = curve(told.append)
    drawn = [*product(CURVE, (0, 1))]
    assert [(run.labels, run.seed, run.contender) for run in runs] == [
        (*each, contender)
        for each in drawn
        for contender in (STACK, CONTROL, CODES, PIXELS)
    ]
    assert len(fits.networks) == len(fits.probes) == 2 * len(drawn)
    for at, (labels, seed) in enumerate(drawn):
        few = only(images, labels, seed)
        few = few[labels_of(few) >= 0]
        names = tuple(few.names)
        assert len(names) == labels
        assert fits.networks[2 * at : 2 * at + 2] == [
            ("stack", seed, names, 30 - labels),
            ("random", seed, names, 30 - labels),
        ]
        assert fits.probes[2 * at : 2 * at + 2] == [tuple(labels_of(few).tolist())] * 2
    assert told[0] == f"3 labels, seed 0, {STACK}: error {runs[0].error:.2f} %"
    assert len(told) == RUNS


def test_the_errors_are_those_of_the_estimators(
    curve: Curve, stack: CAE, images: ImageSet, test_images: ImageSet
) -> None:
    runs = {(run.labels, run.seed, run.contender): run.error for run in curve()}
    few = only(images, 9, 1)
    given: dict[str, Any] = {**vars(OPTIONS), "random_state": 1}
    alone = CAEClassifier(stack, **given).fit(few)
    wrong = 100 * (1 - alone.score(test_images))
    assert runs[9, 1, STACK] == pytest.approx(wrong, abs=1e-4)
    given["start"] = "random"
    alone = CAEClassifier(stack, **given).fit(few)
    wrong = 100 * (1 - alone.score(test_images))
    assert runs[9, 1, CONTROL] == pytest.approx(wrong, abs=1e-4)
    assert runs[9, 1, PIXELS] == 0  # stripes are told apart by logistic regression


def test_every_run_is_in_the_file_and_none_is_made_again(
    curve: Curve, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    first = curve()
    rows = table(tmp_path / "runs.csv")
    assert [float(row["error"]) for row in rows] == [run.error for run in first]
    assert {row["test_pictures"] for row in rows} == {"12"}
    assert {row["settings"] for row in rows} == {
        "recipe=paper head=none epochs=1 rounds=1"
    }
    request.getfixturevalue("no_fit")
    assert curve() == first
    assert table(tmp_path / "runs.csv") == rows


def test_an_interrupted_curve_goes_on_where_it_stopped(
    curve: Curve, fits: Fits, tmp_path: Path
) -> None:
    told: list[str] = []

    def stop(line: str) -> None:
        told.append(line)
        if len(told) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curve(stop)
    assert len(table(tmp_path / "runs.csv")) == 5
    assert len(curve()) == RUNS
    assert len(fits.networks) + len(fits.probes) == RUNS
    assert len(table(tmp_path / "runs.csv")) == RUNS


def test_a_training_that_was_interrupted_is_no_run(
    curve: Curve, tmp_path: Path, interrupt: Interrupt
) -> None:
    interrupt(CAEClassifier, "random")
    with pytest.raises(KeyboardInterrupt):
        curve()
    assert [row["contender"] for row in table(tmp_path / "runs.csv")] == [STACK]


def test_runs_of_another_stack_of_other_pictures_or_options_are_others(
    curve: Curve, fits: Fits, stack: CAE, images: ImageSet, tmp_path: Path
) -> None:
    one = {"counts": [3], "seeds": 1}
    others: list[dict[str, Any]] = [
        {},
        {"cae": stripes.stack(images, epochs=2)},
        {"train": images[1:]},
        {"test": stripes.images(12, seed=7)},
        {"options": FineTuning(recipe="paper", head="none", epochs=2)},
    ]
    for number, other in enumerate(others, 1):
        curve(**one, **other)
        assert len(table(tmp_path / "runs.csv")) == 4 * number
        assert len(fits.networks) == 2 * number
    curve(**one, cae=stripes.stack(images))  # the same weights, trained again
    assert len(fits.networks) == 2 * len(others)


@pytest.mark.usefixtures("no_fit")
def test_too_many_labels_are_refused_before_anything_is_trained(
    curve: Curve, tmp_path: Path
) -> None:
    message = "labels: received 31; allowed: a whole number from 3 (one for each class) to 30 (all that have a label). Try labels=30."
    with refusing(ArgumentError, message):
        curve(counts=[3, 31])
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_fit")
def test_an_unwritable_folder_is_refused_before_anything_is_trained(
    curve: Curve, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "runs.csv"
    with pytest.raises(OutputError, match="a path that runs through a file"):
        curve(ledger=Ledger(path, KEYS, FIGURES))


def test_an_error_damaged_by_hand_is_named(curve: Curve, tmp_path: Path) -> None:
    curve(counts=[3], seeds=1)
    path = tmp_path / "runs.csv"
    error = table(tmp_path / "runs.csv")[0]["error"]
    path.write_text(path.read_text().replace(f",{error},12,", ",much,12,", 1))
    message = f"{path}: received 'much' as error of a run; allowed: the table of an earlier run of the same command. Name another folder with --out, or move the file away."
    with refusing(DataError, message):
        curve(counts=[3], seeds=1)


def test_numbers_of_labels_are_read_in_order_and_once() -> None:
    assert parse_counts("1000,30,100,30") == [30, 100, 1000]


def test_the_labels_of_a_seed_grow(images: ImageSet) -> None:
    few, more = (labels_of(only(images, n, 1)) for n in CURVE)
    assert (more[few >= 0] == few[few >= 0]).all()
    assert np.count_nonzero(more >= 0) == 9
