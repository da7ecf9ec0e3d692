"""What is in some pictures, as a table and in short."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from caes.data import ImageSet, Survey, survey, survey_of_sets
from caes.data.census.survey import Values
from caes.tasks.census import in_short, print_survey, ranged, repeated
from tests import stripes
from tests.refusals import NO_PICTURE


def printed(found: Survey, capsys: pytest.CaptureFixture[str]) -> str:
    print_survey(found)
    return " ".join(capsys.readouterr().out.split())


def test_names_of_folders_are_no_markup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stripes.write_folder(tmp_path, 1)
    (tmp_path / "high").rename(tmp_path / "[red]high")
    said = printed(survey(tmp_path), capsys)
    assert "[red]high 1" in said
    assert "middle 1" in said


def test_pictures_that_cannot_be_read_are_named_in_a_line_however_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stripes.write_folder(tmp_path, 2, nested=False)
    (tmp_path / "low-1.png").write_bytes(b"")
    said = printed(survey(tmp_path), capsys)
    for told in (
        "splits train 6 pictures 5 sizes 12×12 channels 1 types uint8 modes grey formats PNG values ",
        "duplicates none classes none cannot be read 1 cannot be read: low-1.png: empty",
    ):
        assert told in said
    (tmp_path / f"{'b' * 90}.png").write_text("no picture")
    print_survey(survey(tmp_path))
    line = f"cannot be read: {'b' * 90}.png: {NO_PICTURE}"
    assert line in capsys.readouterr().out.splitlines()


def test_the_whole_table_of_a_set_with_everything(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pixels = np.zeros((4, 2, 2, 1), np.uint16)
    pixels[1:3] = 4095
    train = ImageSet.from_pixels(
        pixels[:3],
        ["a", "b", "c"],
        labels=np.array([0, 0, 1]),
        classes=("cat", "dog"),
        source="some",
    )
    test = ImageSet.from_pixels(
        pixels[3:], ["d"], labels=np.array([-1]), classes=("cat", "dog"), split="test"
    )
    print_survey(survey_of_sets(train, test))
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [re.sub(r"  +", "|", line) for line in said] == [
        "source|some",
        "splits|train 3, test 1",
        "pictures|4",
        "sizes|2×2",
        "channels|1",
        "types|uint16",
        "modes|grey",
        "values|0 to 4,095 of 0 to 65,535: 6 % of uint16 is used",
        "mean ± deviation|2048 ± 2048",
        "duplicates|2 pictures of 4 repeat another one: a = d; b = c",
        "duplicates|1 picture of test is in train too",
        "duplicates|the same picture has different labels: b (cat) = c (dog)",
        "classes|2",
        "without a label|1",
        "cannot be read|0",
        "pictures of each class:",
        "cat|2",
        "dog|1",
    ]


def values(*numbers: float, dtype: str) -> Values:
    found = Values(dtype, 1)
    pixels = np.array(numbers, dtype).reshape(-1, 1, 1, 1)
    found.add(ImageSet.from_pixels(pixels))
    return found


@pytest.mark.parametrize(
    ("dtype", "numbers", "said"),
    [
        ("uint8", (0, 255), "0 to 255, the whole range of uint8"),
        ("uint8", (0, 254), "0 to 254 of 0 to 255: 99 % of uint8 is used"),
        ("uint8", (7, 7), "7 to 7 of 0 to 255: 0 % of uint8 is used"),
        ("uint16", (1, 9), "1 to 9 of 0 to 65,535: under 1 % of uint16 is used"),
        ("int16", (-1024, 3071), "-1,024 to 3,071 of -32,768 to 32,767: 6 % of int16 is used"),
        ("bool", (0, 1), "0 to 1, the whole range of bool"),
        ("float32", (0, 0.25), "0 to 0.25 of 0 to 1: 25 % of float32 is used"),
        ("float32", (-1.5, 791.25), "-1.5 to 791.25, float32"),
        ("float64", (0, 1e300), "0 to 1e+300, float64"),
    ],
)  # fmt: skip
def test_the_real_range_stands_beside_the_nominal_one(
    dtype: str, numbers: tuple[float, ...], said: str
) -> None:
    assert ranged(values(*numbers, dtype=dtype)) == said


def same(*numbers: int, labels: list[int] | None = None) -> Survey:
    pixels: NDArray[Any] = np.array(numbers, np.uint8).reshape(-1, 1, 1, 1)
    return survey_of_sets(
        ImageSet.from_pixels(
            pixels,
            [f"{number}.png" for number in range(len(numbers))],
            labels=None if labels is None else np.array(labels),
            classes=() if labels is None else ("cat", "dog"),
        )
    )


def test_long_groups_and_many_of_them_are_cut_short() -> None:
    assert [*repeated(same(1, 1))] == [
        "1 picture of 2 repeats another one: 0.png = 1.png"
    ]
    many = [*repeated(same(1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5))]
    assert many == [
        "8 pictures of 13 repeat another one: 0.png = 1.png = 2.png and 2 more; 5.png = 6.png; 7.png = 8.png; and 2 more such groups"
    ]
    assert [*repeated(same(1, 2))] == []


def test_two_that_differ_are_named_though_others_stand_between_them() -> None:
    found = same(1, 1, 1, 1, 1, labels=[0, 0, -1, 0, 1])
    assert [*repeated(found)][1] == (
        "the same picture has different labels: 0.png (cat) = 4.png (dog) and 3 more"
    )


def test_several_types_are_told_one_by_one_in_short() -> None:
    found = Survey("several")
    found.add(ImageSet.from_pixels(np.zeros((2, 3, 3, 1), np.uint8), ["a", "b"]))
    found.add(ImageSet.from_pixels(np.full((1, 3, 3, 3), 255, np.uint8), ["c"]))
    assert [*in_short(found)] == [
        "values: 0 to 0 of 0 to 255: 0 % of uint8 is used (2 of uint8 with 1 channel)",
        "values: 255 to 255 of 0 to 255: 0 % of uint8 is used (1 of uint8 with 3 channels)",
        "1 picture of 3 repeats another one: a = b",
    ]


def test_of_many_channels_the_first_means_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = survey(np.zeros((2, 3, 3, 8), np.uint8))
    assert "0 ± 0, " * 5 + "0 ± 0 and 2 more" in printed(found, capsys)


def test_where_nothing_can_be_read_the_table_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    said = printed(survey(tmp_path), capsys)
    assert "pictures 0" in said
    assert said.endswith("cannot be read 1 cannot be read: bad.png: empty")
