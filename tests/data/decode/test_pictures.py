from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from caes.data.decode.pictures import decode, upright_size
from caes.data.formats.by_pillow import FIRST_FRAME
from caes.data.formats.colour import ALPHA, CMYK, PALETTE
from caes.data.reading import Reading
from tests.refusals import NO_PICTURE, unreadable
from tests.written import by_pillow, by_pypng, huge_png

PLAIN = Reading()


def test_one_bit_pictures_are_black_and_white_bytes() -> None:
    image = by_pillow(np.array([[True, False], [False, True]]))
    assert decode(image, PLAIN).pixels.ravel().tolist() == [255, 0, 0, 255]


def test_palettes_are_expanded_to_their_colours() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([250, 10, 20, 30, 240, 50])
    image.putpixel((1, 0), 1)
    found = decode(by_pillow(image), PLAIN)
    assert found.pixels.tolist() == [[[250, 10, 20], [30, 240, 50]]]
    assert found.notes == (PALETTE,)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white_and_what_is_half_so_is_half_way(
    mode: str,
) -> None:
    image = Image.new(mode, (3, 1))
    for column, alpha in enumerate((0, 128, 255)):
        image.putpixel((column, 0), (*[100] * (len(mode) - 1), alpha))
    found = decode(by_pillow(image), PLAIN)
    assert found.pixels.shape == (1, 3, 3 if mode == "RGBA" else 1)
    white, half, opaque = found.pixels[0, :, 0].tolist()
    assert (white, opaque) == (255, 100)
    assert abs(half - 177) <= 1
    assert found.notes == (ALPHA,)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_a_transparent_colour_counts_as_transparency(mode: str) -> None:
    black = (0, 0, 0) if mode == "RGB" else 0
    data = by_pillow(Image.new(mode, (2, 2)), transparency=black)
    found = decode(data, PLAIN)
    assert (found.pixels == 255).all()
    assert ALPHA in found.notes


def test_cmyk_becomes_rgb() -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # red, in ink
    found = decode(by_pillow(image, "JPEG", quality=95), PLAIN)
    red = found.pixels.reshape(-1, 3).mean(0)
    assert np.abs(red - [255, 0, 0]).max() < 6
    assert found.notes == (CMYK,)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_exif_turns_the_picture_upright(orientation: int, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.new("RGB", (48, 32))
    image.paste((255, 255, 255), (0, 0, 16, 16))  # a bright corner
    data = by_pillow(image, form, exif=exif)
    found = decode(data, PLAIN).pixels
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0)}
    corner |= {5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    assert found.shape[:2] == ((32, 48) if orientation < 5 else (48, 32))
    assert upright_size(data) == found.shape[:2]
    bright = {place for place in corner.values() if found[place].min() > 128}
    assert bright == {corner[orientation]}


def test_a_large_jpeg_made_small_looks_like_the_whole_made_small() -> None:
    ramp = np.linspace(0, 255, 640, dtype=np.uint8)[None].repeat(480, 0)
    ramp[:240] = 255 - ramp[:240]
    data = by_pillow(Image.fromarray(ramp), "JPEG", quality=95)
    found = decode(data, Reading(size=(24, 32))).pixels[..., 0].astype(float)
    expected = ramp.reshape(24, 20, 32, 20).mean((1, 3))
    inner = np.r_[0:11, 13:24]  # the edge between the halves is where filters differ
    assert np.abs(found - expected)[inner].max() < 6


def test_each_way_to_be_unreadable_has_its_reason(tmp_path: Path) -> None:
    grey = np.random.default_rng(1).integers(0, 256, (40, 40), np.uint8)
    png, jpeg = by_pillow(grey), by_pillow(grey, "JPEG")
    damaged = bytearray(png)
    damaged[20] ^= 0xFF  # within the header, so that its checksum is wrong
    for picture, reason in (
        (b"", "empty"),
        (b"no picture", NO_PICTURE),
        (by_pillow(grey, "PPM"), NO_PICTURE),
        (png[:-400], "truncated"),
        (jpeg[:-400], "truncated"),
        (bytes(damaged), "damaged (its header cannot be read)"),
        (tmp_path, "not a regular file"),
        (tmp_path / "gone.png", "a link to nowhere"),
        # Pillow warns of the one, and refuses the other.
        (huge_png(10_000), "declared as more than 89,478,485 pixels"),
        (huge_png(100_000), "declared as more than 89,478,485 pixels"),
    ):
        assert unreadable(picture) == reason


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_of_animations_the_first_frame_is_read_and_it_is_said(form: str) -> None:
    frames = [Image.new("RGB", (7, 5), colour) for colour in ("red", "blue", "lime")]
    more: dict[str, Any] = {"append_images": frames[1:], "lossless": True}
    found = decode(by_pillow(frames[0], form, save_all=True, **more), PLAIN)
    assert found.pixels.reshape(-1, 3).tolist() == [[255, 0, 0]] * 35
    assert FIRST_FRAME in found.notes


def test_a_palette_of_greys_is_grey() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([250, 250, 250, 30, 30, 30])
    image.putpixel((1, 0), 1)
    for form in ("PNG", "GIF"):
        found = decode(by_pillow(image, form), PLAIN)
        assert found.pixels.tolist() == [[[250], [30]]]
        assert found.notes == ()


@pytest.mark.parametrize("channels", [2, 4])
def test_sixteen_bits_with_opacity_are_laid_on_white_in_sixteen(channels: int) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 65536, (9, 7, channels), np.uint16)
    found = decode(by_pypng(pixels), PLAIN)
    opacity = pixels[..., -1:] / 65535
    expected = pixels[..., :-1] * opacity + 65535 * (1 - opacity)
    assert found.pixels.dtype == np.uint16
    assert np.abs(found.pixels - expected).max() <= 0.5 + 1e-6
    assert found.notes == (ALPHA,)


def test_a_transparent_colour_of_sixteen_bits_counts_too() -> None:
    pixels = np.array([[[1, 2, 3], [1, 2, 4]]], np.uint16)
    found = decode(by_pypng(pixels, transparent=(1, 2, 3)), PLAIN)
    assert found.pixels.tolist() == [[[65535] * 3, [1, 2, 4]]]
    assert found.notes == (ALPHA,)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_sixteen_bit_colour_as_it_does_eight(orientation: int) -> None:
    random = np.random.default_rng(0)
    eight = random.integers(0, 256, (4, 6, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = by_pillow(Image.fromarray(eight), exif=exif)
    place = plain.index(b"eXIf") - 4
    chunk = plain[place : place + 12 + int.from_bytes(plain[place : place + 4])]
    deep = by_pypng(eight.astype(np.uint16) * 257)
    deep = deep[:33] + chunk + deep[33:]  # behind the header
    found = decode(deep, PLAIN)
    expected = decode(plain, PLAIN).pixels.astype(int) * 257
    assert found.pixels.tolist() == expected.tolist()
    assert upright_size(deep) == found.pixels.shape[:2]
