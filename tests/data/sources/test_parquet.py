import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from caes.data import Skipped, load, split_names, survey
from caes.data.sources.parquet import Part
from caes.errors import DataError


def pixels(number: int) -> Any:
    return np.random.default_rng(number).integers(0, 256, (4, 5), np.uint8)


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels(number)).save(file, "PNG")
    return file.getvalue()


STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def write(
    path: Path, columns: dict[str, Any], features: dict[str, Any] | None = None
) -> Path:
    """Write as Hugging Face does, in row groups of two."""
    table = pa.table(columns)
    if features is not None:
        metadata = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": metadata})
    pq.write_table(table, path, row_group_size=2)
    return path


def structs(*numbers: int) -> Any:
    rows = [{"bytes": png(n), "path": "../../same.png"} for n in numbers]
    return pa.array(rows, STRUCT)


def message(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        load(path, **options)
    return str(caught.value)


def test_the_metadata_of_hugging_face_names_columns_and_classes(tmp_path: Path) -> None:
    columns = {
        "image": [b"no picture"] * 5,
        "label": ["no class"] * 5,
        "photo": structs(0, 1, 2, 3, 4),
        "kind": [1, 0, 1, 1, 0],
        "mask": structs(4, 3, 2, 1, 0),
    }
    features = {
        "image": {"_type": "Value"},
        "photo": {"_type": "Image"},
        "kind": {"_type": "ClassLabel", "names": ["cat", "dog"]},
        "mask": {"_type": "Image"},
    }
    images = load(write(tmp_path / "pets.parquet", columns, features))
    assert images.classes == ("cat", "dog")
    assert images.labels is not None
    assert images.labels.tolist() == [1, 0, 1, 1, 0]
    assert images.names == [f"{row:05d}" for row in range(5)]
    assert images.notes == ("Pictures are those of photo, not of mask.",)
    assert images.pixels[3, ..., 0].tolist() == pixels(3).tolist()


@pytest.mark.parametrize("metadata", [b"{", b"[]", b'{"info": 3}', b'{"info": {}}'])
def test_without_metadata_types_and_usual_names_decide(
    tmp_path: Path, metadata: bytes
) -> None:
    table = pa.table({"id": ["a", "b"], "jpg": [png(0), png(1)], "label": ["y", "x"]})
    path = tmp_path / "x.parquet"
    pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), path)
    images = load(path)
    assert images.classes == ("x", "y")
    assert images.pixels[1, ..., 0].tolist() == pixels(1).tolist()


def test_a_folder_of_files_has_splits_that_go_on_from_file_to_file(
    tmp_path: Path,
) -> None:
    write(tmp_path / "train-00000-of-00002.parquet", {"img": structs(0, 1, 2)})
    write(tmp_path / "train-00001-of-00002.parquet", {"img": structs(3, 4)})
    write(tmp_path / "test.parquet", {"img": structs(9)})
    assert split_names(tmp_path) == {"train": 5, "test": 1}
    images = load(tmp_path, "train[2:4]+test")
    assert images.names == ["train/00002", "train/00003", "test/00000"]
    expected = [pixels(number).tolist() for number in (2, 3, 9)]
    assert images.pixels[..., 0].tolist() == expected


def test_only_the_row_groups_that_are_needed_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "x.parquet", {"image": structs(*range(10))})
    groups = []
    read = Part.read

    def watched(self: Part, group: int, column: str) -> Any:
        groups.append(group)
        return read(self, group, column)

    monkeypatch.setattr(Part, "read", watched)
    assert len(load(path, "train[3:6]")) == 3
    assert groups == [1, 2]


def test_rows_without_a_picture_are_skipped_or_with_strict_an_error(
    tmp_path: Path,
) -> None:
    rows = [{"bytes": png(0)}, None, {"path": "a.png"}, {"bytes": b"text"}]
    columns = {"image": pa.array(rows, STRUCT), "label": [5, 6, 7, 8]}
    path = write(tmp_path / "x.parquet", columns)
    images = load(path)
    assert images.skipped == (
        Skipped("00001", "empty"),
        Skipped("00002", "empty"),
        Skipped(
            "00003", "not a PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS picture"
        ),
    )
    assert (len(images), images.classes) == (1, ("5", "6", "7", "8"))
    assert message(path, strict=True) == (
        f"00001 in {path}: received an unreadable picture (empty); allowed: a whole "
        "PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS picture. Mend or remove it, or leave out --strict to "
        "skip it."
    )


@pytest.mark.parametrize("labels", [[-1, -1], [None, -1]])
def test_a_split_without_any_known_label_has_none(tmp_path: Path, labels: Any) -> None:
    features = {"label": {"_type": "ClassLabel", "names": ["a", "b"]}}
    columns = {"image": structs(0, 1), "label": pa.array(labels, pa.int64())}
    images = load(write(tmp_path / "x.parquet", columns, features))
    assert (images.labels, images.classes) == (None, ())


@pytest.mark.parametrize("unknown", [-1, None])
def test_labels_that_are_not_known_are_minus_one(tmp_path: Path, unknown: Any) -> None:
    features = {"label": {"_type": "ClassLabel", "names": ["a", "b"]}}
    labels = pa.array([1, unknown, 0], pa.int64())
    columns = {"image": structs(0, 1, 2), "label": labels}
    path = write(tmp_path / "x.parquet", columns, features)
    images = load(path)
    assert images.labels is not None
    assert images.labels.dtype == np.int64
    assert (images.labels.tolist(), images.classes) == ([1, -1, 0], ("a", "b"))
    assert survey(path).classes == {"a": 1, "b": 1}


def test_without_class_names_only_what_is_missing_is_unknown(tmp_path: Path) -> None:
    columns = {"image": structs(0, 1, 2), "label": pa.array([7, None, -1], pa.int64())}
    images = load(write(tmp_path / "x.parquet", columns))
    assert images.labels is not None
    assert (images.labels.tolist(), images.classes) == ([1, -1, 0], ("-1", "7"))


def test_labels_beyond_their_names_are_refused(tmp_path: Path) -> None:
    features = {"label": {"_type": "ClassLabel", "names": ["a", "b"]}}
    columns = {"image": structs(0, 1), "label": [0, 2]}
    path = write(tmp_path / "x.parquet", columns, features)
    assert message(path) == (
        f"{path}: received labels that are not the indices of its 2 class names; "
        "allowed: whole numbers from 0 to 1. Make the file again, for example with "
        "Hugging Face's datasets."
    )


def test_files_without_pictures_say_which_columns_they_have(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"x": [1.5], "image": ["a.png"]})
    assert message(path) == (
        f"{path}: received columns x (double), image (string); allowed: a column of "
        "encoded pictures, as bytes or as structs with bytes. Write it with Hugging "
        "Face's datasets, as a column of type Image."
    )


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "x.parquet", {"image": structs(0)})
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert message(path) == (
        f"{path}: received a Parquet file, and the package pyarrow is not installed; "
        "allowed: Parquet once the extra of this name is installed. "
        'Run: pip install "caes[parquet]"'
    )
