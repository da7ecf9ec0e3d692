"""Prepared sets: speed of a fit beside memory, the second start, resident memory.

Exits with 1 when a claim is missed. Everything is written below a folder that is
deleted at the end: about 12 GB of room are needed for the whole.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
import tyro
from PIL import Image, ImageFilter

from caes import load
from interleaved import race, ratios, tabulate
from sheet import FOLDER, RESULTS, Sheet, pictures
from workers import Entry

PART = Literal["speed", "start", "memory"]
ALL: tuple[PART, ...] = ("speed", "start", "memory")
MB = 1e6
SIDE = 512
DISTINCT = 100
"""Pictures of the large set that differ; the others are links to them."""
START = "import sys, caes; print(len(caes.load(sys.argv[1], prepare=True)))"


def main(
    parts: tuple[PART, ...] = ALL,
    fitted: int = 60_000,
    started: int = 100_000,
    gigabytes: float = 8.0,
    rounds: int = 5,
    seconds: float = 5.0,
    work: Path | None = None,
    out: Path = RESULTS,
) -> int:
    """Measure, print, write, judge.

    Args:
        parts: What to measure.
        fitted: PNG files of the fit.
        started: PNG files of the second start.
        gigabytes: Size of the large set.
        rounds: Turns of each fit, and starts.
        seconds: How long a turn of a fit shall take.
        work: Folder to write below; without it that of temporary files.
        out: Folder of the result.
    """
    sheet = Sheet("Prepared sets: decoded once", pictures(None))
    folder = Path(tempfile.mkdtemp(prefix="caes-prepared-", dir=work))
    os.environ["CAES_CACHE"] = str(folder / "cache")
    try:
        if "speed" in parts:
            _speed(_digits(folder / "fitted", fitted), sheet, rounds, seconds)
        if "start" in parts:
            _start(_digits(folder / "started", started), sheet, rounds)
        if "memory" in parts:
            _memory(folder, sheet, gigabytes)
    finally:
        shutil.rmtree(folder)
    return sheet.finish(out)


def _speed(folder: Path, sheet: Sheet, rounds: int, seconds: float) -> None:
    """Fits in turns: from the prepared folder, and from an array in memory."""
    sheet.say("", f"## A fit from {_count(folder):,} PNG files", "")
    start = time.perf_counter()
    load(folder, prepare=True)
    sheet.say(f"- prepared in {time.perf_counter() - start:.1f} s")
    entries = [
        Entry("prepared folder", "caes-as-loaded", 64),
        Entry("array in memory", "caes-decoded", 64),
    ]
    speeds = race(entries, "train", str(folder), sheet, rounds=rounds, seconds=seconds)
    ours, other = (entry.name for entry in entries)
    tabulate(speeds, ours, sheet)
    share = median(ratios(speeds, ours, other))
    sheet.at_least("speed from the prepared folder, of that from memory", share, 0.9)


def _start(folder: Path, sheet: Sheet, rounds: int) -> None:
    """Whole processes that open the folder, from the second one on."""
    sheet.say("", f"## The second start on {_count(folder):,} PNG files")
    took = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", START, str(folder)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        took.append(time.perf_counter() - begun)
    head = ["s", "first", *(f"start {n}" for n in range(2, rounds + 2))]
    sheet.table(head, [["whole process", *(f"{each:.2f}" for each in took)]])
    sheet.at_most("second start, median", median(took[1:]), 2, "{:.2f} s")


def _memory(folder: Path, sheet: Sheet, gigabytes: float) -> None:
    """One fit of each size in a process of its own; the highest moments compared."""
    large = max(2 * DISTINCT, round(gigabytes * 1e9 / (3 * SIDE**2)))
    drawn = folder / "drawn"
    sets = {}
    for name, count in (("small", DISTINCT), ("large", large)):
        files = _linked(folder / name, _photos(drawn), count)
        sets[name] = _stages(files)
    sheet.say(
        "",
        f"## Resident memory during a fit, pictures of {SIDE}×{SIDE}×3",
        "",
        "Highest is the most that the process ever occupied, pages of the mapped file "
        "included; RssAnon, after the fit, counts none of them.",
    )
    rows = [
        [
            f"{name}: {each['pictures']:,} pictures, {each['bytes'] / MB:,.0f} MB",
            *(f"{each[key] / MB:,.0f}" for key in ("highest", "anonymous", "file")),
        ]
        for name, each in sets.items()
    ]
    sheet.table(["MB", "highest", "RssAnon", "RssFile"], rows)
    for key, said in (("highest", "highest"), ("anonymous", "RssAnon")):
        more = (sets["large"][key] - sets["small"][key]) / MB
        sheet.at_most(f"{said}, large above small", more, 500, "{:.0f} MB")


def _stages(folder: Path) -> dict[str, Any]:
    program = [sys.executable, str(FOLDER / "prepared_stages.py"), str(folder)]
    prepare = [sys.executable, "-c", START, str(folder)]
    subprocess.run(prepare, stdout=subprocess.DEVNULL, check=True)
    run = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def _digits(folder: Path, count: int) -> Path:
    """Write digits as PNG files, in ten folders by class; repeated ones are links."""
    images = load(pictures(None))
    labels = images.labels if images.labels is not None else np.zeros(len(images), int)
    paths: list[Path] = []
    for row in range(min(count, len(images))):
        path = folder / str(labels[row]) / f"{row:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images.pixels[row, ..., 0]).save(path)
        paths.append(path)
    _repeat(paths, count, lambda row, path: path.with_name(f"{row:06d}.png"))
    return folder


def _photos(folder: Path) -> list[Path]:
    """Write JPEG pictures that are as hard to decode as photographs."""
    draw = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for row in range(DISTINCT):
        path = folder / f"{row:06d}.jpg"
        if not path.exists():
            noise = draw.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            blurred = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2))
            blurred.save(path, quality=90)
    return sorted(folder.glob("*.jpg"))


def _linked(folder: Path, paths: Sequence[Path], count: int) -> Path:
    folder.mkdir()
    for row in range(count):
        os.link(paths[row % len(paths)], folder / f"{row:06d}.jpg")
    return folder


def _repeat(
    paths: Sequence[Path], count: int, name: Callable[[int, Path], Path]
) -> None:
    for row in range(len(paths), count):
        path = paths[row % len(paths)]
        os.link(path, name(row, path))


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*.png"))


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
