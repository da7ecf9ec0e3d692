from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from caes.data import load, split_names
from caes.data.decode.pictures import decode, upright_size
from caes.data.formats.colour import INVERTED, PALETTE
from caes.data.formats.dicom import STORED
from caes.data.reading import Reading
from tests.refusals import unreadable
from tests.written import dicom

PLAIN = Reading()
SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"


def plainly(dataset: Any) -> NDArray[Any]:
    """The values of an uncompressed file, straight from its bytes."""
    kind = f"<{'ui'[dataset.PixelRepresentation]}{dataset.BitsAllocated // 8}"
    shape = (dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)
    return np.frombuffer(dataset.PixelData, kind)[: np.prod(shape)].reshape(shape)


@pytest.mark.parametrize("name", ["CT_small", "MR_small", "examples_rgb_color"])
def test_real_pictures_are_their_stored_values(name: str) -> None:
    path = SAMPLES / f"{name}.dcm"
    expected = plainly(pydicom.dcmread(path))
    found = decode(path, PLAIN)
    assert found.pixels.dtype == expected.dtype
    assert found.pixels.tolist() == expected.tolist()
    assert upright_size(path) == expected.shape[:2]
    assert found.notes == ((STORED,) if name == "CT_small" else ())


@pytest.mark.parametrize("encoding", ["RLE", "jp2klossless", "bigendian"])
def test_one_picture_is_the_same_in_every_encoding(encoding: str) -> None:
    expected = decode(SAMPLES / "MR_small.dcm", PLAIN).pixels
    found = decode(SAMPLES / f"MR_small_{encoding}.dcm", PLAIN).pixels
    assert found.dtype.isnative
    assert found.tolist() == expected.tolist()


def test_frames_are_pictures_or_channels() -> None:
    path = SAMPLES / "rtdose.dcm"
    stored = np.frombuffer(pydicom.dcmread(path).PixelData, "<u4").reshape(15, 10, 10)
    images = load(path)
    assert split_names(path) == {"train": 15}
    assert images.names[14] == "rtdose.dcm#15"
    assert images.dtype == np.uint32
    assert images.pixels[..., 0].tolist() == stored.tolist()
    together = load(path, pages="channels").pixels
    assert together[0].tolist() == np.moveaxis(stored, 0, 2).tolist()


def test_palettes_are_expanded_and_ycbcr_becomes_rgb() -> None:
    palette = decode(SAMPLES / "examples_palette.dcm", PLAIN)
    assert palette.pixels.shape == (350, 800, 3)
    assert palette.notes == (PALETTE,)
    ybr = decode(SAMPLES / "SC_ybr_full_422_uncompressed.dcm", PLAIN)
    rgb = decode(SAMPLES / "SC_rgb_rle.dcm", PLAIN)
    assert np.abs(ybr.pixels.astype(int) - rgb.pixels).mean() < 2


@pytest.mark.parametrize("name", ["CT_small", "examples_overlay"])
def test_monochrome_with_white_as_zero_is_inverted(name: str, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(SAMPLES / f"{name}.dcm")
    before = plainly(dataset)
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.save_as(tmp_path / "one.dcm")
    found = decode(tmp_path / "one.dcm", PLAIN)
    top = -1 if dataset.PixelRepresentation else 2**dataset.BitsStored - 1
    assert found.pixels.tolist() == (top - before.astype(int)).tolist()
    assert INVERTED in found.notes


def test_each_way_to_be_unreadable_has_its_reason() -> None:
    large = dicom(np.zeros((9, 7), np.uint8), Rows=60_000, Columns=60_000)
    assert unreadable(large) == "declared as more than 89,478,485 pixels"
    assert unreadable(SAMPLES / "test-SR.dcm") == "DICOM without a picture"
    way = "JPEG Extended (Process 2 and 4)"
    assert unreadable(SAMPLES / "JPEG-lossy.dcm") == f"pydicom cannot decode its {way}"
    assert unreadable(SAMPLES / "MR_truncated.dcm").startswith("damaged (")
