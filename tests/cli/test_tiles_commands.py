"""Pictures of all sizes, from fit to reconstruct."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caes import CAE
from caes.data.decode.tiles import whole_names
from caes.runs.pictures import Opening, learnt_and_shown
from tests.cli.conftest import Notes, Run, about, table

SIZES = {"scan.png": (200, 5000), "a.png": (97, 131), "b.png": (30, 41)}
FAST = ("--arch", "4C3-MP2-2C3-MP2", "--epochs", "1", "--quiet")


@pytest.fixture
def mixed(in_empty_folder: Path) -> Path:
    """A folder of waves of several sizes."""
    folder = in_empty_folder / "mixed"
    folder.mkdir()
    for name, (height, width) in SIZES.items():
        y, x = np.ogrid[:height, :width]
        waves = np.uint8(127 + 60 * np.sin(y / 9) + 60 * np.cos(x / 13))
        Image.fromarray(waves).save(folder / name)
    return folder


def test_a_folder_of_mixed_sizes_is_learnt_and_reconstructed_by_tiles(
    mixed: Path, says: Run, notes: Notes
) -> None:
    says("fit", "mixed", "--tile", "64", *FAST, "--out", "run")
    assert about("run")["picture"] == [64, 64, 1]
    training = about("run")["training"]
    assert (training["tile"], training["overlap"]) == (64, None)
    (mixed / "broken.png").write_bytes(b"no picture")
    assert notes("reconstruct", "run", "mixed", "--out", "out")[:2] == [
        "mixed: one picture at a time, tiles of 64×64",
        "skipped broken.png: not a PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS picture",
    ]
    errors = {row["name"]: float(row["mse"]) for row in table("out/errors.csv")}
    assert sorted(errors) == sorted(SIZES)
    cae = CAE.load("run")
    for name, (height, width) in SIZES.items():
        picture = np.asarray(Image.open(mixed / name))[None]
        assert errors[name] == pytest.approx(-cae.score(picture), rel=1e-6)
        factor = -(-max(height, width) // 2000)
        with Image.open(f"out/{name}.png") as pair:
            tall, wide = -(-height // factor), -(-width // factor)
            assert pair.size == (2 * wide + 2, tall)
    # Other tiles give the same pictures: each knows enough of what is around it.
    words = ["--tile", "20", "--overlap", "0", "--out", "out2", "--quiet"]
    assert says("reconstruct", "run", "mixed", *words) == "out2/errors.csv\n"
    for row in table("out2/errors.csv"):
        assert float(row["mse"]) == pytest.approx(errors[row["name"]], rel=1e-5)


def test_a_page_of_tiles_is_written_again(mixed: Path, says: Run, notes: Notes) -> None:
    says("fit", "mixed", "--tile", "64", *FAST, "--out", "run")
    assert "these are not the pictures" not in "".join(notes("report", "run"))
    says("report", "run", "--source", "mixed")


def test_tiles_of_one_picture_are_kept_apart_together(in_empty_folder: Path) -> None:
    Path("pictures").mkdir()
    for number in range(10):
        pixels = np.full((50 + number, 40), number, np.uint8)
        Image.fromarray(pixels).save(f"pictures/{number}.png")
    train, test = learnt_and_shown(Opening(source="pictures", tile=20, hold_out=0.3))
    learnt, shown = set(whole_names(train.names)), set(whole_names(test.names))
    assert (len(learnt), len(shown)) == (7, 3)
    assert not learnt & shown


def test_pictures_come_later_as_they_came_to_training(
    mixed: Path, says: Run, notes: Notes
) -> None:
    size = ("--size", "24x32")
    says("fit", "mixed", *size, "--resize", "crop", *FAST, "--out", "run")
    assert about("run")["data"]["resize"] == "crop"
    note = "note: Pictures of other proportions were cropped at the middle: 3."
    assert note in notes("reconstruct", "run", "mixed", "--out", "out")
    words = (*size, "--resize", "pad", "--out", "out2")
    note = "note: Pictures of other proportions were padded by their mirror image: 3."
    assert note in notes("reconstruct", "run", "mixed", *words)


def test_pictures_that_reconstruct_shrinks_are_counted_and_tiles_are_offered(
    in_empty_folder: Path, notes: Notes
) -> None:
    Path("pictures").mkdir()
    for number, side in enumerate((16, 16, 40)):
        pixels = np.full((side, side), 60 * number, np.uint8)
        Image.fromarray(pixels).save(f"pictures/{number}.jpg")
    CAE("4C3-MP2-5N", epochs=1).fit(np.zeros((1, 16, 16), np.uint8)).save("run")
    said = notes("reconstruct", "run", "pictures", "--out", "out")
    assert "note: Pictures larger than the size were shrunk: 1." in said
    assert "--tile 16 reconstructs them as large as they are" in said
    said = notes("reconstruct", "run", "pictures", "--tile", "16", "--out", "tiled")
    assert not [line for line in said if "shrunk" in line]
    with Image.open("tiled/2.jpg.reconstructed.png") as picture:
        assert picture.size == (40, 40)


def test_a_dense_network_takes_only_the_tile_it_was_trained_on(
    mixed: Path, refused: Run
) -> None:
    CAE("4C3-MP2-5N", epochs=1, tile=32).fit(np.zeros((1, 40, 70))).save("run")
    expected = "caes: --tile: received 64×64 for a network with dense layers; allowed: 32×32, the size it was trained on. Give that one, or train with other tiles."
    words = ("reconstruct", "run", "mixed", "--tile", "64", "--out", "out")
    assert refused(*words) == expected
    assert not Path("out").exists()
