"""What all tasks are tried on."""

import pytest

from caes import CAE, ImageSet
from tests import stripes


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """Threads that wait for one another are slow where the machine is busy."""


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return stripes.images(30)


@pytest.fixture(scope="module")
def test_images() -> ImageSet:
    return stripes.images(12, seed=1000, split="test")


@pytest.fixture(scope="module")
def stack(images: ImageSet) -> CAE:
    return stripes.stack(images)
