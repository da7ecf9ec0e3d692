"""caes probe: a line for each simple classifier."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("one_thread", "here")


def test_probe_prints_each_probe_on_codes_and_on_pixels(here: Path, says: Run) -> None:
    words = ["--labels", "6", "--quiet"]
    first, *lines = says("probe", "photos", "--from", "stack", *words).splitlines()
    assert first == "6 labels; error on 6 pictures:"
    names = ("logistic regression", "linear SVM", "5 nearest neighbours")
    for line, (features, name) in zip(
        lines,
        [(features, name) for features in ("codes", "pixels") for name in names],
        strict=True,
    ):
        assert re.fullmatch(rf" *{name} on {features} +\d+\.\d\d % +\d+\.\d s", line)
