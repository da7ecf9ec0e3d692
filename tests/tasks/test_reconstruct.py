from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from caes import CAE, ImageSet
from caes.tasks import reconstruct as module
from caes.tasks.reconstruct import Thumbnail, picture_path, reconstruct, write_picture
from tests.cli.conftest import table
from tests.pictures import png_pixels, tiff_pixels


def _set(channels: int, high: int = 255) -> ImageSet:
    draw = np.random.default_rng(0)
    dtype = np.uint8 if high == 255 else np.uint16
    pixels = draw.integers(0, high + 1, (6, 8, 10, channels), dtype)
    return ImageSet.from_pixels(pixels, [f"a/{n}.tif" for n in range(6)])


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_each_picture_stands_beside_its_reconstruction(
    channels: int, tmp_path: Path
) -> None:
    images = _set(channels)
    cae = CAE("3C3-MP2", epochs=1, random_state=0).fit(images)
    reconstruct(cae, images, tmp_path)
    shown = 1 if channels < 3 else 3
    pair = np.asarray(Image.open(tmp_path / "a" / "2.tif.png"))
    pair = pair.reshape(8, 10 + 2 + 10, shown)
    np.testing.assert_array_equal(pair[:, :10], images.pixels[2, ..., :shown])
    again = np.rint(cae.reconstruct(images)[2, ..., :shown] * 255)
    np.testing.assert_array_equal(pair[:, 12:], again)
    kinds = Counter("".join(path.suffixes[1:]) for path in tmp_path.rglob("*.*"))
    own = ".reconstructed.png" if channels in (1, 3) else ".reconstructed.tif"
    assert kinds == {".png": 6, own: 6, "": 1}


SCALES = ("auto", "dtype", "minmax", "percentiles:1,99", "standard")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("channels", [1, 4])
def test_the_table_has_every_error_in_both_units(
    channels: int, scale: str, tmp_path: Path
) -> None:
    images = _set(channels, high=65_535)
    options: dict[str, Any] = {"loss": "mse", "scale": scale, "epochs": 1}
    cae = CAE("3C3-MP2", **options, random_state=0).fit(images)
    errors = reconstruct(cae, images, tmp_path)
    again = cae.reconstruct(images, units="source")
    assert again.dtype == np.uint16
    apart = np.abs(again.astype(np.float64) - images.pixels)
    np.testing.assert_allclose(errors, cae.errors(images), rtol=1e-6)
    rows = table(tmp_path / "errors.csv")
    assert [row["name"] for row in rows] == list(images.names)
    assert list(rows[0]) == ["name", "mse", "psnr", "rmse", "mae", "max"]
    for row, mse, off in zip(rows, errors, apart, strict=True):
        square = (off**2).mean()
        psnr = 10 * np.log10(65_535**2 / square)
        found = [float(row[name]) for name in ("mse", "rmse", "mae", "max")]
        wanted = [mse, square**0.5, off.mean(), off.max()]
        assert found == pytest.approx(wanted, rel=1e-6)
        assert float(row["psnr"]) == pytest.approx(psnr, abs=1e-3)
    if channels == 1:  # one line for all values: both units tell the same
        exact = cae.scaling_.from_unit(cae.reconstruct(images)) - images.pixels
        square = (errors / cae.scaling_.peak**2).mean() * 65_535**2
        assert square == pytest.approx(np.square(exact).mean(), rel=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 13])
@pytest.mark.parametrize(
    "dtype",
    ["bool", "uint8", "uint16", "int16", "int32", "float16", "float32", "float64"],
)
def test_a_picture_is_written_in_its_own_type(
    dtype: str, channels: int, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).normal(0, 100, (5, 7, channels))
    pixels = (np.abs(pixels) if dtype[0] in "ub" else pixels).astype(dtype)
    write_picture(tmp_path / "a.b.png", pixels)
    (path,) = tmp_path.iterdir()
    fits = channels == 1 and dtype in ("bool", "uint8", "uint16")
    fits = fits or (channels == 3 and dtype == "uint8")
    assert path.name == ("a.b.png" if fits else "a.b.tif")
    again = png_pixels(path) if fits else tiff_pixels(path)
    np.testing.assert_array_equal(again, pixels)
    # TIFF has no truth values, and keeps them as bytes.
    if dtype != "bool":
        assert again.dtype == dtype


@given(st.text(max_size=30))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    path = picture_path(name)
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert path.suffix == ".png"
    assert "\0" not in str(path)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 3), st.data())
def test_a_thumbnail_is_the_mean_over_squares_however_the_bands_come(
    height: int, width: int, channels: int, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LARGEST", data.draw(st.integers(1, 30)))
        shown = Thumbnail(height, width, channels)
    draw = np.random.default_rng(0)
    picture = draw.random((height, width, channels), np.float32)
    done = 0
    while done < height:
        rows = data.draw(st.integers(1, height - done))
        shown.add(picture[done : done + rows])
        done += rows
    found = shown.picture()
    factor = shown.factor
    assert found.shape == (-(-height // factor), -(-width // factor), channels)
    for row, column in np.ndindex(found.shape[:2]):
        y, x = row * factor, column * factor
        square = picture[y : y + factor, x : x + factor]
        np.testing.assert_allclose(found[row, column], square.mean((0, 1)), rtol=1e-5)


def test_nothing_is_shrunk_that_can_be_looked_at_as_it_is() -> None:
    assert Thumbnail(2000, 3, 1).factor == 1
    assert Thumbnail(2001, 3, 1).factor == 2
    assert Thumbnail(200, 5000, 1).factor == 3
