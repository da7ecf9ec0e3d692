"""The commands around labels as a user gives them, on small pictures of stripes."""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from caes import CAE, CAEClassifier, ImageSet, load
from caes.cli import COMMANDS, main
from caes.data.labels.labelled import labels_of
from caes.tasks.classify import CODES, CONTROL, PIXELS
from caes.tasks.studies import filters, masci2011
from caes.tasks.studies.study import Table
from tests import stripes
from tests.cli.conftest import Run

EACH = 8
FAST = ["--recipe", "paper", "--head", "none", "--epochs", "1", "--seed", "0"]
QUICK = [*FAST, "--quiet"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another are slow where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make pictures in sub-folders and beside one another, and a stack's run."""
    folder = tmp_path_factory.mktemp("made")
    stripes.write_folder(folder / "photos", EACH)
    stripes.write_folder(folder / "flat", EACH, nested=False)
    words = ["--arch", "2C3-MP2", "--decoder", "tied", "--schedule", "greedy"]
    words += ["--epochs", "1", "--seed", "0", "--quiet", "--out", str(folder / "stack")]
    assert main(["fit", str(folder / "photos"), *words]) == 0
    return folder


@pytest.fixture
def here(made: Path, in_empty_folder: Path) -> Path:
    """Work in a folder with links to the pictures and the stack."""
    for name in ("photos", "flat", "stack"):
        Path(name).symlink_to(made / name)
    return in_empty_folder


@pytest.fixture
def says(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command, which has to work; give what it says on standard output."""

    def run(*words: str) -> str:
        capfd.readouterr()
        assert main(words) == 0
        return capfd.readouterr().out

    return run


@pytest.fixture
def refused(here: Path, refused: Run, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command, which has to refuse, after others; give its last line."""

    def run(*words: str) -> str:
        capfd.readouterr()
        return refused(*words)

    return run


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[ImageSet]:
    """Note what classifiers learn from."""
    seen: list[ImageSet] = []
    fit: Callable[..., CAEClassifier] = CAEClassifier.fit

    def noting(self: CAEClassifier, images: ImageSet) -> CAEClassifier:
        seen.append(images)
        return fit(self, images)

    monkeypatch.setattr(CAEClassifier, "fit", noting)
    return seen


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Note what the report is told."""
    from caes.report import classifier

    seen: dict[str, Any] = {}
    write = classifier.write_classification_report

    def noting(folder: Path, **told: Any) -> Path:
        seen.update(told)
        return write(folder, **told)

    monkeypatch.setattr(classifier, "write_classification_report", noting)
    return seen


def about(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(folder, "model.json").read_text())
    return found


def table(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_run_by_a_test(name: str) -> None:
    sources = [path.read_text("utf-8") for path in Path(__file__).parent.glob("*.py")]
    ran = rf'(main\(\[|says\(|words = \[)\s*"{name}",'
    assert any(re.search(ran, source) for source in sources)


def test_a_value_a_level_reaches_the_auto_encoder_level_by_level(
    here: Path, says: Run
) -> None:
    words = ["--arch", "2C3-2C3", "--decoder", "tied", "--schedule", "greedy"]
    words += ["--epochs", "3,2", "--learning-rate", "0.01,0.001"]
    says("fit", "photos", *words, "--quiet", "--out", "two")
    cae = CAE.load("two")
    assert (cae.epochs, cae.learning_rate) == ((3, 2), (0.01, 0.001))
    assert [row.level for row in cae.history_.rows] == [1, 1, 1, 2, 2]
    page = Path("two/report.html").read_text()
    assert says("report", "two") == "two/report.html\n"  # reads the command again
    assert Path("two/report.html").read_text() == page


@pytest.mark.parametrize(
    ("option", "text", "allowed"),
    [
        ("epochs", "3,x", "a whole number"),
        ("epochs", "3,", "a whole number"),
        ("epochs", "2.5", "a whole number"),
        ("learning-rate", "0.1,,0.2", "a number"),
    ],
)
def test_a_value_a_level_that_is_no_number(
    refused: Run, option: str, text: str, allowed: str
) -> None:
    said = refused("fit", "photos", f"--{option}", text)
    assert said.startswith(
        f"caes: --{option}: received '{text}'; allowed: {allowed}, or one "
        "for each level with commas between. "
    )


def test_sub_folders_are_classes_and_the_run_is_whole(
    here: Path,
    says: Run,
    learned: list[ImageSet],
    reported: dict[str, Any],
) -> None:
    words = ("classify", "photos", "--from", "stack", *QUICK, "--out", "run")
    assert says(*words) == "run/report.html\n"
    assert sorted(path.name for path in Path("run").iterdir()) == [
        "confusion.csv",
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


def test_the_report_has_every_control_and_every_setting(here: Path, says: Run) -> None:
    says("classify", "photos", "--from", "stack", *QUICK, "--out", "run")
    page = Path("run/report.html").read_text()
    for name in (CONTROL, CODES, PIXELS):
        assert name[0].upper() + name[1:] in page
    assert "caes classify photos --from stack" in page
    settings = page[page.index("Settings") : page.index("Provenance")]
    found = re.findall(r"<th[^>]*>(.*?)</th>\s*<td[^>]*>(.*?)</td>", settings)
    assert ("stack", "stack") in found
    assert ("recipe", "paper") in found
    assert ("epochs", "1") in found
    assert ("random_state", "0") in found
    assert ("dropout", "0") in found


def test_a_number_of_labels_is_drawn_evenly_and_the_others_are_seen_without(
    here: Path, says: Run, learned: list[ImageSet], reported: dict[str, Any]
) -> None:
    words = ["--labels", "6", "--epochs", "1", "--seed", "0", "--quiet"]
    says("classify", "photos", "--from", "stack", *words, "--out", "run")
    train, few = learned
    labels = labels_of(train)
    assert [int((labels == label).sum()) for label in (-1, 0, 1, 2)] == [12, 2, 2, 2]
    assert sorted(few.names) == sorted(train[labels >= 0].names)
    assert (reported["labelled"], reported["unlabelled"]) == (6, 12)
    assert about("run")["provenance"]["labelled pictures"] == "6"


def test_one_label_of_each_class_is_enough(here: Path, says: Run) -> None:
    words = [*QUICK, "--labels", "3", "--out", "run"]
    says("classify", "photos", "--from", "stack", *words)
    assert about("run")["provenance"]["labelled pictures"] == "3"


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


def test_a_broken_picture_may_have_a_label(
    here: Path, says: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree("flat", "copy")
    Path("copy/low-0.png").write_bytes(b"")
    rows = [f"{kind}-{n}.png,{kind}" for kind in ("low", "high") for n in range(5)]
    Path("labels.csv").write_text("\n".join(rows))
    words = ["--labels", "labels.csv", *FAST, "--out", "run"]
    assert main(["classify", "copy", "--from", "stack", *words]) == 0
    assert "skipped low-0.png: empty" in capfd.readouterr().err


def test_labels_come_from_the_source_with_its_test_pictures(
    in_empty_folder: Path, says: Run, reported: dict[str, Any]
) -> None:
    words = ["--arch", "2C5-MP4", "--decoder", "tied", "--loss", "mse"]
    words += ["--epochs", "1", "--split", "train[:200]", "--quiet", "--out", "stack"]
    says("fit", "digits", *words)
    words = ["--split", "train[:200]", "--labels", "20", *QUICK]
    assert says("classify", "digits", "--from", "stack", *words) == (
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
    refused("classify", "photos", "--from", "stack", *QUICK, "--hold-out", "0")
    assert not list(Path("runs").iterdir())
    for number in (1, 2):
        assert says("classify", "photos", "--from", "stack", *QUICK) == (
            f"runs/photos-classes-{number}/report.html\n"
        )
    assert sorted(path.name for path in Path("runs").iterdir()) == [
        "photos-classes-1",
        "photos-classes-2",
    ]


def test_only_a_run_is_replaced_and_only_by_a_whole_one(
    refused: Run, says: Run
) -> None:
    words = ("classify", "photos", "--from", "stack", *QUICK, "--out", "run")
    says(*words)
    before = Path("run/model.json").read_bytes()
    assert refused(*words) == (
        "caes: run: received a path that exists; allowed: a new folder. Give another "
        "one, or force (--force) to replace it."
    )
    refused(*words, "--force", "--hold-out", "0")
    assert Path("run/model.json").read_bytes() == before
    says(*words, "--force", "--labels", "6")
    assert about("run")["provenance"]["labelled pictures"] == "6"
    Path("run/precious.txt").write_text("mine")
    assert refused(*words, "--force") == (
        "caes: run: received a path that caes did not make (there is also precious.txt "
        "in it); allowed: a new folder, or an older one of the same sort. Give another "
        "one, or delete it yourself."
    )
    assert Path("run/precious.txt").read_text() == "mine"


def test_what_is_being_done_is_said_unless_quiet(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["classify", "photos", "--from", "stack", *FAST]
    assert main([*words, "--out", "one"]) == 0
    said = capfd.readouterr().err.splitlines()
    assert said[0] == "photos train: 18 pictures 12×12×1 uint8, 3 classes"
    assert said[1] == "values: 0 to 255, the whole range of uint8"
    assert said[2].startswith("epoch 1/1  loss ")
    assert said[3:] == [
        "training the control from random weights …",
        f"fitting {CODES} …",
        f"fitting {PIXELS} …",
    ]
    assert main([*words, "--out", "two", "--quiet"]) == 0
    assert capfd.readouterr().err == ""


def test_from_random_weights_it_is_its_own_control(
    here: Path, says: Run, reported: dict[str, Any]
) -> None:
    words = [*QUICK, "--start", "random", "--out", "run"]
    says("classify", "photos", "--from", "stack", *words)
    names = [each.name for each in reported["contenders"]]
    assert names == ["the classifier", CODES, PIXELS]


SINGLE = ["high/0.png,a", "high/1.png,a", "low/0.png,b", "low/1.png,b", "low/2.png,c"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["photos", "--hold-out", "0"],
            "--hold-out: received 0 where the source has no labelled test split; "
            "allowed: a share of the labelled pictures above 0 and below 1, to test on. "
            "Try --hold-out 0.2.",
        ),
        (
            ["photos", "--hold-out", "nan"],
            "--hold-out: received nan where the source has no labelled test split; "
            "allowed: a share of the labelled pictures above 0 and below 1, to test on. "
            "Try --hold-out 0.2.",
        ),
        (
            ["flat"],
            "labels: received no labels; allowed: labels of at least two classes. "
            "Label some pictures of each class.",
        ),
        (
            ["photos", "--labels", "single.csv"],
            "labels: received a single labelled picture of c; allowed: at least two "
            "labelled pictures of each class. Label more of them, or leave the class "
            "out.",
        ),
        (
            ["photos", "--labels", "strangers.csv"],
            "strangers.csv: received 2 rows for pictures that do not exist (high/99.png, "
            "x.png); allowed: the names of the 24 pictures. Did you mean high/7.png?",
        ),
        (
            ["photos", "--labels", "nowhere.csv"],
            "nowhere.csv: received a path that does not exist; allowed: a CSV file with "
            "a picture's name and its label in each row. Check the spelling.",
        ),
        (
            ["photos", "--labels", "2"],
            "--labels: received 2; allowed: a whole number from 3 (one for each class) to "
            "18 (all that have a label). Try --labels 18.",
        ),
        (
            ["photos", "--labels", "19"],
            "--labels: received 19; allowed: a whole number from 3 (one for each class) to "
            "18 (all that have a label). Try --labels 18.",
        ),
        (
            ["photos", "--seed", "-1"],
            "--seed: received -1; allowed: a whole number of at least 0. Try --seed 0.",
        ),
        (
            ["nowhere"],
            "nowhere: received a path that does not exist; allowed: a path that exists, "
            "or one of digits, mnist, cifar10. Check the spelling.",
        ),
    ],
)
@pytest.mark.parametrize("command", ["classify", "probe"])
def test_labels_that_nothing_can_be_learned_from(
    refused: Run, command: str, words: list[str], message: str
) -> None:
    Path("single.csv").write_text("\n".join(SINGLE))
    Path("strangers.csv").write_text("high/99.png,a\nx.png,b\nlow/0.png,b\n")
    said = refused(command, *words, "--from", "stack")
    assert said == f"caes: {message}"
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_a_recipe_that_cannot_work_is_refused_first(refused: Run) -> None:
    assert refused("classify", "nowhere", "--from", "nowhere", "--epochs", "-1") == (
        "caes: --epochs: received -1; allowed: a whole number of at least 0. "
        "Try --epochs 40, or 0 for enough."
    )


def test_a_class_of_the_test_pictures_that_was_not_learned(refused: Run) -> None:
    stripes.write_folder(Path("both/train"), 3)
    stripes.write_folder(Path("both/test"), 2)
    rows = [f"train/{kind}/{n}.png,{kind}" for kind in ("high", "low") for n in (0, 1)]
    Path("labels.csv").write_text("\n".join(rows))
    words = ["--labels", "labels.csv", *QUICK]
    assert refused("classify", "both", "--from", "stack", *words) == (
        "caes: both: received the class 'middle', which the classifier does not know; "
        "allowed: high, low. Train it on this class too, or leave its pictures out."
    )


def test_the_run_of_another_kind_is_named(refused: Run, says: Run) -> None:
    says("classify", "photos", "--from", "stack", *QUICK, "--out", "run")
    assert refused("classify", "photos", "--from", "run", *QUICK) == (
        "caes: run: received a classifier; allowed: the run of an auto-encoder. "
        "Open it with CAEClassifier.load, or use caes predict."
    )
    assert refused("predict", "stack", "photos") == (
        "caes: stack: received an auto-encoder; allowed: the run of a classifier. "
        "Make one with: caes classify DATA --from stack."
    )
    assert refused("probe", "photos", "--from", "nowhere") == (
        "caes: nowhere: received no model.json in it; allowed: the folder of a run. "
        "Make one with: caes fit DATA --out FOLDER."
    )


@pytest.fixture
def run(here: Path, says: Run) -> str:
    says("classify", "photos", "--from", "stack", *QUICK, "--out", "run")
    return "run"


def test_predict_writes_a_row_a_picture_and_tells_the_error(
    run: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", run, "photos"]) == 0
    said = capfd.readouterr()
    assert said.out.splitlines()[-1] == "predictions.csv"
    rows = table("predictions.csv")
    assert [row["name"] for row in rows] == list(load("photos").names)
    assert [row["label"] for row in rows] == [
        row["name"].partition("/")[0] for row in rows
    ]
    wrong = sum(row["class"] != row["label"] for row in rows)
    assert said.err.splitlines() == [
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
    assert list(table("t.csv")[0]) == [
        "name",
        "class",
        "probability",
        "p(high)",
        "p(low)",
        "p(middle)",
    ]
    assert len(table("t.csv")) == 48


def test_predict_replaces_no_table_unless_forced(refused: Run, run: str) -> None:
    Path("t.csv").write_text("mine")
    words = ("predict", run, "photos", "--out", "t.csv")
    assert refused(*words) == (
        "caes: t.csv: received a file that exists; allowed: a new file. "
        "Choose another name, or add --force to replace it."
    )
    assert Path("t.csv").read_text() == "mine"
    assert main([*words, "--force"]) == 0
    assert len(table("t.csv")) == 24


def test_predict_names_a_class_that_was_not_learned(refused: Run, run: str) -> None:
    shutil.copytree("photos", "more")
    shutil.copytree("photos/low", "more/odd")
    assert refused("predict", run, "more") == (
        "caes: more: received the class 'odd', which the classifier does not know; "
        "allowed: high, low, middle. Train it on this class too, or leave its pictures "
        "out."
    )
    assert not Path("predictions.csv").exists()


def test_info_shows_the_classes_of_a_classifier(run: str, says: Run) -> None:
    said = says("info", run)
    assert "2C3-MP2 on 12×12×1, 3 classes" in said
    assert re.search(r"dense 3, softmax +│ 3 +│ +219 ", said)


def test_report_is_for_auto_encoders(refused: Run, run: str) -> None:
    assert refused("report", run) == (
        "caes: run: received a classifier; allowed: the run of an auto-encoder. "
        "Open it with CAEClassifier.load, or use caes predict."
    )


def test_probe_prints_each_probe_on_codes_and_on_pixels(here: Path, says: Run) -> None:
    words = ["--labels", "6", "--quiet"]
    first, *lines = says("probe", "photos", "--from", "stack", *words).splitlines()
    assert first == "6 labels; error on 6 pictures:"
    names = ("logistic regression", "linear SVM", "5 nearest neighbours")
    for line, (features, name) in zip(
        lines,
        [(features, name) for features in ("codes", "pixels") for name in names],
        strict=True,
    ):
        assert re.fullmatch(rf" *{name} on {features} +\d+\.\d\d % +\d+\.\d s", line)


def test_probe_takes_a_single_label_of_each_class(here: Path, says: Run) -> None:
    words = ["--labels", "3", "--quiet"]
    said = says("probe", "photos", "--from", "stack", *words)
    assert said.startswith("3 labels; error on 6 pictures:\n")
    assert len(said.splitlines()) == 7


CURVE = ["--labels", "3,6", "--seeds", "2", "--recipe", "paper", "--head", "none"]
CURVE += ["--epochs", "1"]


def test_label_curve_writes_its_tables_and_goes_on_with_them(
    here: Path, capfd: pytest.CaptureFixture[str], learned: list[ImageSet]
) -> None:
    words = ["label-curve", "photos", "--from", "stack", *CURVE, "--out", "curve"]
    assert main(words) == 0
    said = capfd.readouterr()
    assert said.out == "curve/report.html\n"
    assert len(said.err.splitlines()) == 2 + 16
    assert len(learned) == 8
    assert sorted(path.name for path in Path("curve").iterdir()) == [
        "curve.csv",
        "figures",
        "report.html",
        "runs.csv",
        "summary.csv",
    ]
    assert [row["error"] for row in table("curve/curve.csv")] == [
        f"{float(row['error'])}" for row in table("curve/runs.csv")
    ]
    page = Path("curve/report.html").read_text()
    for name in ("The network from the stack", CONTROL, CODES, PIXELS):
        assert name in page
    assert "random_state" not in page

    rows = Path("curve/runs.csv").read_bytes()
    assert main(words) == 0
    assert len(learned) == 8
    assert Path("curve/runs.csv").read_bytes() == rows
    assert len(capfd.readouterr().err.splitlines()) == 2


def test_label_curve_counts_its_folders_up(here: Path, says: Run) -> None:
    words = ["label-curve", "photos", "--from", "stack", *CURVE, "--quiet"]
    words[words.index("3,6")], words[words.index("2")] = "3", "1"
    for number in (1, 2):
        assert says(*words) == f"runs/photos-curve-{number}/report.html\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--labels", "3,six"],
            "--labels: received '3,six'; allowed: whole numbers with commas between "
            "them. Try --labels 100,300,1000.",
        ),
        (
            ["--labels", "3", "--seeds", "0"],
            "--seeds: received 0; allowed: a whole number of at least 1. Try --seeds 5.",
        ),
        (
            ["--labels", "3,99"],
            "--labels: received 99; allowed: a whole number from 3 (one for each class) "
            "to 18 (all that have a label). Try --labels 18.",
        ),
        (
            ["--labels", "3", "--out", "photos"],
            "photos: received a folder of something else; allowed: a new folder, or "
            "that of an earlier run of the same command. Give another one with --out.",
        ),
        (
            ["--labels", "3", "--epochs", "-1"],
            "--epochs: received -1; allowed: a whole number of at least 0. "
            "Try --epochs 40, or 0 for enough.",
        ),
    ],
)
def test_label_curves_that_cannot_be(
    refused: Run, learned: list[ImageSet], words: list[str], message: str
) -> None:
    said = refused("label-curve", "photos", "--from", "stack", *words)
    assert said == f"caes: {message}"
    assert learned == []
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_a_label_curve_has_no_start_of_its_own(refused: Run) -> None:
    words = ["--labels", "3", "--start", "random"]
    assert "--start" in refused("label-curve", "photos", "--from", "stack", *words)


TINY = Table(
    name="tiny",
    data="digits",
    learn="train[:60]",
    test="test[:20]",
    stack={"arch": "2C5-MP4", "decoder": "tied", "loss": "mse", "epochs": 1},
    classifier={"recipe": "paper", "head": "none", "epochs": 1},
    seeds={20: 2},
    published={20: {"paper": 7.0}},
)


def few(data: str, split: str) -> ImageSet:
    return load("digits", "train[:64]")


def test_reproduce_makes_table_and_figure(
    in_empty_folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(masci2011, "QUICK", TINY)
    monkeypatch.setattr(masci2011, "TABLES", {"mnist": replace(TINY, name="large")})
    monkeypatch.setattr(filters, "load", few)
    monkeypatch.setattr(filters, "AUTOENCODERS", {"clean": {"arch": "20C7"}})
    words = ["reproduce", "masci2011", "--out", "made"]
    assert main([*words, "--quick"]) == 0
    said = capfd.readouterr()
    *lines, path = said.out.splitlines()
    assert path == "made/runs.csv"
    assert lines[0].startswith("| labels | from the stack | from random weights |")
    assert lines[2].startswith("| 20 | ")
    assert lines[2].endswith(" | 2 | 7.00 |")
    assert said.err.splitlines()[-1] == "made/filters-digits.png"
    assert main([*words, "--table", "mnist"]) == 0
    assert capfd.readouterr().err.startswith("large: training the stack 2C5-MP4\n")
    assert [row["table"] for row in table("made/runs.csv")] == ["tiny"] * 4 + [
        "large"
    ] * 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["masci2011"],
            "reproduce: received neither a table nor a figure; allowed: --table mnist, "
            "--table cifar10, --figure filters or --quick. Try --quick, which takes a "
            "few minutes.",
        ),
        (
            ["masci2011", "--table", "codes"],
            "--table: received 'codes' with masci2011; allowed: mnist or cifar10. "
            "Try caes reproduce successors --table codes.",
        ),
        (
            ["successors", "--figure", "filters"],
            "--figure: received 'filters' with successors; allowed: no figure. "
            "Leave it out.",
        ),
    ],
)
def test_reproductions_that_cannot_be(
    refused: Run, words: list[str], message: str
) -> None:
    assert refused("reproduce", *words) == f"caes: {message}"
    assert not Path("runs").exists()


def test_a_damaged_table_of_runs_is_named(refused: Run) -> None:
    Path("out").mkdir()
    Path("out/runs.csv").write_text("a,b\n1,2\n")
    words = ["--table", "mnist", "--out", "out"]
    assert refused("reproduce", "masci2011", *words) == (
        "caes: out/runs.csv: received a table with other columns; allowed: the table of "
        "an earlier run of the same command. Name another folder with --out, or move "
        "the file away."
    )
