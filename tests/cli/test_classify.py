"""caes classify: labels come as they are meant, and the run is whole."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from caes import ImageSet, load
from caes.data.labels.labelled import labels_of
from caes.tasks.classify import CODES, CONTROL
from caes.tasks.plain_means import PLAIN_MEANS
from tests import stripes
from tests.cli.conftest import EACH, FAST, QUICK, Notes, Run, about, table

pytestmark = pytest.mark.usefixtures("one_thread", "here")
PLAIN = [each.name for each in PLAIN_MEANS]


def test_sub_folders_are_classes_and_the_run_is_whole(
    here: Path, says: Run, learned: list[ImageSet], reported: dict[str, Any]
) -> None:
    words = ("classify", "photos", "--from", "stack", *QUICK, "--out", "run")
    assert says(*words) == "run/report.html\n"
    assert sorted(path.name for path in Path("run").iterdir()) == [
        "confusion.csv",
        "controls.json",
        "figures",
        "history.csv",
        "model.json",
        "model.safetensors",
        "per_class.csv",
        "report.html",
    ]
    assert about("run")["names"] == ["high", "low", "middle"]
    assert about("run")["provenance"]["command"] == f"caes {' '.join(words)}"
    assert [row["class"] for row in table("run/per_class.csv")] == [*stripes.CLASSES]
    assert len(list(Path("run/figures").glob("*.svg"))) >= 3

    train, few = learned
    tested = set(reported["images"].names)
    assert len(tested) == 6  # a fifth of eight, rounded, of each of three classes
    assert sorted(tested | {*train.names}) == sorted(load("photos").names)
    assert tested.isdisjoint(train.names)
    assert sorted(few.names) == sorted(train.names)
    assert (reported["labelled"], reported["unlabelled"]) == (18, 0)

    page = Path("run/report.html").read_text()
    for told in (CONTROL, CODES, *PLAIN):
        assert told[0].upper() + told[1:] in page
    assert "caes classify photos --from stack" in page
    settings = page[page.index("Settings") : page.index("Provenance")]
    found = dict(re.findall(r"<th[^>]*>(.*?)</th>\s*<td[^>]*>(.*?)</td>", settings))
    given = {"stack": "stack", "recipe": "paper", "epochs": "1", "random_state": "0"}
    assert {**found, **given, "dropout": "0"} == found


def test_a_number_of_labels_is_drawn_evenly_and_the_others_are_seen_without(
    here: Path, says: Run, learned: list[ImageSet], reported: dict[str, Any]
) -> None:
    words = ["--labels", "6", "--epochs", "1", "--seed", "0", "--quiet"]
    says("classify", "photos", "--from", "stack", *words, "--out", "run")
    train, few = learned
    labels = labels_of(train)
    assert [int((labels == label).sum()) for label in (-1, 0, 1, 2)] == [12, 2, 2, 2]
    assert sorted(few.names) == sorted(train.names)  # the control teaches itself too
    assert (reported["labelled"], reported["unlabelled"]) == (6, 12)
    assert about("run")["provenance"]["labelled pictures"] == "6"


def test_a_table_labels_some_pictures_and_only_these_are_tested_on(
    here: Path, says: Run, learned: list[ImageSet], reported: dict[str, Any]
) -> None:
    rows = [f"{kind}-{n}.png,{kind}" for kind in ("low", "high") for n in range(5)]
    Path("labels.csv").write_text("\n".join(["name,label", *rows]))
    words = ["--labels", "labels.csv", "--epochs", "1", "--seed", "1", "--quiet"]
    says("classify", "flat", "--from", "stack", *words, "--out", "run")
    assert about("run")["names"] == ["high", "low"]
    train, _ = learned
    test = reported["images"]
    assert len(test) == 2
    named = {row.partition(",")[0] for row in rows}
    assert {*test.names} <= named
    assert {*test.names}.isdisjoint(train.names)
    assert {*train[labels_of(train) >= 0].names} | {*test.names} == named
    assert len(train) == 3 * EACH - 2
    assert (reported["labelled"], reported["unlabelled"]) == (8, 14)


def test_a_broken_picture_may_have_a_label(here: Path, notes: Notes) -> None:
    shutil.copytree("flat", "copy")
    Path("copy/low-0.png").write_bytes(b"")
    rows = [f"{kind}-{n}.png,{kind}" for kind in ("low", "high") for n in range(5)]
    Path("labels.csv").write_text("\n".join(rows))
    words = ["--labels", "labels.csv", *FAST, "--out", "run"]
    said = notes("classify", "copy", "--from", "stack", *words)
    assert "skipped low-0.png: empty" in said


def test_labels_come_from_the_source_with_its_test_pictures(
    says: Run, reported: dict[str, Any]
) -> None:
    words = ["--arch", "2C5-MP4", "--decoder", "tied", "--loss", "mse"]
    words += ["--epochs", "1", "--split", "train[:200]", "--quiet", "--out", "own"]
    says("fit", "digits", *words)
    words = ["--split", "train[:200]", "--labels", "20", *QUICK]
    assert says("classify", "digits", "--from", "own", *words) == (
        "runs/digits-classes-1/report.html\n"
    )
    assert reported["images"].fingerprint == load("digits", "test").fingerprint
    assert reported["labelled"] == 20
    assert reported["unlabelled"] == 0  # the paper's recipe looks at no others


def write_parquet(path: Path, names: list[tuple[str, str | None]]) -> None:
    """Write pictures of these files with these labels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(exist_ok=True)
    pictures = [Path("photos", name).read_bytes() for name, _ in names]
    pq.write_table(pa.table({"image": pictures, "label": [k for _, k in names]}), path)


def test_test_pictures_without_a_label_are_not_tested_on(
    here: Path, says: Run, learned: list[ImageSet], reported: dict[str, Any]
) -> None:
    kinds = stripes.CLASSES
    known: list[tuple[str, str | None]] = [
        (f"{kind}/{n}.png", kind) for kind in kinds for n in range(4)
    ]
    test = [
        (f"{kind}/{n}.png", kind if n == 6 else None) for kind in kinds for n in (5, 6)
    ]
    write_parquet(Path("data/train-0.parquet"), [*known, ("low/7.png", None)])
    write_parquet(Path("data/test-0.parquet"), test)
    says("classify", "data", "--from", "stack", *QUICK, "--out", "run")
    assert list(reported["images"].names) == ["test/00001", "test/00003", "test/00005"]
    assert reported["truth"].tolist() == [0, 1, 2]
    assert len(learned[0]) == 13
    assert reported["labelled"] == 12

    write_parquet(Path("data/test-0.parquet"), [(name, None) for name, _ in test])
    says("classify", "data", "--from", "stack", *QUICK, "--out", "other")
    assert reported["images"].split == "train (held out)"
    assert reported["truth"].tolist() == [0, 1, 2]


def test_classes_of_a_test_folder_are_told_by_name(
    here: Path, says: Run, reported: dict[str, Any]
) -> None:
    stripes.write_folder(Path("both/train"), 4)
    stripes.write_folder(Path("both/test"), 2)
    shutil.rmtree("both/test/high")
    rows = [
        f"{path.relative_to('both')},{path.parent.name}"
        for path in Path("both/train").rglob("*.png")
    ]
    rows.append("train/high/0.png,high")
    Path("labels.csv").write_text("\n".join(rows))
    words = [*QUICK, "--labels", "labels.csv", "--out", "run"]
    says("classify", "both", "--from", "stack", *words)
    truth = [reported["classes"][label] for label in reported["truth"]]
    assert truth == [name.split("/")[1] for name in reported["images"].names]
    assert {*truth} == {"low", "middle"}


def test_runs_are_counted_up_and_a_refused_one_leaves_nothing(
    refused: Run, says: Run
) -> None:
    words = ("classify", "photos", "--from", "stack", *QUICK)
    refused(*words, "--hold-out", "0")
    for number in (1, 2):
        assert says(*words) == f"runs/photos-classes-{number}/report.html\n"
    names = sorted(path.name for path in Path("runs").iterdir())
    assert names == ["photos-classes-1", "photos-classes-2"]


def test_only_a_run_is_replaced_and_only_by_a_whole_one(
    refused: Run, says: Run
) -> None:
    words = ("classify", "photos", "--from", "stack", *QUICK, "--out", "run")
    says(*words)
    before = Path("run/model.json").read_bytes()
    expected = "caes: run: received a path that exists; allowed: a new folder. Give another one, or force (--force) to replace it."
    assert refused(*words) == expected
    refused(*words, "--force", "--hold-out", "0")
    assert Path("run/model.json").read_bytes() == before
    says(*words, "--force", "--labels", "6")
    assert about("run")["provenance"]["labelled pictures"] == "6"
    Path("run/precious.txt").write_text("mine")
    expected = "caes: run: received a path that caes did not make (there is also precious.txt in it); allowed: a new folder, or an older one of the same sort. Give another one, or delete it yourself."
    assert refused(*words, "--force") == expected
    assert Path("run/precious.txt").read_text() == "mine"


def test_what_is_being_done_is_said_unless_quiet(here: Path, notes: Notes) -> None:
    words = ["classify", "photos", "--from", "stack", *FAST]
    said = notes(*words, "--out", "one")
    assert said[0] == "photos train: 18 pictures 12×12×1 uint8, 3 classes"
    assert said[1] == "values: 0 to 255, the whole range of uint8"
    assert said[2].startswith("epoch 1/1  loss ")
    assert said[3].startswith("training the control from random weights, about ")
    assert said[4].startswith("epoch 1/1  loss ")
    assert said[4].endswith(" left")
    assert said[5] == "fitting plain means on 18 labels …"
    assert said[6].startswith("The classifier ")
    assert notes(*words, "--out", "two", "--quiet") == []


def test_from_random_weights_it_is_its_own_control(
    here: Path, says: Run, reported: dict[str, Any]
) -> None:
    words = [*QUICK, "--start", "random", "--out", "run"]
    says("classify", "photos", "--from", "stack", *words)
    names = [each.name for each in reported["contenders"]]
    assert names == ["the classifier", *PLAIN]


def test_a_class_of_the_test_pictures_that_was_not_learned(refused: Run) -> None:
    stripes.write_folder(Path("both/train"), 3)
    stripes.write_folder(Path("both/test"), 2)
    rows = [f"train/{kind}/{n}.png,{kind}" for kind in ("high", "low") for n in (0, 1)]
    Path("labels.csv").write_text("\n".join(rows))
    words = ["--labels", "labels.csv", *QUICK]
    expected = "caes: both: received the class 'middle', which the classifier does not know; allowed: high, low. Train it on this class too, or leave its pictures out."
    assert refused("classify", "both", "--from", "stack", *words) == expected


def test_the_run_of_another_kind_is_named(refused: Run, says: Run) -> None:
    says("classify", "photos", "--from", "stack", *QUICK, "--out", "run")
    expected = "caes: run: received a classifier; allowed: the run of an auto-encoder. Open it with CAEClassifier.load, or use caes predict."
    assert refused("classify", "photos", "--from", "run", *QUICK) == expected
    expected = "caes: stack: received an auto-encoder; allowed: the run of a classifier. Make one with: caes classify DATA --from stack."
    assert refused("predict", "stack", "photos") == expected
    expected = "caes: nowhere: received no model.json in it; allowed: the folder of a run. Make one with: caes fit DATA --out FOLDER."
    assert refused("probe", "photos", "--from", "nowhere") == expected


def test_without_options_the_labels_choose_and_the_page_says_what(
    here: Path, says: Run, reported: dict[str, Any]
) -> None:
    words = ["--labels", "2/class", "--minutes", "0.01", "--suggest", "2", "--quiet"]
    page = says("classify", "photos", *words, "--seed", "0", "--out", "run")
    assert page == "run/report.html\n"
    assert reported["labelled"] == 6
    assert {*about("run")["judged"]} == {"network", "codes", "statistics", "kernel"}
    assert len(table("run/suggestions.csv")) == 2
    told = Path("run/report.html").read_text()
    assert "What the labels chose" in told
    # The auto-encoder that was trained first is a run of its own.
    assert about("run")["provenance"]["stack"] == "run-autoencoder"
    says("reconstruct", "run-autoencoder", "photos", "--out", "again", "--quiet")
    names = [each.name for each in reported["contenders"]]
    assert names[:6] == ["the classifier", CONTROL, *PLAIN]
    assert len(names) == 9


def test_a_classifier_s_page_is_written_again(
    here: Path, says: Run, reported: dict[str, Any]
) -> None:
    says("classify", "photos", "--from", "stack", *QUICK, "--out", "run")
    before, first = Path("run/report.html").read_text(), {**reported}
    Path("run/report.html").unlink()
    assert says("report", "run") == "run/report.html\n"
    assert Path("run/report.html").read_text() == before
    assert {*reported} == {*first}


def test_pictures_of_several_sizes_are_brought_to_one_without_a_stack(
    here: Path, notes: Notes
) -> None:
    shutil.copytree("photos", "mixed")
    for kind in stripes.CLASSES:
        with Image.open(f"mixed/{kind}/0.png") as small:
            small.resize((20, 15)).save(f"mixed/{kind}/0.png")
    words = [*FAST, "--minutes", "0.01", "--out", "run"]
    said = notes("classify", "mixed", *words)
    assert "pictures of several sizes: brought to 64×64 (--size)" in said
    assert about("run")["picture"] == [64, 64, 1]


def test_labels_of_each_class_are_at_least_two(refused: Run) -> None:
    words = ["classify", "photos", "--from", "stack", *QUICK, "--labels", "1/class"]
    expected = "caes: --labels: received 1/class; allowed: at least 2 labelled pictures of each class. Try --labels 10/class."
    assert refused(*words) == expected
