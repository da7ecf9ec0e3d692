from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from caes.data import load, split_names
from caes.data.decode.pictures import decode
from caes.data.reading import Reading
from tests.refusals import unreadable
from tests.written import fits_of


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


def test_compressed_images_are_read_and_scale_and_offset_applied() -> None:
    pixels = np.arange(63, dtype=np.int16).reshape(9, 7)
    packed = fits.CompImageHDU(pixels, compression_type="RICE_1")
    found = decode(fits_of(fits.PrimaryHDU(), packed), Reading()).pixels
    assert found[..., 0].tolist() == pixels.tolist()
    unit = fits.PrimaryHDU(pixels)
    unit.header["BSCALE"], unit.header["BZERO"] = 0.5, 10
    found = decode(fits_of(unit), Reading()).pixels
    assert found.dtype.kind == "f"
    assert found[..., 0].tolist() == (pixels / 2 + 10).tolist()


def test_each_way_to_be_unreadable_has_its_reason() -> None:
    assert unreadable(fits_of(fits.PrimaryHDU())) == "FITS without a picture"
    pixels = random(9, 7)
    pixels[2, 3] = np.nan
    broken = fits_of(pixels)
    assert unreadable(broken) == "NaN or infinity in 1 of 63 values"
    wide = broken.replace(b"                   7", b"            70000000")
    assert unreadable(wide) == "declared as more than 89,478,485 pixels"
    assert unreadable(fits_of(random(90, 70))[:5000])
