"""Small files that promise much, or unpack to much: told before memory is taken."""

import gzip
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from caes.data import load
from caes.data.decode.gather import Gatherer
from caes.data.decode.pictures import decode
from caes.data.formats.colour import from_ink, on_white
from caes.data.formats.format import Decoded
from caes.data.reading import Reading, check_unpacking
from caes.errors import DataError, visible
from tests.hostile.seeds import values
from tests.refusals import refused, unreadable
from tests.written import by_pillow, dicom, fits_of


def test_a_jpeg_of_a_thousand_scans_is_refused_and_one_of_ten_is_read() -> None:
    whole = by_pillow(Image.new("L", (2000, 1500), 99), "JPEG", progressive=True)
    assert decode(whole, Reading()).pixels.shape == (1500, 2000, 1)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    scans = whole.count(b"\xff\xda") + 1000
    assert unreadable(whole[:-2] + last * 1000) == f"{scans:,} scans of 1500×2000"


def test_frames_and_planes_that_are_not_there_are_not_counted() -> None:
    assert unreadable(dicom(values(8, 8), NumberOfFrames=2_000_000)) == "truncated"
    whole = fits_of(np.zeros((9, 1, 1), np.uint8))
    promised = whole.replace(f"= {9:20}".encode(), f"= {9_999_999:20}".encode())
    assert promised != whole
    assert unreadable(promised) == "truncated"


def test_what_unpacks_to_much_of_little_is_refused() -> None:
    check_unpacking("x", 2**24, 2**30)
    check_unpacking("x", 2**24, 100 * 2**24)
    assert refused(check_unpacking, "x.npy in y.npz", 2**20, 2**31) == (
        "x.npy in y.npz: received 1,048,576 bytes that unpack to 2,147,483,648; allowed: "
        "at most 100 times as much, where it is more than 1,073,741,824 bytes. If it is no "
        "mistake, save it unpacked."
    )


def test_a_gzipped_idx_of_nothing_but_zeros_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a-images-idx3-ubyte.gz"
    header = struct.pack(">4B3I", 0, 0, 8, 3, 2**11, 2**10, 2**10)
    # More bytes than compressing the zeros would take, so that only the rule is met.
    path.write_bytes(gzip.compress(header, mtime=0) + bytes(3_000_000))
    with pytest.raises(DataError, match="bytes that unpack to 2,147,483,664; allowed"):
        load(path)


def test_a_header_of_four_gigabytes_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x02\0" + b"\xff" * 4 + b"{}")
    assert refused(load, tmp_path / "a.npy") == (
        f"{tmp_path}/a.npy: received data that cannot be read (a header of 4,294,967,295 "
        "bytes); allowed: an array of numbers, N×H×W or N×H×W×C, saved by numpy.save or "
        "numpy.savez. Check it, or make it again."
    )


def test_an_archive_is_read_whatever_else_is_in_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 4, 5), np.uint8))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("notes.txt", "hello")
    assert load(tmp_path / "a.npz").shape == (3, 4, 5, 1)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize("premultiplied", [False, True])
def test_large_pictures_are_laid_on_white_exactly(
    dtype: str, premultiplied: bool
) -> None:
    top = int(np.iinfo(dtype).max)
    shape = (7, 11_000, 4)  # more than a band
    random = np.random.default_rng(0)
    picture = random.integers(0, top, shape, dtype, endpoint=True)
    found = on_white(picture, premultiplied)
    assert (found.dtype, found.shape) == (picture.dtype, (7, 11_000, 3))
    for row, column in ((0, 0), (3, 5_000), (6, 10_999)):
        *colours, opacity = map(int, picture[row, column])
        for channel, colour in enumerate(colours):
            ink = colour * top if premultiplied else colour * opacity
            exact = min(top, (2 * (ink + (top - opacity) * top) + top) // (2 * top))
            assert found[row, column, channel] == exact


def test_large_pictures_come_from_ink_as_small_ones_do() -> None:
    random = np.random.default_rng(0)
    picture: NDArray[Any] = random.integers(0, 256, (20, 9_000, 4), np.uint8)
    rows = [from_ink(picture[row : row + 1, :9]) for row in range(20)]
    assert (from_ink(picture)[:, :9] == np.concatenate(rows)).all()


def test_one_picture_is_held_once() -> None:
    gatherer, picture = Gatherer(1, "somewhere"), np.zeros((2, 3, 4), np.float32)
    gatherer.add(0, Decoded(picture))
    assert np.shares_memory(gatherer.batch(["a"]).pixels, picture)
    fixed = np.zeros((2, 3, 4), np.float32)
    fixed.flags.writeable = False
    gatherer = Gatherer(1, "somewhere")
    gatherer.add(0, Decoded(fixed))
    assert gatherer.batch(["a"]).pixels.flags.writeable


def test_what_ends_a_line_or_commands_a_terminal_is_escaped(tmp_path: Path) -> None:
    name = "a\nb\x1b[31m\u2028é.png"
    Image.new("L", (3, 3)).save(tmp_path / name)
    assert load(tmp_path).names == ["a\\nb\\x1b[31m\\u2028é.png"]
    (tmp_path / name).write_bytes(b"")
    error = DataError("a\x1b", "b\nc", "d", "e\x85.")
    assert str(error) == "a\\x1b: received b c; allowed: d. e ."
    assert visible("é\u200d ü") == "é\u200d ü"
