import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from caes.data import load, split_names
from caes.data.decode.pictures import UnreadableError, decode, quiet_decoding
from caes.data.reading import Reading
from caes.errors import DataError


def random(*shape: int) -> NDArray[Any]:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_planes_and_further_images_are_pictures_or_channels(tmp_path: Path) -> None:
    cube, alone = random(2, 3, 9, 7), random(9, 7)
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])
    units = [fits.PrimaryHDU(), fits.ImageHDU(cube), table, fits.ImageHDU(alone)]
    fits.HDUList(units).writeto(tmp_path / "a.fits")
    planes = np.concatenate([cube.reshape(6, 9, 7), alone[None]])
    assert split_names(tmp_path) == {"train": 7}
    images = load(tmp_path)
    assert images.names[6] == "a.fits#7"
    assert images.pixels[..., 0].tolist() == planes.tolist()
    together = load(tmp_path, pages="channels").pixels
    assert together[0].tolist() == np.moveaxis(planes, 0, 2).tolist()


def test_compressed_images_are_read(tmp_path: Path) -> None:
    pixels = np.arange(63, dtype=np.int16).reshape(9, 7)
    units = [fits.PrimaryHDU(), fits.CompImageHDU(pixels, compression_type="RICE_1")]
    fits.HDUList(units).writeto(tmp_path / "a.fits")
    assert load(tmp_path).pixels[0, ..., 0].tolist() == pixels.tolist()


def test_scale_and_offset_are_applied(tmp_path: Path) -> None:
    unit = fits.PrimaryHDU(np.arange(63, dtype=np.int16).reshape(9, 7))
    unit.header["BSCALE"], unit.header["BZERO"] = 0.5, 10
    unit.writeto(tmp_path / "a.fits")
    found = load(tmp_path).pixels[0, ..., 0]
    assert found.dtype.kind == "f"
    assert found.tolist() == (np.arange(63).reshape(9, 7) / 2 + 10).tolist()


def test_each_way_to_be_unreadable_has_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"

    def reason() -> str:
        with quiet_decoding(), pytest.raises(UnreadableError) as caught:
            decode(path, Reading())
        return str(caught.value)

    fits.PrimaryHDU().writeto(path)
    assert reason() == "FITS without a picture"
    pixels = random(9, 7)
    pixels[2, 3] = np.nan
    fits.PrimaryHDU(pixels).writeto(path, overwrite=True)
    assert reason() == "NaN or infinity in 1 of 63 values"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"                   7", b"            70000000"))
    assert reason() == "declared as more than 89,478,485 pixels"
    fits.PrimaryHDU(random(90, 70)).writeto(path, overwrite=True)
    path.write_bytes(path.read_bytes()[:5000])
    assert reason()


def test_without_its_package_a_file_is_skipped_with_the_command_that_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        fits.PrimaryHDU(random(9, 7)).writeto(tmp_path / f"{number}.fits")
    monkeypatch.setitem(sys.modules, "astropy.io", None)
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: received 2 pictures, all unreadable (the first, 1.fits: FITS needs "
        'another package: pip install "caes[fits]"); allowed: at least one whole PNG, '
        "JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS picture. Check the files."
    )
