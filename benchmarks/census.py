"""The census: files surveyed a second, and what it costs a fit from memory.

Exits with 1 when a claim is missed. Everything is written below a folder that is
deleted at the end: about 500 MB of room are needed for the whole.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import tyro
from PIL import Image

from caes import load
from sheet import RESULTS, Sheet, pictures

SURVEY = """
import json, sys, time
from caes.data import survey
begun, spent = time.perf_counter(), time.process_time()
found = survey(sys.argv[1])
found.repeats
took, spent = time.perf_counter() - begun, time.process_time() - spent
print(json.dumps([found.pictures, found.repeats.pictures, took, spent]))
"""
IN_MEMORY = """
import json, sys, time
import numpy as np
from caes import ImageSet, load
from caes.data import survey_of_sets
images = load(sys.argv[1])
pixels = np.resize(images.pixels, (60_000, *images.shape[1:]))
images = ImageSet.from_pixels(pixels)
begun = time.perf_counter()
survey_of_sets(images).repeats
print(json.dumps(time.perf_counter() - begun))
"""


def main(
    files: int = 100_000,
    rounds: int = 3,
    work: Path | None = None,
    out: Path = RESULTS,
) -> int:
    """Measure, print, write, judge.

    Args:
        files: PNG files to survey.
        rounds: Surveys of them.
        work: Folder to write below; without it that of temporary files.
        out: Folder of the result.
    """
    data = pictures(None)
    sheet = Sheet("The census", data)
    with tempfile.TemporaryDirectory(prefix="caes-census-", dir=work) as folder:
        _files(_digits(Path(folder), files), files, sheet, rounds)
    _in_memory(data, sheet, rounds)
    return sheet.finish(out)


def _files(folder: Path, count: int, sheet: Sheet, rounds: int) -> None:
    sheet.say("", f"## {count:,} PNG files of 28×28")
    rows, speeds = [], []
    for number in range(1, rounds + 1):
        found, repeated, took, spent = json.loads(_asked(SURVEY, str(folder)))
        if (found, repeated) != (count, 0):
            raise SystemExit(f"{found:,} pictures found, {repeated:,} of them twice")
        speeds.append(found / took)
        cells = (took, found / took, 1e3 * spent / found)
        forms = ("{:.1f}", "{:,.0f}", "{:.3f}")
        row = [form.format(cell) for form, cell in zip(forms, cells, strict=True)]
        rows.append([f"survey {number}", *row])
    sheet.table(["", "s", "files/s", "processor ms a file"], rows)
    speed = median(speeds)
    said = f"surveyed: {speed:,.0f} files/s, must be at least 2,000"
    sheet.judge(said, speed >= 2000)


def _in_memory(data: str, sheet: Sheet, rounds: int) -> None:
    sheet.say("", "## 60,000 digits in memory")
    took = [json.loads(_asked(IN_MEMORY, data)) for _ in range(rounds)]
    head = ["s", *(f"survey {number}" for number in range(1, rounds + 1))]
    sheet.table(head, [["at the start of a fit", *(f"{each:.2f}" for each in took)]])
    sheet.at_most("median", median(took), 1, "{:.2f} s")


def _asked(code: str, argument: str) -> str:
    program = [sys.executable, "-c", code, argument]
    run = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout


def _digits(folder: Path, count: int) -> Path:
    """Write digits as PNG files, no two the same, in ten folders by class."""
    images = load(pictures(None))
    labels = images.labels if images.labels is not None else np.zeros(len(images), int)
    for row in range(count):
        turn, of = divmod(row, len(images))
        # The next round of the same digits is told from the first by a corner.
        grey = images.pixels[of, ..., 0].copy()
        grey[0, 0] = turn
        path = folder / str(labels[of]) / f"{row:06d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(grey).save(path)
    return folder


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
