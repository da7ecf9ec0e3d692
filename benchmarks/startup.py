"""How soon ``caes --help`` answers, and that nothing heavy is imported on the way.

Exits with 1 when it takes too long, or when torch is imported.
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import tyro

from sheet import RESULTS, Sheet

HEAVY = ["torch", "lightning_fabric", "sklearn", "matplotlib", "scipy", "pyarrow"]
HELP = """
from caes.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
"""
IMPORT = "import caes"
LOADED = f"""
import sys
print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
"""


def main(rounds: int = 7, out: Path = RESULTS) -> int:
    """Measure, print, write, judge.

    Args:
        rounds: Starts of each command.
        out: Folder of the result.
    """
    sheet = Sheet("Start-up")
    commands = {
        "caes --help": _console_script(),
        "python -c 'import caes'": [sys.executable, "-c", IMPORT],
        "python -c ''": [sys.executable, "-c", ""],
    }
    for command in commands.values():  # from disk into the system's cache
        _seconds(command)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(_seconds(command))
    sheet.table(
        ["seconds", "median", *(f"round {n}" for n in range(1, rounds + 1))],
        [
            [name, *(f"{v:.3f}" for v in (median(values), *values))]
            for name, values in times.items()
        ],
    )
    sheet.at_most("caes --help", median(times["caes --help"]), 0.5, "{:.2f} s")
    for name, code in (("caes --help", HELP), ("import caes", IMPORT)):
        loaded = _loaded(code)
        said = ", ".join(loaded) or f"none of {', '.join(HEAVY)}"
        sheet.judge(f"{name} imports no torch; imported: {said}", "torch" not in loaded)
    return sheet.finish(out)


def _console_script() -> list[str]:
    """Give the installed command, or its equal where caes is only on the path."""
    script = Path(sys.executable).with_name("caes")
    return [str(script), "--help"] if script.exists() else [sys.executable, "-c", HELP]


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def _loaded(code: str) -> list[str]:
    """Name the heavy packages that a fresh process has imported after some code."""
    command = [sys.executable, "-c", code + LOADED]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return run.stderr.splitlines()[-1].split()


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
