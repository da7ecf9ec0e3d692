"""A linear classifier on codes: thresholds against loops, and a whole small run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.svm import LinearSVC

import caes.tasks.studies.codes as module
from caes.data import ImageSet, load
from caes.estimators import CAE
from caes.tasks.studies.codes import FIGURES, KEYS, above, lines, measure, thresholds
from caes.tasks.studies.study import within

TINY: dict[str, Any] = module.STACK | {"arch": "8C5-MP4", "epochs": 1}


def _maps(n: int = 20) -> Any:
    return np.random.default_rng(0).normal(size=(n, 4, 3)).astype(np.float32)


def test_a_map_s_threshold_leaves_the_share_of_its_values() -> None:
    maps = _maps(500)
    bounds = thresholds(maps, 0.1)
    assert bounds.shape == (3,)
    np.testing.assert_allclose((maps > bounds).mean((0, 1)), 0.1, atol=1e-3)


def test_what_is_above_the_threshold_stays_as_far_as_it_is_above() -> None:
    maps, bounds = _maps(), np.array([-1, 0, 0.5], np.float32)
    found = above(maps, bounds).toarray().reshape(maps.shape)
    for n, place, k in np.ndindex(*maps.shape):
        wanted = max(0, float(maps[n, place, k]) - float(bounds[k]))
        assert found[n, place, k] == pytest.approx(wanted, abs=1e-6)


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> dict[str, ImageSet]:
    """Let digits stand in for MNIST."""
    sets = {"train": load("digits", "train[:300]"), "test": load("digits", "test[:80]")}
    monkeypatch.setattr(module, "load", lambda source, split: sets[split])
    monkeypatch.setattr(module, "STACK", TINY)
    monkeypatch.setattr(module, "FEW", 200)
    return sets


def test_the_error_is_that_of_a_linear_machine_on_the_thresholded_codes(
    digits: dict[str, ImageSet], tmp_path: Path
) -> None:
    told: list[str] = []
    ledger = measure(tmp_path, told.append)
    (row,) = ledger
    cae = CAE.load(tmp_path / f"{module.NAME}-stack")
    inside, outside = (
        cae.transform(images).reshape(len(images), -1, 8) for images in digits.values()
    )
    bounds = thresholds(inside[:200], module.ACTIVE)
    machine = LinearSVC(C=module.STRENGTH, dual=False, tol=1e-3, max_iter=300)
    features = above(inside, bounds).toarray()
    machine.fit(features / features.std(), digits["train"].labels)
    found = machine.predict(above(outside, bounds).toarray() / features.std())
    wrong = found != digits["test"].labels
    assert ledger.number(row, "error") == pytest.approx(100 * wrong.mean(), abs=1e-4)
    assert (row["labels"], row["dimensions"]) == ("300", str(49 * 8))
    assert told[0] == "successors-codes: training the stack 8C5-MP4"
    error = 100 * wrong.mean()
    found = f"{error:.2f} {within(error, len(wrong))} | 392 | 0.48 | 1.02 |"
    assert f"| 300 (recipe changed after a test error) | {found}" in lines(ledger)


def test_a_kept_error_is_not_computed_again(
    digits: dict[str, ImageSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [*measure(tmp_path, lambda _: None)]
    monkeypatch.setattr(module, "load", lambda *_: pytest.fail("it was opened"))
    ledger = measure(tmp_path, lambda _: None)
    assert [*ledger] == first
    monkeypatch.undo()
    assert [row["recipe"] for row in ledger] != [module._recipe()]  # another stack
    assert ledger.columns[: len(KEYS) + len(FIGURES)] == (*KEYS, *FIGURES)
