"""What every test starts from: no network, own cache, few threads, no leftovers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers beside each other have one thread each. NumPy and torch read it when they
    # are imported, which the other folders' conftest.py do right after this one.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's cache out of the tests, and share one between them."""
    patch = pytest.MonkeyPatch()
    patch.setenv("CAES_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
    patch.setenv("HF_HUB_OFFLINE", "1")


@contextmanager
def _threads(number: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Share no batch."""
    with _threads(1):
        yield


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Share batches between two threads, however many there are."""
    with _threads(2):
        yield


@pytest.fixture
def three_threads() -> Iterator[None]:
    """Share batches between three threads, whatever this machine has."""
    with _threads(3):
        yield


@pytest.fixture
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
