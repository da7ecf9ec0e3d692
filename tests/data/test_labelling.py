from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from caes.data import load, survey
from caes.data.imageset import ImageSet, join
from caes.data.labels.draws import check_classes, labelled, read_labels, stratified
from caes.errors import ArgumentError, DataError, visible

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


def message(path: Path, text: str | bytes, names: Any = NAMES) -> str:
    with pytest.raises(DataError) as caught:
        read(path, text, names)
    return str(caught.value)


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


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "a.png,cat\nb.png\n",
            "received 1 column in line 2; allowed: two columns in every row, name and "
            "label. Put quotes around a name that has a comma in it.",
        ),
        (
            "name,label\n\na.png,cat\nb.png,dog,0.9\n",
            "received 3 columns in line 4; allowed: two columns in every row, name and "
            "label. Put quotes around a name that has a comma in it.",
        ),
        (
            "name\na.png\nb.png\n",
            "received 1 column in line 1; allowed: two columns in every row, name and "
            "label. Put quotes around a name that has a comma in it.",
        ),
        (
            "",
            "received a file without rows; allowed: a CSV file with a picture's name "
            "and its label in each row. Write one row for each label.",
        ),
        (
            "\ufeffname;label\r\n\r\n",
            "received a file without rows; allowed: a CSV file with a picture's name "
            "and its label in each row. Write one row for each label.",
        ),
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
            "position 9: invalid continuation byte); allowed: a CSV file with a "
            "picture's name and its label in each row. Check it, or make it again.",
        ),
        (
            'a.png,"cat\nb.png,dog\n',
            "received data that cannot be read (unexpected end of data); allowed: a CSV "
            "file with a picture's name and its label in each row. Check it, or make it "
            "again.",
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
    with pytest.raises(DataError) as caught:
        read_labels(tmp_path / name, NAMES)
    assert str(caught.value) == (
        f"{visible(str(tmp_path / name))}: received a path that does not exist; allowed: a CSV file "
        "with a picture's name and its label in each row. Check the spelling."
    )


def test_a_folder_in_the_place_of_a_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"^{tmp_path}: received data that cannot be"):
        read_labels(tmp_path, NAMES)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('ab.png,;\t"\n\r\\/ 0\ufeff')) | st.binary(max_size=50))
def test_any_table_gives_labels_or_one_line(table: Path, text: str | bytes) -> None:
    with suppress(DataError):
        labels, classes = read(table, text, ("a", "b", "a/b", "0.png"))
        assert sorted({*labels} - {-1}) == list(range(len(classes)))


def test_a_label_of_a_number_too_long_is_one_line(table: Path) -> None:
    with pytest.raises(DataError, match="received data that cannot be read"):
        read(table, "a.png," + "9" * 5000 + "\nb.png,cat\n")


def some() -> ImageSet:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    return ImageSet.from_pixels(pixels, split="test")


def test_labels_are_given_without_copying_pictures() -> None:
    images = some()
    with_some = labelled(images, np.array([-1, 1, -1, 0]), ("cat", "dog"))
    assert with_some.labels is not None
    assert with_some.labels.tolist() == [-1, 1, -1, 0]
    assert (with_some.classes, with_some.split) == (("cat", "dog"), "test")
    assert with_some.pixels is images.pixels
    assert images.labels is None


def test_fingerprints_joins_slices_and_surveys_take_missing_labels() -> None:
    classes = ("cat", "dog", "cow")
    part = labelled(some(), np.array([-1, 1, -1, 0]), classes)
    other = labelled(some(), np.array([0, 1, -1, 0]), classes)
    assert part.fingerprint != other.fingerprint
    both = join([part, other])
    assert both.labels is not None
    assert both.labels.tolist() == [-1, 1, -1, 0, 0, 1, -1, 0]
    assert both.classes == classes
    assert load(part, "train[2:]").labels.tolist() == [-1, 0]  # type: ignore[union-attr]
    assert survey(both).classes == {"cat": 3, "dog": 2, "cow": 0}
    assert survey(part[[0, 2]]).classes == {"cat": 0, "dog": 0, "cow": 0}


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (
            [0, 1],
            "labels: received an array of shape (2,) for 4 pictures; allowed: one class "
            "index, or -1, for each picture. Check how the two were selected.",
        ),
        (
            [0, 2, -1, 0],
            "labels: received values from -1 to 2 for 2 classes; allowed: indices of "
            "the classes, or -1 for none. Number the classes from 0.",
        ),
        (
            [0, -2, -1, 0],
            "labels: received values from -2 to 0 for 2 classes; allowed: indices of "
            "the classes, or -1 for none. Number the classes from 0.",
        ),
    ],
)
def test_labels_that_do_not_belong_to_the_pictures_are_refused(
    labels: list[int], sentence: str
) -> None:
    with pytest.raises(DataError) as caught:
        labelled(some(), np.array(labels), ("cat", "dog"))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (
            [-1, -1],
            "labels: received no labels; allowed: labels of at least two classes. Label "
            "some pictures of each class.",
        ),
        (
            [-1, 1, 1],
            "labels: received labels of one class only (dog); allowed: labels of at "
            "least two classes. Label some pictures of each class.",
        ),
        (
            [-1, 1, 1, 0],
            "labels: received a single labelled picture of cat; allowed: at least two "
            "labelled pictures of each class. Label more of them, or leave the class "
            "out.",
        ),
        (
            [0, 1, 2, 3, 4, 4],
            "labels: received a single labelled picture of cat, dog, cow and 1 more; "
            "allowed: at least two labelled pictures of each class. Label more of them, "
            "or leave the class out.",
        ),
    ],
)
def test_classes_that_cannot_be_learned_are_named(
    labels: list[int], sentence: str
) -> None:
    with pytest.raises(DataError) as caught:
        check_classes(np.array(labels), ("cat", "dog", "cow", "hen", "pig"))
    assert str(caught.value) == sentence


def test_two_labelled_pictures_of_two_classes_are_enough() -> None:
    check_classes(np.array([-1, 0, 2, 2, 0]), ("cat", "dog", "cow"))


def dealt_naively(available: dict[int, int], count: int) -> list[int]:
    """The sorted numbers of each class when pictures go round one by one."""
    left, taken = dict(available), Counter[int]()
    while taken.total() < count:
        for label in left:
            if left[label] and taken.total() < count:
                left[label] -= 1
                taken[label] += 1
    return sorted(taken.values())


@st.composite
def draws(draw: st.DrawFn) -> tuple[NDArray[np.int64], int, int]:
    """Labels of a few classes, some missing; a count that can be; a seed."""
    elements = st.sampled_from([-1, 0, 1, 1, 1, 2, 2, 5])
    labels = draw(arrays(np.int64, st.integers(1, 60), elements=elements))
    labels[draw(st.integers(0, len(labels) - 1))] = 0
    known = labels[labels >= 0]
    count = draw(st.integers(len({*known.tolist()}), len(known)))
    return labels, count, draw(st.integers(0, 2**40))


@given(draws())
def test_classes_are_drawn_as_equally_as_their_numbers_allow(
    drawn: tuple[NDArray[np.int64], int, int],
) -> None:
    labels, count, seed = drawn
    rows = stratified(labels, count, seed)
    assert rows.dtype == np.int64
    assert rows.tolist() == sorted({*rows.tolist()})
    assert len(rows) == count
    assert (labels[rows] >= 0).all()
    available = Counter(labels[labels >= 0].tolist())
    taken = Counter(labels[rows].tolist())
    assert taken.keys() == available.keys()
    assert sorted(taken.values()) == dealt_naively(available, count)
    most = max(taken.values())
    assert all(taken[each] in (most, most - 1, available[each]) for each in taken)


@given(draws())
def test_the_same_seed_draws_the_same_and_a_larger_count_keeps_all(
    drawn: tuple[NDArray[np.int64], int, int],
) -> None:
    labels, count, seed = drawn
    rows = stratified(labels, count, seed)
    assert stratified(labels, count, seed).tolist() == rows.tolist()
    if count < (labels >= 0).sum():
        assert {*rows.tolist()} < {*stratified(labels, count + 1, seed).tolist()}


def test_every_picture_and_every_class_has_the_same_chance() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, -1])
    drawn = [stratified(labels, 3, seed).tolist() for seed in range(2000)]
    seen = Counter(row for rows in drawn for row in rows)
    # Three of two classes: one and a half of each on average.
    expected = [750, 750, 750, 750, 1500, 1500, 0]
    assert [seen[row] for row in range(7)] == pytest.approx(expected, abs=90)


def test_the_rows_of_a_seed_stay_those_that_they_are() -> None:
    labels = np.arange(60) % 3
    assert stratified(labels, 5, 0).tolist() == [5, 13, 15, 28, 35]
    assert stratified(labels, 5, 2**40).tolist() == [0, 41, 46, 58, 59]


@pytest.mark.parametrize("count", [2, 7, 0, -1, 3.0, 0.5, None])
def test_counts_that_cannot_be_drawn_are_refused(count: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        stratified(np.array([0, 1, 2, 0, 1, -1, 2]), count, 0)
    assert str(caught.value) == (
        f"labels: received {count}; allowed: a whole number from 3 (one for each class) "
        "to 6 (all that have a label). Try labels=6."
    )


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_can_be_drawn_without_labels(count: int) -> None:
    with pytest.raises(ArgumentError) as caught:
        stratified(np.array([-1, -1]), count, 0)
    assert str(caught.value) == (
        f"labels: received {count}, and no picture has a label; allowed: a number of "
        "labelled pictures. Label some pictures first."
    )
