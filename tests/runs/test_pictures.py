"""Pictures come to a run as they came to its training, whoever opens them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from caes import CAE, CAEClassifier
from caes.cli import main
from caes.data.scaling import Scaling
from caes.errors import DataError, RunError
from caes.runs.pictures import Opening, for_others
from tests.refusals import refusing

FIXTURES = Path(__file__).parent / "fixtures"
"""Run folders as earlier formats wrote them, of ``photos`` brought to 8×8."""
WORDS = "photos/ --size 8x8 --resize crop --arch 2C3-MP2 --epochs 1 --seed 3"


def photos(folder: Path = Path("photos"), colour: bool = False) -> None:
    """Write the pictures that the fixtures have learnt from, or the same in colour."""
    draw = np.random.default_rng(0)
    folder.mkdir()
    for n in range(6):
        pixels = draw.integers(0, 256, (10 + n % 2, 12), np.uint8)
        image = Image.fromarray(pixels)
        (image.convert("RGB") if colour else image).save(folder / f"{n}.png")


@pytest.fixture
def here(in_empty_folder: Path) -> Path:
    photos()
    return in_empty_folder


@pytest.mark.parametrize(("number", "resize"), [(1, None), (2, "stretch"), (3, "crop")])
def test_a_run_of_an_earlier_format_still_opens(number: int, resize: Any) -> None:
    cae = CAE.load(FIXTURES / f"format{number}")
    assert str(cae.architecture_) == cae.arch == "2C3-MP2"
    usual: dict[str, Any] = {"loss": "bce", "batch_size": 64, "validation": 0.0}
    usual |= {"epochs": 1, "learning_rate": 1e-3, "random_state": 3}
    usual["decay"] = "constant"
    assert cae.get_params() == CAE("2C3-MP2", **usual).get_params()
    assert [row.level for row in cae.history_.rows] == [0]
    pixels = np.random.default_rng(1).integers(0, 256, (5, 8, 8), np.uint8)
    newest = CAE.load(FIXTURES / "format3")
    np.testing.assert_array_equal(cae.transform(pixels), newest.transform(pixels))
    made = cae.opening_
    if resize is None:
        assert made is None
    else:
        where = Opening(source="photos/", folder="/home/somebody", split="train")
        how: dict[str, Any] = {
            "size": (8, 8),
            "resize": resize,
            "hold_out": 0.5,
            "seed": 3,
        }
        assert made == replace(where, **how)
    if number < 3:  # it knew one scaling, and not the type of what it had learnt from
        assert cae.scaling_ == Scaling(0.0, 255.0)
        assert cae.from_unit(cae.reconstruct(pixels)).dtype == np.float64
    assert cae.reconstruct(pixels, units="source").dtype == np.uint8


def test_the_newest_of_them_finds_its_pictures_by_the_recorded_command(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(FIXTURES / "format3", "run")
    assert main(["report", "run"]) == 0
    said = capfd.readouterr()
    assert said.out == "run/report.html\n"
    assert "these are not the pictures" not in said.err


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        ("caes fit x", {}),
        ("caes fit --quiet x --split=train[:3]", {"split": "train[:3]"}),
        ("caes fit x --strict --channels 3", {"strict": True, "channels": 3}),
        ("caes fit x --in-memory --tile 8 --overlap 2", {"tile": 8, "overlap": 2}),
        ("caes fit 'a b' --pages channels", {"source": "a b", "pages": "channels"}),
        ("caes fit x --fit pad --size 3X4", {"resize": "pad", "size": (3, 4)}),
        ("caes fit x --resize pad", {"resize": "pad"}),
    ],
)
def test_a_recorded_command_is_read_again(command: str, changes: Any) -> None:
    wanted = Opening(**{"source": "x", "folder": "there", "split": "train"} | changes)
    wanted = replace(wanted, in_memory="in-memory" in command)
    assert Opening.recorded({"command": command, "folder": "there"}) == wanted


@pytest.mark.parametrize(
    "command",
    ["", "caes fit", "caes fit 'x", "caes fit x --seed", "caes fit x --tile y"],
)
def test_a_command_that_names_no_pictures_is_none(command: str) -> None:
    assert Opening.recorded({"command": command}) is None


def test_a_run_says_how_its_pictures_were_opened(here: Path) -> None:
    words = [*WORDS.split(), "--hold-out", "0.5", "--quiet", "--out", "run"]
    assert main(["fit", *words]) == 0
    about = json.loads(Path("run/model.json").read_text())
    given: dict[str, Any] = {"source": "photos/", "folder": str(here), "split": "train"}
    given |= {"size": [8, 8], "resize": "crop", "hold_out": 0.5, "seed": 3}
    usual = {"channels": None, "pages": "pictures", "tile": None, "overlap": None}
    assert about["data"] == given | usual | {"strict": False, "in_memory": False}
    cae = CAE.load("run")
    assert cae.opening_ == Opening.read(about["data"])
    cae.save("again")
    assert CAE.load("again").opening_ == cae.opening_


def test_a_run_opens_other_pictures_as_its_own(here: Path) -> None:
    cae = CAE.load(FIXTURES / "format3")
    photos(Path("colour"), colour=True)
    mine, others = cae.open("photos"), cae.open(Path("colour"), "train")
    assert mine.shape == others.shape == (6, 8, 8, 1)
    assert cae.open("photos", size=(4, 6)).shape == (6, 4, 6, 1)
    stretched = cae.open("photos", resize="stretch")
    assert (stretched.pixels != mine.pixels).any()
    shutil.rmtree("photos")
    Path("photos").mkdir()
    Image.new("L", (20, 16)).save("photos/one.png")
    assert cae.open("photos").shape == (1, 8, 8, 1)
    assert cae.open("photos", whole=True).shape == (1, 16, 20, 1)
    Image.new("L", (1, 1)).save("photos/one.png")
    assert cae.open("photos", whole=True).shape == (1, 8, 8, 1)  # below its poolings


def test_a_run_of_tiles_opens_tiles_and_whole_pictures(here: Path) -> None:
    form = CAE("2C3-MP2", epochs=1, tile=8, overlap=0)
    tiled = form.fit(np.zeros((1, 16, 16), np.uint8))
    assert tiled.opening_ is None
    assert tiled.open("photos").shape[1:] == (8, 8, 1)
    assert tiled.open("photos").names[0] == "0.png#0,0"
    assert tiled.open("photos", whole=True).shape == (6, 8, 8, 1)


def test_classifiers_and_dense_networks_open_what_they_take(here: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 8), np.uint8)
    dense = CAE("4N", epochs=1).fit(pixels)
    assert dense.open("photos", whole=True).shape == (6, 8, 8, 1)
    with pytest.raises(DataError, match="a path that does not exist"):
        dense.open("nowhere")
    classifier = CAEClassifier(dense, recipe="paper", epochs=1).fit(pixels, [0, 1] * 4)
    assert classifier.predict(classifier.open("photos")).shape == (6,)


@pytest.mark.parametrize("dense", [False, True])
def test_a_report_takes_pictures_of_mixed_sizes(
    here: Path, capfd: pytest.CaptureFixture[str], dense: bool
) -> None:
    np.save("own.npy", np.random.default_rng(0).integers(0, 256, (9, 8, 8), np.uint8))
    words = ["--arch", "4N" if dense else "2C3-MP2", "--epochs", "1", "--quiet"]
    assert main(["fit", "own.npy", *words, "--out", "run"]) == 0
    assert main(["report", "run", "--source", "photos"]) == 0
    assert "photos train: 5 pictures 8×8×1 uint8\n" in capfd.readouterr().err


def test_what_a_run_s_own_pictures_do_not_settle_is_not_taken_over() -> None:
    made = Opening(source="a", folder="b", split="train[:9]", tile=3, strict=True)
    found = for_others(made, "c", (8, 9, 2), resize="pad")
    assert found == Opening(source="c", resize="pad")


def with_block(run: Path, block: Any) -> Path:
    """Write a run with this description of its pictures; give the file."""
    shutil.copytree(FIXTURES / "format3", run)
    path = run / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"data": block}))
    return path


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": 3}, "pictures with source 3"),
        ({"size": [8]}, "pictures with size (8,)"),
        ({"size": "8x"}, "invalid literal for int() with base 10: 'x'"),
        ({"pages": "all"}, "pictures with pages 'all'"),
        ({"channels": "3"}, "pictures with channels '3'"),
        ({"hold_out": 2}, "pictures with hold_out 2"),
        ({"hold_out": None}, "pictures with hold_out None"),
        ({"seed": 1.5}, "pictures with seed 1.5"),
        ({"strict": "yes"}, "pictures with strict 'yes'"),
    ],
)
def test_a_damaged_block_is_refused(tmp_path: Path, changes: Any, reason: str) -> None:
    path = with_block(tmp_path / "run", {"source": "x"} | changes)
    message = f"{path}: received contents that cannot be ({reason}); allowed: the file as caes wrote it. Copy it again from where it was made, or fit again."
    with refusing(RunError, message):
        CAE.load(tmp_path / "run")


@pytest.mark.parametrize("block", [3, "x", [], {}, {"source": "x", "more": 1}])
def test_a_block_of_another_form_is_refused(tmp_path: Path, block: Any) -> None:
    with_block(tmp_path / "run", block)
    with pytest.raises(RunError, match="received contents that cannot be"):
        CAE.load(tmp_path / "run")


def test_a_source_is_opened_once_a_command(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from caes.data.sources.folder import Folder

    opened: list[str] = []
    init = Folder.__init__

    def noting(self: Folder, spec: Any, reading: Any) -> None:
        opened.append(str(spec))
        init(self, spec, reading)

    monkeypatch.setattr(Folder, "__init__", noting)
    shutil.copytree("photos", "both/train")
    shutil.copytree("photos", "both/test")
    words = "--size 8x8 --arch 2C3-MP2 --epochs 1 --quiet --out run"
    assert main(["fit", "both", *words.split()]) == 0
    assert main(["reconstruct", "run", "both", "--out", "out", "--quiet"]) == 0
    assert main(["report", "run", "--source", "both"]) == 0
    assert opened == ["both"] * 3
