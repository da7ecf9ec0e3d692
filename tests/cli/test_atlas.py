"""caes atlas, end to end."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from sklearn.neighbors import KNeighborsClassifier

from caes.cli import main
from tests.cli.conftest import Notes, Run

FILES = ["atlas.png", "coordinates.parquet", "index.html"]
RIGHT = 0.8
"""Share of real digits whose class five neighbours in the atlas tell; chance is 0.1."""


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Encode real digits that the run has not seen."""
    folder = tmp_path_factory.mktemp("digits")
    words = ["--steps", "300", "--seed", "0", "--quiet", "--out", str(folder / "run")]
    assert main(["fit", "digits", *words]) == 0
    words = ["--out", str(folder / "codes.parquet"), "--quiet"]
    assert main(["encode", str(folder / "run"), "digits", *words]) == 0
    return folder / "codes.parquet"


def test_an_atlas_of_real_digits_keeps_more_than_pca_and_shows_every_picture(
    codes: Path, in_empty_folder: Path, notes: Notes
) -> None:
    said = notes("atlas", str(codes))
    assert said[0] == "digits: 1,000 pictures"
    assert said[1] == "1,000 codes of 64 values"
    assert said[2].startswith("trustworthiness 0.9")
    assert sorted(path.name for path in Path("atlas").iterdir()) == FILES
    table = parquet.read_table("atlas/coordinates.parquet")
    about = json.loads(table.schema.metadata[b"caes"])
    assert about["trustworthiness"] > about["trustworthiness_of_pca"] + 0.1
    assert about["pictures"] == 1000
    places = np.stack([table.column("x"), table.column("y")], 1)
    labels = table.column("label").to_pylist()
    near = KNeighborsClassifier(5).fit(places[::2], labels[::2])
    assert near.score(places[1::2], labels[1::2]) > RIGHT
    page = Path("atlas/index.html").read_text()
    assert "data:image/png;base64," in page
    assert "t-SNE keeps the codes&#39; neighbourhoods to 0.9" in page
    assert "script-src 'sha256-" in page


def test_its_figures_come_as_json_and_nothing_is_replaced_unless_forced(
    codes: Path, in_empty_folder: Path, says: Run, refused: Run
) -> None:
    words = ("atlas", str(codes), "--method", "pca", "--quiet")
    told = json.loads(says(*words, "--json"))
    assert told["folder"] == "atlas"
    assert (told["method"], told["rows"], told["fitted"]) == ("pca", 1000, 1000)
    assert told["trustworthiness"] == told["trustworthiness_of_pca"] > 0.6
    expected = "caes: atlas: received a path that exists; allowed: a new folder. Give another one, or force (--force) to replace it."
    assert refused(*words) == expected
    assert says(*words, "--force") == "atlas/index.html\n"


def test_pictures_that_have_gone_are_said_and_may_be_named(
    here: Path, says: Run, notes: Notes, refused: Run
) -> None:
    says("encode", "stack", "photos", "--quiet")
    says("encode", "stack", "photos", "--out", "codes.npy", "--quiet")
    Path("photos").rename("elsewhere")
    words = ["atlas", "codes.parquet", "--method", "pca", "--force"]
    said = notes(*words)
    assert said[1].startswith("note: no pictures (")
    assert said[1].endswith("; --pictures DATA says where they are")
    assert "data:image/" not in Path("atlas/index.html").read_text()
    assert notes(*words, "--pictures", "elsewhere")[0] == "elsewhere: 24 pictures"
    assert "data:image/" in Path("atlas/index.html").read_text()
    expected = "caes: flat: received no picture of the name 'high/0.png', nor of another row; allowed: the pictures that were encoded. Name them with --pictures."
    small = [*words, "--seed", "0", "--pictures", "flat"]
    said_last = refused(*small)
    assert said_last.startswith("caes: flat: received no picture of the name '")
    assert said_last.endswith(expected.partition("', nor")[2])
    Path("codes.npy.json").unlink()
    said = notes("atlas", "codes.npy", "--method", "pca", "--out", "other")
    assert said[0] == (
        "note: no pictures, of which codes.npy does not tell; --pictures DATA says where they are"
    )


def test_tiles_are_shown_as_they_were_cut(in_empty_folder: Path, says: Run) -> None:
    from PIL import Image

    draw = np.random.default_rng(0)
    Path("mixed").mkdir()
    for name, size in {"a.png": (40, 90), "b.png": (64, 90)}.items():
        pixels = draw.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(f"mixed/{name}")
    words = ["--tile", "32", "--arch", "4C3-MP2-2C3-MP2", "--epochs", "1", "--quiet"]
    says("fit", "mixed", *words, "--out", "run")
    says("encode", "run", "mixed", "--quiet")
    told = json.loads(says("atlas", "codes.parquet", "--json"))
    assert told["pictures"] == told["rows"] > 10
    assert "data:image/jpeg;base64," in Path("atlas/index.html").read_text()


def test_a_missing_umap_is_said_before_anything_is_read(
    refused: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    expected = "caes: --method: received 'umap', and the package umap-learn is not installed; allowed: tsne or pca, or umap once the extra of this name is installed. Run: pip install \"caes[umap]\""
    assert refused("atlas", "none.parquet", "--method", "umap") == expected


@pytest.mark.slow
def test_umap_lays_digits_out(codes: Path, in_empty_folder: Path, says: Run) -> None:
    pytest.importorskip("umap")
    words = ["--method", "umap", "--json", "--quiet"]
    told = json.loads(says("atlas", str(codes), *words))
    assert told["trustworthiness"] > 0.9
