"""caes encode and caes decode, end to end."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from caes import CAE, load
from caes.cli import main
from caes.data.decode.tiles import whole_names
from caes.runs.codes import read_codes
from caes.runs.provenance import digest_of
from caes.tasks.encode import errors_beside
from tests.cli.conftest import QUICK, Notes, Run, table

ERROR = 0.011
"""Mean squared error that the default network stays below after 300 steps."""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the default network on real digits, a little."""
    folder = tmp_path_factory.mktemp("digits")
    words = ["--steps", "300", "--seed", "0", "--quiet", "--out", str(folder / "run")]
    assert main(["fit", "digits", *words]) == 0
    return folder / "run"


def rewritten(path: str, change: Any) -> None:
    """Change a table's codes, N×K, as a person would."""
    found = parquet.read_table(path)
    codes = np.stack(found.column("code").to_pylist()).astype(np.float32)
    lists = pa.array([*change(codes)], pa.list_(pa.float32()))
    at = found.column_names.index("code")
    parquet.write_table(found.set_column(at, "code", lists), path)


def test_codes_of_real_digits_are_those_of_transform_with_names_labels_and_errors(
    digits: Path, in_empty_folder: Path, says: Run, notes: Notes
) -> None:
    said = notes("encode", str(digits), "digits")
    assert said[0] == "digits test: 1,000 pictures 28×28×1 uint8, 10 classes"
    cae, test = CAE.load(digits), load("digits", "test")
    found = read_codes(Path("codes.parquet"))
    np.testing.assert_array_equal(found.rows.codes, cae.transform(test))
    assert found.rows.names == list(test.names)
    assert test.labels is not None
    assert found.rows.labels == [test.classes[label] for label in test.labels]
    assert found.rows.errors is not None
    np.testing.assert_allclose(found.rows.errors, cae.errors(test), rtol=1e-6)
    mean = float(found.rows.errors.mean())
    assert said[1] == f"mean squared error {mean:.6f} over 1,000 rows"
    assert mean < ERROR
    about = found.about
    assert about is not None
    assert about.run == f"sha256:{digest_of(cae.model_)}"
    assert (about.picture, about.code, about.pool) == ((28, 28, 1), (64,), "none")
    assert about.complete
    schema = parquet.read_schema("codes.parquet")
    value = pa.field("element", pa.float32(), nullable=False)  # no code is missing
    assert schema.field("code").type == pa.list_(value, 64)
    assert json.loads(schema.metadata[b"caes"])["architecture"] == about.architecture


def test_every_ending_and_type_holds_the_same_rows(
    digits: Path, in_empty_folder: Path, says: Run
) -> None:
    words = [str(digits), "digits", "--split", "test[:40]", "--quiet"]
    whole = CAE.load(digits).transform(load("digits", "test[:40]"))
    for ending in ("parquet", "npy", "csv"):
        for dtype, near in (("float32", 0), ("float16", 1e-3)):
            out = f"{dtype}.{ending}"
            assert says("encode", *words, "--dtype", dtype, "--out", out) == f"{out}\n"
            found = read_codes(Path(out))
            np.testing.assert_allclose(found.rows.codes, whole, rtol=near, atol=near)
            assert found.rows.names[:2] == ["test/00000", "test/00001"]
            assert None not in found.rows.labels
            assert found.about is not None
            assert found.about.run.startswith("sha256:")
            if ending != "npy":
                assert found.rows.errors is not None
    assert np.load("float16.npy").dtype == np.float16
    kind = parquet.read_schema("float16.parquet").field("code").type
    value = pa.field("element", pa.float16(), nullable=False)
    assert kind == pa.list_(value, 64)


def test_decode_gives_pictures_of_changed_codes(
    digits: Path, in_empty_folder: Path, says: Run, notes: Notes
) -> None:
    words = ["--split", "test[:20]", "--quiet"]
    says("encode", str(digits), "digits", *words)
    cae, test = CAE.load(digits), load("digits", "test[:20]")
    assert says("decode", str(digits), "codes.parquet", "--out", "a") == (
        "a/decoded.csv\n"
    )
    rows = table("a/decoded.csv")
    assert [row["name"] for row in rows] == list(test.names)
    again = cae.reconstruct(test, units="source")
    for row, picture in zip(rows, again, strict=True):
        with Image.open(Path("a", row["file"])) as file:
            np.testing.assert_array_equal(np.asarray(file), picture[..., 0])
    rewritten("codes.parquet", lambda codes: codes[::-1])
    says("decode", str(digits), "codes.parquet", "--out", "b")
    with Image.open("b/test/00000.png") as file:
        np.testing.assert_array_equal(np.asarray(file), again[-1, ..., 0])
    np.save("codes.npy", cae.transform(test))
    said = notes("decode", str(digits), "codes.npy", "--out", "c")
    assert said == [
        "note: codes.npy does not say which run its codes are of; only their width was checked",
        "20 pictures",
    ]


def test_decode_refuses_codes_that_are_not_the_runs_own(
    here: Path, digits: Path, says: Run, refused: Run
) -> None:
    says("encode", "stack", "photos", "--quiet")
    words = ("decode", str(digits), "codes.parquet", "--out", "out")
    said = refused(*words)
    assert said.startswith("caes: codes.parquet: received codes of the run stack (sha")
    assert said.endswith(
        " Decode them with that run, or encode the pictures with this one."
    )
    np.save("narrow.npy", np.zeros((2, 5), np.float32))
    expected = "caes: narrow.npy: received codes of 5 values; allowed: 64 values (64). Leave their number as caes encode gave it."
    assert refused("decode", str(digits), "narrow.npy", "--out", "out") == expected
    says("encode", "stack", "photos", "--pool", "mean", "--quiet", "--force")
    expected = "caes: codes.parquet: received codes summed up by --pool mean; allowed: whole codes, which alone can be decoded. Encode the pictures again without --pool."
    assert refused("decode", "stack", "codes.parquet", "--out", "out") == expected
    says("encode", "stack", "photos", "--quiet", "--force")
    rewritten("codes.parquet", lambda codes: codes * np.nan)
    expected = "caes: codes.parquet: received a code of 'high/0.png' that is not finite; allowed: rows whose codes are finite numbers. Mend that row, or leave it out."
    assert refused("decode", "stack", "codes.parquet", "--out", "out") == expected
    assert not Path("out").exists()
    expected = "caes: none.parquet: received no file; allowed: codes that caes encode has written. Make one with caes encode."
    assert refused("decode", "stack", "none.parquet", "--out", "out") == expected


def test_two_rows_of_one_name_are_refused_before_anything_is_written(
    here: Path, says: Run, refused: Run
) -> None:
    says("encode", "stack", "photos", "--out", "codes.csv", "--quiet")
    text = Path("codes.csv").read_text().replace("high/0.png", "../high/1.png")
    Path("codes.csv").write_text(text)
    expected = "caes: codes.csv: received 2 rows whose pictures would be high/1.png.png; allowed: rows of different names. Rename them."
    assert refused("decode", "stack", "codes.csv", "--out", "out") == expected
    assert not Path("out").exists()


def test_codes_are_summed_up_over_their_places(here: Path, says: Run) -> None:
    cae, photos = CAE.load("stack"), load("photos")
    maps = cae.transform(photos).reshape(len(photos), 6, 6, 2)
    halves = [maps[:, :3, :3], maps[:, :3, 3:], maps[:, 3:, :3], maps[:, 3:, 3:]]
    for pool, expected in {
        "mean": maps.mean((1, 2)),
        "max": maps.max((1, 2)),
        "grid:2": np.concatenate([half.mean((1, 2)) for half in halves], 1),
    }.items():
        says("encode", "stack", "photos", "--pool", pool, "--quiet", "--force")
        found = read_codes(Path("codes.parquet"))
        np.testing.assert_allclose(found.rows.codes, expected, rtol=1e-5, atol=1e-6)
        assert found.rows.errors is not None
        np.testing.assert_allclose(found.rows.errors, cae.errors(photos), rtol=1e-5)


def test_with_a_pool_pictures_keep_their_sizes_and_bad_files_are_named(
    here: Path, notes: Notes, says: Run
) -> None:
    draw = np.random.default_rng(0)
    Path("mixed").mkdir()
    sizes = {"a.png": (12, 12), "b.png": (300, 410), "c.png": (5, 9)}
    for name, size in sizes.items():
        Image.fromarray(draw.integers(0, 256, size, np.uint8)).save(f"mixed/{name}")
    Path("mixed/broken.png").write_bytes(b"no picture")
    words = ["encode", "stack", "mixed", "--pool", "mean"]
    said = notes(*words)
    assert said[:2] == [
        "mixed: 4 pictures, each in its own size",
        "skipped broken.png: not a PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS picture",
    ]
    found, cae = read_codes(Path("codes.parquet")), CAE.load("stack")
    assert found.rows.names == sorted(sizes)
    assert found.about is not None
    assert found.about.picture is None
    for name, code in zip(found.rows.names, found.rows.codes, strict=True):
        pixels = np.asarray(Image.open(f"mixed/{name}"))[None]
        maps = cae.transform(pixels).reshape(-1, 2)
        np.testing.assert_allclose(code, maps.mean(0), rtol=1e-4, atol=1e-6)
    told = json.loads(says(*words, "--json", "--quiet", "--force"))
    assert told["rows"] == 3
    assert told["skipped"] == [
        {
            "name": "broken.png",
            "reason": "not a PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS picture",
        }
    ]
    # Without a pool all get the size of the training pictures.
    assert says(*words[:3], "--quiet", "--force") == "codes.parquet\n"
    assert read_codes(Path("codes.parquet")).rows.codes.shape == (3, 72)


@pytest.mark.parametrize("arch", ["4C3-MP2-2C3-MP2", "2C3-MP2-7N"])
def test_a_run_of_tiles_gives_a_row_a_tile_and_with_a_pool_a_row_a_picture(
    in_empty_folder: Path, says: Run, notes: Notes, arch: str
) -> None:
    draw = np.random.default_rng(0)
    Path("mixed").mkdir()
    for name, size in {"a.png": (40, 50), "b.png": (32, 90)}.items():
        Image.fromarray(draw.integers(0, 256, size, np.uint8)).save(f"mixed/{name}")
    words = ["--tile", "32", "--epochs", "1", "--seed", "0", "--quiet"]
    says("fit", "mixed", "--arch", arch, *words, "--out", "run")
    said = notes("encode", "run", "mixed")
    assert said[0] == "mixed: 2 pictures, each cut into tiles of 32×32, a row a tile"
    cae = CAE.load("run")
    found, tiles = read_codes(Path("codes.parquet")), cae.open("mixed")
    assert found.rows.names == list(tiles.names)
    assert {*whole_names(found.rows.names)} == {"a.png", "b.png"}
    np.testing.assert_allclose(found.rows.codes, cae.transform(tiles), rtol=1e-5)
    says("decode", "run", "codes.parquet", "--out", "again")
    assert len(table("again/decoded.csv")) == len(tiles)
    says("encode", "run", "mixed", "--pool", "mean", "--force")
    found = read_codes(Path("codes.parquet"))
    assert found.rows.names == ["a.png", "b.png"]
    width = 7 if arch.endswith("N") else 2
    for name, code in zip(found.rows.names, found.rows.codes, strict=True):
        pixels = np.asarray(Image.open(f"mixed/{name}"))[None]
        maps = cae.transform(pixels).reshape(-1, width)
        np.testing.assert_allclose(code, maps.mean(0), rtol=1e-4, atol=1e-6)


def test_arrays_of_another_size_are_resized_bit_by_bit(
    here: Path, notes: Notes
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 16), np.uint8)
    np.save("more.npy", pixels)
    said = notes("encode", "stack", "more.npy")
    assert said[0] == "more.npy: 30 pictures, a few at a time, as 12×12"
    cae = CAE.load("stack")
    expected = cae.transform(load("more.npy", size=(12, 12)))
    found = read_codes(Path("codes.parquet")).rows
    np.testing.assert_array_equal(found.codes, expected)
    assert found.names[-1] == "00029"


def test_the_encoder_of_a_classifier_gives_codes_without_errors(
    here: Path, says: Run, refused: Run
) -> None:
    says("classify", "photos", "--from", "stack", *QUICK, "--out", "run")
    says("encode", "run", "photos")
    found = read_codes(Path("codes.parquet")).rows
    assert found.codes.shape == (24, 72)
    assert found.errors is None
    assert "error" not in parquet.read_schema("codes.parquet").names
    assert "received a classifier" in refused(
        "decode", "run", "codes.parquet", "--out", "o"
    )


def test_nothing_is_replaced_unless_forced_and_wrong_words_are_refused(
    here: Path, says: Run, refused: Run
) -> None:
    words = ("encode", "stack", "photos", "--quiet")
    Path("codes.parquet").write_text("mine")
    expected = "caes: codes.parquet: received a file that exists; allowed: a new file. Choose another name, or add --force to replace it."
    assert refused(*words) == expected
    assert Path("codes.parquet").read_text() == "mine"
    Path("codes.npy.json").write_text("mine")
    assert "codes.npy.json" in refused(*words, "--out", "codes.npy")
    assert says(*words, "--force") == "codes.parquet\n"
    expected = "caes: --out: received 'codes.txt'; allowed: a file that ends in .parquet, .npy, .csv. Try --out codes.parquet."
    assert refused(*words, "--out", "codes.txt") == expected
    expected = "caes: --pool: received 'sum'; allowed: none, mean, max, or grid:N, the means of N×N parts. Try --pool mean."
    assert refused(*words, "--pool", "sum", "--force") == expected


def test_a_dense_code_has_no_places_to_sum_up_over(
    digits: Path, in_empty_folder: Path, refused: Run
) -> None:
    said = refused("encode", str(digits), "digits", "--pool", "mean")
    assert said == (
        "caes: --pool: received 'mean' for 16C3-MP2-32C3-MP2-256N-64N, whose code is 64 units; allowed: codes of h×w×maps, or of tiles, which have places. Leave it out."
    )


def test_names_are_safe_in_spreadsheets(here: Path, says: Run) -> None:
    shutil.copytree("photos", "odd")
    Path("odd/high").rename("odd/=high")
    says("encode", "stack", "odd", "--out", "codes.csv", "--quiet")
    rows = table("codes.csv")
    assert rows[0]["name"] == "'=high/0.png"
    assert rows[0]["label"] == "'=high"
    assert read_codes(Path("codes.csv")).rows.names[0] == "=high/0.png"


def test_ctrl_c_keeps_what_is_encoded(here: Path) -> None:
    np.save("many.npy", np.zeros((400_000, 12, 12), np.uint8))
    words = ["encode", "stack", "many.npy", "--out", "codes.parquet"]
    run = subprocess.Popen(
        [sys.executable, "-m", "caes.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert run.stderr is not None
    assert run.stderr.readline().startswith("many.npy train: 400,000 pictures")
    while not any(Path().glob(".codes.parquet.caes-*")):
        assert run.poll() is None
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert out == "codes.parquet\n"
    found = read_codes(Path("codes.parquet"))
    n = len(found.rows.names)
    assert 0 < n < 400_000
    assert found.about is not None
    assert not found.about.complete
    assert err.splitlines()[-1] == (
        f"interrupted: codes.parquet holds what was encoded so far, {n:,} rows"
    )


def test_beside_the_error_stands_what_the_page_has(tmp_path: Path) -> None:
    assert errors_beside(tmp_path) == {}
    (tmp_path / "errors.csv").write_text("answers by,mean squared error\nPCA,0.5\n")
    assert errors_beside(tmp_path) == {}  # half a table
    with (tmp_path / "errors.csv").open("a") as file:
        file.write("autoencoder,0.25\n")
    assert errors_beside(tmp_path) == {"PCA": 0.5, "autoencoder": 0.25}
    (tmp_path / "errors.csv").write_text("")
    assert errors_beside(tmp_path) == {}
