import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from caes.data.imageset import ImageSet, join
from caes.data.labels.labelled import labels_of
from caes.data.measures import Statistics
from tests.refusals import refused


def numbered(count: int, **about: Any) -> ImageSet:
    pixels = np.arange(count * 6, dtype=np.uint8).reshape(count, 2, 3)
    return ImageSet.from_pixels(pixels, **about)


def test_rows_are_picked_alike_by_slice_index_and_mask() -> None:
    labels = np.array([0, 1, 0, 1, 1])
    images = numbered(5, labels=labels, classes=("cat", "dog"), source="pets")
    mask = np.array([False, True, False, True, False])
    for rows in (slice(1, 4, 2), [1, 3], np.array([1, 3]), mask):
        picked = images[rows]
        assert picked.names == ["00001", "00003"]
        assert picked.pixels.tolist() == images.pixels[[1, 3]].tolist()
        assert labels_of(picked).tolist() == [1, 1]
        assert (picked.classes, picked.source) == (("cat", "dog"), "pets")
    assert images[-1].shape == (1, 2, 3, 1)


def test_a_slice_shares_memory_with_the_whole() -> None:
    images = numbered(4)
    assert np.shares_memory(images[1:3].pixels, images.pixels)


def test_fingerprints_tell_values_shapes_types_and_labels_apart() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    changed = pixels.copy()
    changed[1, 1, 2] = 1
    sets = [
        ImageSet.from_pixels(pixels),
        ImageSet.from_pixels(changed),
        ImageSet.from_pixels(pixels.reshape(2, 3, 2)),
        ImageSet.from_pixels(pixels.astype(np.int8)),
        ImageSet.from_pixels(pixels, labels=np.array([0, 1])),
    ]
    assert len({images.fingerprint for images in sets}) == len(sets)
    again = ImageSet.from_pixels(np.asfortranarray(pixels), source="elsewhere")
    assert again.fingerprint == sets[0].fingerprint


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 3], np.uint8), (0, 255)),
        (np.array([0, 3], np.uint16), (0, 65535)),
        (np.array([True]), (0, 1)),
        (np.array([0.25, 1.0]), (0, 1)),
        (np.array([0, 1], np.int32), (0, 1)),
        (np.array([-1.0, 0.5]), (-1, 0.5)),
        (np.array([7.0, 7.0]), (7, 8)),
    ],
)
def test_the_value_range_is_the_type_s_or_the_pictures(
    values: Any, expected: tuple[float, float]
) -> None:
    assert Statistics(values.reshape(1, 1, -1, 1)).nominal == expected


@pytest.mark.parametrize(
    ("pixels", "about", "told"),
    [
        (
            np.array([object()]),
            {},
            "an array of type object; allowed: an array of numbers, N×H×W or N×H×W×C. "
            "Stack pictures of one size with numpy.stack.",
        ),
        (
            np.zeros((28, 28)),
            {},
            "an array of shape (28, 28); allowed: N×H×W (grey) or N×H×W×C. Reshape it; a "
            "single picture needs a leading axis: array[None].",
        ),
        (
            np.zeros((0, 28, 28)),
            {},
            "an array of shape (0, 28, 28); allowed: at least one picture of at least one "
            "pixel. Check the selection that made it.",
        ),
        (
            np.array([[[0.0, np.nan]], [[0.0, 1.0]], [[np.inf, np.nan]]]),
            {},
            "NaN or infinity in 2 of 3 pictures; allowed: finite numbers. Drop or mend "
            "them, for example with numpy.nan_to_num.",
        ),
        (
            np.zeros((3, 2, 3)),
            {"labels": np.array([0, 1])},
            "2 labels for 3 pictures; allowed: as many labels as pictures. Check how the "
            "two were selected.",
        ),
    ],
    ids=["object", "one", "none", "nan", "labels"],
)
def test_arrays_that_are_no_pictures_are_refused(
    pixels: Any, about: dict[str, Any], told: str
) -> None:
    assert refused(ImageSet.from_pixels, pixels, **about) == f"array: received {told}"


def test_joining_keeps_labels_only_where_all_parts_have_them() -> None:
    labels = np.array([0, 1])
    with_labels = numbered(2, labels=labels, classes=("a", "b"))
    both = join([with_labels, with_labels])
    assert labels_of(both).tolist() == [0, 1, 0, 1]
    assert both.classes == ("a", "b")
    mixed = join([with_labels, numbered(1)])
    assert (mixed.labels, mixed.classes, len(mixed)) == (None, (), 3)


def test_joining_spans_the_value_ranges() -> None:
    dark = ImageSet.from_pixels(np.full((1, 2, 2), -3.0))
    bright = ImageSet.from_pixels(np.full((1, 2, 2), 9.0))
    assert join([dark, bright]).value_range == (-3, 10)


def test_parts_of_different_forms_are_not_joined() -> None:
    grey = ImageSet.from_pixels(np.zeros((1, 2, 3), np.uint8), split="train")
    colour = ImageSet.from_pixels(np.zeros((1, 2, 3, 3), np.uint8), split="test")
    assert refused(join, [grey, colour]) == (
        "array: received parts that differ: 2×3×1 uint8 (train) and 2×3×3 uint8 "
        "(test); allowed: parts of one height, width, number of channels and type. "
        "Give size and channels to read all of them alike."
    )


def test_a_set_is_pickled_whatever_is_known_of_it() -> None:
    images = ImageSet.from_pixels(np.arange(24.0).reshape(2, 3, 4), labels=np.ones(2))
    found = images.fingerprint, images.statistics.digests
    again = pickle.loads(pickle.dumps(images))
    assert (again.fingerprint, again.statistics.digests) == found
    assert again.statistics.pixels is again.pixels


def test_what_is_known_of_pixels_goes_with_them_and_not_with_others() -> None:
    images = ImageSet.from_pixels(np.arange(24.0).reshape(2, 3, 4))
    assert replace(images, split="test").statistics is images.statistics
    assert images[1:].statistics.extremes[0] == [12]
