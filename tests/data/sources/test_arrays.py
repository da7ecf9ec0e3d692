import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caes.data import load, split_names
from caes.data.labels.labelled import labels_of
from tests.refusals import refused

ALLOWED = "an array of numbers, N×H×W or N×H×W×C, saved by numpy.save or numpy.savez"


def pictures(count: int, dtype: Any = np.uint8) -> Any:
    return np.arange(count * 20, dtype=dtype).reshape(count, 4, 5)


def test_a_slice_of_npy_reads_its_own_rows_only(tmp_path: Path) -> None:
    path = tmp_path / "big.npy"
    # 200 GB that exist only as a hole in the file: reading them all would not end well.
    whole = np.lib.format.open_memmap(path, "w+", np.float32, (10**6, 224, 224))
    whole[777] = 0.5
    del whole
    images = load(path, "train[777:779]")
    path.unlink()  # what was read is in memory
    assert images.pixels[0].min() == 0.5
    assert images.names == ["000777", "000778"]
    assert images.value_range == (0, 1)


@pytest.mark.parametrize(
    ("pattern", "labels"), [("x_{}", "y_{}"), ("{}_images", "{}_labels")]
)
def test_npz_splits_go_by_the_names_of_keras_and_others(
    tmp_path: Path, pattern: str, labels: str
) -> None:
    arrays = {
        pattern.format("train"): pictures(5),
        labels.format("train"): np.array([[3], [8], [3], [3], [5]]),
        pattern.format("test"): pictures(2),
        labels.format("test"): np.array([8, 9]),
        pattern.format("val"): pictures(1),
    }
    np.savez_compressed(tmp_path / "all.npz", **arrays)
    assert split_names(tmp_path / "all.npz") == {"train": 5, "test": 2, "validation": 1}
    test = load(tmp_path / "all.npz", "test")
    assert test.classes == ("3", "5", "8", "9")
    assert labels_of(test).tolist() == [2, 3]
    assert test.names == ["test/00000", "test/00001"]
    assert load(tmp_path / "all.npz", "validation").labels is None


@pytest.mark.parametrize(
    "names", [("images", "labels"), ("x", "y"), ("arr_0", "arr_1"), ("pets", "labels")]
)
def test_npz_without_splits_is_train(tmp_path: Path, names: tuple[str, str]) -> None:
    arrays = {names[0]: pictures(3), names[1]: np.array(["b", "a", "b"])}
    np.savez(tmp_path / "one.npz", **arrays)
    images = load(tmp_path / "one.npz")
    assert images.classes == ("a", "b")
    assert images.pixels[..., 0].tolist() == pictures(3).tolist()


def test_numbers_keep_their_type_but_not_a_foreign_byte_order(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", pictures(2, ">i2") - 7)
    images = load(tmp_path / "x.npy")
    assert images.dtype == np.dtype(np.int16)
    assert images.value_range == (-7, 32)


def test_several_arrays_of_unknown_names_are_listed(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", left=pictures(2), right=pictures(3), n=np.array(3))
    assert refused(load, tmp_path / "x.npz") == (
        f"{tmp_path}/x.npz: received arrays left (2, 4, 5), right (3, 4, 5), n (); "
        "allowed: x_train and x_test with y_train and y_test, or images with labels. "
        "Save the pictures under one of these names with numpy.savez."
    )


def test_labels_of_another_number_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=pictures(3), labels=np.arange(2))
    told = refused(load, tmp_path / "x.npz", "train[:2]")
    assert "2 labels for 3 pictures of train" in told


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "sprung",))

    trap = np.array([Trap()] * 3, object)
    np.save(tmp_path / "x.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "x.npz", images=pictures(3), labels=trap)
    for name in ("x.npy", "x.npz"):
        assert refused(load, tmp_path / name) == (
            f"{tmp_path}/{name}: received an array of Python objects; allowed: "
            f"{ALLOWED}. Stack the pictures into one array of numbers before saving."
        )
    assert not (tmp_path / "sprung").exists()


def test_files_of_another_content_are_refused(tmp_path: Path) -> None:
    magic = "the magic string is not correct; expected b'\\x93NUMPY', got b'not an'"
    for name, why in (("x.npy", magic), ("x.npz", "File is not a zip file")):
        (tmp_path / name).write_text("not an array")
        assert refused(load, tmp_path / name) == (
            f"{tmp_path}/{name}: received data that cannot be read ({why}); allowed: "
            f"{ALLOWED}. Check it, or make it again."
        )
    np.save(tmp_path / "one.npy", 3.0)
    assert "received an array of shape ()" in refused(load, tmp_path / "one.npy")


def test_a_header_that_promises_more_than_memory_holds_is_refused(
    tmp_path: Path,
) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999, 9, 9)}"
    padded = header.ljust(117).encode() + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded
    (tmp_path / "x.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", content)
    assert "data that cannot be read" in refused(load, tmp_path / "x.npy")
    assert refused(load, tmp_path / "x.npz") == (
        f"{tmp_path}/x.npz: received 128 bytes of images.npy where its header promises "
        f"6,479,999,999,999,480; allowed: {ALLOWED}. Check it, or make it again."
    )


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_header_is_read(
    tmp_path: Path, version: tuple[int, int]
) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array(file, pictures(3), version)
    assert load(tmp_path / "x.npy").pixels[..., 0].tolist() == pictures(3).tolist()
