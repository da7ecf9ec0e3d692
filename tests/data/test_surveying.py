from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caes.data import Skipped, survey


def test_a_folder_of_many_sizes_is_looked_over_as_it_is(tmp_path: Path) -> None:
    for folder, name, size, mode in (
        ("cats", "1.png", (20, 10), "L"),
        ("cats", "2.png", (20, 10), "RGB"),
        ("dogs", "3.png", (30, 10), "L"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        height, width = size
        Image.new(mode, (width, height), "white").save(tmp_path / folder / name)
    (tmp_path / "cats" / "bad.png").write_bytes(b"")
    found = survey(tmp_path)
    assert found.splits == {"train": 4}
    assert found.pictures == 3
    assert found.sizes == {(20, 10): 2, (30, 10): 1}
    assert found.channels == {1: 2, 3: 1}
    assert found.dtypes == {"uint8": 3}
    assert found.classes == {"cats": 2, "dogs": 1}
    assert (found.low, found.high, found.mean) == (255, 255, 255)
    assert found.skipped == [Skipped("cats/bad.png", "empty")]


def test_the_figures_of_a_large_array_are_those_of_the_whole(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).normal(size=(2500, 3, 2))
    np.savez(tmp_path / "set.npz", x_train=pixels[:2300], x_test=pixels[2300:])
    found = survey(tmp_path / "set.npz")
    assert found.splits == {"train": 2300, "test": 200}
    assert found.sizes == {(3, 2): 2500}
    assert (found.low, found.high) == (pixels.min(), pixels.max())
    assert found.mean == pytest.approx(pixels.mean())


def test_classes_come_in_their_own_order() -> None:
    assert list(survey("digits").classes) == list("0123456789")


def test_a_folder_in_which_nothing_can_be_read_is_told_of_and_no_error(
    tmp_path: Path,
) -> None:
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    found = survey(tmp_path)
    assert found.pictures == 0
    assert found.skipped == [
        Skipped(
            "bad.png", "not a PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS picture"
        )
    ]
