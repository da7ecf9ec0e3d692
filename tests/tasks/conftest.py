"""What all tasks are tried on."""

from collections.abc import Iterator

import pytest
import torch

from caes import CAE, ImageSet
from tests import stripes


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another are slow where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return stripes.images(30)


@pytest.fixture(scope="module")
def test_images() -> ImageSet:
    return stripes.images(12, seed=1000, split="test")


@pytest.fixture(scope="module")
def stack(images: ImageSet) -> CAE:
    return stripes.stack(images)
