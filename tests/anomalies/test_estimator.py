"""The outlier detector of pictures: scikit-learn's rules, scores, maps, and files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import caes
from caes import AnomalyDetector, ImageSet
from caes.anomalies.ensemble import LOCAL, WHOLE
from caes.errors import ArgumentError, DataError, OutputError, RunError


class OnTables(AnomalyDetector):
    """On scikit-learn's own tables: each row is filled up to a square picture."""

    def _unflatten(self, table: NDArray[Any], reset: bool) -> ImageSet:
        side = max(4, int(np.ceil(table.shape[1] ** 0.5)))
        square = np.zeros((len(table), side * side), table.dtype)
        square[:, : table.shape[1]] = table
        return super()._unflatten(square, reset)


# Every check applies; none is left out.
@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [
        OnTables(
            ("codes of pictures by mahalanobis", "reconstruction by pixels"),
            false_alarms=0.2,
            steps=5,
            random_state=0,
        )
    ]
)
def test_scikit_learn_s_own_check(estimator: AnomalyDetector, check: Any) -> None:
    check(estimator)


def test_other_digits_are_told_from_the_one_that_is_known(
    detector: AnomalyDetector,
) -> None:
    test = caes.load("digits", "test")
    assert test.labels is not None
    strange = test.labels != 3
    found = detector.strangeness(test)
    assert roc_auc_score(strange, found) > 0.9
    flagged = detector.predict(test) == -1
    assert flagged[~strange].mean() < 0.25
    assert (flagged == (detector.p_values(test) <= 0.1 + 1e-9)).all()
    np.testing.assert_array_equal(flagged, found > detector.threshold_)


def test_heatmaps_are_dark_on_normal_pictures_and_bright_where_something_is(
    detector: AnomalyDetector, threes: ImageSet
) -> None:
    pixels = threes.pixels[:20].copy()
    normal = detector.heatmaps(pixels)
    pixels[:, 2:6, 2:6] = 255
    planted = detector.heatmaps(pixels)
    assert isinstance(planted, np.ndarray)
    assert isinstance(normal, np.ndarray)
    assert planted.shape == (20, 28, 28)
    there, elsewhere = planted[:, 3:5, 3:5].mean(), planted[:, 14:, 14:].mean()
    assert there > 5 * max(elsewhere, 1)
    assert normal.mean() < 1


def test_what_is_saved_comes_back(
    detector: AnomalyDetector, threes: ImageSet, tmp_path: Path
) -> None:
    detector.save(tmp_path / "one")
    again = AnomalyDetector.load(tmp_path / "one")
    some = threes[:30]
    np.testing.assert_array_equal(again.strangeness(some), detector.strangeness(some))
    np.testing.assert_array_equal(again.heatmaps(some), detector.heatmaps(some))
    assert again.threshold_ == detector.threshold_
    assert again.get_params() == detector.get_params()
    with pytest.raises(OutputError):
        detector.save(tmp_path / "one")
    names = {each.name for each in (tmp_path / "one").iterdir()}
    assert names == {"detector.json", "detector.safetensors", "autoencoder"}


def test_pictures_of_several_sizes_are_looked_at_place_by_place() -> None:
    random = np.random.default_rng(0)

    def texture(tall: int, wide: int) -> NDArray[np.uint8]:
        rows = np.sin(np.arange(tall) / 2)[:, None] * np.ones(wide)
        grain = random.normal(size=(tall, wide))
        return np.clip(128 + 30 * rows + 10 * grain, 0, 255).astype(np.uint8)

    sides = [(70, 90), (90, 70), (66, 130)]
    normal = [texture(*sides[n % 3]) for n in range(24)]
    names = ("reconstruction by pixels", "codes of places by mahalanobis")
    one = AnomalyDetector(names, false_alarms=0.2, steps=100, random_state=0)
    one.fit(normal)
    new = [texture(*sides[n % 3]) for n in range(12)]
    bad = [each.copy() for each in new]
    for each in bad:
        each[30:40, 40:50] = 250
    assert one.score_samples(bad).max() < one.score_samples(new).min()
    maps = one.heatmaps(bad)
    assert [each.shape for each in maps] == [each.shape for each in bad]
    for heat in maps:
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert 25 <= row < 45
        assert 35 <= column < 55


def test_every_detector_learns_keeps_and_tells(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    squares = random.random((32, 16, 16, 3)).astype(np.float32)
    mixed = [random.random((66 + n % 2, 70)).astype(np.float32) for n in range(12)]
    for made, pictures in ((WHOLE, squares), (LOCAL, mixed)):
        names = tuple(make().name for make in made)
        one = AnomalyDetector(names, steps=1, random_state=0).fit(pictures)
        found = one.strangeness(pictures)
        assert np.isfinite(found).all()
        folder = tmp_path / str(len(names))
        one.save(folder)
        again = AnomalyDetector.load(folder)
        np.testing.assert_allclose(again.strangeness(pictures), found, atol=1e-6)


def test_without_names_detectors_are_chosen_and_it_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pictures = np.random.default_rng(0).random((40, 8, 8))
    made = AnomalyDetector(look_for="defects", steps=1, random_state=0, verbose=True)
    one = made.fit(pictures)
    choice = one.ensemble_.choice
    assert {*choice.used} <= {make().name for make in WHOLE}
    assert {*choice.found} == {*(make().name for make in WHOLE), "together"}
    assert choice.said() in capsys.readouterr().err


def test_what_cannot_be_is_refused(detector: AnomalyDetector, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="detectors: received 'magic'"):
        AnomalyDetector(("magic",), steps=1).fit(np.zeros((9, 8, 8)))
    with pytest.raises(DataError) as refused:
        AnomalyDetector().fit(np.zeros((3, 8, 8)))
    assert str(refused.value) == (
        "X: received 3 samples of normal pictures; allowed: at least 8, of which some "
        "are kept apart. Take more normal pictures."
    )
    with pytest.raises(DataError) as refused:
        detector.predict(np.zeros((3, 8, 8)))
    assert str(refused.value) == (
        "X: received pictures of 8×8×1; allowed: pictures of 28×28×1, as were learnt "
        "from. Load them with size= and channels= as those were."
    )
    with pytest.raises(RunError) as missing:
        AnomalyDetector.load(tmp_path)
    assert str(missing.value) == (
        f"{tmp_path}: received no detector.json in it; allowed: the folder of a "
        "detector. Make one with: caes anomalies fit NORMAL --out FOLDER."
    )


def test_another_rate_needs_no_fitting(detector: AnomalyDetector) -> None:
    before = detector.threshold_
    assert detector.set_threshold(0.3).threshold_ < before
    assert detector.set_threshold(0.1).threshold_ == before


def test_large_pictures_by_tiles_are_what_they_are_as_wholes() -> None:
    random = np.random.default_rng(0)
    pictures = [random.random((70, 90 + n % 2)) for n in range(10)]
    names = ("reconstruction by pixels", "codes of places by mahalanobis")
    one = AnomalyDetector(names, steps=1, random_state=0).fit(pictures)
    large = [random.random((70, 400))]
    (whole,) = one.heatmaps(large)
    one.ensemble_ = replace(one.ensemble_, tile=192)
    (tiled,) = one.heatmaps(large)
    assert tiled.shape == whole.shape
    highest = np.abs(whole).max()
    np.testing.assert_allclose(tiled, whole, atol=0.02 * highest)  # where they meet
    np.testing.assert_allclose(tiled[:, :120], whole[:, :120], atol=1e-3)
