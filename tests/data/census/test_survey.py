import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image

from caes.data import ImageSet, Skipped, Survey, survey, survey_of_sets
from caes.data.census.survey import Values
from tests.refusals import NO_PICTURE
from tests.written import by_pillow, by_pypng, tiff

DOCS = Path(__file__).parents[3] / "docs" / "census.md"


def made(pixels: NDArray[Any], **about: Any) -> ImageSet:
    return ImageSet.from_pixels(pixels, **about)


def test_a_folder_of_many_sizes_is_looked_over_as_it_is(tmp_path: Path) -> None:
    for name, height, mode in (
        ("cats/1.png", 20, "L"),
        ("cats/2.png", 20, "RGB"),
        ("dogs/3.png", 30, "L"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new(mode, (10, height), "white").save(tmp_path / name)
    (tmp_path / "cats" / "bad.png").write_bytes(b"")
    found = survey(tmp_path)
    assert found.splits == {"train": 4}
    assert found.pictures == 3
    assert found.sizes == {(20, 10): 2, (30, 10): 1}
    assert found.channels == {1: 2, 3: 1}
    assert found.dtypes == {"uint8": 3}
    assert found.classes == {"cats": 2, "dogs": 1}
    assert (found.low, found.high) == (255, 255)
    assert found.formats == {"PNG": 3}
    assert found.modes == {"grey": 2, "colour": 1}
    assert found.skipped == [Skipped("cats/bad.png", "empty")]


def test_the_figures_of_a_large_array_are_those_of_the_whole(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).normal(size=(2500, 3, 2))
    np.savez(tmp_path / "set.npz", x_train=pixels[:2300], x_test=pixels[2300:])
    found = survey(tmp_path / "set.npz")
    assert found.splits == {"train": 2300, "test": 200}
    assert found.sizes == {(3, 2): 2500}
    assert (found.low, found.high) == (pixels.min(), pixels.max())
    values = found.values["float64", 1]
    assert values.mean == pytest.approx([pixels.mean()], rel=1e-13)
    assert values.std == pytest.approx([pixels.std()], rel=1e-13)


def test_a_folder_in_which_nothing_can_be_read_is_told_of_and_no_error(
    tmp_path: Path,
) -> None:
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    found = survey(tmp_path)
    assert (found.pictures, found.skipped) == (0, [Skipped("bad.png", NO_PICTURE)])


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    dtype=st.sampled_from(["bool", "uint8", "int16", "uint16", "int32", "float32"]),
)
def test_figures_of_parts_of_any_size_are_those_of_the_whole(
    data: st.DataObject, dtype: str
) -> None:
    shape = data.draw(array_shapes(min_dims=4, max_dims=4, max_side=6))
    finite = {"allow_nan": False, "allow_infinity": False} if "f" in dtype else {}
    pixels = data.draw(arrays(dtype, shape, elements=finite or None))
    if pixels.dtype.kind == "f":
        pixels = np.clip(pixels, -1e18, 1e18)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(pixels) - 1)))))
    found = Survey("array")
    for part in np.split(pixels, [cut for cut in cuts if cut < len(pixels)]):
        found.add(made(part))
    (values,) = found.values.values()
    flat = pixels.reshape(-1, shape[3]).astype(np.longdouble)
    scale = float(np.abs(flat).max()) or 1.0
    assert values.pictures == shape[0]
    assert (values.low, values.high) == (pixels.min(), pixels.max())
    assert values.mean / scale == pytest.approx(flat.mean(0) / scale, abs=1e-13)
    assert values.std / scale == pytest.approx(flat.std(0) / scale, abs=1e-7)
    # A root cannot be nearer than this, where the deviation is far below the values.
    assert (values.std / scale) ** 2 == pytest.approx(
        (flat.std(0) / scale) ** 2, abs=1e-13
    )


def test_means_are_exact_to_the_last_digit_and_large_offsets_cost_none() -> None:
    draw = np.random.default_rng(3)
    deep = draw.integers(60_000, 60_004, (500, 4, 5, 2), np.uint16)
    found = survey(deep).values["uint16", 2]
    sums = deep.sum((0, 1, 2), dtype=np.uint64).tolist()
    assert found.mean.tolist() == [total / (500 * 4 * 5) for total in sums]
    assert found.std == pytest.approx(deep.std((0, 1, 2)), rel=1e-12)
    far = survey(1e9 + draw.normal(size=(3000, 2, 2, 1))).values["float64", 1]
    assert far.std == pytest.approx([1.0], rel=0.05)


def test_values_that_no_square_can_hold_still_have_a_deviation() -> None:
    pixels = np.array([-1e300, 1e300]).reshape(2, 1, 1, 1)
    found = Survey("array")
    found.add(made(pixels[:1]))
    found.add(made(pixels[1:]))
    (values,) = found.values.values()
    assert (values.mean.tolist(), values.std.tolist()) == ([0.0], [1e300])


def test_each_type_and_number_of_channels_has_its_own_figures() -> None:
    found = Survey("several")
    found.add(made(np.full((2, 3, 3, 1), 7, np.uint8)))
    found.add(made(np.full((1, 3, 3, 3), 9, np.uint8)))
    found.add(made(np.full((1, 3, 3, 1), 1.5)))
    assert {form: each.pictures for form, each in found.values.items()} == {
        ("uint8", 1): 2,
        ("uint8", 3): 1,
        ("float64", 1): 1,
    }
    assert found.values["uint8", 3].mean.tolist() == [9, 9, 9]
    assert found.modes == {"grey": 3, "colour": 1}
    assert (found.low, found.high) == (1.5, 9)


@pytest.mark.parametrize(
    ("dtype", "low", "high", "nominal", "used"),
    [
        ("uint8", 0, 51, (0, 255), 0.2),
        ("uint16", 0, 4095, (0, 65_535), 4095 / 65_535),
        ("int16", -32_768, 32_767, (-32_768, 32_767), 1.0),
        ("bool", 0, 1, (0, 1), 1.0),
        ("float32", 0, 0.5, (0, 1), 0.5),
        ("float32", -0.5, 0.5, None, None),
        ("int32", 0, 100, None, None),
    ],
)
def test_the_nominal_range_is_the_type_s_where_it_has_one(
    dtype: str, low: float, high: float, nominal: Any, used: float | None
) -> None:
    values = Values(dtype, 1)
    values.add(made(np.array([low, high], dtype).reshape(2, 1, 1)))
    assert values.nominal == nominal
    assert values.used == (None if used is None else pytest.approx(used))


def _encoded(form: str, mode: str) -> bytes:
    drawn = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    return by_pillow(Image.fromarray(drawn).convert(mode), form.upper())


SAID = {
    "1": "1-bit", "L": "grey", "LA": "grey with alpha", "P": "palette", "RGB": "colour",
    "RGBA": "colour with alpha", "CMYK": "CMYK", "F": "32-bit float grey",
}  # fmt: skip
PILLOW = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "JPEG": ("L", "CMYK"),
    "GIF": ("P",),
    "BMP": ("RGB",),
    "WebP": ("RGB",),
    "TIFF": ("1", "L", "P", "RGBA", "CMYK", "F"),
}
DEEP, RGB = np.zeros((8, 8, 4), np.uint16), {"photometric": "rgb"}
BANDS = {"photometric": "minisblack", "planarconfig": "contig"}
MODES = [
    *((form, SAID[mode], _encoded(form, mode)) for form in PILLOW for mode in PILLOW[form]),
    ("PNG", "16-bit grey", by_pypng(DEEP[..., 0])),
    ("PNG", "16-bit colour with alpha", by_pypng(DEEP)),
    ("TIFF", "16-bit grey", tiff(DEEP[..., 0])),
    ("TIFF", "16-bit colour", tiff(DEEP[..., :3], **RGB)),
    ("TIFF", "16-bit colour with alpha", tiff(DEEP, extrasamples=["unassalpha"], **RGB)),
    ("TIFF", "32-bit float, 13 channels", tiff(np.zeros((8, 8, 13), "f4"), **BANDS)),
]  # fmt: skip


@pytest.mark.parametrize(("form", "mode", "content"), MODES, ids=[e[1] for e in MODES])
def test_the_mode_is_the_file_s_by_what_is_in_it_and_not_that_of_what_it_becomes(
    tmp_path: Path, form: str, mode: str, content: bytes
) -> None:
    (tmp_path / "a.png").write_bytes(content)
    found = survey(tmp_path)
    assert (found.formats, found.modes) == ({form: 1}, {mode: 1})


def test_pages_as_channels_say_so(tmp_path: Path) -> None:
    content = tiff(np.zeros((4, 8, 8), "u2"), photometric="minisblack", metadata=None)
    (tmp_path / "a.tif").write_bytes(content)
    together = survey(tmp_path, pages="channels")
    assert together.modes == {"pages as channels, 16-bit grey": 1}
    assert survey(tmp_path).modes == {"16-bit grey": 4}


def test_every_piece_is_shown_in_order_and_progress_ends_with_all(
    tmp_path: Path,
) -> None:
    for number in range(3):
        Image.new("L", (4, 4 + number)).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"")
    told: list[Any] = []
    counts: list[tuple[int, int]] = []
    survey(tmp_path, seen=told.append, progress=lambda *count: counts.append(count))
    first, skipped, last = told
    assert (first.names, last.names) == (["0.png"], ["2.png"])
    assert skipped == Skipped("1.png", "empty")
    assert counts == [(1, 3), (2, 3), (3, 3)]


def test_small_pictures_of_several_forms_are_all_counted_however_they_are_gathered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(0)
    for number in range(30):
        pixels = draw.integers(0, 256, (4 + number % 3, 5), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    whole = survey(tmp_path).values["uint8", 1]
    monkeypatch.setattr("caes.data.census.survey._TOGETHER", 60)
    apart = survey(tmp_path)
    assert apart.sizes == {(4, 5): 10, (5, 5): 10, (6, 5): 10}
    assert apart.values["uint8", 1].mean == pytest.approx(whole.mean)
    assert apart.repeats.pictures == 0


def test_sets_that_are_loaded_already_are_told_apart_by_their_splits() -> None:
    skipped = Skipped("x.png", "empty")
    pixels = np.arange(20, dtype=np.uint8).reshape(5, 2, 2, 1)
    train = made(pixels[:3], split="train", skipped=(skipped,))
    test = made(pixels[2:], split="test", skipped=(skipped,), names=["c", "d", "e"])
    found = survey_of_sets(train, test)
    assert found.splits == {"train": 4, "test": 4}
    assert found.pictures == 6
    assert found.repeats.across == {("test", "train"): 1}
    assert found.skipped == [skipped]


def test_json_comes_back_as_it_was_and_has_the_keys_that_are_documented(
    tmp_path: Path,
) -> None:
    for folder in ("cat", "dog"):
        (tmp_path / folder).mkdir()
        Image.new("L", (3, 2), 9).save(tmp_path / folder / "1.png")
    (tmp_path / "dog" / "bad.png").write_bytes(b"")
    found = survey(tmp_path).as_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    names, classes = ["cat/1.png", "dog/1.png"], ["cat", "dog"]
    group = {"pictures": 2, "names": names, "classes": classes}
    expected = {
        "source": str(tmp_path),
        "splits": {"train": 3},
        "pictures": 2,
        "sizes": [{"height": 2, "width": 3, "pictures": 2}],
        "channels": [{"channels": 1, "pictures": 2}],
        "dtypes": {"uint8": 2},
        "modes": {"grey": 2},
        "formats": {"PNG": 2},
        "values": [
            {"dtype": "uint8", "channels": 1, "pictures": 2, "low": 9, "high": 9,
             "nominal": [0, 255], "used": 0.0, "mean": [9], "std": [0]}
        ],
        "classes": {"cat": 1, "dog": 1},
        "unlabelled": 0,
        "duplicates": {
            "pictures": 1,
            "groups": 1,
            "first": [group],
            "across_splits": [],
            "first_across_splits": [],
            "different_labels": 1,
            "first_different_labels": [group],
        },
        "unreadable": [{"name": "dog/bad.png", "reason": "empty"}],
    }  # fmt: skip
    assert (found, [*found]) == (expected, [*expected])
    page = DOCS.read_text(encoding="utf-8")
    keys = [*found, *found["values"][0], *found["duplicates"], *group]
    for key in (*keys, "height", "width", "split", "also_in", "name", "reason"):
        assert f"`{key}`" in page, key
