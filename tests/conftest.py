"""What every test starts from: no network, own cache, few threads, no leftovers."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's cache out of the tests, and share one between them."""
    patch = pytest.MonkeyPatch()
    patch.setenv("CAES_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
    patch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
