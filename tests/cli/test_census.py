"""The census as a user asks for it, and as every fit begins with it."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caes.cli import main
from tests.cli.conftest import FAST, Notes, Run

FIT = ["--epochs", "1", "--arch", "2C3-MP2", "--seed", "0"]


@pytest.fixture
def photos(in_empty_folder: Path) -> Path:
    folder = Path("photos")
    draw = np.random.default_rng(0)
    for number in range(12):
        path = folder / ("in" if number % 2 else "out") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(10, 40, (16, 16), np.uint8)
        pixels[0, :2] = 10, 60
        Image.fromarray(pixels).save(path)
    return folder


def test_json_is_all_that_is_printed(
    photos: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (photos / "in" / "bad.png").write_bytes(b"")
    Path(os.fsdecode(os.fsencode(photos) + b"/in/\xff.png")).write_bytes(b"")
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


def test_a_folder_whose_name_is_no_text_is_told_of(photos: Path, says: Run) -> None:
    name = os.fsdecode(b"photo\xff")
    photos.rename(name)
    said = says("info", name, "--json", "--sheet", "sheet.png")
    assert json.loads(said)["source"] == "photo\\udcff"
    assert "photo\\udcff" in says("info", name)


def test_a_run_as_json(photos: Path, says: Run) -> None:
    says("fit", "photos", *FIT, "--out", "run", "--quiet")
    assert json.loads(says("info", "run", "--json"))["architecture"] == "2C3-MP2"


def test_the_sheet_is_named_last_and_nothing_is_overwritten_unasked(
    photos: Path, says: Run, refused: Run
) -> None:
    words = ("info", "photos", "--sheet", "a/sheet.png")
    assert says(*words).splitlines()[-1] == "a/sheet.png"
    before = Path("a/sheet.png").read_bytes()
    Path("a/sheet.png").write_bytes(b"mine")
    assert refused(*words) == (
        "caes: a/sheet.png: received a file that exists; allowed: a new file. Choose another name, or add --force to replace it."
    )
    assert Path("a/sheet.png").read_bytes() == b"mine"
    says(*words, "--force")
    assert Path("a/sheet.png").read_bytes() == before
    assert os.listdir("a") == ["sheet.png"]


def opening(said: list[str]) -> list[str]:
    """Take what a command says before it says what it will do."""
    first = next(at for at, line in enumerate(said) if line.startswith("network: "))
    return said[:first]


def test_a_fit_begins_with_the_census_in_short(photos: Path, notes: Notes) -> None:
    shutil.copy(photos / "out" / "00.png", photos / "in" / "99.png")
    (photos / "in" / "bad.png").write_bytes(b"")
    assert opening(notes("fit", "photos", *FIT, "--hold-out", "0")) == [
        "photos train: 13 pictures 16×16×1 uint8, 2 classes",
        "skipped in/bad.png: empty",
        "values: 10 to 60 of 0 to 255: 19 % of uint8 is used",
        "1 picture of 13 repeats another one: in/99.png = out/00.png",
        "the same picture has different labels: in/99.png (in) = out/00.png (out)",
    ]


def test_a_fit_says_what_it_is_tested_on_though_it_was_learnt_from(
    photos: Path, notes: Notes
) -> None:
    Path("all/test").mkdir(parents=True)
    photos.rename("all/train")
    for number in (1, 3):
        shutil.copy(f"all/train/in/0{number}.png", f"all/test/{number}.png")
    assert opening(notes("fit", "all", *FIT)) == [
        "all train: 12 pictures 16×16×1 uint8",
        "values: 10 to 60 of 0 to 255: 19 % of uint8 is used",
        "2 pictures of 14 repeat another one: train/in/01.png = test/1.png; train/in/03.png = test/3.png",
        "2 pictures of test are in train too",
    ]


def test_of_many_files_that_cannot_be_read_the_first_are_named(
    photos: Path, notes: Notes
) -> None:
    for number in range(11):
        (photos / "out" / f"bad {number:02}.png").write_bytes(b"")
    assert opening(notes("fit", "photos", *FIT))[1:12] == [
        *(f"skipped out/bad {number:02}.png: empty" for number in range(10)),
        "skipped 1 more; caes info photos names them all",
    ]


def test_the_commands_around_labels_begin_so_too(here: Path, notes: Notes) -> None:
    for words in (["classify", *FAST], ["probe"]):
        command, *options = words
        lines = notes(command, "photos", "--from", "stack", *options)
        assert lines[0].startswith("photos train: ")
        assert lines[1].startswith("values: ")


def test_a_quiet_fit_says_nothing_of_it(photos: Path, notes: Notes) -> None:
    assert notes("fit", "photos", *FIT, "--quiet") == []


def test_tiles_of_one_picture_are_no_masks_of_each_other(
    here: Path, notes: Notes
) -> None:
    half = np.zeros((32, 64), np.uint8)
    half[:, 32:] = half[::2, :32] = 255
    Path("drawings").mkdir()
    Image.fromarray(half).save("drawings/a.png")
    Image.fromarray(255 - half).save("drawings/b.png")
    said = notes("fit", "drawings", *FIT, "--tile", "32")
    assert not any("mask" in line for line in said)


def test_masks_among_the_pictures_are_named(photos: Path, notes: Notes) -> None:
    assert not any("mask" in line for line in notes("fit", "photos", *FIT))
    with Image.open(photos / "in" / "01.png") as picture:
        two = np.where(np.asarray(picture) > 30, 255, 0).astype(np.uint8)
    Path("photos/masks").mkdir()
    Image.fromarray(two).save("photos/masks/01.bmp")
    said = notes("fit", "photos", *FIT)
    assert said[1] == (
        "masks/01.bmp looks like a mask of in/01.png, of the same name and with two values, and is learnt from like all others: move such files to a folder of their own"
    )
