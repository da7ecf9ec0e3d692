from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from caes.data import load, stream
from caes.data.decode import parallel as decoding
from caes.data.decode import pictures
from caes.data.decode.resize import adapted, fitted, resized, with_channels
from caes.data.imageset import ImageSet, Skipped
from caes.data.reading import RESIZES, Reading, ResizeName
from tests.refusals import NO_PICTURE, refused

TYPES = (np.bool_, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)
ways: Any = st.sampled_from(RESIZES)
sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))


def _picture(size: tuple[int, int], channels: int = 1, dtype: Any = np.uint8) -> Any:
    values = np.random.default_rng(0).integers(0, 200, (*size, channels))
    return values.astype(dtype)


@settings(deadline=None)
@given(ways, sizes, sizes, st.sampled_from([1, 2, 3, 5]), st.sampled_from(TYPES))
def test_every_way_gives_the_size_in_the_picture_s_type_and_range(
    resize: ResizeName,
    have: tuple[int, int],
    size: tuple[int, int],
    channels: int,
    dtype: Any,
) -> None:
    picture = _picture(have, channels, dtype)
    found, _ = fitted(picture, size, resize, "a.png", 3)
    assert (found.shape, found.dtype) == ((*size, channels), picture.dtype)
    assert found.min() >= picture.min()
    assert found.max() <= picture.max()


@settings(deadline=None)
@given(ways, sizes)
def test_the_right_size_is_left_alone(
    resize: ResizeName, size: tuple[int, int]
) -> None:
    picture = _picture(size)
    found, notes = fitted(picture, size, resize)
    assert found is picture
    assert notes == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("have", "wide"), [((40, 100), 50), ((10, 31), 62)])
def test_crop_scales_up_or_down_and_cuts_off_the_longer_side_evenly(
    dtype: Any, have: tuple[int, int], wide: int
) -> None:
    picture = _picture(have, 3, dtype)
    found, notes = fitted(picture, (20, 20), "crop")
    scaled = resized(picture, (20, wide))[:, wide // 2 - 10 :][:, :20].astype(float)
    tolerance = 1 if np.dtype(dtype).kind == "u" else 1e-3
    np.testing.assert_allclose(found.astype(float), scaled, atol=tolerance)
    assert notes == ("Pictures of other proportions were cropped at the middle",)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pad_scales_to_lie_within_and_mirrors_around(dtype: Any) -> None:
    picture = _picture((40, 100), 2, dtype)
    found, notes = fitted(picture, (30, 50), "pad")
    scaled = resized(picture, (20, 50))
    np.testing.assert_array_equal(found[5:25], scaled)
    np.testing.assert_array_equal(found[:5], scaled[4::-1])
    np.testing.assert_array_equal(found[25:], scaled[:14:-1])
    assert notes == ("Pictures of other proportions were padded by their mirror image",)


@pytest.mark.parametrize("resize", ["crop", "pad"])
def test_equal_proportions_are_only_scaled(resize: ResizeName) -> None:
    picture = _picture((30, 60))
    found, notes = fitted(picture, (10, 20), resize)
    np.testing.assert_array_equal(found, resized(picture, (10, 20)))
    assert notes == ()


@settings(deadline=None)
@given(st.text(max_size=5), st.integers(0, 9))
def test_a_random_crop_is_a_piece_of_the_picture_always_the_same(
    name: str, seed: int
) -> None:
    picture = np.arange(30 * 50).reshape(30, 50, 1)
    found, notes = fitted(picture, (8, 50), "random-crop", name, seed)
    row = int(found[0, 0, 0]) // 50
    np.testing.assert_array_equal(found, picture[row : row + 8])
    again, _ = fitted(picture, (8, 50), "random-crop", name, seed)
    np.testing.assert_array_equal(found, again)
    assert notes == (
        "Pictures larger than the size were cropped at a place drawn by their name",
    )


def test_random_crops_fall_everywhere_and_differ_by_name_and_by_seed() -> None:
    picture = np.arange(10).reshape(10, 1, 1)

    def first(name: str, seed: int) -> int:
        return int(fitted(picture, (4, 1), "random-crop", name, seed)[0][0, 0, 0])

    assert {first(f"{n}.png", 0) for n in range(200)} == {*range(7)}
    assert {first("a", seed) for seed in range(100)} == {*range(7)}


def test_a_random_crop_of_a_smaller_picture_goes_on_as_its_mirror_image() -> None:
    picture = _picture((3, 9))
    found, notes = fitted(picture, (6, 9), "random-crop", "a")
    np.testing.assert_array_equal(found, np.concatenate([picture, picture[::-1]]))
    assert notes == (
        "Pictures smaller than the size were continued by their mirror image",
    )


SIZES = [(30, 40), (64, 20), (9, 9), (100, 160)]


def _mixed(folder: Path) -> Path:
    for number, size in enumerate(SIZES):
        Image.fromarray(_picture(size, 3)).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("resize", RESIZES)
def test_folders_arrays_and_lists_are_fitted_alike(
    resize: ResizeName, tmp_path: Path
) -> None:
    found = load(_mixed(tmp_path), size=(16, 24), resize=resize, seed=5)
    for name, pixels in zip(found.names, found.pixels, strict=True):
        picture = np.asarray(Image.open(tmp_path / name))
        expected, _ = fitted(picture, (16, 24), resize, name, 5)
        np.testing.assert_array_equal(pixels, expected)
        alone = ImageSet.from_pixels(picture[None], [name])
        found = load(alone, size=(16, 24), resize=resize, seed=5)
        np.testing.assert_array_equal(found.pixels[0], expected)


def test_notes_count_what_was_done(tmp_path: Path) -> None:
    _mixed(tmp_path)
    shrunk = "Pictures larger than the size were shrunk: 3."
    cropped = "Pictures of other proportions were cropped at the middle: 3."
    padded = "Pictures of other proportions were padded by their mirror image: 3."
    assert {
        way: load(tmp_path, size=(15, 20), resize=way).notes for way in RESIZES
    } == {
        "stretch": (shrunk,),
        "crop": (shrunk, cropped),
        "pad": (shrunk, padded),
        "random-crop": (
            "Pictures larger than the size were cropped at a place drawn by their "
            "name: 3.",
            "Pictures smaller than the size were continued by their mirror image: 1.",
        ),
    }


def test_a_large_jpeg_is_cropped_at_random_from_its_full_size(tmp_path: Path) -> None:
    y, x = np.mgrid[:800, :800]
    Image.fromarray(np.uint8((y + x) % 256)).save(tmp_path / "a.jpg", quality=95)
    found = load(tmp_path, size=(32, 32), resize="random-crop").pixels[0, ..., 0]
    steps = np.diff(found.astype(int), axis=1) % 256
    assert np.median(steps) == 1  # a picture at half its size would climb by 2


def test_a_stream_gives_pictures_one_by_one_as_they_are(tmp_path: Path) -> None:
    _mixed(tmp_path)
    (tmp_path / "1b.png").write_bytes(b"no picture")
    pieces = [*stream(tmp_path, channels=1)]
    sets = [each for each in pieces if isinstance(each, ImageSet)]
    assert [each.shape[1:3] for each in sets] == SIZES
    assert {each.shape[::3] for each in sets} == {(1, 1)}
    assert pieces[2] == Skipped("1b.png", NO_PICTURE)
    assert next(stream(tmp_path, "train[3:4]")).names == ["2.png"]  # type: ignore[union-attr]


def test_a_strict_stream_stops_and_one_without_any_picture_is_an_error(
    tmp_path: Path,
) -> None:
    _mixed(tmp_path)
    (tmp_path / "1b.png").write_bytes(b"no picture")
    pieces = stream(tmp_path, strict=True)
    next(pieces), next(pieces)
    told = f"1b.png in {tmp_path}: received an unreadable picture ({NO_PICTURE});"
    assert refused(next, pieces).startswith(told)
    told = refused(list, stream(tmp_path / "1b.png"))
    assert "received an unreadable picture" in told


def test_a_stream_decodes_a_picture_only_when_it_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def decode(path: Any, options: Any, name: str, files: Any) -> Any:
        decoded.append(name)
        return pictures.decode(path, options, name, files)

    monkeypatch.setattr(decoding, "decode", decode)
    pieces = stream(_mixed(tmp_path))
    for number in range(4):
        next(pieces)
        assert decoded == [f"{n}.png" for n in range(number + 1)]


def triangle_resample(values: NDArray[Any], length: int) -> NDArray[Any]:
    """Average along the first axis with a triangle as wide as the reduction."""
    scale = len(values) / length
    reach = max(scale, 1.0)
    centres = (np.arange(length) + 0.5) * scale
    apart = np.abs(np.arange(len(values)) + 0.5 - centres[:, None])
    weights = np.maximum(1 - apart / reach, 0)
    return np.tensordot(weights / weights.sum(1, keepdims=True), values, axes=1)


@pytest.mark.parametrize("channels", [1, 2, 3, 13])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(4, 5), (3, 40), (23, 7)])
def test_resizing_is_a_triangle_filter_in_both_directions(
    size: tuple[int, int], dtype: Any, channels: int
) -> None:
    top = 1.0 if dtype is np.float32 else float(np.iinfo(dtype).max)
    picture = np.random.default_rng(0).uniform(0, top, (17, 11, channels))
    picture = picture.astype(dtype)
    down = triangle_resample(picture.astype(np.float64), size[0])
    expected = triangle_resample(down.swapaxes(0, 1), size[1]).swapaxes(0, 1)
    found = resized(picture, size)
    assert (found.shape, found.dtype) == ((*size, channels), picture.dtype)
    step = 1e-6 if dtype is np.float32 else 1.01
    assert np.abs(found - expected).max() <= step


@given(data=st.data(), dtype=st.sampled_from(TYPES))
def test_neither_size_nor_channels_leave_the_picture_s_range(
    data: st.DataObject, dtype: Any
) -> None:
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))
    numbers = st.integers(0, 1) if dtype is np.bool_ else st.integers(0, 32767)
    picture = data.draw(hnp.arrays(np.int32, shape, elements=numbers)).astype(dtype)
    size = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    found = with_channels(resized(picture, size), 1)
    assert (found.shape, found.dtype) == ((*size, 1), picture.dtype)
    assert picture.min() <= found.min()
    assert found.max() <= picture.max()


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (2**31 - 40, 2**31 - 1, np.int32),
        (-(2**62), 2**62, np.int64),
        (2**32 - 9, 2**32 - 1, np.uint32),
        (1e6, 1e6 + 1, np.float64),
        (-1e300, 1e300, np.float64),
    ],
)
@pytest.mark.parametrize("channels", [1, 5])
def test_wide_types_keep_small_differences_on_large_offsets(
    low: float, high: float, dtype: Any, channels: int
) -> None:
    ramp = np.linspace(0, 1, 32).reshape(1, 32, 1).repeat(32, 0).repeat(channels, 2)
    picture = (ramp * (high - low) + low).astype(dtype)
    found = resized(picture, (8, 8))
    assert (found.shape, found.dtype) == ((8, 8, channels), picture.dtype)
    shares = picture[0, :, 0].astype(np.float64) / 2 - low / 2
    down = triangle_resample(shares, 8)
    error = np.abs(found[3, :, 0].astype(np.float64) / 2 - low / 2 - down)
    step = 0.51 if np.issubdtype(dtype, np.integer) else 0.0
    assert error.max() <= step + 1e-6 * (high - low)


def test_grey_is_luma_and_colour_is_repetition() -> None:
    primaries = np.eye(3, dtype=np.uint8)[None] * 255  # red, green, blue
    assert with_channels(primaries, 1).ravel().tolist() == [76, 150, 29]
    grey = np.array([[[7], [9]]], np.uint16)
    assert with_channels(grey, 3).tolist() == [[[7, 7, 7], [9, 9, 9]]]


def test_a_set_keeps_its_names_labels_type_and_range() -> None:
    about: dict[str, Any] = {"labels": np.array([1, 0]), "classes": ("a", "b")}
    images = ImageSet.from_pixels(np.full((2, 4, 4, 3), 9, np.uint16), **about)
    small = adapted(images, Reading((2, 3), 1))
    assert (small.shape, small.dtype) == ((2, 2, 3, 1), np.dtype(np.uint16))
    assert (small.pixels == 9).all()
    assert (small.names, small.labels is images.labels) == (images.names, True)
    assert small.value_range == images.value_range
    assert adapted(images, Reading((4, 4), 3)) is images


def test_thirteen_channels_are_not_turned_into_three() -> None:
    images = ImageSet.from_pixels(np.zeros((1, 2, 2, 13)), source="bands.npy")
    assert refused(adapted, images, Reading(None, 3)) == (
        "bands.npy: received pictures of 13 channels, to be read with 3; allowed: "
        "1 or 3 channels to convert between. Leave channels out to keep them all."
    )
