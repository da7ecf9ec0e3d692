"""The census as a user asks for it, and as every fit begins with it."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caes.cli import main
from tests import stripes

FIT = ["--epochs", "1", "--arch", "2C3-MP2", "--seed", "0"]


def photos(count: int = 12) -> Path:
    folder = Path("photos")
    draw = np.random.default_rng(0)
    for number in range(count):
        path = folder / ("in" if number % 2 else "out") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(10, 40, (16, 16), np.uint8)
        pixels[0, :2] = 10, 60
        Image.fromarray(pixels).save(path)
    return folder


def test_json_is_all_that_is_printed(
    in_empty_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = photos()
    (folder / "in" / "bad.png").write_bytes(b"")
    Path(os.fsdecode(os.fsencode(folder) + b"/in/\xff.png")).write_bytes(b"")
    assert main(["info", "photos", "--json", "--sheet", "sheet.png"]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    found = json.loads(said.out)
    assert said.out == json.dumps(found, indent=2) + "\n"
    assert found["pictures"] == 12
    assert found["classes"] == {"in": 6, "out": 6}
    assert found["unreadable"] == [
        {"name": "in/bad.png", "reason": "empty"},
        {"name": "in/\\udcff.png", "reason": "empty"},
    ]
    with Image.open("sheet.png") as sheet:
        assert sheet.format == "PNG"


def test_a_folder_whose_name_is_no_text_is_told_of(
    in_empty_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name = os.fsdecode(b"photo\xff")
    photos().rename(name)
    assert main(["info", name, "--json", "--sheet", "sheet.png"]) == 0
    assert json.loads(capfd.readouterr().out)["source"] == "photo\\udcff"
    assert main(["info", name]) == 0
    assert "photo\\udcff" in capfd.readouterr().out


def test_a_run_as_json(
    in_empty_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos()
    assert main(["fit", "photos", *FIT, "--out", "run", "--quiet"]) == 0
    capfd.readouterr()
    assert main(["info", "run", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["architecture"] == "2C3-MP2"


def test_the_sheet_is_named_last_and_nothing_is_overwritten_unasked(
    in_empty_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos()
    assert main(["info", "photos", "--sheet", "a/sheet.png"]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "a/sheet.png"
    before = Path("a/sheet.png").read_bytes()
    Path("a/sheet.png").write_bytes(b"mine")
    assert main(["info", "photos", "--sheet", "a/sheet.png"]) == 2
    said = capfd.readouterr()
    assert (said.out, said.err) == (
        "",
        "caes: a/sheet.png: received a file that exists; allowed: a new file. Choose "
        "another name, or add --force to replace it.\n",
    )
    assert Path("a/sheet.png").read_bytes() == b"mine"
    assert main(["info", "photos", "--sheet", "a/sheet.png", "--force"]) == 0
    assert Path("a/sheet.png").read_bytes() == before
    assert os.listdir("a") == ["sheet.png"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["photos", "--sheet", "sheet.jpg"], "caes: --sheet: received 'sheet.jpg'; allowed: a name that ends in .png. Try --sheet sheet.png."),
        (["run", "--sheet", "sheet.png"], "caes: --sheet: received 'sheet.png' with the folder of a run; allowed: a contact sheet of pictures. See run/report.html for pictures of a run."),
        (["empty", "--json"], "caes: empty: received an empty folder; allowed: a folder with PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS files, in sub-folders too. Check the path."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(
    in_empty_folder: Path,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    photos()
    for name in ("run", "empty"):
        Path(name).mkdir()
    Path("run/model.json").write_text("{}")
    assert main(["info", *words]) == 2
    assert capfd.readouterr() == ("", said + "\n")


def opening(words: list[str], capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Give what a command says before its first epoch."""
    assert main(words) == 0
    lines = capfd.readouterr().err.splitlines()
    first = next(at for at, line in enumerate(lines) if "epoch 1/" in line)
    return lines[:first]


def test_a_fit_begins_with_the_census_in_short(
    in_empty_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = photos()
    shutil.copy(folder / "out" / "00.png", folder / "in" / "99.png")
    (folder / "in" / "bad.png").write_bytes(b"")
    said = opening(["fit", "photos", *FIT, "--hold-out", "0"], capfd)
    assert said == [
        "photos train: 13 pictures 16×16×1 uint8, 2 classes",
        "skipped in/bad.png: empty",
        "values: 10 to 60 of 0 to 255: 19 % of uint8 is used",
        "1 picture of 13 repeats another one: in/99.png = out/00.png",
        "the same picture has different labels: in/99.png (in) = out/00.png (out)",
    ]


def test_a_fit_says_what_it_is_tested_on_though_it_was_learnt_from(
    in_empty_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos().rename("train")
    Path("all/test").mkdir(parents=True)
    Path("train").rename("all/train")
    for number in (1, 3):
        shutil.copy(f"all/train/in/0{number}.png", f"all/test/{number}.png")
    said = opening(["fit", "all", *FIT], capfd)
    assert said == [
        "all train: 12 pictures 16×16×1 uint8",
        "values: 10 to 60 of 0 to 255: 19 % of uint8 is used",
        "2 pictures of 14 repeat another one: train/in/01.png = test/1.png; "
        "train/in/03.png = test/3.png",
        "2 pictures of test are in train too",
    ]


def test_of_many_files_that_cannot_be_read_the_first_are_named(
    in_empty_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = photos(14)
    for number in range(11):
        (folder / "out" / f"bad {number:02}.png").write_bytes(b"")
    said = opening(["fit", "photos", *FIT], capfd)
    assert said[1:12] == [
        *(f"skipped out/bad {number:02}.png: empty" for number in range(10)),
        "skipped 1 more; caes info photos names them all",
    ]


def test_the_commands_around_labels_begin_so_too(
    in_empty_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stripes.write_folder(Path("stripes"), 10)
    fit = ["fit", "stripes", *FIT, "--schedule", "greedy", "--decoder", "tied"]
    assert main([*fit, "--out", "run", "--quiet"]) == 0
    capfd.readouterr()
    for words in (
        ["classify", "stripes", "--from", "run", "--epochs", "1", "--recipe", "paper"],
        ["probe", "stripes", "--from", "run"],
    ):
        assert main(words) == 0
        lines = capfd.readouterr().err.splitlines()
        assert lines[0].startswith("stripes train: ")
        assert lines[1].startswith("values: ")


def test_a_quiet_fit_says_nothing_of_it(
    in_empty_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos()
    assert main(["fit", "photos", *FIT, "--quiet"]) == 0
    assert capfd.readouterr().err == ""
