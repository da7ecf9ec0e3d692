"""caes predict, info and report, of a classifier."""

import re
import shutil
from pathlib import Path

import pytest

from caes import load
from tests import stripes
from tests.cli.conftest import QUICK, Notes, Run, table

pytestmark = pytest.mark.usefixtures("one_thread", "here")


@pytest.fixture
def run(here: Path, says: Run) -> str:
    says("classify", "photos", "--from", "stack", *QUICK, "--out", "run")
    return "run"


def test_predict_writes_a_row_a_picture_and_tells_the_error(
    run: str, notes: Notes
) -> None:
    said = notes("predict", run, "photos")
    rows = table("predictions.csv")
    assert [row["name"] for row in rows] == list(load("photos").names)
    assert [row["label"] for row in rows] == [
        row["name"].partition("/")[0] for row in rows
    ]
    wrong = sum(row["class"] != row["label"] for row in rows)
    assert said == [
        "photos train: 24 pictures 12×12×1 uint8, 3 classes",
        f"error {100 * wrong / 24:.2f} % of the labelled pictures",
    ]
    chances = [[float(row[f"p({name})"]) for name in stripes.CLASSES] for row in rows]
    assert all(sum(each) == pytest.approx(1, abs=1e-5) for each in chances)


def test_predict_takes_pictures_of_other_sizes_and_of_no_class(
    run: str, says: Run
) -> None:
    shutil.copytree("flat", "other/May")
    shutil.copytree("flat", "other/June")
    words = ["--out", "t.csv", "--quiet"]
    assert says("predict", run, "other", *words) == "t.csv\n"
    found = ["name", "class", "probability", "p(high)", "p(low)", "p(middle)"]
    assert list(table("t.csv")[0]) == found
    assert len(table("t.csv")) == 48


def test_predict_replaces_no_table_unless_forced(
    refused: Run, says: Run, run: str
) -> None:
    Path("t.csv").write_text("mine")
    words = ("predict", run, "photos", "--out", "t.csv")
    expected = "caes: t.csv: received a file that exists; allowed: a new file. Choose another name, or add --force to replace it."
    assert refused(*words) == expected
    assert Path("t.csv").read_text() == "mine"
    assert says(*words, "--force").splitlines()[-1] == "t.csv"
    assert len(table("t.csv")) == 24


def test_other_classes_are_refused(refused: Run, run: str) -> None:
    shutil.copytree("photos", "more")
    shutil.copytree("photos/low", "more/odd")
    expected = "caes: more: received the class 'odd', which the classifier does not know; allowed: high, low, middle. Train it on this class too, or leave its pictures out."
    assert refused("predict", run, "more") == expected
    assert not Path("predictions.csv").exists()


def test_info_shows_the_classes_of_a_classifier(run: str, says: Run) -> None:
    said = says("info", run)
    assert "2C3-MP2 on 12×12×1, 3 classes" in said
    assert re.search(r"dense 3, softmax +│ 3 +│ +219 ", said)


def test_a_table_of_predictions_labels_pictures_whatever_their_names(
    run: str, says: Run
) -> None:
    shutil.copytree("photos", "odd")
    for kind in stripes.CLASSES:
        Path("odd", kind).rename(f"odd/={kind}")
    says("predict", run, "odd", "--out", "t.csv", "--quiet")
    rows = table("t.csv")
    assert rows[0]["name"] == "'=high/0.png"
    assert rows[0]["class"] in stripes.CLASSES
    lines = [f"{row['name']},{row['name'][2:5]}" for row in rows]
    Path("labels.csv").write_text("\n".join(["name,label", *lines]))
    words = ["--labels", "labels.csv", "--quiet"]
    assert says("probe", "odd", "--from", "stack", *words).startswith("18 labels;")
