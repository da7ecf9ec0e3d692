from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caes.data import load, split_names
from tests.refusals import FORMATS, refused

PICTURES = np.zeros((2, 4, 5), np.uint8)


NO_PATH = (
    "received a path that does not exist; allowed: a path that exists, or one of digits, "
    "mnist, cifar10."
)
ALLOWED = (
    "allowed: digits, mnist, cifar10, a path, an array, a tensor or a list of arrays. Try "
    "the path of a folder of pictures."
)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("digts", f"digts: {NO_PATH} Did you mean digits?"),
        ("photos/2025", f"photos/2025: {NO_PATH} Did you mean photos/2024?"),
        ("../nothing/like/it", f"../nothing/like/it: {NO_PATH} Check the spelling."),
        ("a\0b", f"a\\x00b: {NO_PATH} Check the spelling."),
        ("x" * 5000, f"{'x' * 5000}: {NO_PATH} Check the spelling."),
        (
            "table.csv",
            "table.csv: received a file of another kind; allowed: a folder of pictures, or "
            f"a {FORMATS}, .npy, .npz, IDX or Parquet file. Check the name's ending.",
        ),
        ("", f"source: received ''; {ALLOWED}"),
        (7, f"source: received an object of type int; {ALLOWED}"),
    ],
    ids=["name", "near", "far", "zero", "long", "table", "empty", "number"],
)
def test_what_cannot_be_opened_gets_the_nearest_suggestion(
    source: Any, sentence: str, in_empty_folder: Path
) -> None:
    Path("photos/2024").mkdir(parents=True)
    Path("table.csv").touch()
    assert refused(load, source) == refused(split_names, source) == sentence


def test_a_path_may_be_text_a_path_or_begin_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "x.npy", PICTURES)
    for source in (str(tmp_path / "x.npy"), tmp_path / "x.npy", "~/x.npy"):
        images = load(source)
        assert (len(images), images.source) == (2, str(tmp_path / "x.npy"))


def test_a_folder_named_as_a_source_is_opened_by_its_path(
    in_empty_folder: Path,
) -> None:
    Path("mnist").mkdir()
    for source in ("./mnist", Path("mnist")):
        assert refused(load, source).startswith("mnist: received an empty folder")


def test_pictures_that_memory_cannot_hold_are_refused() -> None:
    many = np.broadcast_to(np.zeros((1, 1, 1)), (10**5, 1, 1))
    assert refused(load, many, size=(60_000, 60_000)) == (
        "array: received more pictures than memory holds (100000×60000×60000×1); "
        "allowed: pictures that fit in memory together. Read a part, such as "
        "train[:1000], or give a smaller size."
    )


def test_the_split_that_was_read_is_told() -> None:
    assert load(PICTURES).split == "train"
    assert load(PICTURES, "train[50%:]").split == "train[50%:]"
