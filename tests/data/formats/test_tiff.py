import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from caes.data import Skipped, load, split_names, survey
from caes.data.decode.pictures import FIRST_PAGE, decode, upright_size
from caes.data.formats import tiff_pages
from caes.data.formats.colour import ALPHA, CMYK, INVERTED, PALETTE
from caes.data.formats.tiff_pages import believable
from caes.data.reading import Reading
from tests.hostile.bombs import relabelled
from tests.refusals import unreadable
from tests.written import by_pillow, tiff

PLAIN = Reading()


def random(*shape: int, dtype: str = "u2") -> NDArray[Any]:
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, top, shape, dtype, endpoint=True)


# Pages, and axes.


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_are_pictures_with_names_of_their_own(
    tmp_path: Path, compression: str | None
) -> None:
    stack = random(3, 9, 7)
    data = tiff(stack, photometric="minisblack", compression=compression)
    (tmp_path / "a.tif").write_bytes(data)
    (tmp_path / "b.tif").write_bytes(tiff(stack[0]))
    assert split_names(tmp_path) == {"train": 4}
    images = load(tmp_path)
    assert images.names == ["a.tif#1", "a.tif#2", "a.tif#3", "b.tif"]
    assert images.pixels[:3, ..., 0].tolist() == stack.tolist()
    assert load(tmp_path, "train[1:3]").names == ["a.tif#2", "a.tif#3"]
    assert survey(tmp_path).pictures == 4
    assert load(tmp_path / "a.tif").names == ["a.tif#1", "a.tif#2", "a.tif#3"]


def test_pages_are_channels_where_asked(tmp_path: Path) -> None:
    stack = random(5, 9, 7, dtype="u1")
    for name in ("a", "b"):
        (tmp_path / f"{name}.tif").write_bytes(tiff(stack, photometric="minisblack"))
    assert split_names(tmp_path, pages="channels") == {"train": 2}
    images = load(tmp_path, pages="channels")
    assert images.names == ["a.tif", "b.tif"]
    assert images.pixels[1].tolist() == np.moveaxis(stack, 0, 2).tolist()
    assert survey(tmp_path, pages="channels").channels == {5: 2}


def test_pages_of_several_sizes_come_in_the_file_s_order(tmp_path: Path) -> None:
    pages = [random(h, 7, dtype="u1") for h in (9, 5, 9)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in pages:
            writer.write(page, metadata=None)
    images = load(tmp_path, size=(5, 7))
    assert images.names == ["a.tif#1", "a.tif#2", "a.tif#3"]
    assert images.pixels[1, ..., 0].tolist() == pages[1].tolist()
    reason = "pages of 9×7 and 5×7 as channels"
    assert unreadable(tmp_path / "a.tif", Reading(pages="channels")) == reason
    assert survey(tmp_path).sizes == {(9, 7): 2, (5, 7): 1}


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("form", ["imagej", "ome"])
@pytest.mark.parametrize("axes", ["CYX", "TCYX", "TZCYX", "TYX"])
def test_imagej_and_ome_say_which_pages_are_channels(
    form: str, axes: str, compression: str | None, tmp_path: Path
) -> None:
    lengths = {"T": 3, "Z": 2, "C": 4, "Y": 9, "X": 7}
    stored = random(*(lengths[axis] for axis in axes))
    options: dict[str, Any] = {form: True, "metadata": {"axes": axes}}
    options |= {"photometric": "minisblack", "compression": compression}
    (tmp_path / "a.tif").write_bytes(tiff(stored, **options))
    expected = stored if "C" in axes else stored[..., None, :, :]
    channels = expected.shape[-3]
    expected = np.moveaxis(expected.reshape(-1, channels, 9, 7), 1, 3)
    images = load(tmp_path)
    assert images.pixels.tolist() == expected.tolist()
    together = load(tmp_path, pages="channels").pixels
    assert together.shape == (1, 9, 7, len(expected) * channels)
    assert together[0, ..., :channels].tolist() == expected[0].tolist()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_stack_with_one_header_only_has_all_its_pictures(
    order: Any, tmp_path: Path
) -> None:
    stack = random(6, 9, 7)
    options: dict[str, Any] = {"truncate": True, "byteorder": order}
    data = tiff(stack, photometric="minisblack", **options)
    (tmp_path / "a.tif").write_bytes(data)
    with tifffile.TiffFile(BytesIO(data)) as file:
        assert len(file.pages) == 1
    assert load(tmp_path).pixels[..., 0].tolist() == stack.tolist()
    assert unreadable(data[:-300]) == "truncated"


def test_levels_of_a_pyramid_and_thumbnails_are_left_out(tmp_path: Path) -> None:
    whole = random(64, 48, 3, dtype="u1")
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        options: dict[str, Any] = {"photometric": "rgb", "tile": (16, 16)}
        writer.write(whole, subifds=1, **options)
        writer.write(whole[::2, ::2], subfiletype=1, **options)
    with tifffile.TiffWriter(tmp_path / "b.tif") as writer:
        writer.write(whole, metadata=None)
        writer.write(whole[::4, ::4], subfiletype=1, metadata=None)
    images = load(tmp_path)
    assert images.names == ["a.tif", "b.tif"]
    assert (images.pixels == whole).all()


def test_a_tiff_of_pages_by_another_name_gives_its_first(tmp_path: Path) -> None:
    stack = random(3, 9, 7)
    (tmp_path / "a.png").write_bytes(tiff(stack, photometric="minisblack"))
    images = load(tmp_path)
    assert images.pixels[..., 0].tolist() == stack[:1].tolist()
    assert images.notes == (f"{FIRST_PAGE}: 1.",)


# Colour.


def test_the_eight_orientations_are_undone() -> None:
    pixels = random(4, 6, 3, dtype="u1")
    for orientation in range(1, 9):
        tag = (274, "H", 1, orientation, True)
        data = tiff(pixels, photometric="rgb", extratags=[tag])
        with Image.open(BytesIO(data)) as image:
            image.load()  # Pillow turns TIFFs by itself
            expected = np.asarray(image)
        assert decode(data, PLAIN).pixels.tolist() == expected.tolist()
        assert upright_size(data) == expected.shape[:2]


def test_palettes_are_expanded_to_their_colours_or_greys() -> None:
    colours = random(256, 3, dtype="u1").astype("u2") * 257
    indices = random(9, 7, dtype="u1")
    data = tiff(indices, photometric="palette", colormap=colours.T)
    found = decode(data, PLAIN)
    assert found.pixels.dtype == np.uint8
    assert found.pixels.tolist() == (colours // 257)[indices].tolist()
    assert found.notes == (PALETTE,)
    deep = random(256, 3)
    found = decode(tiff(indices, photometric="palette", colormap=deep.T), PLAIN)
    assert found.pixels.dtype == np.uint16
    assert found.pixels.tolist() == deep[indices].tolist()
    ramp = np.repeat(np.arange(256, dtype="u2")[::-1, None] * 257, 3, 1)
    found = decode(tiff(indices, photometric="palette", colormap=ramp.T), PLAIN)
    assert found.pixels[..., 0].tolist() == (255 - indices).tolist()
    assert (found.pixels.shape, found.notes) == ((9, 7, 1), ())


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_opacity_lays_the_picture_on_white(
    dtype: str, channels: int, kind: str
) -> None:
    pixels = random(9, 7, channels, dtype=dtype)
    opacity = pixels[..., -1:] / np.iinfo(dtype).max
    if kind == "assocalpha":
        pixels[..., :-1] = np.floor(pixels[..., :-1] * opacity)
    photometric = "rgb" if channels == 4 else "minisblack"
    options: dict[str, Any] = {"extrasamples": [kind], "planarconfig": "contig"}
    found = decode(tiff(pixels, photometric=photometric, **options), PLAIN)
    white = np.iinfo(dtype).max * (1 - opacity)
    colours = pixels[..., :-1] * (opacity if kind == "unassalpha" else 1)
    assert found.pixels.dtype == np.dtype(dtype)
    assert np.abs(found.pixels - (colours + white)).max() <= 0.5 + 1e-9
    assert found.notes == (ALPHA,)


def test_a_fourth_channel_that_is_no_opacity_stays() -> None:
    pixels = random(9, 7, 4)
    data = tiff(pixels, photometric="rgb", extrasamples=["unspecified"])
    found = decode(data, PLAIN)
    assert found.pixels.tolist() == pixels.tolist()
    assert found.notes == ()


def test_cmyk_becomes_rgb_as_pillow_makes_it() -> None:
    pixels = random(9, 7, 4, dtype="u1")
    found = decode(tiff(pixels, photometric="separated"), PLAIN)
    image = Image.frombytes("CMYK", (7, 9), pixels.tobytes()).convert("RGB")
    assert np.abs(found.pixels.astype(int) - np.asarray(image)).max() <= 1
    assert found.notes == (CMYK,)


def test_one_bit_and_white_as_zero_are_as_pillow_reads_them() -> None:
    image = Image.fromarray(random(9, 13, dtype="u1") > 127)
    for compression in (None, "group3", "group4"):
        found = decode(by_pillow(image, "TIFF", compression=compression), PLAIN)
        expected = np.asarray(image).astype(int) * 255
        assert found.pixels[..., 0].tolist() == expected.tolist()
    grey = random(9, 7)
    found = decode(tiff(grey, photometric="miniswhite"), PLAIN)
    assert found.pixels[..., 0].tolist() == (65535 - grey).tolist()
    assert found.notes == (INVERTED,)


def test_jpeg_in_a_tiff_is_rgb() -> None:
    image = Image.new("RGB", (32, 16), (200, 30, 90))
    found = decode(by_pillow(image, "TIFF", compression="jpeg", quality=95), PLAIN)
    assert np.abs(found.pixels.reshape(-1, 3).mean(0) - [200, 30, 90]).max() < 4
    assert found.notes == ()


# What cannot be read.


@pytest.mark.parametrize(
    ("dtype", "value", "reason"),
    [
        *(
            ("f4", bad, "NaN or infinity in 1 of 63 values")
            for bad in (np.nan, -np.inf)
        ),
        ("c8", 1, "values of type complex64"),
    ],
)
def test_values_that_are_no_finite_numbers_are_refused(
    dtype: str, value: float, reason: str
) -> None:
    pixels = np.zeros((9, 7), dtype)
    pixels[3, 4] = value
    assert unreadable(tiff(pixels)) == reason


def patched(data: bytes, tag: int, value: int) -> bytes:
    """Overwrite the value of a tag of one LONG or SHORT in the first directory."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, place)[0] == tag:
            entry = struct.pack("<HII", 4, 1, value)
            return data[: place + 2] + entry + data[place + 12 :]
    raise KeyError(tag)


def test_bombs_are_refused_before_memory_is_taken() -> None:
    flat: dict[str, Any] = {"metadata": None, "compression": "zlib"}
    whole = tiff(random(32, 32), **flat)
    tiled = tiff(random(32, 32), tile=(16, 16), **flat)
    wide = patched(patched(whole, 256, 2**31), 257, 2**31)
    assert unreadable(wide) == "declared as more than 89,478,485 pixels"
    large = patched(patched(tiled, 322, 2**30), 323, 2**30)
    many = patched(patched(patched(whole, 277, 65535), 256, 4096), 257, 4096)
    for bomb in (large, many):
        assert unreadable(bomb) == "declared as more than 1,073,741,824 bytes"


def test_strips_that_lie_outside_the_file_are_truncated() -> None:
    whole = tiff(random(32, 32), metadata=None)
    assert unreadable(patched(whole, 273, 10**6)) == "truncated"
    assert unreadable(patched(whole, 279, 100)) == "truncated"
    assert unreadable(patched(whole, 279, 0)) == "strips or tiles without data"


def test_descriptions_that_promise_more_than_there_is_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack: Any = random(2, 9, 7)
    truncated = tiff(stack, photometric="minisblack", truncate=True)
    assert unreadable(truncated.replace(b"[2, 9, 7]", b"[9, 9, 7]")) == "truncated"
    form: dict[str, Any] = {"ome": True, "photometric": "minisblack"}
    ome = tiff(random(100, 4, 4), metadata={"axes": "TYX"}, **form)
    assert b'SizeT="100"' in ome
    elsewhere = decode(ome.replace(b'SizeT="100"', b'SizeT="999"'), PLAIN)
    assert elsewhere.notes == (FIRST_PAGE,)
    assert not believable('<Pixels SizeC="2" SizeZ = "9999" SizeT="9999999999999"/>')
    monkeypatch.setattr(tiff_pages, "_SEEN_AT_ONCE", 99)
    assert unreadable(ome) == "an OME description of too many pages"


def in_one_strip(compression: str) -> bytes:
    """Write a strip that is a picture of its own, of what imagecodecs has written."""
    about: dict[str, Any] = {"photometric": "minisblack", "rowsperstrip": 64}
    return tiff(np.zeros((64, 96), np.uint8), compression=compression, **about)


@pytest.mark.parametrize("compression", ["jpeg2000", "png", "jpeg"])
def test_strips_larger_than_declared_are_refused(compression: str) -> None:
    whole = in_one_strip(compression)
    assert decode(whole, PLAIN).pixels.shape == (64, 96, 1)
    assert unreadable(relabelled(whole)) == "strips or tiles larger than declared"


@pytest.mark.parametrize("name", ["JPEG XL", "JPEG XR", "LERC"])
def test_compressions_whose_size_nothing_tells_are_refused_by_name(name: str) -> None:
    whole = in_one_strip(name.lower().replace(" ", ""))
    assert unreadable(whole) == f"compressed as {name}, which is not read"


def test_a_strip_that_says_no_size_is_left_to_its_decoder() -> None:
    whole = bytearray(in_one_strip("png"))
    whole[whole.index(b"\x89PNG")] ^= 0xFF
    assert unreadable(bytes(whole)).startswith("damaged (")


def test_pictures_of_other_channels_or_type_than_most_or_than_asked_are_skipped(
    tmp_path: Path,
) -> None:
    planes: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig"}
    (tmp_path / "0.tif").write_bytes(tiff(random(9, 7, 5), **planes))
    for number in (1, 2):
        (tmp_path / f"{number}.tif").write_bytes(tiff(random(9, 7)))
    (tmp_path / "3.tif").write_bytes(tiff(np.ones((9, 7), np.float32)))
    images = load(tmp_path)
    assert images.names == ["1.tif", "2.tif"]
    most = "while most pictures have 1 channel of uint16"
    odd = Skipped("3.tif", f"1 channel of float32, {most}")
    assert images.skipped == (Skipped("0.tif", f"5 channels of uint16, {most}"), odd)
    images = load(tmp_path, channels=3)
    assert images.shape == (2, 9, 7, 3)
    reason = "5 channels, which cannot be read as 3"
    assert images.skipped[0] == Skipped("0.tif", reason)


def test_floats_of_several_widths_take_the_widest(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(3, 9, 7))
    kinds = ("f4", "f8", "f2")
    for number, kind in enumerate(kinds):
        data = tiff(values[number].astype(kind))
        (tmp_path / f"{number}.tif").write_bytes(data)
    images = load(tmp_path)
    assert images.dtype == np.float64
    for number, kind in enumerate(kinds):
        expected = values[number].astype(kind).astype("f8")
        assert images.pixels[number, ..., 0].tolist() == expected.tolist()
    assert images.notes == (
        "Pictures of fewer bits among floating-point ones were given as many: 2.",
    )
