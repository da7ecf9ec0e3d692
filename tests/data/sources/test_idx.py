import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from caes.data import load, split_names
from caes.data.labels.labelled import labels_of
from tests.refusals import refused
from tests.written import idx

IMAGES = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_element_type_is_read_in_native_byte_order(
    tmp_path: Path, dtype: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / ("a.idx" if pack is bytes else "a.idx.gz")
    array = (IMAGES - 30 if dtype != "u1" else IMAGES).astype(dtype)
    path.write_bytes(pack(idx(array)))
    images = load(path, "train[1:]")
    assert images.dtype == np.dtype(dtype)
    assert images.dtype.isnative
    assert images.pixels[..., 0].tolist() == array[1:].tolist()
    assert images.labels is None


def test_labels_are_found_beside_the_pictures(tmp_path: Path) -> None:
    labels = np.array([7, 2, 7], np.uint8)
    images = tmp_path / "train-images-idx3-ubyte.gz"
    images.write_bytes(gzip.compress(idx(IMAGES)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    found = load(images, "train[1:]")
    assert found.classes == ("2", "7")
    assert labels_of(found).tolist() == [0, 1]


def test_a_folder_of_idx_files_has_their_splits(tmp_path: Path) -> None:
    for name, rows in (("train", 3), ("t10k", 2)):
        (tmp_path / f"{name}-images.idx3-ubyte").write_bytes(idx(IMAGES[:rows]))
    assert split_names(tmp_path) == {"train": 3, "test": 2}
    assert load(tmp_path, "test").names == ["test/00000", "test/00001"]


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (b"", "a file that starts with b''"),
        (b"GIF89a", "a file that starts with b'GIF8'"),
        (b"\0\0\x0f\x03", "a file that starts with b'\\x00\\x00\\x0f\\x03'"),
        (b"\0\0\x08\x03\0\0", "a file that ends within its header"),
        (b"\0\0\x08\0", "a file that ends within its header"),
        (idx(IMAGES)[:-1], "75 bytes where its header promises 76"),
        (idx(IMAGES) + b"\0", "77 bytes where its header promises 76"),
    ],
)
def test_files_that_are_no_whole_idx_are_refused(
    tmp_path: Path, content: bytes, received: str
) -> None:
    path = tmp_path / "x-idx3-ubyte"
    path.write_bytes(content)
    assert refused(load, path) == (
        f"{path}: received {received}; allowed: an IDX file, plain or .gz. "
        "Fetch or make the file again."
    )


def test_gzipped_files_that_end_early_or_promise_too_much_are_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.idx.gz"
    whole = gzip.compress(idx(IMAGES))
    path.write_bytes(whole[:-12])
    told = refused(load, path)
    assert "Compressed file ended before the end-of-stream marker" in told
    path.write_bytes(gzip.compress(idx(IMAGES)[:-1]))
    assert "received a file that ends early;" in refused(load, path)
    path.write_bytes(gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12))
    promised = "79,228,162,458,924,105,385,300,197,391 bytes"
    assert f"received a header that promises {promised}" in refused(load, path)


def test_the_first_rows_of_a_damaged_file_can_be_saved(tmp_path: Path) -> None:
    path = tmp_path / "x.idx.gz"
    path.write_bytes(gzip.compress(idx(IMAGES)[:-20]))
    assert load(path, "train[:2]").pixels[..., 0].tolist() == IMAGES[:2].tolist()
