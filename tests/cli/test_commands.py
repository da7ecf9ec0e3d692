"""The commands as a user gives them, end to end on real digits."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caes
from caes.cli import COMMANDS, PARTS
from tests.cli.conftest import Notes, Run, about, table

FILES = [
    *("errors.csv", "figures", "history.csv"),
    *("model.json", "model.safetensors", "report.html"),
]


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`caes fit digits`, once."""
    folder = tmp_path_factory.mktemp("digits")
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "caes.cli",
            "fit",
            "digits",
            "--recipe",
            "example",
            "--seed",
            "33",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "runs/digits-1/report.html\n"
    lines = run.stderr.splitlines()
    assert lines[0] == "digits train: 4,000 pictures 28×28×1 uint8, 10 classes"
    assert lines[1] == "values: 0 to 255, the whole range of uint8"
    assert [line.partition(":")[0] for line in lines[2:5]] == [
        "network",
        "training",
        "range",
    ]
    assert lines[25].startswith("PCA is better here: the autoencoder leaves ")
    assert len(lines) == 26
    assert re.fullmatch(
        r"epoch 20/20  loss 0\.\d{4}  accuracy 0\.\d{4}  PSNR \d\d\.\d\d dB  "
        r"\d+\.\d s  [\d,]+ images/s  waiting \d+ %  0:00 left",
        lines[24],
    )
    return folder / "runs" / "digits-1"


def test_fit_learns_real_digits_and_writes_the_whole_run(digits_run: Path) -> None:
    assert sorted(path.name for path in digits_run.iterdir()) == FILES
    assert len(list((digits_run / "figures").glob("*.svg"))) >= 4
    rows = table(digits_run / "history.csv")
    assert len(rows) == 20
    assert float(rows[-1]["loss"]) < 0.11
    test = caes.load("digits", "test")
    cae = caes.CAE.load(digits_run)
    assert cae.score(test) > -0.010
    made = about(digits_run)
    assert made["parameters"] == 3217
    assert made["provenance"]["command"].endswith("example --seed 33")


def test_the_same_seed_gives_the_same_run(digits_run: Path) -> None:
    cae = caes.CAE(recipe="example", random_state=33).fit(caes.load("digits"))
    again = caes.CAE.load(digits_run)
    test = caes.load("digits", "test[:50]")
    np.testing.assert_array_equal(cae.transform(test), again.transform(test))


def test_runs_are_counted_up_and_none_is_overwritten(
    in_empty_folder: Path, says: Run
) -> None:
    words = ["fit", "digits", "--split", "train[:200]", "--epochs", "1", "--quiet"]
    for number in (1, 2):
        assert says(*words) == f"runs/digits-{number}/report.html\n"
    says(*words, "--out", "runs/digits-1", "--force")
    names = sorted(path.name for path in Path("runs").iterdir())
    assert names == ["digits-1", "digits-2"]


def test_pictures_of_a_folder_are_learnt_reconstructed_and_looked_over(
    in_empty_folder: Path, says: Run
) -> None:
    draw = np.random.default_rng(0)
    for number in range(30):
        folder = Path("photos") / ("day" if number % 2 else "night")
        folder.mkdir(parents=True, exist_ok=True)
        height = 20 + number % 3
        pixels = draw.integers(0, 256, (height, 30, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")
    words = ["--size", "21x30", "--arch", "4C3-MP2-2C3-MP2", "--epochs", "1"]
    says("fit", "photos/", *words, "--out", "runs/p")
    said = says("reconstruct", "runs/p", "photos/", "--out", "out")
    assert said.splitlines()[-1] == "out/errors.csv"
    assert len(list(Path("out").rglob("*.jpg.png"))) == 30
    assert len(list(Path("out").rglob("*.jpg.reconstructed.png"))) == 30
    with Image.open("out/day/1.jpg.png") as pair:
        assert pair.size == (62, 21)
    said = " ".join(says("info", "photos/").split())
    for told in ("pictures 30", "sizes 21×30 (10), 20×30 (10), 22×30 (10)", "day 15"):
        assert told in said


def test_colour_pictures_go_through_a_grey_model(
    digits_run: Path, in_empty_folder: Path, notes: Notes
) -> None:
    Path("photos").mkdir()
    for number in range(3):
        Image.new("RGB", (28, 28), (number, 90, 200)).save(f"photos/{number}.png")
    said = notes("reconstruct", str(digits_run), "photos", "--out", "out")
    assert "note: Colour pictures were turned grey: 3." in said
    with Image.open("out/0.png.png") as pair:
        assert pair.mode == "L"


def test_info_prints_the_summary_layer_by_layer(digits_run: Path, says: Run) -> None:
    said = says("info", str(digits_run))
    for row in (
        r"convolution 16@3×3, relu +│ 28×28×16 +│ +160 ",
        r"max-pooling 2×2 +│ 14×14×16 +│ +0 ",
        r"convolution 8@3×3, relu +│ 14×14×8 +│ +1,160 ",
        r"convolution 1@3×3, sigmoid +│ 28×28×1 +│ +145 ",
        r"total +│ +│ +3,217 ",
    ):
        assert re.search(row, said), row


def test_the_report_is_written_again_as_it_was_or_on_others(
    digits_run: Path, says: Run, notes: Notes
) -> None:
    page = digits_run / "report.html"
    before = page.read_text()
    page.unlink()
    assert says("report", str(digits_run)) == f"{page}\n"
    assert page.read_text() == before
    others = digits_run.parent / "others.npy"
    np.save(others, np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8))
    said = notes("report", str(digits_run), "--source", str(others))
    assert "these are not the pictures" in "".join(said)
    page.write_text(before)


def test_ctrl_c_keeps_what_was_learnt_and_still_writes_the_report(
    tmp_path: Path,
) -> None:
    words = ["fit", "digits", "--epochs", "100000", "--out", "run"]
    run = subprocess.Popen(
        [sys.executable, "-m", "caes.cli", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert run.stderr is not None
    while "epoch 2/" not in run.stderr.readline():
        assert run.poll() is None
    run.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0
    assert out == "run/report.html\n"
    assert "Training ended: interrupted; what was learnt so far is kept." in err
    assert time.monotonic() - began < 60
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == FILES
    assert caes.CAE.load(tmp_path / "run").history_.interrupted


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("CAES_DATA"), reason="CAES_DATA is not set")
def test_one_epoch_of_mnist_reaches_what_the_keras_example_does() -> None:
    """The Keras example's first epoch ends near a loss of 0.13 on average."""
    cae = caes.CAE(recipe="example", epochs=1, random_state=33).fit(caes.load("mnist"))
    assert cae.history_.rows[0].loss < 0.2
    assert cae.score(caes.load("mnist", "test[:2000]")) > -0.015


@pytest.mark.parametrize(
    "words",
    [
        *((name,) for name in COMMANDS if name not in PARTS),
        *((name, part) for name in PARTS for part in PARTS[name]),
    ],
    ids=" ".join,
)
def test_every_command_is_run_by_a_test(words: tuple[str, ...]) -> None:
    sources = [path.read_text("utf-8") for path in Path(__file__).parent.glob("*.py")]
    typed = r",\s*".join(f'"{word}"' for word in words)
    ran = rf"(main\(\[|says\(|words = [\[(])\s*{typed},"
    assert any(re.search(ran, source) for source in sources)


def test_a_value_a_level_reaches_the_auto_encoder_level_by_level(
    here: Path, says: Run
) -> None:
    words = ["--arch", "2C3-2C3", "--decoder", "tied", "--schedule", "greedy"]
    words += ["--epochs", "3,2", "--learning-rate", "0.01,0.001"]
    says("fit", "photos", *words, "--quiet", "--out", "two")
    cae = caes.CAE.load("two")
    assert (cae.epochs, cae.learning_rate) == ((3, 2), (0.01, 0.001))
    assert [row.level for row in cae.history_.rows] == [1, 1, 1, 2, 2]
    page = Path("two/report.html").read_text()
    assert says("report", "two") == "two/report.html\n"  # reads the command again
    assert Path("two/report.html").read_text() == page


def test_a_fit_says_what_it_will_do_and_with_plan_stops_there(
    in_empty_folder: Path, notes: Notes
) -> None:
    np.save(
        "small.npy", np.full((30, 8, 8), 1000, np.uint16) + np.arange(8, dtype="u2")
    )
    assert notes("fit", "small.npy", "--code", "5", "--plan") == [
        "network: 16C3-256N-5N, beside a linear path that begins as PCA: 5 values of the 64 of a picture",
        "training: squared error, 64 pictures a step, until 3 pictures kept apart are reconstructed no better, 5 minutes at most",
        "range: black is 999.65 and white 1,007.35 of uint16, of which less than half is in use; beyond is clipped",
    ]
    assert notes("fit", "small.npy", "--recipe", "example", "--plan")[0:2] == [
        "network: 16C3-MP2-8C3-MP2: 32 values of the 64 of a picture",
        "training: binary cross-entropy, 64 pictures a step, 20 epochs of 1 step",
    ]
    assert os.listdir() == ["small.npy"]


def test_pictures_of_several_sizes_and_large_ones_go_by_tiles_without_being_asked(
    in_empty_folder: Path, notes: Notes
) -> None:
    draw = np.random.default_rng(0)
    for folder, sides in (("mixed", (70, 80)), ("large", (600, 600))):
        Path(folder).mkdir()
        for number, side in enumerate(sides):
            pixels = draw.integers(0, 256, (side, 96), np.uint8)
            Image.fromarray(pixels).save(f"{folder}/{number}.png")
    said = notes("fit", "mixed", "--plan")[0]
    assert (
        said
        == "pictures of several sizes: cut into tiles of 64 (--tile; or --size 64x64)"
    )
    said = notes("fit", "large", "--plan")[0]
    assert said == "pictures of 600×96: cut into tiles of 64 (--tile; or --size 64x64)"
    notes("fit", "mixed", "--steps", "50", "--seed", "1", "--out", "run")
    assert about("run")["picture"] == [64, 64, 1]
    assert about("run")["data"]["tile"] == 64
    assert about("run")["chosen"]["steps"] == 50
    page = Path("run/report.html").read_text()
    assert "Steps" in page


def test_a_single_picture_is_cut_and_a_row_of_its_tiles_is_tested_on(
    in_empty_folder: Path, notes: Notes
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (128, 96), np.uint8)
    Image.fromarray(pixels).save("one.png")
    said = notes("fit", "one.png", "--steps", "50", "--seed", "1", "--out", "run")
    assert said[0] == "a single picture: cut into tiles of 12 (--tile; or --size 64x64)"
    assert said[1].startswith("one.png train: 80 pictures 12×12×1 uint8")
    opened = caes.load("one.png", tile=12, overlap=0)
    assert len(opened) == 88  # a row of eight is kept apart
    assert "kept apart" in Path("run/report.html").read_text()


def test_pictures_of_three_equal_channels_are_grey_unless_asked_otherwise(
    in_empty_folder: Path, notes: Notes
) -> None:
    draw = np.random.default_rng(0)
    Path("scans").mkdir()
    for number in range(4):
        grey = Image.fromarray(draw.integers(0, 256, (16, 16), np.uint8))
        grey.convert("RGB").save(f"scans/{number}.png")
    said = notes("fit", "scans", "--steps", "50", "--out", "run")
    assert said[0] == "three equal channels: taken as grey (--channels 3 keeps them)"
    assert about("run")["picture"] == [16, 16, 1]
    assert about("run")["data"]["channels"] == 1
    said = notes("fit", "scans", "--channels", "3", "--plan")
    assert said[0].endswith("64 values of the 768 of a picture")


def test_a_few_pictures_in_colour_do_not_make_colour_pictures_of_grey_ones(
    in_empty_folder: Path, notes: Notes
) -> None:
    draw = np.random.default_rng(0)
    Path("scans").mkdir()
    for number in range(20):
        shape = (16, 16, 3) if number == 7 else (16, 16)
        picture = Image.fromarray(draw.integers(0, 256, shape, np.uint8))
        picture.save(f"scans/{number:02}.png")
    said = notes("fit", "scans", "--steps", "50", "--out", "run")
    assert said[0] == (
        "1 of 18 pictures is in colour (07.png): all are read as grey "
        "(--channels 3 keeps colour)"
    )
    assert about("run")["picture"] == [16, 16, 1]
    said = notes("fit", "scans", "--channels", "3", "--plan")
    assert said[0].endswith("64 values of the 768 of a picture")
