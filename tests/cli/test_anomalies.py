"""caes anomalies, end to end on real digits."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import caes
from caes import AnomalyDetector
from caes.files import read_table
from tests.cli.conftest import Run


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of threes and of sevens, in folders."""
    digits = caes.load("digits")
    assert digits.labels is not None
    folder = tmp_path_factory.mktemp("kinds")
    for kind, count in ((3, 90), (7, 20)):
        (folder / str(kind)).mkdir()
        for row in np.flatnonzero(digits.labels == kind)[:count]:
            picture = Image.fromarray(digits.pixels[row, :, :, 0])
            picture.save(folder / str(kind) / f"{row}.png")
    return folder


@pytest.fixture(scope="module")
def detector(kinds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`caes anomalies fit` on the threes, once, with little training."""
    from caes.cli import main

    folder = tmp_path_factory.mktemp("detector") / "threes"
    names = "codes of pictures by neighbours,reconstruction by pixels"
    words = ["anomalies", "fit", str(kinds / "3"), "--steps", "20", "--seed", "0"]
    words += ["--false-alarms", "10%", "--detectors", names, "--out", str(folder)]
    assert main(words) == 0
    return folder


def test_a_detector_is_written_with_its_page(detector: Path) -> None:
    page = (detector / "report.html").read_text()
    assert "At 10 % false alarms it flags " in page
    assert "Does it reconstruct the defect too?" in page
    assert (detector / "figures" / "heatmaps.png").is_file()
    found = AnomalyDetector.load(detector)
    assert found.opening_ is not None
    assert len(found.calibration_) == 18
    assert found.provenance_["command"].startswith("caes anomalies fit")


def test_fit_says_in_json_what_was_done(
    kinds: Path, in_empty_folder: Path, says: Run
) -> None:
    words = ["--detectors", "reconstruction by pixels", "--steps", "1", "--json"]
    said = says("anomalies", "fit", str(kinds / "7"), *words, "--group-by", r"(\d)\.")
    found = json.loads(said)
    assert found["folder"] == "runs/7-anomalies-1"
    assert found["detectors"] == ["reconstruction by pixels"]
    assert found["false_alarms"] == 1 / (found["calibrated_on"] + 1)


def test_pictures_are_scored_with_heatmaps_and_regions(
    kinds: Path, detector: Path, in_empty_folder: Path, says: Run, refused: Run
) -> None:
    marked = np.asarray(Image.open(next((kinds / "3").iterdir()))).copy()
    marked[1:10, 1:10] = 255
    Path("new").mkdir()
    Image.fromarray(marked).save("new/marked.png")
    said = says("anomalies", "score", str(detector), "new", "--heatmaps", "heat")
    assert said == "scores.csv\n"
    columns, row = read_table(Path("scores.csv"))
    found = dict(zip(columns, row, strict=True))
    assert found["name"] == "marked.png"
    assert found["flagged"] == "1"
    assert float(found["p_value"]) <= 0.1
    assert int(found["row"]) < 12
    assert int(found["column"]) < 12
    heat = tifffile.imread("heat/marked.png.heat.tif")
    assert (heat.shape, heat.dtype) == ((28, 28), np.float32)
    with Image.open("heat/marked.png.png") as shown:
        assert (shown.mode, shown.size) == ("RGB", (28, 28))
    regions = json.loads(Path("heat/regions.json").read_text())["marked.png"]
    assert len(regions) == int(found["regions"]) >= 1
    top, left, bottom, right = regions[0]["box"]
    assert top <= 6 < bottom
    assert left <= 6 < right
    mask = np.zeros((28, 28), np.uint8)
    mask[:16, :16] = 255
    Image.fromarray(mask).save("mask.png")
    words = ["--ignore", "mask.png", "--out", "ignored.csv", "--json"]
    (other,) = json.loads(says("anomalies", "score", str(detector), "new", *words))
    assert max(other["place"]) >= 16
    Image.fromarray(mask[:9]).save("mask.png")
    said = refused("anomalies", "score", str(detector), "new", *words, "--force")
    assert "a mask of 9×28 for a picture of 28×28" in said


def test_another_threshold_is_set_by_false_alarms_or_recall(
    kinds: Path, detector: Path, in_empty_folder: Path, says: Run
) -> None:
    before = (detector / "detector.json").read_bytes()
    words = ["--false-alarms", "30%", "--json"]
    found = json.loads(says("anomalies", "threshold", str(detector), *words))
    assert found["false_alarms"] == pytest.approx(5 / 19)
    words = ["--recall", "80%", "--normal", "3"]
    said = says("anomalies", "threshold", str(detector), str(kinds), *words)
    assert said == f"{detector}\n"
    one = AnomalyDetector.load(detector)
    sevens = caes.load(kinds / "7")
    assert (one.predict(sevens) == -1).mean() == 0.8
    (detector / "detector.json").write_bytes(before)


def test_drift_tells_other_pictures_from_such_as_were_learnt(
    kinds: Path, detector: Path, says: Run
) -> None:
    said = says("anomalies", "drift", str(detector), str(kinds / "3"))
    assert said.startswith("The threshold holds: ")
    said = says("anomalies", "drift", str(detector), str(kinds / "7"), "--json")
    assert json.loads(said)["holds"] is False


def test_suspects_are_ranked_and_the_strange_ones_come_first(
    kinds: Path, in_empty_folder: Path, says: Run
) -> None:
    says("anomalies", "suspects", str(kinds), "--steps", "50", "--seed", "0")
    columns, *rows = read_table(Path("suspects.csv"))
    assert columns == ["rank", "name", "strangeness", "p_value"]
    assert len(rows) == 110
    places = {row[1]: int(row[0]) for row in rows}
    ranks = [rank for name, rank in places.items() if name.startswith("7/")]
    assert np.mean(ranks) < 44  # by chance 55; 38 with this seed


def test_what_cannot_be_is_refused_before_any_work(
    detector: Path, refused: Run
) -> None:
    said = refused("anomalies", "threshold", str(detector))
    assert said == (
        "caes: threshold: received neither --false-alarms nor --recall; allowed: one "
        "of the two. Try --false-alarms 0.1%."
    )
    said = refused("anomalies", "fit", "digits", "--false-alarms", "200%")
    assert said == (
        "caes: --false-alarms: received '200%'; allowed: a share above 0 and below 1, "
        "as 0.01 or 1%. Try --false-alarms 1%."
    )
    said = refused("anomalies", "score", str(detector), "digits", "--tile", "64")
    assert said == (
        "caes: --tile: received 64; allowed: 192 pixels or more. Try --tile 512."
    )
    Path("scores.csv").touch()
    said = refused("anomalies", "score", str(detector), "digits")
    assert "scores.csv: received a file that exists" in said
