"""The pages of a file, as pictures and as channels, from the command line."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from caes.cli import main


@pytest.fixture
def stacks(in_empty_folder: Path) -> str:
    random = np.random.default_rng(0)
    Path("stacks").mkdir()
    for number in range(6):
        pixels = random.integers(0, 65536, (3, 8, 8), np.uint16)
        path = Path(f"stacks/{number}.tif")
        tifffile.imwrite(path, pixels, photometric="minisblack")
    return "stacks"


def test_info_counts_pages_as_it_is_told(
    stacks: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", stacks]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "pictures 18" in said
    assert "channels 1" in said
    assert main(["info", stacks, "--pages", "channels"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "pictures 6" in said
    assert "channels 3" in said
    assert "types uint16" in said


def test_a_run_learns_from_pages_and_reconstructs_each(
    stacks: str, capfd: pytest.CaptureFixture[str]
) -> None:
    fit = ["fit", stacks, "--epochs", "1", "--arch", "2C3-MP2", "--seed", "0"]
    assert main([*fit, "--out", "pages"]) == 0
    assert "18 pictures" not in capfd.readouterr().err  # a tenth is kept apart
    assert main(["reconstruct", "pages", stacks, "--out", "out"]) == 0
    names = [line.split(",")[0] for line in Path("out/errors.csv").read_text().split()]
    assert len(names) == 1 + 18
    assert "0.tif#3" in names
    assert main([*fit, "--pages", "channels", "--out", "channels"]) == 0
    together = ["reconstruct", "channels", stacks, "--pages", "channels"]
    assert main([*together, "--out", "out2"]) == 0
    assert len(Path("out2/errors.csv").read_text().split()) == 1 + 6


def test_other_pages_are_refused(
    stacks: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["info", stacks, "--pages", "rows"])
    assert "--pages" in capfd.readouterr().err


def test_a_report_on_other_pictures_takes_pages_as_the_run_did(
    stacks: str, capfd: pytest.CaptureFixture[str]
) -> None:
    fit = ["fit", stacks, "--epochs", "1", "--arch", "2C3-MP2", "--pages", "channels"]
    assert main([*fit, "--out", "run"]) == 0
    capfd.readouterr()
    assert main(["report", "run", "--source", stacks]) == 0
    assert "pictures 8×8×3 uint16" in capfd.readouterr().err
