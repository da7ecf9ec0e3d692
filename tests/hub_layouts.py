"""Data sets in the layouts of Hugging Face's datasets, written by that library.

It is imported inside, after the tests have set its cache and forbidden it the network.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.written import by_pillow, structs, tar

GREY = np.random.default_rng(8).integers(0, 256, (10, 6, 9), np.uint8)
LABELS = [1, 0, 1, 2, 0, 1, 2, 2, 0, 1]
CLASSES = ("ant", "bee", "cat")
TEST_ROWS = 3

CONFIGS = """---
configs:
- config_name: one
  data_files: [{split: train, path: one/train-*}]
- config_name: two
  data_files: [{split: train, path: two/train-*}]
---
"""


def dataset(pictures: Sequence[Any], labels: Sequence[Any] = ()) -> Any:
    """Rows of given structs or bytes, as an image column; and labels with names."""
    import datasets

    rows: dict[str, Any] = {"image": structs(pictures)}
    kinds: dict[str, Any] = {"image": datasets.Image()}
    if labels:
        rows["label"] = [*labels]
        kinds["label"] = datasets.ClassLabel(names=[*CLASSES])
    return datasets.Dataset.from_dict(rows, datasets.Features(kinds))


def example() -> Any:
    return dataset([by_pillow(each) for each in GREY], LABELS)


def saved(folder: Path, rows: Any = None) -> Path:
    (rows or example()).save_to_disk(folder / "saved")
    return folder / "saved"


def saved_splits(folder: Path) -> Path:
    import datasets

    rows = example()
    both = datasets.DatasetDict(test=rows.select(range(TEST_ROWS)), train=rows)
    both.save_to_disk(folder / "splits")
    return folder / "splits"


def arrow_file(folder: Path) -> Path:
    (one,) = saved(folder).glob("*.arrow")
    return Path(shutil.copy(one, folder / "rows.arrow"))


def other_arrow_file(folder: Path) -> Path:
    """Arrow's other format, in which the library does not write."""
    import pyarrow as pa

    (one,) = saved(folder).glob("*.arrow")
    table = pa.ipc.open_stream(one).read_all()
    with pa.ipc.new_file(folder / "other.arrow", table.schema) as writer:
        writer.write_table(table)
    return folder / "other.arrow"


def shards(folder: Path) -> Path:
    rows, path = example(), folder / "shards" / "data"
    path.mkdir(parents=True)
    rows.select(range(6)).to_parquet(path / "train-00000-of-00002.parquet")
    rows.select(range(6, 10)).to_parquet(path / "train-00001-of-00002.parquet")
    rows.select(range(TEST_ROWS)).to_parquet(path / "test-00000-of-00001.parquet")
    return folder / "shards"


def configurations(folder: Path) -> Path:
    path = folder / "configs"
    for number, name in enumerate(("one", "two")):
        (path / name).mkdir(parents=True)
        rows = example().select(range(number, 10))
        rows.to_parquet(path / name / "train-00000-of-00001.parquet")
    (path / "README.md").write_text(CONFIGS)
    return path


def image_folder(folder: Path) -> Path:
    path = folder / "pictures" / "train"
    path.mkdir(parents=True)
    lines = []
    for row, (pixels, label) in enumerate(zip(GREY, LABELS, strict=True)):
        (path / f"{row}.png").write_bytes(by_pillow(pixels))
        lines.append(json.dumps({"file_name": f"{row}.png", "label": CLASSES[label]}))
    (path / "metadata.jsonl").write_text("\n".join(lines))
    return folder / "pictures"


def web_tar(folder: Path) -> Path:
    members = {}
    for row, (pixels, label) in enumerate(zip(GREY, LABELS, strict=True)):
        members[f"{row:03d}.png"] = by_pillow(pixels)
        members[f"{row:03d}.cls"] = b"%d" % label
    (folder / "web").mkdir()
    (folder / "web" / "train-000.tar").write_bytes(tar(members))
    return folder / "web"
