"""Pictures that are the same, against a naive search."""

import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from caes.data import ImageSet, survey
from caes.data.census.duplicates import SHOWN, Contents, Group, Repeats

CLASSES = ("cat", "dog")
ROWS = st.lists(
    st.tuples(
        st.integers(0, 4),  # what is on it
        st.sampled_from(["train", "test", "validation"]),
        st.integers(-1, 1),  # its label
    ),
    max_size=30,
)


def one(
    value: float,
    name: str,
    label: int = -1,
    dtype: str = "uint8",
    classes: tuple[str, ...] = CLASSES,
) -> ImageSet:
    about = {"labels": np.array([label]), "classes": classes}
    return ImageSet.from_pixels(np.full((1, 2, 3), value, dtype), [name], **about)


@given(rows=ROWS)
def test_what_is_found_is_what_a_naive_search_finds(
    rows: list[tuple[int, str, int]],
) -> None:
    contents = Contents()
    same: dict[int, list[int]] = defaultdict(list)
    for number, (value, split, label) in enumerate(rows):
        contents.add(one(value, str(number), label), split)
        same[value].append(number)
    groups = [members for members in same.values() if len(members) > 1]
    found = contents.repeats()
    assert len(contents) == len(rows)
    assert found.groups == len(groups)
    assert found.pictures == sum(len(members) - 1 for members in groups)
    assert [each.names for each in found.first] == [
        tuple(map(str, members[:SHOWN])) for members in groups
    ]
    order = list(dict.fromkeys(split for _, split, _ in rows))
    across = {
        (later, earlier): sum(
            rows[number][1] == later
            for members in groups
            for number in members
            if any(rows[other][1] == earlier for other in members)
        )
        for at, earlier in enumerate(order)
        for later in order[at + 1 :]
    }
    assert found.across == {pair: n for pair, n in across.items() if n}
    spread = [m for m in groups if len({rows[n][1] for n in m}) > 1]
    assert [each.pictures for each in found.first_across] == [len(m) for m in spread]
    differing = [m for m in groups if len({rows[n][2] for n in m} - {-1}) > 1]
    assert found.differing == len(differing)
    firsts = [
        sorted(next(n for n in m if rows[n][2] == label) for label in (0, 1))
        for m in differing
    ]
    assert [each.names for each in found.first_differing] == [
        tuple(map(str, pair)) for pair in firsts
    ]


def test_classes_are_compared_by_name_however_a_set_numbers_them() -> None:
    contents = Contents()
    contents.add(one(7, "a", 0), "train")
    contents.add(one(7, "b", 1, classes=("dog", "cat")), "test")
    assert contents.repeats().differing == 0


@pytest.mark.parametrize("shape", [(1, 3, 2, 1), (1, 6, 1, 1), (1, 1, 2, 3)])
def test_the_same_bytes_in_another_shape_are_another_picture(
    shape: tuple[int, ...],
) -> None:
    contents = Contents()
    contents.add(one(0, "a"), "train")
    contents.add(ImageSet.from_pixels(np.zeros(shape, np.uint8)), "train")
    contents.add(one(0, "c", dtype="bool"), "train")
    contents.add(one(0, "d", dtype="int8"), "train")
    assert contents.repeats() == Repeats()


def test_the_same_pixels_in_other_formats_are_the_same_picture(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "b.bmp")
    tifffile.imwrite(tmp_path / "c.tif", pixels)
    tifffile.imwrite(tmp_path / "d.tif", pixels.astype(np.uint16))
    found = survey(tmp_path)
    assert found.repeats.pictures == 2
    assert [each.names for each in found.repeats.first] == [("a.png", "b.bmp", "c.tif")]


def test_a_test_picture_that_is_learnt_from_is_told_of(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for number in range(3):
            path = tmp_path / split / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("L", (4, 4), number + 10 * (split == "test")).save(path)
    shutil.copy(tmp_path / "train" / "1.png", tmp_path / "test" / "9.png")
    found = survey(tmp_path).repeats
    assert found.across == {("test", "train"): 1}
    assert found.first_across == (
        Group(2, ("train/1.png", "test/9.png"), (None, None)),
    )
