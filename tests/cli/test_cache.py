"""caes cache: what is listed, and what is deleted."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caes.data import load
from caes.data.cache.sets import prepared_sets
from tests.cli.conftest import Run


@pytest.fixture
def cache(in_empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAES_CACHE", str(in_empty_folder / "cache"))
    return in_empty_folder / "cache"


@pytest.fixture
def two_sets(cache: Path) -> None:
    """Photos of two folders, those of the first not used for ten days."""
    draw = np.random.default_rng(0)
    for name, count in (("old", 3), ("new", 5)):
        Path(name).mkdir()
        for number in range(count):
            pixels = draw.integers(0, 256, (64, 64), np.uint8)
            Image.fromarray(pixels).save(Path(name) / f"{number}.png")
        load(name, prepare=True)
        if name == "old":
            for file in prepared_sets()[0].folder.iterdir():
                then = file.stat().st_mtime - 10 * 86_400
                os.utime(file, (then, then))


def _sources() -> list[str]:
    return [Path(each.source).name for each in prepared_sets()]


def test_an_empty_cache_is_said_to_be_empty(cache: Path, says: Run) -> None:
    assert says("cache") == f"0 prepared sets, 0 B, in {cache}/prepared\n"


@pytest.mark.usefixtures("two_sets")
def test_sets_are_listed_with_source_pictures_size_and_age(
    monkeypatch: pytest.MonkeyPatch, cache: Path, says: Run
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (cache / "digits-1.npz").write_bytes(bytes(10))
    lines = says("cache").splitlines()
    rows = [line.strip("│ ").split("│") for line in lines if line.startswith("│")]
    told = [[cell.strip() for cell in row] for row in rows]
    assert [row[0] for row in told] == [str(cache.parent / n) for n in ("new", "old")]
    assert [row[1:3] for row in told] == [
        ["5", "64×64×1 uint8"],
        ["3", "64×64×1 uint8"],
    ]
    assert told[1][4] == "10 d ago"
    sizes = [float(row[3].removesuffix(" KB")) for row in told]
    assert sizes[0] > sizes[1] > 3 * 64 * 64 / 1000
    assert lines[-1].startswith("2 prepared sets, ")


@pytest.mark.usefixtures("two_sets")
def test_sets_that_are_old_or_beyond_a_size_are_deleted(says: Run) -> None:
    for words in ("--older-than 11d", "--keep 1GB"):
        says("cache", *words.split())
        assert _sources() == ["new", "old"]
    assert says("cache", "--older-than", "9d").startswith("deleted 1, ")
    assert _sources() == ["new"]


@pytest.mark.usefixtures("two_sets")
def test_those_unused_longest_are_deleted_first(says: Run) -> None:
    says("cache", "--keep", "30KB")
    assert _sources() == ["new"]


@pytest.mark.usefixtures("two_sets")
def test_clearing_deletes_all_prepared_sets_and_nothing_else(
    cache: Path, says: Run
) -> None:
    (cache / "digits-1.npz").write_bytes(bytes(10))
    says("cache", "--clear")
    assert _sources() == []
    assert sorted(path.name for path in cache.iterdir()) == ["digits-1.npz", "prepared"]
    assert [path for path in (cache / "prepared").iterdir() if path.is_dir()] == []
