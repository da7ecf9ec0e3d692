"""Pictures of more than 8 bits, from files to files of the same type."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
from numpy.typing import NDArray

from caes import CAE
from caes.tasks.reconstruct import write_picture
from tests.cli.conftest import Notes, Run, about, table
from tests.pictures import png_pixels, tiff_pixels

SCALES = ("auto", "dtype", "minmax", "percentiles:1,99", "standard")


def _grey(folder: Path) -> dict[str, NDArray[np.uint16]]:
    """Write 16-bit pictures in a narrow part of their range."""
    draw = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(12), np.arange(10)) * 400
    made = {}
    folder.mkdir()
    for number in range(8):
        pixels = (30_000 + smooth + draw.normal(0, 300, (12, 10))).astype(np.uint16)
        png.from_array(pixels, "L;16").save(str(folder / f"{number}.png"))
        made[f"{number}.png"] = pixels
    return made


def _check_rows(
    originals: dict[str, NDArray[Any]], again: dict[str, NDArray[Any]]
) -> None:
    rows = table("out/errors.csv")
    assert {row["name"] for row in rows} == set(originals)
    for row in rows:
        name = row["name"]
        apart = np.abs(originals[name].astype(np.float64) - again[name])
        found = [float(row[figure]) for figure in ("rmse", "mae", "max")]
        wanted = [np.sqrt(np.square(apart).mean()), apart.mean(), apart.max()]
        assert found == pytest.approx(wanted, rel=1e-6)


def _fit(says: Run, source: str, scale: str, *words: str) -> None:
    options = f"--arch 4C3-MP2 --loss mse --epochs 2 --seed 0 --scale {scale} --quiet"
    says("fit", source, *options.split(), *words, "--out", "run")


@pytest.mark.parametrize("scale", SCALES)
def test_16_bits_come_back_as_16_bits(
    scale: str, in_empty_folder: Path, says: Run
) -> None:
    originals = _grey(Path("scans"))
    _fit(says, "scans", scale)
    made = about("run")
    assert made["scaling"]["kind"] == made["training"]["scale"] == scale
    assert made["scaling"]["dtype"] == "uint16"
    for _ in "ab":  # and once more in its own place
        says("reconstruct", "run", "scans", "--out", "out", "--quiet", "--force")
    again = {
        name: png_pixels(Path("out", f"{name}.reconstructed.png"))[..., 0]
        for name in originals
    }
    assert {pixels.dtype for pixels in again.values()} == {np.dtype(np.uint16)}
    _check_rows(originals, again)
    cae = CAE.load("run")
    first = cae.reconstruct(originals["0.png"][None], units="source")
    np.testing.assert_array_equal(first[0, ..., 0], again["0.png"])
    assert Path("run/report.html").is_file()


def _tiffs(names: Iterable[str]) -> dict[str, NDArray[Any]]:
    return {
        name: tiff_pixels(Path("out", f"{name}.reconstructed.tif")) for name in names
    }


@pytest.mark.parametrize("scale", SCALES)
def test_13_bands_of_floats_come_back_as_they_were(
    scale: str, in_empty_folder: Path, says: Run
) -> None:
    drawn = np.random.default_rng(0).normal(5, 1, (8, 9, 9, 13))
    pixels = (drawn * 3.0 ** np.arange(-6, 7)).astype(np.float32)
    np.save("bands.npy", pixels)
    _fit(says, "bands.npy", scale)
    says("reconstruct", "run", "bands.npy", "--out", "out", "--quiet")
    originals = {f"{number:05d}": pixels[number] for number in range(8)}
    again = _tiffs(originals)
    assert again["00000"].dtype == np.float32
    assert again["00000"].shape == (9, 9, 13)
    _check_rows(originals, again)


@pytest.mark.parametrize("scale", ["auto", "standard"])
def test_scenes_of_any_size_come_back_by_tiles_in_their_own_type(
    scale: str, in_empty_folder: Path, says: Run, notes: Notes, refused: Run
) -> None:
    Path("scenes").mkdir()
    draw, originals = np.random.default_rng(0), {}
    for name, size in {"a.tif": (40, 61), "b.tif": (33, 20)}.items():
        scene = draw.normal(900, 100, (*size, 13)).astype(np.uint16)
        write_picture(Path("scenes", name), scene)
        originals[name] = scene
    _fit(says, "scenes", scale, "--tile", "16")
    eight = (originals["b.tif"] // 257).astype(np.uint8)
    write_picture(Path("scenes", "c.tif"), eight)  # reads as deep as the others
    originals["c.tif"] = eight * np.uint16(257)
    write_picture(Path("scenes", "d.tif"), originals["a.tif"][..., :4])
    words = ("reconstruct", "run", "scenes", "--out")
    assert "skipped d.tif: channels: 4, while the model takes 13" in notes(
        *words, "out"
    )
    again = _tiffs(originals)
    _check_rows(originals, again)
    cae = CAE.load("run")
    for name, scene in originals.items():
        assert again[name].dtype == np.uint16
        tiled = cae.reconstruct(scene[None], units="source")[0]
        np.testing.assert_array_equal(tiled, again[name])
        whole = cae.reconstruct(scene[None], units="source", tile=100)[0]
        # Parts are those of the whole to the rounding of 32-bit floats.
        assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert refused(*words, "out2", "--strict") == (
        "caes: d.tif in scenes: received an unreadable picture (channels: 4, while the model takes 13); allowed: a whole PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS picture. Mend or remove it, or leave out --strict to skip it."
    )


def test_the_bands_that_are_small_count_only_where_each_has_its_own_line() -> None:
    """One line for all leaves the smallest bands at nearly the same value."""
    drawn = np.random.default_rng(0).normal(0, 1, (40, 8, 8, 1)) + np.zeros(3)
    pixels = (drawn * [0.001, 1, 1000]).astype(np.float32)
    errors = {}
    for scale in ("auto", "standard"):
        options: dict[str, Any] = {"loss": "mse", "scale": scale, "epochs": 30}
        cae = CAE("8C3", **options, learning_rate=0.01, random_state=0).fit(pixels)
        apart = cae.reconstruct(pixels, units="source").astype(np.float64) - pixels
        errors[scale] = np.sqrt(np.square(apart).mean((0, 1, 2))) / [0.001, 1, 1000]
    assert errors["standard"].max() < 0.5
    assert errors["auto"][0] > 1
