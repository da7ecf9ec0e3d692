"""Pictures that are twice: exactly, nearly, in two sets."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.transform import warp

from caes import ImageIndex, load
from caes.tasks.index import twins
from caes.tasks.index.twins import (
    CHANGES,
    best_cut,
    changed,
    differences,
    relative,
    threshold,
)

Pictures = NDArray[np.uint8]


@pytest.fixture(scope="module")
def digits() -> Pictures:
    return np.asarray(load("digits", "test[:200]").pixels)


def test_a_picture_is_like_itself_and_brightness_is_nothing(digits: Pictures) -> None:
    pairs = np.repeat(np.arange(20)[:, None], 2, axis=1)
    darker = (digits[:20] * 0.5 + 20).astype(np.uint8)
    np.testing.assert_allclose(differences(digits, digits, pairs), 0, atol=1e-5)
    assert differences(digits, darker, pairs).max() < 0.001


def test_the_window_of_a_picture_is_what_scikit_image_sees_there() -> None:
    picture = np.random.default_rng(0).random((1, 1, 20, 20)).astype(np.float32)
    windows = [*twins._windows(picture)]
    assert len(windows) == 28
    middle = windows[1 + 9 + 4][0, 0]  # of 95 %

    def back(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.025 * 20 + 0.95 * (at + 0.5) - 0.5

    expected = warp(picture[0, 0], back, order=1, mode="edge")
    np.testing.assert_allclose(middle, expected, atol=1e-5)


@pytest.mark.parametrize("place", [(0, 0), (1, 0), (0.5, 0.5), (1, 1)])
def test_what_was_cropped_anywhere_is_found_again(
    digits: Pictures, place: tuple[float, float]
) -> None:
    x, y = (1.4 * at for at in place)

    def cropped(picture: Image.Image) -> Image.Image:
        return picture.resize((28, 28), box=(x, y, x + 26.6, y + 26.6))

    pairs = np.repeat(np.arange(20)[:, None], 2, axis=1)
    copies = changed(digits[:20], cropped)
    assert differences(digits, copies, pairs).max() < 0.01
    assert differences(copies, digits, pairs).max() < 0.01


def test_a_copy_is_more_alike_than_another_picture(digits: Pictures) -> None:
    beside = np.repeat(np.arange(200)[:, None], 2, 1)
    copies = {
        kind: differences(digits, changed(digits, change), beside, 2)
        for kind, change in CHANGES.items()
    }
    row, step = np.divmod(np.arange(2000), 10)
    others = np.stack([row, (row + 7 * (step + 1)) % 200], axis=1)
    apart = differences(digits, digits, others, 2).reshape(200, 10)
    alike = threshold(copies, apart, 2)
    assert alike.blur == 2
    assert min(alike.f1.values()) > 0.99


def test_likeness_is_told_beside_the_fifth_that_either_is_compared_with() -> None:
    pairs = np.array([(a, b) for a in range(7) for b in range(a + 1, 7)])
    draw = np.random.default_rng(0)
    apart = draw.random(len(pairs)).astype(np.float32)
    found = relative(apart, pairs, 0.1)
    for (one, two), differ, likely in zip(pairs, apart, found, strict=True):
        fifths = [np.sort(apart[(pairs == end).any(1)])[4] for end in (one, two)]
        assert likely == pytest.approx(1 - differ / max(0.1, min(fifths)), rel=1e-5)


def test_the_likeness_of_few_or_of_many_copies_is_told_by_the_floor() -> None:
    few = np.array([[0, 1], [0, 2]])
    found = relative(np.array([0.01, 0.5], "f4"), few, 0.1)
    np.testing.assert_allclose(found, [0.9, -4], rtol=1e-5)
    many = np.array([(a, b) for a in range(7) for b in range(a + 1, 7)])
    found = relative(np.full(len(many), 0.01, "f4"), many, 0.1)
    np.testing.assert_allclose(found, 0.9, rtol=1e-5)


def test_the_threshold_is_where_f1_is_largest() -> None:
    same = {"one": np.array([0.9, 0.8, 0.7], "f4"), "two": np.array([0.6, 0.95], "f4")}
    different = np.array([0.1, 0.65, 0.5, 0.75], "f4")
    alike = best_cut(same, different, 0, 0.1)

    def f1(cut: float) -> float:
        hits = sum((each >= cut).sum() for each in same.values())
        false = (different >= cut).sum()
        return float(2 * hits / (5 + hits + false))

    assert f1(alike.likeness) == max(f1(cut) for cut in np.arange(0, 1, 0.01))
    assert alike.f1["two"] < alike.f1["one"] or alike.f1["one"] < 1


def test_the_threshold_of_what_is_far_apart_lies_between() -> None:
    alike = best_cut({"x": np.array([0.9], "f4")}, np.array([0.1], "f4"), 0, 0.1)
    assert alike.likeness == pytest.approx(0.5)
    assert alike.f1 == {"x": 1.0}


def codes(n: int) -> NDArray[np.float32]:
    return np.arange(n, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)


def test_near_codes_are_groups_with_the_first_in_front() -> None:
    near = codes(6) * 10
    near[4], near[5] = near[1] + 0.1, near[1] - 0.1
    groups = ImageIndex().add(near, names="abcdef", labels="xyxyxy").duplicates(0.5)
    assert [[each.name for each in group] for group in groups] == [["b", "e", "f"]]
    assert [each.kind for each in groups[0]] == ["first", "near", "near"]
    assert groups[0][1].distance == pytest.approx(0.1 * 3**0.5, rel=1e-4)
    assert np.isnan(groups[0][1].likeness)
    assert groups[0][1].label == "x"


def test_the_same_contents_are_exact_however_many() -> None:
    contents = [b"a" * 16] * 15 + [b"b" * 16, b"c" * 16]
    index = ImageIndex().add(codes(17) * 10, contents=contents)
    (group,) = index.duplicates(0.1)
    assert len(group) == 15
    assert {each.kind for each in group[1:]} == {"exact"}
    index.remove(["00000"])
    (group,) = index.duplicates(0.1)
    assert [each.name for each in group][:2] == ["00001", "00002"]


def test_only_what_is_in_both_sets_is_told_against_another() -> None:
    index = ImageIndex().add(codes(4) * 10, names="abcd")
    index.add(codes(1) * 10, names="e")  # the same as a
    other = ImageIndex().add(codes(2) * 10 + 10.05, names="xy")
    groups = index.duplicates(0.5, against=other)
    found = [[(each.name, each.against) for each in group] for group in groups]
    assert found == [[("b", False), ("x", True)], [("c", False), ("y", True)]]


def test_an_index_without_twins_has_no_groups() -> None:
    assert ImageIndex().add(codes(5) * 10).duplicates(1) == []
    assert ImageIndex().add(codes(1)).duplicates(1) == []
