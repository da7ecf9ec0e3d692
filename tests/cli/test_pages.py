"""The pages of a file, as pictures and as channels, from the command line."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.cli.conftest import Notes, Run, table

FIT = ["--epochs", "1", "--arch", "2C3-MP2", "--seed", "0"]


@pytest.fixture
def stacks(in_empty_folder: Path) -> str:
    random = np.random.default_rng(0)
    Path("stacks").mkdir()
    for number in range(6):
        pixels = random.integers(0, 65536, (3, 8, 8), np.uint16)
        path = Path(f"stacks/{number}.tif")
        tifffile.imwrite(path, pixels, photometric="minisblack")
    return "stacks"


@pytest.mark.parametrize(
    ("pages", "found"),
    [
        ([], ["pictures 18", "channels 1"]),
        (["--pages", "channels"], ["pictures 6", "channels 3", "types uint16"]),
    ],
    ids=["pictures", "channels"],
)
def test_info_counts_pages_as_it_is_told(
    stacks: str, says: Run, pages: list[str], found: list[str]
) -> None:
    said = " ".join(says("info", stacks, *pages).split())
    assert all(each in said for each in found)


def test_a_run_learns_from_pages_and_reconstructs_each(
    stacks: str, says: Run, notes: Notes
) -> None:
    says("fit", stacks, *FIT, "--out", "pages", "--quiet")
    says("reconstruct", "pages", stacks, "--out", "out")
    assert len(table("out/errors.csv")) == 18
    assert "0.tif#3" in {row["name"] for row in table("out/errors.csv")}
    together = ["--pages", "channels"]
    says("fit", stacks, *FIT, *together, "--out", "channels", "--quiet")
    says("reconstruct", "channels", stacks, *together, "--out", "out2")
    assert len(table("out2/errors.csv")) == 6
    said = notes("report", "channels", "--source", stacks)  # as the run did
    assert "pictures 8×8×3 uint16" in "".join(said)
