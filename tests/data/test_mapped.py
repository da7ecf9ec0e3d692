import mmap
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from caes.data import ImageSet
from caes.data import mapped as ondisk
from caes.data.imageset import join
from caes.data.mapped import OnDisk, joined, lazily, mapping, parts, pick, take
from caes.data.scaling import Scaling
from caes.train.batches import Batches

N = 40


@pytest.fixture(scope="module")
def plain() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (N, 3, 4, 2), np.uint8)


@pytest.fixture(scope="module")
def onfile(
    plain: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory
) -> NDArray[np.uint8]:
    path = tmp_path_factory.mktemp("map") / "x.npy"
    np.save(path, plain)
    mapped: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return mapped


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pictures are more than is taken into memory without a thought."""
    monkeypatch.setattr(ondisk, "AT_ONCE", 3 * 24)


ROWS = st.lists(st.integers(-N, N - 1), max_size=60)


@given(first=ROWS, second=st.data())
def test_rows_of_rows_are_those_of_an_array(
    plain: NDArray[np.uint8],
    onfile: NDArray[np.uint8],
    first: list[int],
    second: st.DataObject,
) -> None:
    rows = np.array(first, np.int64)
    found, expected = OnDisk([onfile])[rows], plain[rows]
    assert isinstance(found, OnDisk) == (len(rows) > 3)
    assert (found.shape, found.ndim) == (expected.shape, 4)
    assert (found.size, found.nbytes) == (expected.size, expected.nbytes)
    assert len(found) == len(expected)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(np.asarray(found), expected)
    np.testing.assert_array_equal([*found], [*expected])
    a, b = (second.draw(st.integers(-65, 65)) for _ in range(2))
    step = second.draw(st.sampled_from([1, 2, -1, -3]))
    np.testing.assert_array_equal(found[a:b:step], expected[a:b:step])
    if len(first):
        row = second.draw(st.integers(-len(first), len(first) - 1))
        np.testing.assert_array_equal(found[row], expected[row])
        np.testing.assert_array_equal(found[row:, 1], expected[row:, 1])


@given(cuts=st.lists(st.integers(1, N - 1), max_size=3, unique=True), rows=ROWS)
def test_arrays_behind_each_other_are_one(
    plain: NDArray[np.uint8],
    onfile: NDArray[np.uint8],
    cuts: list[int],
    rows: list[int],
) -> None:
    found = joined(np.split(onfile, sorted(cuts)))
    assert isinstance(found, OnDisk)
    np.testing.assert_array_equal(np.asarray(found), plain)
    some = np.asarray(found[np.array(rows, np.int64)])
    np.testing.assert_array_equal(some, plain[rows])
    twice = joined([found[::-1], onfile[:5]])
    expected = np.concatenate([plain[::-1], plain[:5]])
    np.testing.assert_array_equal(np.asarray(twice), expected)
    out = np.empty((2, 3, 4, 2), np.uint8)
    take(twice, np.array([N + 4, 0]), out)
    np.testing.assert_array_equal(out, plain[[4, -1]])


def test_what_is_in_memory_stays_an_array(
    plain: NDArray[np.uint8], onfile: NDArray[np.uint8]
) -> None:
    assert lazily(plain) is plain
    assert isinstance(pick(plain, np.arange(9)), np.ndarray)
    assert isinstance(joined([plain, onfile]), np.ndarray)
    small = onfile[:3]
    assert lazily(small) is small
    assert isinstance(pick(onfile, np.arange(3)), np.ndarray)
    assert isinstance(pick(onfile, slice(2, 30)), np.memmap)
    assert isinstance(pick(onfile, np.arange(4)), OnDisk)


def test_a_view_knows_its_map_and_a_private_one_is_never_given_back(
    tmp_path: Path, plain: NDArray[np.uint8], onfile: NDArray[np.uint8]
) -> None:
    assert isinstance(mapping(onfile), mmap.mmap)
    assert mapping(np.asarray(onfile)[2:].reshape(-1)) is mapping(onfile)
    assert mapping(plain) is None
    np.save(tmp_path / "x.npy", plain)
    changed = np.load(tmp_path / "x.npy", mmap_mode="c")
    changed[5] = 7
    assert mapping(changed) is None
    total = sum(int(part.sum()) for part in parts(changed))
    assert total == int(changed.sum()) != int(plain.sum())


def test_memory_is_given_back_every_so_often(
    onfile: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    advice: list[str] = []
    monkeypatch.setattr(ondisk, "_advise", lambda held, what: advice.append(what))
    monkeypatch.setattr(ondisk, "AT_ONCE", 3 * (24 + ondisk._FAULT))
    disk = OnDisk([onfile])
    out = np.empty((1, 3, 4, 2), np.uint8)
    for row in range(N):
        disk.take(np.array([row]), out)
    assert advice == ["MADV_DONTNEED"] * (N // 4)


def test_rows_wanted_soon_are_asked_for_where_memory_is_scarce(
    plain: NDArray[np.uint8], onfile: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, ...]] = []
    told: list[str] = []

    def note(held: mmap.mmap, what: str, *where: int) -> None:
        told.append(what)
        if where:
            asked.append(where)
            held.madvise(getattr(mmap, what), *where)

    monkeypatch.setattr(ondisk, "_advise", note)
    OnDisk([onfile]).expect(np.array([1]))
    assert told == []
    monkeypatch.setattr(ondisk, "_physical_memory", lambda: 1.0)
    images = ImageSet.from_pixels(onfile[4:])
    batches = Batches(images, Scaling(0, 255), 8)
    found = np.concatenate([batch.numpy().copy() for (batch,) in batches])
    np.testing.assert_array_equal(found, plain[4:].astype(np.float32) / 255)
    header = onfile.offset  # type: ignore[attr-defined]
    # All pictures but those of the first batch, each by the bytes it lies in.
    assert asked == [(0, header + 24 * (row + 1)) for row in range(12, N)]
    assert told[0] == "MADV_RANDOM"


def test_batches_of_rows_on_disk_are_those_of_an_array(
    plain: NDArray[np.uint8], onfile: NDArray[np.uint8]
) -> None:
    order = np.random.default_rng(1).permutation(N)[:30]
    both = [ImageSet.from_pixels(pixels)[order] for pixels in (onfile, plain)]
    assert isinstance(both[0].pixels, OnDisk)

    def batches(images: ImageSet) -> NDArray[np.float32]:
        shuffle = np.random.default_rng(2)
        met = Batches(images, Scaling(0, 255), 7, shuffle=shuffle)
        return np.concatenate([batch.numpy().copy() for (batch,) in met])

    np.testing.assert_array_equal(*map(batches, both))


def test_a_set_on_disk_is_looked_at_as_one_in_memory(
    onfile: NDArray[np.uint8], tmp_path: Path
) -> None:
    wide = onfile.astype(np.float64) - 3
    np.save(tmp_path / "x.npy", wide)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    rows = np.arange(N)[::-1]
    disk, memory = (ImageSet.from_pixels(pixels) for pixels in (mapped, wide))
    for one, other in ((disk, memory), (disk[rows], memory[rows])):
        assert one.fingerprint == other.fingerprint
        assert one.value_range == other.value_range
        np.testing.assert_array_equal(np.asarray(one), other.pixels)
    again = pickle.loads(pickle.dumps(disk[rows]))
    assert again.fingerprint == memory[rows].fingerprint
    both = join([disk, disk[rows]])
    assert isinstance(both.pixels, OnDisk)
    assert both.fingerprint == join([memory, memory[rows]]).fingerprint


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux")
def test_a_process_never_occupies_a_large_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def occupied() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("RssFile:"))
        return int(line.split()[1]) * 1024

    monkeypatch.setattr(ondisk, "AT_ONCE", 2**23)
    shape = (2**13, 2**14, 1, 1)
    file = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, shape)
    file.flush()
    del file
    pixels: Any = np.load(tmp_path / "x.npy", mmap_mode="r")
    order = np.random.default_rng(0)
    before, most = occupied(), 0
    for _ in Batches(ImageSet.from_pixels(pixels), Scaling(0, 255), 64, shuffle=order):
        most = max(most, occupied())
    assert most - before < 2**25 < pixels.nbytes / 3
