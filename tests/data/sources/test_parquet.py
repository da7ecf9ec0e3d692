import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from caes.data import Skipped, load, split_names, survey
from caes.data.labels.labelled import labels_of
from caes.data.sources.parquet import Part
from tests.refusals import NO_PICTURE, refused
from tests.written import by_pillow, parquet, structs


def pixels(number: int) -> Any:
    return np.random.default_rng(number).integers(0, 256, (4, 5), np.uint8)


PNGS = [by_pillow(pixels(number)) for number in range(10)]
STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})
TWO_CLASSES = {"label": {"_type": "ClassLabel", "names": ["a", "b"]}}


def test_the_metadata_of_hugging_face_names_columns_and_classes(tmp_path: Path) -> None:
    columns = {
        "image": [b"no picture"] * 5,
        "label": ["no class"] * 5,
        "photo": structs(PNGS[:5]),
        "kind": [1, 0, 1, 1, 0],
        "mask": structs(PNGS[4::-1]),
    }
    features = {
        "image": {"_type": "Value"},
        "photo": {"_type": "Image"},
        "kind": {"_type": "ClassLabel", "names": ["cat", "dog"]},
        "mask": {"_type": "Image"},
    }
    images = load(parquet(tmp_path / "pets.parquet", columns, features))
    assert images.classes == ("cat", "dog")
    assert labels_of(images).tolist() == [1, 0, 1, 1, 0]
    assert images.names == [f"{row:05d}" for row in range(5)]
    assert images.notes == ("Pictures are those of photo, not of mask.",)
    assert images.pixels[3, ..., 0].tolist() == pixels(3).tolist()


@pytest.mark.parametrize("metadata", [b"{", b"[]", b'{"info": 3}', b'{"info": {}}'])
def test_without_metadata_types_and_usual_names_decide(
    tmp_path: Path, metadata: bytes
) -> None:
    table = pa.table({"id": ["a", "b"], "jpg": [PNGS[0], PNGS[1]], "label": ["y", "x"]})
    path = tmp_path / "x.parquet"
    pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), path)
    images = load(path)
    assert images.classes == ("x", "y")
    assert images.pixels[1, ..., 0].tolist() == pixels(1).tolist()


def test_a_folder_of_files_has_splits_that_go_on_from_file_to_file(
    tmp_path: Path,
) -> None:
    parquet(tmp_path / "train-00000-of-00002.parquet", {"img": structs(PNGS[:3])})
    parquet(tmp_path / "train-00001-of-00002.parquet", {"img": structs(PNGS[3:5])})
    parquet(tmp_path / "test.parquet", {"img": structs(PNGS[9:])})
    assert split_names(tmp_path) == {"train": 5, "test": 1}
    images = load(tmp_path, "train[2:4]+test")
    assert images.names == ["train/00002", "train/00003", "test/00000"]
    expected = [pixels(number).tolist() for number in (2, 3, 9)]
    assert images.pixels[..., 0].tolist() == expected


def test_only_the_row_groups_that_are_needed_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path / "x.parquet", {"image": structs(PNGS)})
    groups = []
    read = Part.read

    def watched(self: Part, group: int, column: str) -> Any:
        groups.append(group)
        return read(self, group, column)

    monkeypatch.setattr(Part, "read", watched)
    assert len(load(path, "train[3:6]")) == 3
    assert groups == [1, 2]


def test_rows_without_a_picture_are_skipped(tmp_path: Path) -> None:
    rows = [{"bytes": PNGS[0]}, None, {"path": "a.png"}, {"bytes": b"text"}]
    columns = {"image": pa.array(rows, STRUCT), "label": [5, 6, 7, 8]}
    path = parquet(tmp_path / "x.parquet", columns)
    images = load(path)
    assert images.skipped == (
        *(Skipped("00001", "empty"), Skipped("00002", "empty")),
        Skipped("00003", NO_PICTURE),
    )
    assert (len(images), images.classes) == (1, ("5", "6", "7", "8"))


@pytest.mark.parametrize("labels", [[-1, -1], [None, -1]])
def test_a_split_without_any_known_label_has_none(tmp_path: Path, labels: Any) -> None:
    columns = {"image": structs(PNGS[:2]), "label": pa.array(labels, pa.int64())}
    images = load(parquet(tmp_path / "x.parquet", columns, TWO_CLASSES))
    assert (images.labels, images.classes) == (None, ())


@pytest.mark.parametrize("unknown", [-1, None])
def test_labels_that_are_not_known_are_minus_one(tmp_path: Path, unknown: Any) -> None:
    labels = pa.array([1, unknown, 0], pa.int64())
    columns = {"image": structs(PNGS[:3]), "label": labels}
    path = parquet(tmp_path / "x.parquet", columns, TWO_CLASSES)
    images = load(path)
    assert labels_of(images).dtype == np.int64
    assert (labels_of(images).tolist(), images.classes) == ([1, -1, 0], ("a", "b"))
    assert survey(path).classes == {"a": 1, "b": 1}


def test_without_class_names_only_what_is_missing_is_unknown(tmp_path: Path) -> None:
    columns = {"image": structs(PNGS[:3]), "label": pa.array([7, None, -1], pa.int64())}
    images = load(parquet(tmp_path / "x.parquet", columns))
    assert (labels_of(images).tolist(), images.classes) == ([1, -1, 0], ("-1", "7"))


def test_labels_beyond_their_names_are_refused(tmp_path: Path) -> None:
    columns = {"image": structs(PNGS[:2]), "label": [0, 2]}
    path = parquet(tmp_path / "x.parquet", columns, TWO_CLASSES)
    assert refused(load, path) == (
        f"{path}: received labels that are not the indices of its 2 class names; "
        "allowed: whole numbers from 0 to 1. Make the file again, for example with "
        "Hugging Face's datasets."
    )


def test_files_without_pictures_say_which_columns_they_have(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", {"x": [1.5], "image": ["a.png"]})
    assert refused(load, path) == (
        f"{path}: received columns x (double), image (string); allowed: a column of "
        "encoded pictures, as bytes or as structs with bytes. Write it with Hugging "
        "Face's datasets, as a column of type Image."
    )


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path / "x.parquet", {"image": structs(PNGS[:1])})
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert refused(load, path) == (
        f"{path}: received a Parquet file, and the package pyarrow is not installed; "
        "allowed: Parquet once the extra of this name is installed. "
        'Run: pip install "caes[parquet]"'
    )
