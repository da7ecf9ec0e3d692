"""What every picture format promises, on files that other libraries have written."""

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from skimage.io import imread

from caes.data import load, split_names, survey
from caes.data.decode.gather import DEEPENED, REPEATED, WIDENED
from caes.data.decode.pictures import (
    COLOURED,
    FIRST_PAGE,
    GREYED,
    decode,
    quiet_decoding,
    upright_size,
)
from caes.data.formats import FORMATS, SUFFIXES, recognised
from caes.data.formats.by_pillow import FIRST_FRAME
from caes.data.formats.colour import ALPHA, CMYK, INVERTED, PALETTE
from caes.data.formats.dicom import STORED
from caes.data.formats.format import UnreadableError
from caes.data.reading import Reading
from tests.refusals import unreadable
from tests.written import by_pillow, by_pypng, dicom, fits_of, tiff

HEIGHT, WIDTH = 19, 23
Array = NDArray[Any]
Writer = Callable[..., bytes]


def values(dtype: str, channels: int = 1, seed: int = 0) -> Array:
    """Random values over the type's whole range, H×W or H×W×C."""
    shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
    random, kind = np.random.default_rng(seed), np.dtype(dtype)
    if kind.kind == "f":
        return random.normal(size=shape).astype(kind) * 1000
    limits = np.iinfo(kind)
    return random.integers(limits.min, limits.max, shape, kind, endpoint=True)


# Format: what it can hold without loss, and who else writes it.
LOSSLESS: dict[str, list[tuple[str, int, Writer]]] = {
    "PNG": [
        ("u1", 1, partial(by_pillow, form="PNG")),
        ("u1", 3, by_pypng),
        ("u2", 1, by_pypng),
        ("u2", 3, by_pypng),
        ("u2", 3, partial(by_pypng, compression=9)),
    ],
    "BMP": [("u1", 1, partial(by_pillow, form="BMP")), ("u1", 3, partial(by_pillow, form="BMP"))],
    "WebP": [("u1", 3, partial(by_pillow, form="WEBP", lossless=True))],
    "GIF": [("u1", 1, partial(by_pillow, form="GIF"))],
    "TIFF": [
        *[("u1", n, partial(by_pillow, form="TIFF", compression=how)) for n in (1, 3)
          for how in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd")],
        ("u2", 1, partial(by_pillow, form="TIFF", compression="tiff_lzw")),
        ("f4", 1, partial(by_pillow, form="TIFF")),
        *[(kind, n, partial(tiff, photometric="minisblack", planarconfig=planes))
          for kind in ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
          for n, planes in ((1, None), (2, "contig"), (5, "separate"), (13, "contig"))],
        *[(kind, n, partial(tiff, compression=how, predictor=predictor, photometric="minisblack",
                                planarconfig=None if n == 1 else "contig"))
          for kind in ("u1", "u2", "f4") for n in (1, 3)
          for how, predictor in (("zlib", True), ("lzw", False), ("zstd", False), ("lzma", False),
                                 ("packbits", False))],
        *[(kind, 3, partial(tiff, compression=how, photometric="rgb"))
          for kind in ("u1", "u2") for how in ("jpeg2000", "png")],
        ("u2", 3, partial(tiff, tile=(16, 16), photometric="rgb")),
        ("u2", 3, partial(tiff, tile=(16, 16), photometric="rgb", compression="zlib")),
        ("f4", 7, partial(tiff, tile=(16, 16), photometric="minisblack", planarconfig="separate")),
        ("i4", 1, partial(tiff, rowsperstrip=4)),
        *[("u2", 3, partial(tiff, bigtiff=big, byteorder=order, photometric="rgb"))
          for big in (False, True) for order in "<>"],
        ("f4", 1, partial(tiff, byteorder=">", compression="zlib")),
    ],
    "DICOM": [
        ("u1", 1, dicom), ("u2", 1, dicom), ("i2", 1, dicom),
        ("u1", 3, dicom),
    ],
    "FITS": [
        (kind, 1, fits_of) for kind in ("u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8")
    ],
}  # fmt: skip
LOSSY = {"JPEG": partial(by_pillow, form="JPEG", quality=95)}
CASES = [
    pytest.param(name, *case, id=f"{name}-{case[0]}-{case[1]}-{number}")
    for name, cases in LOSSLESS.items()
    for number, case in enumerate(cases)
]
ONE = {name: cases[0][2](values(*cases[0][:2])) for name, cases in LOSSLESS.items()}
ONE |= {name: write(values("u1")) for name, write in LOSSY.items()}
DOCUMENT = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
FORMAT = pytest.mark.parametrize("name", [each.name for each in FORMATS])


def suffix(name: str) -> str:
    return next(each.suffixes[0] for each in FORMATS if each.name == name)


def test_every_format_and_suffix_is_documented() -> None:
    for each in FORMATS:
        assert f"| {each.name} |" in DOCUMENT
        assert all(f"`{one}`" in DOCUMENT for one in each.suffixes)
    words = " ".join(DOCUMENT.split())
    done = (ALPHA, CMYK, INVERTED, PALETTE, FIRST_FRAME, FIRST_PAGE, STORED)
    notes = (*done, REPEATED, DEEPENED, WIDENED, GREYED, COLOURED)
    assert all(note in words for note in notes)


def test_every_format_is_tried_here() -> None:
    assert {each.name for each in FORMATS} == ONE.keys()
    assert len(SUFFIXES) == len({*SUFFIXES})
    assert all(each.startswith(".") and each == each.lower() for each in SUFFIXES)


@pytest.mark.parametrize(("name", "dtype", "channels", "write"), CASES)
def test_what_was_written_comes_back_in_its_type(
    name: str, dtype: str, channels: int, write: Writer, tmp_path: Path
) -> None:
    written = values(dtype, channels)
    path = tmp_path / f"one{suffix(name)}"
    path.write_bytes(write(written))
    images = load(tmp_path)
    assert images.dtype == written.dtype
    assert images.dtype.isnative
    assert images.shape == (1, HEIGHT, WIDTH, channels)
    assert images.pixels.tolist() == written.reshape(images.shape).tolist()
    assert (images.names, images.notes, images.skipped) == ([path.name], (), ())
    assert split_names(tmp_path) == {"train": 1}
    assert upright_size(path) == (HEIGHT, WIDTH)


@FORMAT
def test_a_format_is_told_by_its_content_whatever_the_name(
    name: str, tmp_path: Path
) -> None:
    found = recognised(ONE[name])
    assert found is not None
    assert found.name == name
    expected = decode(ONE[name], Reading())
    for number, other in enumerate(SUFFIXES):
        (tmp_path / f"{number}{other}").write_bytes(ONE[name])
    images = load(tmp_path)
    assert len(images) == len(SUFFIXES)
    assert (images.pixels == expected.pixels).all()


@FORMAT
def test_size_and_channels_are_met_and_a_survey_finds_the_picture(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / f"one{suffix(name)}").write_bytes(ONE[name])
    images = load(tmp_path, size=(5, 8), channels=3)
    assert images.shape == (1, 5, 8, 3)
    assert images.dtype == decode(ONE[name], Reading()).pixels.dtype
    found = survey(tmp_path)
    assert found.sizes == {(HEIGHT, WIDTH): 1}
    assert found.skipped == []


@FORMAT
@pytest.mark.parametrize("left", [0.02, 0.5])
def test_a_truncated_file_is_unreadable(name: str, left: float) -> None:
    whole = ONE[name]
    assert unreadable(whole[: max(1, int(len(whole) * left))])


@pytest.mark.parametrize(
    ("name", "package"), [("DICOM", "pydicom"), ("FITS", "astropy.io")]
)
def test_without_its_package_a_file_is_skipped_with_the_command_that_helps(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    extra = f'pip install "caes[{name.lower()}]"'
    assert unreadable(ONE[name]) == f"{name} needs another package: {extra}"


@FORMAT
def test_broken_bytes_decode_or_are_unreadable_and_nothing_else(name: str) -> None:
    random = np.random.default_rng(1)
    whole = np.frombuffer(ONE[name], np.uint8)
    with quiet_decoding():
        for _ in range(60):
            broken = whole.copy()
            # Half of them within the headers, where most can go wrong.
            end = random.choice([min(400, len(whole)), len(whole)])
            places = random.integers(0, end, random.integers(1, 5))
            broken[places] = random.integers(0, 256, len(places))
            with suppress(UnreadableError):
                found = decode(broken.tobytes(), Reading(size=(4, 6), channels=1))
                assert found.pixels.shape == (4, 6, 1)


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("astronaut.png", (1, 512, 512, 3), "uint8"),
        ("camera.png", (1, 512, 512, 1), "uint8"),
        ("retina.jpg", (1, 1411, 1411, 3), "uint8"),
        ("horse.png", (1, 328, 400, 3), "uint8"),
        ("multipage.tif", (2, 15, 10, 1), "uint8"),
        ("multipage_rgb.tif", (2, 10, 10, 3), "float64"),
    ],
)
def test_real_pictures_are_as_scikit_image_reads_them(
    name: str, shape: tuple[int, ...], dtype: str
) -> None:
    path = Path(skimage.data.__file__).parent / name
    images = load(path)
    assert (images.shape, str(images.dtype)) == (shape, dtype)
    expected = np.asarray(imread(path))
    if expected.shape[-1] == 4:  # opaque all over
        expected = expected[..., :3]
    assert images.pixels.ravel().tolist() == expected.ravel().tolist()
