"""A detector of one digit, trained once."""

import pytest

import caes
from caes import AnomalyDetector, ImageSet


@pytest.fixture(scope="session")
def threes() -> ImageSet:
    """Digits 3, to learn from."""
    digits = caes.load("digits")
    assert digits.labels is not None
    return digits[digits.labels == 3]


@pytest.fixture(scope="session")
def detector(threes: ImageSet) -> AnomalyDetector:
    """One that knows threes, with little training."""
    names = ("codes of pictures by neighbours", "reconstruction by pixels")
    return AnomalyDetector(names, false_alarms=0.1, steps=100, random_state=0).fit(
        threes
    )
