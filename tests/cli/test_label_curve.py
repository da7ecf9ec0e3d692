"""caes label-curve: tables and page, and gone on with."""

from pathlib import Path

import pytest

from caes import ImageSet
from caes.cli import main
from caes.tasks.classify import CODES, CONTROL, PIXELS
from tests.cli.conftest import Run, table

pytestmark = pytest.mark.usefixtures("one_thread", "here")


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
        (["--labels", "3,six"], "--labels: received '3,six'; allowed: whole numbers with commas between them. Try --labels 100,300,1000."),
        (["--labels", "3", "--seeds", "0"], "--seeds: received 0; allowed: a whole number of at least 1. Try --seeds 5."),
        (["--labels", "3,99"], "--labels: received 99; allowed: a whole number from 3 (one for each class) to 18 (all that have a label). Try --labels 18."),
        (["--labels", "3", "--out", "photos"], "photos: received a folder of something else; allowed: a new folder, or that of an earlier run of the same command. Give another one with --out."),
        (["--labels", "3", "--epochs", "-1"], "--epochs: received -1; allowed: a whole number of at least 0. Try --epochs 40, or 0 for enough."),
    ],
)  # fmt: skip
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
