from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caes.data import Skipped
from caes.data.labels.labelled import labels_of
from caes.data.labels.tables import read_labels, with_table
from caes.errors import DataError, visible
from tests.blank import blank
from tests.refusals import refused

NAMES = ("a.png", "b.png", "c.png", "d.png")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "labels.csv"


def read(
    path: Path, text: str | bytes, names: Any = NAMES
) -> tuple[list[int], tuple[str, ...]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    labels, classes = read_labels(path, names)
    assert labels.dtype == np.int64
    return labels.tolist(), classes


message = partial(refused, read)


@pytest.mark.parametrize(
    "text",
    [
        "name,label\nd.png,cat\nb.png,dog\n",
        "d.png,cat\nb.png,dog\n",
        "\ufeffname,label\nd.png,cat\nb.png,dog\n",
        "\ufeffd.png,cat\nb.png,dog\n",
        "name;label\r\nd.png;cat\r\nb.png;dog\r\n",
        "name\tlabel\nd.png\tcat\nb.png\tdog",
        "d.png;cat\rb.png;dog\r",
        "Name , LABEL\n\nd.png, cat \n  ,\nb.png,dog\n\n",
        '"name","label"\n"d.png","cat"\n"b.png","dog"\n',
        "d.png,cat\nb.png,dog\nd.png,cat\n",
        "a.png,\nd.png,cat\nb.png,dog\nc.png,\n",
    ],
)
def test_pictures_without_a_row_have_no_label(table: Path, text: str) -> None:
    assert read(table, text) == ([-1, 1, -1, 0], ("cat", "dog"))


def test_names_and_labels_may_have_the_delimiter_in_quotes_or_the_others_without(
    table: Path,
) -> None:
    names = ("a,1.png", "b;2.png")
    expected = ([0, 1], ("big, red", "small"))
    commas = '"a,1.png","big, red"\nb;2.png,small\n'
    assert read(table, commas, names) == expected
    semicolons = 'name;label\na,1.png;big, red\n"b;2.png";small\n'
    assert read(table, semicolons, names) == expected


@pytest.mark.parametrize(
    ("written", "classes"),
    [
        (["10", "9", "-1", "2.5"], ("-1", "2.5", "9", "10")),
        (["10", "9", "x", "2"], ("2", "9", "10", "x")),
        (["b", "B", "a", "C"], ("a", "B", "b", "C")),
        (["kind 10", "kind 9", "nan", "inf"], ("inf", "kind 9", "kind 10", "nan")),
        (["1", "01", "1.0", "0"], ("0", "01", "1", "1.0")),
    ],
)
def test_numbers_are_ordered_by_value_and_text_naturally(
    table: Path, written: list[str], classes: tuple[str, ...]
) -> None:
    rows = zip(NAMES, written, strict=True)
    labels, found = read(table, "\n".join(map(",".join, rows)))
    assert found == classes
    assert [found[label] for label in labels] == written


@pytest.mark.parametrize(
    ("written", "row"),
    [
        ("cats/1.png", 0),
        ("./cats/1.png", 0),
        ("cats\\1.png", 0),
        (".\\dogs\\1.png", 1),
        (" dogs/1.png ", 1),
        ("dogs/2.png", 2),
        ("2.png", 2),
        ("photos/dogs/2.png", 2),
        ("C:\\photos\\dogs\\2.png", 2),
        ("/home/me/cats/1.png", 0),
        ("3.png", 3),
        ("photos/3.png", 3),
        ("deep/er/4.png", 4),
        ("er/4.png", 4),
    ],
)
def test_a_name_may_be_written_as_other_programs_do(
    table: Path, written: str, row: int
) -> None:
    names = ("cats/1.png", "dogs/1.png", "dogs/2.png", "3.png", "deep/er/4.png")
    labels, _ = read(table, f"{written},x", names)
    assert labels == [0 if each == row else -1 for each in range(5)]


def test_the_exact_name_wins_over_what_it_could_mean_otherwise(table: Path) -> None:
    names = ("1.png", "cats/1.png", "./1.png", " 1.png")
    text = "1.png,a\ncats/1.png,b\n./1.png,c\n 1.png,d\n"
    assert read(table, text, names) == ([0, 1, 2, 3], ("a", "b", "c", "d"))


def test_a_picture_in_another_folder_is_another_picture(table: Path) -> None:
    assert message(table, "birds/2.png,x", ("dogs/2.png", "cats/1.png")) == (
        f"{table}: received 1 row for pictures that do not exist (birds/2.png); "
        "allowed: the names of the 2 pictures. Did you mean dogs/2.png?"
    )
    assert "(s/2.png)" in message(table, "s/2.png,x", ("dogs/2.png", "cats/1.png"))


A_ROW = "a CSV file with a picture's name and its label in each row"
TWO = (
    "two columns in every row, name and label. Put quotes around a name that has a comma "
    "in it."
)
ROWS = f"received a file without rows; allowed: {A_ROW}. Write one row for each label."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a.png,cat\nb.png\n", f"received 1 column in line 2; allowed: {TWO}"),
        (
            "name,label\n\na.png,cat\nb.png,dog,0.9\n",
            f"received 3 columns in line 4; allowed: {TWO}",
        ),
        ("name\na.png\nb.png\n", f"received 1 column in line 1; allowed: {TWO}"),
        ("", ROWS),
        ("\ufeffname;label\r\n\r\n", ROWS),
        (
            "name,label\na.png,\nb.png, \n",
            "received a table without a single label; allowed: a label for some of the "
            "pictures. Write classes into the second column.",
        ),
        (
            "a.png,cat\n./a.png,dog\n",
            "received the label dog in line 2 for ./a.png, which is cat in a line "
            "before; allowed: one label for each picture. Delete the wrong one.",
        ),
        (
            "a.png,cat\nbb.png,dog\n",
            "received 1 row for pictures that do not exist (bb.png); allowed: the names "
            "of the 4 pictures. Did you mean b.png?",
        ),
        (
            "v,1\nw,1\nx,1\ny,1\nz,1\na.png,2\n",
            "received 5 rows for pictures that do not exist (v, w, x and 2 more); "
            "allowed: the names of the 4 pictures. Write names such as a.png.",
        ),
        (
            b"a.png,caf\xe9\n",
            "received data that cannot be read ('utf-8' codec can't decode byte 0xe9 in "
            f"position 9: invalid continuation byte); allowed: {A_ROW}. Check it, or make "
            "it again.",
        ),
        (
            'a.png,"cat\nb.png,dog\n',
            "received data that cannot be read (unexpected end of data); allowed: "
            f"{A_ROW}. Check it, or make it again.",
        ),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(
    table: Path, text: str | bytes, sentence: str
) -> None:
    assert message(table, text) == f"{table}: {sentence}"


def test_a_name_that_can_mean_several_pictures_is_refused(table: Path) -> None:
    names = [f"{folder}/1.png" for folder in ("cats", "dogs", "birds", "fish")]
    assert message(table, "name,label\n1.png,x\n", names) == (
        f"{table}: received 1.png in line 2, which can mean cats/1.png, dogs/1.png, "
        "birds/1.png and 1 more; allowed: names that mean one picture each. Write it "
        "with its folder, such as cats/1.png."
    )


@pytest.mark.parametrize("name", ["labels.csv", "x" * 5000, "a\0b"])
def test_a_missing_table_is_told(tmp_path: Path, name: str) -> None:
    assert refused(read_labels, tmp_path / name, NAMES) == (
        f"{visible(str(tmp_path / name))}: received a path that does not exist; allowed: "
        f"{A_ROW}. Check the spelling."
    )


def test_a_folder_in_the_place_of_a_table_is_one_line(tmp_path: Path) -> None:
    told = f"{tmp_path}: received data that cannot be read"
    assert refused(read_labels, tmp_path, NAMES).startswith(told)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('ab.png,;\t"\n\r\\/ 0\ufeff')) | st.binary(max_size=50))
def test_any_table_gives_labels_or_one_line(table: Path, text: str | bytes) -> None:
    with suppress(DataError):
        labels, classes = read(table, text, ("a", "b", "a/b", "0.png"))
        assert sorted({*labels} - {-1}) == list(range(len(classes)))


def test_a_label_of_a_number_too_long_is_one_line(table: Path) -> None:
    told = message(table, "a.png," + "9" * 5000 + "\nb.png,cat\n")
    assert "received data that cannot be read" in told


def test_a_table_labels_the_pictures_that_it_names_and_no_others(table: Path) -> None:
    images = blank([0, 1, 2, 0])
    table.write_text("00003,tall\n00001,short\n00002,\n")
    found = with_table(images, table)
    assert found.classes == ("short", "tall")
    assert labels_of(found).tolist() == [-1, 0, -1, 1]
    assert found.pixels is images.pixels


def test_a_table_may_name_pictures_that_could_not_be_read(table: Path) -> None:
    images = blank([0, 1])
    table.write_text("broken.png,tall\n00000,short\n")
    skipped = replace(images, skipped=(Skipped("broken.png", "truncated"),))
    assert labels_of(with_table(skipped, table)).tolist() == [0, -1]
    assert "that do not exist (broken.png)" in refused(with_table, images, table)
