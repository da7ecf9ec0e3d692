"""caes index, end to end on real digits."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caes import ImageIndex, load
from caes.cli import main
from caes.tasks.index.twins import CHANGES
from tests.cli.conftest import Notes, Run, table

SAME_CLASS = 0.9
"""Share of ten neighbours of test digits that are of their class, at least."""
F1 = 0.93
"""Of finding changed copies of digits, each kind, at least."""


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the default network on real digits, a little, and index them."""
    folder = tmp_path_factory.mktemp("digits")
    run, index = str(folder / "run"), str(folder / "index")
    words = ["--steps", "300", "--seed", "0", "--quiet", "--out", run]
    assert main(["fit", "digits", *words]) == 0
    words = ["--split", "train", "--quiet", "--out", index]
    assert main(["index", "build", run, "digits", *words]) == 0
    return folder


@pytest.fixture
def digits(made_once: Path, in_empty_folder: Path) -> Path:
    """Work in a folder with a link to the run and a copy of its index."""
    Path("run").symlink_to(made_once / "run")
    subprocess.run(["cp", "-r", str(made_once / "index"), "index"], check=True)
    return in_empty_folder


def test_neighbours_of_test_digits_are_of_their_class(digits: Path, says: Run) -> None:
    assert says("index", "search", "index", "digits", "-k", "10") == (
        "neighbours.csv\nneighbours.png\n"
    )
    rows = table("neighbours.csv")
    assert [*rows[0]] == ["query", "rank", "name", "label", "distance"]
    test = load("digits", "test")
    assert test.labels is not None
    truth = dict(zip(test.names, test.labels, strict=True))
    assert len(rows) == 10 * len(test)
    same = np.mean([row["label"] == test.classes[truth[row["query"]]] for row in rows])
    assert same >= SAME_CLASS
    with Image.open("neighbours.png") as sheet:
        assert sheet.width > 11 * 100
        assert sheet.height > 20 * 100


def test_what_is_told_of_an_index(digits: Path, says: Run) -> None:
    said = says("index", "info", "index")
    for row in (
        "pictures +│ 4,000",
        "labelled +│ 4,000, of 10 classes",
        "code +│ 32 values|code +│ 64 values",
        r"same class, PCA +│ \d\d\.\d\d %",
        "the same +│ from a likeness of 0",
        "from +│ digits train: 4,000",
    ):
        assert re.search(row, said), row
    about = json.loads(says("index", "info", "index", "--json"))
    assert about["pictures"] == 4000
    assert about["precision"]["codes"] > 80
    assert about["views"] in ("one", "moved", "mirrored")


def test_pictures_are_searched_for_by_their_paths_among_a_label(
    digits: Path, says: Run
) -> None:
    test = load("digits", "test[:3]")
    for row, pixels in enumerate(np.asarray(test.pixels)):
        Image.fromarray(pixels[..., 0]).save(f"{row}.png")
    words = ["index", "search", "index", "0.png", "1.png", "--json", "--out", "x.csv"]
    found = json.loads(says(*words, "-k", "4", "--label", "3"))
    assert [each["query"] for each in found] == ["0.png"] * 4 + ["1.png"] * 4
    assert {each["label"] for each in found} == {"3"}
    assert [each["rank"] for each in found[:4]] == [1, 2, 3, 4]
    near = found[0]["distance"]
    words += ["-k", "4", "--label", "3", "--within", str(near + 1e-6), "--force"]
    assert json.loads(says(*words))[0]["rank"] == 1
    assert len(json.loads(says(*words))) < 8


def test_adding_is_seen_at_once_and_twice_is_once(
    digits: Path, made_once: Path, says: Run, notes: Notes
) -> None:
    said = notes("index", "add", "index", "digits", "--split", "test[:50]")
    assert said[-1] == "50 pictures added; 4,050 in index"
    said = notes("index", "add", "index", "digits", "--split", "test[:60]")
    assert said[-1] == "10 pictures added, 50 were there already; 4,060 in index"
    words = ["index", "search", "index", "digits", "--split", "test[:5]", "-k", "1"]
    found = json.loads(says(*words, "--json"))
    assert [each["name"] for each in found] == [each["query"] for each in found]
    assert max(each["distance"] for each in found) < 1e-3
    names = [each["name"] for each in found]
    dropped = says("index", "drop", "index", *names)
    again = f"caes index build {made_once / 'run'} DATA --out index --force"
    assert dropped.splitlines() == [
        "5 pictures dropped, 4,055 left in index",
        f"What was dropped stays on disk until the index is built again: {again}",
    ]
    assert "│ 5, on disk until" in says("index", "info", "index")
    found = json.loads(says(*words, "--json", "--force"))
    assert not {each["name"] for each in found} & {*names}


@pytest.mark.parametrize("kind", CHANGES)
def test_changed_copies_are_found_again(digits: Path, says: Run, kind: str) -> None:
    originals = load("digits", "test[100:300]")
    for folder in ("originals", "copies"):
        Path(folder).mkdir()
    for name, pixels in enumerate(np.asarray(originals.pixels)):
        picture = Image.fromarray(pixels[..., 0])
        picture.save(f"originals/{name:03d}.png")
        CHANGES[kind](picture).save(f"copies/{name:03d}.png")
    for folder in ("originals", "copies"):
        words = ["index", "build", "run", folder, "--out", f"{folder}.index"]
        says(*words, "--metric", "cosine", "--quiet")
    words = ["index", "duplicates", "originals.index", "--against", "copies.index"]
    groups = json.loads(says(*words, "--json"))
    pairs = [
        (group["pictures"][0]["name"], each["name"])
        for group in groups
        for each in group["pictures"][1:]
    ]
    hits = sum(one == other for one, other in pairs)
    assert 2 * hits / (200 + len(pairs)) >= F1
    assert {each["index"] for each in groups[0]["pictures"]} == {
        "originals.index",
        "copies.index",
    }


def test_the_same_pixels_are_exact_and_stand_in_the_table(
    digits: Path, says: Run, notes: Notes
) -> None:
    words = ["index", "add", "index", "digits", "--split", "train[:3]"]
    said = notes(*words, "--prefix", "=again/")
    assert said[-1] == "3 pictures added; 4,003 in index"
    assert says("index", "duplicates", "index") == "duplicates.csv\nduplicates.png\n"
    rows = [row for row in table("duplicates.csv") if row["kind"] == "exact"]
    assert [row["name"] for row in rows] == [f"'=again/train/{n:05d}" for n in range(3)]
    assert {row["likeness"] for row in rows} == {"1.0"}


def test_ctrl_c_while_building_keeps_what_is_in(digits: Path) -> None:
    words = ["index", "build", "run", "digits", "--split", "train", "--out", "half"]
    code = (
        "import sys, os, signal\n"
        "from caes.tasks.index import filling\n"
        "filling.AT_ONCE = 500\n"
        "add = filling._add_new\n"
        "def adding(index, *more):\n"
        "    add(index, *more)\n"
        "    if len(index) == 1000: os.kill(os.getpid(), signal.SIGINT)\n"
        "filling._add_new = adding\n"
        "from caes.cli import main\n"
        f"sys.exit(main({words!r}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0
    assert run.stdout == "half\n"
    assert run.stderr.splitlines()[-2:] == [
        "interrupted after 1,000 pictures: add the same pictures again for the rest",
        "1,000 pictures added; 1,000 in half",
    ]
    assert len(ImageIndex.load("half")) == 1000
    assert main(["index", "add", "half", "digits", "--split", "train", "--quiet"]) == 0
    assert len(ImageIndex.load("half")) == 4000


@pytest.fixture
def other_run(digits: Path) -> None:
    words = ["--recipe", "example", "--epochs", "1", "--seed", "1", "--quiet"]
    assert main(["fit", "digits", "--split", "train[:300]", *words, "--out", "o"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    {
        "search nowhere digits": "nowhere: received no index.json in it; allowed: the folder of an index. Make one with: caes index build RUN DATA --out FOLDER.",
        "search index digits -k 0": "--k: received 0; allowed: a whole number of at least 1. Try --k 10.",
        "search index": "QUERY: received nothing; allowed: a picture, a folder of pictures, or digits, mnist. Give one or more.",
        "search index digits --label dog": "--label: received 'dog'; allowed: one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9. Check the spelling.",
        "search index digits --out x.txt": "--out: received 'x.txt'; allowed: a name that ends in .csv. Try --out found.csv.",
        "search index digits --out taken.csv": "taken.csv: received a file that exists; allowed: a new file. Choose another name, or add --force to replace it.",
        "drop index": "NAME: received nothing; allowed: names of pictures, as caes index search writes them. Give one or more.",
        "drop index 4 5": "index: received '4' and 1 more; allowed: names that are in the index. Check the spelling.",
        "build run digits --out index": "index: received a path that exists; allowed: a new folder. Give another one, or force (--force) to replace it.",
        "build run digits --out new --metric near": "--metric: received 'near'; allowed: auto, euclidean, cosine, standardised, whitened. See caes index build --help.",
        "add index digits --split tset": "--split: received 'tset'; allowed: parts of train, test. Did you mean test?",
        "info run": "run: received no index.json in it; allowed: the folder of an index. Make one with: caes index build RUN DATA --out FOLDER.",
    }.items(),
)
def test_what_cannot_be_is_refused_in_one_line(
    digits: Path, refused: Run, words: str, message: str
) -> None:
    Path("taken.csv").write_text("mine")
    before = sorted(Path().rglob("*"))
    assert refused("index", *words.split()) == f"caes: {message}"
    assert sorted(Path().rglob("*")) == before


@pytest.mark.usefixtures("other_run")
def test_another_run_is_refused(digits: Path, refused: Run) -> None:
    said = refused("index", "add", "index", "digits", "--run", "o")
    assert said.startswith("caes: --run: received codes of another run (sha256:")
    assert said.endswith(
        "Codes of two runs mean different things: build another index."
    )
    assert len(ImageIndex.load("index")) == 4000


def test_another_picture_of_the_same_name_is_refused(
    digits: Path, refused: Run
) -> None:
    Path("photos").mkdir()
    name = ImageIndex.load("index").names[0]
    path = Path("photos", name).with_suffix(".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (28, 28), 9).save(path)
    main(["index", "add", "index", "photos", "--quiet"])
    Image.new("L", (28, 28), 99).save(path)
    said = refused("index", "add", "index", "photos")
    assert said == (
        f"caes: photos: received {path.relative_to('photos').as_posix()!r}, which is there already; allowed: names that the index does not have yet. Remove them first, or put something before the new ones."
    )


def test_a_run_that_was_moved_is_named(digits: Path, says: Run) -> None:
    os.rename("run", "moved")
    words = ["index", "search", "index", "digits", "--split", "test[:2]"]
    index = ImageIndex.load("index")
    index.about["run"] |= {"folder": "run", "from": "/nowhere"}
    index.save("index")
    assert main(words) == 2
    assert says(*words, "--run", "moved") == "neighbours.csv\nneighbours.png\n"
