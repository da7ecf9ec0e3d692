import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from caes import CAE, ImageSet
from caes.tasks.reconstruct import picture_path, reconstruct


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
    assert len(list(tmp_path.rglob("*.png"))) == 6


def test_the_table_has_every_error_in_both_units(tmp_path: Path) -> None:
    images = _set(1, high=65_535)
    cae = CAE("3C3-MP2", epochs=1, random_state=0).fit(images)
    errors = reconstruct(cae, images, tmp_path)
    np.testing.assert_allclose(errors, cae.errors(images), rtol=1e-6)
    with (tmp_path / "errors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(images.names)
    for row, mse in zip(rows, errors, strict=True):
        assert float(row["mse"]) == pytest.approx(mse, rel=1e-6)
        assert float(row["psnr"]) == pytest.approx(-10 * np.log10(mse), abs=1e-3)
        assert float(row["rmse"]) == pytest.approx(65_535 * mse**0.5, rel=1e-4)


@given(st.text(max_size=30))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    path = picture_path(name)
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert path.suffix == ".png"
    assert "\0" not in str(path)
