"""Light taken out, regions, scores in common units, the choice, baselines."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import mahalanobis
from skimage.metrics import structural_similarity
from sklearn.metrics import roc_auc_score

from caes.anomalies.album import Album
from caes.anomalies.baselines import Baseline
from caes.anomalies.choice import Scale, choose
from caes.anomalies.detectors.codes import Whitening
from caes.anomalies.detectors.detector import pooled
from caes.anomalies.detectors.reconstruction import apart
from caes.anomalies.ensemble import HeatScale
from caes.anomalies.fitting import parts
from caes.anomalies.light import halved, levelled
from caes.anomalies.regions import regions
from caes.data import ImageSet, Skipped
from caes.errors import DataError


def test_slow_changes_of_light_and_its_strength_are_taken_out() -> None:
    random = np.random.default_rng(0)
    grain = random.normal(0, 0.02, (1, 80, 90, 1)).astype(np.float32)
    ramp = np.linspace(0.2, 0.7, 90, dtype=np.float32)[:, None]
    even, uneven = levelled(0.5 + grain), levelled(ramp + grain)
    inner = np.s_[:, 20:-20, 20:-20]
    np.testing.assert_allclose(uneven[inner], even[inner], atol=0.03)
    brighter = levelled(0.3 + 2 * grain)
    np.testing.assert_allclose(brighter[inner], even[inner], atol=0.1)


def test_structure_is_what_scikit_image_computes() -> None:
    one, other = np.random.default_rng(0).random((2, 1, 40, 40, 1)).astype(np.float32)
    _, wanted = structural_similarity(
        one[0, ..., 0],
        other[0, ..., 0],
        data_range=1.0,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )
    found = apart(one, other, "structure")[0]
    np.testing.assert_allclose(found[8:-8, 8:-8], 1 - wanted[8:-8, 8:-8], atol=1e-4)


def test_whitened_distances_are_mahalanobis_s() -> None:
    random = np.random.default_rng(0)
    codes = (random.normal(size=(5000, 4)) @ random.normal(size=(4, 4))).astype("f4")
    whitening = Whitening.fit(codes)
    inverse = np.linalg.inv(np.cov(codes, rowvar=False))
    for code in codes[:5]:
        wanted = mahalanobis(code, codes.mean(0), inverse)
        found = np.linalg.norm(whitening(code[None]))
        assert found == pytest.approx(wanted, rel=0.2)  # it is shrunk a little


def test_regions_are_told_apart_with_box_area_and_score() -> None:
    heat = np.zeros((20, 30), np.float32)
    heat[2:5, 3:7], heat[10:12, 20], heat[3, 4] = 2, 5, 3
    heat[12, 21] = 1.5  # touches at a corner
    first, second = regions(heat, 1.0)
    assert first == (10, 20, 13, 22, 3, 5.0)
    assert second == (2, 3, 5, 7, 12, 3.0)
    assert regions(heat, 9.0) == []


def test_large_pictures_are_scored_by_their_strangest_places() -> None:
    maps = np.zeros((2, 100, 100), np.float32)
    maps[1, 50:55, 50:55] = 1
    plain, strange = pooled(maps)
    assert plain == 0
    assert strange == pytest.approx(25 / 33)
    np.testing.assert_allclose(
        pooled(maps[:, :50, :60]), maps[:, :50, :60].mean((1, 2))
    )


def test_detectors_that_harm_are_left_out_and_others_kept() -> None:
    random = np.random.default_rng(0)
    good, noise = random.normal(size=(2, 200)), random.normal(size=(2, 200)) * 3
    normal = {"good": good[0], "alike": good[0] + noise[0] / 30, "harmful": noise[0]}
    planted = {
        "good": {"spots": good[1] + 2},
        "alike": {"spots": good[1] + 2 + noise[1] / 30},
        "harmful": {"spots": noise[1]},
    }
    choice = choose(normal, planted)
    assert {*choice.used} == {"good", "alike"}
    truth = np.r_[np.zeros(200), np.ones(200)]
    wanted = roc_auc_score(truth, np.r_[normal["good"], planted["good"]["spots"]])
    assert choice.mean("good") == pytest.approx(wanted)
    assert list(choose(normal, planted, ("harmful",)).used) == ["harmful"]
    kept = choose(normal, planted, whole=("harmful",))
    assert {*kept.used} == {"good", "alike", "harmful"}


def test_what_is_usual_at_an_edge_is_strange_only_in_the_middle() -> None:
    random = np.random.default_rng(0)

    def maps(tall: int, wide: int) -> NDArray[np.float32]:
        found = random.random((1, tall, wide)).astype(np.float32)
        found[:, :, : wide // 8] += 9 * random.random()
        return found

    normal = [maps(60 + n, 90 - n) for n in range(40)]
    heat = HeatScale.of(iter(normal), whole=False)
    new = np.zeros((1, 64, 80), np.float32)
    new[0, 30, 2], new[0, 30, 40] = 9, 9
    found = heat(new)[0]
    assert found.shape == (64, 80)
    assert found[30, 2] < 3
    assert found[30, 40] > 2 * found[30, 2]
    assert np.concatenate([heat(each).ravel() for each in normal]).max() < 6


@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
def test_halved_pictures_are_means_of_two_by_two(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((2, *size, 3)).astype(np.float32)
    found = halved(picture)
    assert found.shape == (2, -(-size[0] // 2), -(-size[1] // 2), 3)
    for row, column in np.ndindex(found.shape[1:3]):
        part = picture[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        np.testing.assert_allclose(found[:, row, column], part.mean((1, 2)), rtol=1e-5)


def test_units_rise_with_the_score_and_large_ones_slowly() -> None:
    scores = np.random.default_rng(0).gamma(2, size=500)
    scale = Scale.of(scores)
    found = scale(np.sort(scores))
    assert (np.diff(found) >= 0).all()
    assert np.median(found) == pytest.approx(0, abs=0.01)
    assert scale(np.array([1e6]))[0] < 20


def test_parts_are_apart_and_groups_stay_together() -> None:
    groups = [f"part{n // 3}" for n in range(60)]
    found = parts(60, groups, 0.4, 0)
    every = np.concatenate(found)
    assert sorted(every.tolist()) == list(range(60))
    names = [{groups[row] for row in part} for part in found]
    assert not names[0] & names[1]
    assert not (names[0] | names[1]) & names[2]
    assert [len(each) for each in names] == [12, 4, 4]
    with pytest.raises(DataError, match="received 2 groups of normal pictures"):
        parts(6, groups[:6], 0.4, 0)


def test_an_album_gathers_pictures_of_any_sizes_in_a_file() -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 99, (9 + n, 7, 1), np.uint8) for n in range(5)]
    sets = [
        ImageSet.from_pixels(each[None], names=[f"{n}"])
        for n, each in enumerate(pictures)
    ]
    colour = ImageSet.from_pixels(np.zeros((1, 5, 5, 3), np.uint8), names=["c"])
    album = Album.gathered([*sets, Skipped("x", "truncated"), colour], "here")
    assert (len(album), album.size, album.channels) == (5, None, 1)
    for found, wanted in zip(album.pictures, pictures, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert [each.name for each in album.skipped] == ["x", "c"]
    assert [len(batch) for batch in album.batches()] == [1] * 5
    assert album.crops(7, 16, random).shape == (7, 16, 16, 1)


@pytest.mark.parametrize("name", ["PCA", "neighbours"])
def test_baselines_tell_what_is_plainly_strange(name: str) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 3)) @ random.normal(size=(3, 64))
    normal = Album.of(ImageSet.from_pixels(rows.reshape(-1, 8, 8, 1)))
    strange = Album.of(ImageSet.from_pixels(10 * random.normal(size=(5, 8, 8, 1))))
    one = Baseline(name).fit(normal)  # type: ignore[arg-type]
    assert one.scores(strange).min() > one.scores(normal).max()
