"""The README is executed: what it shows is what a user gets."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caes.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
LINES = [line.partition("#")[0].strip() for _, b in BLOCKS for line in b.splitlines()]
# The digits that come with a package stand in for MNIST: the same pictures, fewer.
SHORTER = [
    (r"\bmnist\b", "digits"),
    (r"\b60000\b", "4000"),
    (r"caes fit digits --code 32$", "caes fit digits --code 32 --minutes 0.01"),
    (r"--resize crop$", "--resize crop --minutes 0.01"),
    (r"--epochs 20", "--epochs 1"),
    (r"epochs=\d+", "epochs=1"),
    (r"--schedule greedy", "--schedule greedy --epochs 1"),
    (r"--labels 30,100,300 --seeds 3", "--labels 30,50 --seeds 1 --epochs 2"),
    (r"(caes anomalies fit .*)", r"\1 --steps 5"),
    (r"(caes classify .* --suggest .*)", r"\1 --minutes 0.02"),
    (r"(caes classify (?!.*--suggest).*)", r"\1 --epochs 2"),
]


def _for_here(text: str) -> str:
    """Shorten the training, and put the stand-in in place."""
    for old, new in SHORTER:
        text = re.sub(old, new, text)
    return text


def _photos(folder: Path) -> None:
    draw = np.random.default_rng(0)
    for number in range(20):
        path = folder / ("in" if number % 2 else "out") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (64 + number, 96, 3), np.uint8)
        Image.fromarray(pixels).save(path)


def test_every_command_of_the_readme_runs_in_its_order(
    in_empty_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _photos(Path("photos"))
    commands = [line for line in LINES if re.match(r"caes \w", line)]
    assert len(commands) >= 13
    # The last one takes minutes: CI runs it by itself.
    for line in (line for line in commands if "reproduce" not in line):
        words = shlex.split(_for_here(line))[1:]
        assert main(words) == 0, line
    said = capfd.readouterr()
    assert "Traceback" not in said.err
    runs = (
        "digits-1",
        _for_here("mnist"),
        "photos-1",
        "digits-60",
        "stack",
        "digits-100",
    )
    for path in (*runs, "digits-curve-1"):
        assert Path("runs", path, "report.html").is_file()
    assert Path("out/errors.csv").is_file()


def test_the_readme_s_python_gives_what_its_comments_say(in_empty_folder: Path) -> None:
    code = "".join(block for language, block in BLOCKS if language == "python")
    names: dict[str, object] = {}
    exec(compile(_for_here(code), "README.md", "exec"), names)
    commented = re.findall(r"^(\w+) = .*?# \(([\d, ]+)\) (\w+)", _for_here(code), re.M)
    assert len(commented) == 2
    for name, shape, dtype in commented:
        array = names[name]
        assert isinstance(array, np.ndarray)
        assert array.shape == tuple(map(int, shape.split(",")))
        assert array.dtype == dtype


def test_its_first_lines_are_the_two_make_commands_and_what_they_run() -> None:
    assert [line for line in LINES if line][:2] == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text()
    for target, extra, command in (
        ("demo", "digits", "caes fit digits --out runs/demo --force"),
        ("test", "test", "scripts/test"),
    ):
        plain = f'pip install -c constraints.txt -e ".[{extra}]" && {command}'
        assert plain in LINES
        recipe = makefile[makefile.index(f"\n{target}:") :]
        assert command in recipe.splitlines()[2]
        assert f'--editable ".[{extra}]"' in makefile
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()


def test_every_command_is_in_the_readme_and_every_module_in_the_map() -> None:
    for name in COMMANDS:
        assert f"caes {name} " in README
    house = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path in (ROOT / "src" / "caes").iterdir():
        if path.suffix == ".py" and path.stem != "__init__":
            assert f"`{path.name}`" in house
        elif path.is_dir() and path.name != "__pycache__":
            assert f"`{path.name}/`" in house
