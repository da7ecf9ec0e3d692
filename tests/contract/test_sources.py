"""What every kind of source promises, tried on a small real example of each."""

import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from caes.data import ImageSet, load, split_names, survey
from caes.data.reading import Reading
from caes.data.sources import SOURCES, open_source
from caes.data.sources import cifar10 as batches_of
from tests import hub_layouts
from tests.written import by_pillow, structs
from tests.written import idx as write_idx
from tests.written import parquet as write_parquet

HEIGHT, WIDTH = 6, 9
LABELS = np.array([1, 0, 1, 2, 0, 1, 2, 2, 0, 1], np.uint8)
GREY = np.random.default_rng(5).integers(0, 256, (10, HEIGHT, WIDTH), np.uint8)


@dataclass(frozen=True)
class Example:
    """A source, the split to try, and what it holds where the test made it."""

    source: Any
    split: str = "train"
    pixels: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None


def memory(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    pixels = GREY.astype(np.float32) / 100 - 1
    return Example(pixels, pixels=pixels)


def digits(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    return Example("digits", "test")


def mnist(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    if "CAES_DATA" not in os.environ:
        pytest.skip("needs the real files: CAES_DATA is not set")
    return Example("mnist", "test")


def cifar10(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    patch.setenv("CAES_DATA", str(folder))
    patch.setattr(batches_of, "ROWS", len(LABELS))
    grey = np.random.default_rng(6).integers(0, 256, (len(LABELS), 32, 32), np.uint8)
    planes = np.tile(grey.reshape(-1, 1024), 3)  # red, green and blue
    content = np.hstack([LABELS[:, None], planes]).tobytes()
    batches = folder / "cifar10" / "cifar-10-batches-bin"
    batches.mkdir(parents=True)
    for name in ("test_batch", *(f"data_batch_{n}" for n in range(1, 6))):
        (batches / f"{name}.bin").write_bytes(content)
    return Example("cifar10", "test", grey, LABELS)


def arrays(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    deep = GREY.astype(np.uint16) * 200
    test: dict[str, Any] = {"x_test": deep[:2], "y_test": np.array([2, 2])}
    np.savez(folder / "x.npz", x_train=deep, y_train=LABELS, **test)
    return Example(folder / "x.npz", pixels=deep, labels=LABELS)


def parquet(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    columns = {"image": structs(map(by_pillow, GREY)), "label": LABELS}
    path = write_parquet(folder / "x.parquet", columns)
    return Example(path, pixels=GREY, labels=LABELS)


def idx(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    (folder / "train-images-idx3-ubyte").write_bytes(write_idx(GREY))
    (folder / "train-labels-idx1-ubyte").write_bytes(write_idx(LABELS))
    return Example(folder, pixels=GREY, labels=LABELS)


def hf(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    labels = np.array(hub_layouts.LABELS)
    return Example(hub_layouts.saved(folder), "train", hub_layouts.GREY, labels)


def folder(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    order = np.argsort(LABELS, kind="stable")
    for row in order:
        path = folder / "train" / f"kind {LABELS[row]}" / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(by_pillow(GREY[row]))
    other = folder / "test" / "kind 1" / "0.png"
    other.parent.mkdir(parents=True)
    other.write_bytes(by_pillow(GREY[0]))
    return Example(folder, pixels=GREY[order], labels=LABELS[order])


Maker = Callable[[Path, pytest.MonkeyPatch], Example]
MAKERS: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (memory, digits, mnist, cifar10, arrays, parquet, idx, hf, folder)
}


@pytest.fixture(scope="module", params=[kind.name for kind in SOURCES])
def example(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Example]:
    if request.param not in MAKERS:
        pytest.fail(f"add a maker of a small {request.param} source to this test")
    with pytest.MonkeyPatch.context() as patch:
        yield MAKERS[request.param](tmp_path_factory.mktemp(request.param), patch)


@pytest.fixture(scope="module")
def whole(example: Example) -> ImageSet:
    return load(example.source, example.split)


def same(one: ImageSet, other: ImageSet) -> bool:
    return (
        one.fingerprint == other.fingerprint
        and list(one.names) == list(other.names)
        and one.classes == other.classes
    )


def test_every_kind_is_tried_here() -> None:
    assert {kind.name for kind in SOURCES} == MAKERS.keys()
    assert len({kind.name for kind in SOURCES}) == len(SOURCES)


def test_the_kind_is_the_one_that_opens_the_source(
    example: Example, request: pytest.FixtureRequest
) -> None:
    source = example.source
    opened = [kind.name for kind in SOURCES if kind.opens(source)]
    assert opened[0] == request.node.callspec.params["example"]


def test_pixels_are_n_h_w_c_in_their_own_type(
    example: Example, whole: ImageSet
) -> None:
    n, height, width, channels = whole.shape
    assert whole.pixels.shape == (n, height, width, channels)
    assert len(whole) == n > 0
    assert whole.dtype == whole.pixels.dtype
    assert whole.dtype.isnative
    if example.pixels is not None:
        assert whole.dtype == example.pixels.dtype
        assert whole.pixels[..., 0].tolist() == example.pixels.tolist()
    low, high = whole.value_range
    assert low <= whole.pixels.min()
    assert whole.pixels.max() <= high
    assert low < high


def test_splits_are_counted_as_they_are_read(example: Example, whole: ImageSet) -> None:
    counts = split_names(example.source)
    assert counts[example.split] == len(whole)
    assert "train" in counts
    assert whole.split == example.split
    named = isinstance(example.source, str | Path)
    assert whole.source == (str(example.source) if named else "array")
    assert (whole.skipped, whole.notes) == ((), ())


def test_a_survey_finds_what_is_read(example: Example, whole: ImageSet) -> None:
    found = survey(example.source)
    counts = split_names(example.source)
    parts = [load(example.source, split) for split in counts]
    _, height, width, channels = whole.shape
    assert found.splits == counts
    assert found.pictures == sum(counts.values())
    assert found.sizes == {(height, width): found.pictures}
    assert found.channels == {channels: found.pictures}
    assert found.dtypes == {str(whole.dtype): found.pictures}
    assert found.low == min(float(part.pixels.min()) for part in parts)
    assert found.high == max(float(part.pixels.max()) for part in parts)
    assert list(found.classes) == list(whole.classes)
    assert found.skipped == []


def test_names_are_unique_in_the_whole_source(example: Example) -> None:
    counts = split_names(example.source)
    everything = load(example.source, "+".join(f"{split}[:50]" for split in counts))
    assert len(everything.names) == len(everything) == len({*everything.names})
    assert all(isinstance(name, str) and name for name in everything.names)


def test_labels_are_indices_of_classes(example: Example, whole: ImageSet) -> None:
    if whole.labels is None:
        assert whole.classes == ()
        assert example.labels is None
        return
    assert whole.labels.dtype == np.int64
    assert whole.labels.shape == (len(whole),)
    assert whole.labels.min() >= 0
    assert whole.labels.max() < len(whole.classes) == len({*whole.classes})
    if example.labels is not None:
        assert whole.labels.tolist() == example.labels.tolist()


@pytest.mark.parametrize(
    ("bounds", "rows"),
    [("[:4]", slice(4)), ("[3:-2]", slice(3, -2)), ("[-3:]", slice(-3, None))],
)
def test_a_slice_of_the_split_is_a_slice_of_the_whole(
    example: Example, whole: ImageSet, bounds: str, rows: slice
) -> None:
    assert same(load(example.source, example.split + bounds), whole[rows])


def test_parts_joined_are_the_whole(example: Example, whole: ImageSet) -> None:
    split = example.split
    assert same(load(example.source, f"{split}[:30%]+{split}[30%:]"), whole)


def test_size_and_channels_are_as_asked(example: Example, whole: ImageSet) -> None:
    split = f"{example.split}[:5]"
    images = load(example.source, split, size=(4, 7), channels=3)
    assert images.shape == (5, 4, 7, 3)
    assert images.dtype == whole.dtype
    assert images.names == list(whole.names[:5])
    assert (images.pixels == images.pixels[..., :1]).all()
    assert whole.value_range[0] <= images.pixels.min()
    assert images.pixels.max() <= whole.value_range[1]


def test_a_source_opened_once_stands_for_itself_in_every_call(
    example: Example, whole: ImageSet
) -> None:
    opened = open_source(example.source, Reading())
    assert split_names(opened) == split_names(example.source)
    assert same(load(opened, example.split), whole)
    turned = load(opened, example.split, pages="channels")
    assert same(turned, whole)
    small = load(opened, f"{example.split}[:5]", size=(4, 7), channels=3)
    assert small.shape == (5, 4, 7, 3)
    assert small.source == whole.source
    assert same(load(opened, example.split), whole)


def test_an_opened_source_pickles_as_what_was_given(
    example: Example, whole: ImageSet
) -> None:
    opened = open_source(example.source, Reading(progress=lambda done, total: None))
    images = opened.read(example.split, range(1, 4))
    pickled = pickle.dumps(opened)
    assert len(pickled) < 1000 or isinstance(example.source, np.ndarray)
    again = pickle.loads(pickled)
    assert same(again.read(example.split, range(1, 4)), images)
    assert same(images, whole[1:4])
