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
        *("curve.csv", "figures", "report.html", "runs.csv", "summary.csv")
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
