"""`caes encode` beside `transform`: speed, and memory of a million pictures.

Exits with 1 when a claim is missed. Codes alone are to be written at 80 % of the speed
of `CAE.transform` of the same pictures, and with their errors, which need the decoder
too, at 80 % of that of `CAE.reconstruct`. What is written lies below a folder that is
deleted at the end; the million pictures take 1 GB there.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

from caes import CAE, ImageSet, load
from caes.tasks.encode import Pool, coded, encode, opening_for
from sheet import RESULTS, Sheet, Source, pictures

PART = Literal["speed", "memory"]
NETWORKS: dict[str, dict[str, Any]] = {
    "default": {"steps": 300},
    "16C3-MP2-8C3-MP2": {"arch": "16C3-MP2-8C3-MP2", "steps": 300},
}
MB = 1e6
SIDE = 32
GROWTH = 30
"""MB by which resident memory may grow over the last nine tenths of the pictures."""


def main(
    parts: tuple[PART, ...] = ("speed", "memory"),
    networks: tuple[str, ...] = tuple(NETWORKS),
    count: int = 30_000,
    files: int = 10_000,
    many: int = 1_000_000,
    rounds: int = 5,
    source: Source | None = None,
    out: Path = RESULTS,
) -> int:
    """Measure, print, write, judge.

    Args:
        parts: What to measure.
        networks: Of which the speed is measured.
        count: Pictures of the array.
        files: Pictures of the prepared set.
        many: Pictures of 32×32 whose codes are written in bounded memory.
        rounds: Turns of each contender.
        source: The pictures; MNIST where it is on disk, without it digits.
        out: Folder of the result.
    """
    chosen = pictures(source)
    sheet = Sheet("A table of codes: speed beside transform, and memory", chosen)
    with tempfile.TemporaryDirectory(prefix="caes-codes-") as folder:
        if "speed" in parts:
            _speed(sheet, Path(folder), chosen, networks, count, files, rounds)
        if "memory" in parts:
            _memory(sheet, Path(folder), many)
    return sheet.finish(out)


def _speed(
    sheet: Sheet,
    folder: Path,
    chosen: Source,
    networks: tuple[str, ...],
    count: int,
    files: int,
    rounds: int,
) -> None:
    known = load(chosen, "train")
    pixels = np.resize(np.asarray(known.pixels), (count, *known.shape[1:]))
    sets = {"array": load(pixels), "prepared set": _prepared(folder, pixels[:files])}
    for name in networks:
        cae = CAE(**NETWORKS[name], random_state=0).fit(known[:20_000])
        for kind, images in sets.items():
            _race(sheet, folder, cae, f"{name}, {kind}", images, rounds)


def _prepared(folder: Path, pixels: NDArray[np.uint8]) -> ImageSet:
    place = folder / "pictures"
    place.mkdir()
    for number, picture in enumerate(pixels):
        Image.fromarray(picture[..., 0]).save(place / f"{number:05d}.png")
    return load(place, prepare=True)


def _race(
    sheet: Sheet, folder: Path, cae: CAE, what: str, images: ImageSet, rounds: int
) -> None:
    opening = opening_for(cae, "array", Pool())

    def table(errors: bool) -> None:
        rows = coded(cae, [images], Pool(), errors=errors)
        encode(cae, folder, opening, rows, folder / "codes.parquet", pool=Pool())

    contenders: dict[str, Callable[[], object]] = {
        "transform": lambda: cae.transform(images),
        "table of codes": lambda: table(False),
        "reconstruct": lambda: cae.reconstruct(images),
        "table of codes and errors": lambda: table(True),
    }
    for run in contenders.values():
        run()  # warm
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        for name in [*contenders][:: 1 if turn % 2 else -1]:
            began = time.perf_counter()
            contenders[name]()
            speeds[name].append(len(images) / (time.perf_counter() - began))
    sheet.say("", f"## {what}: {len(images):,} pictures")
    head = ["images/s", "median", "slowest", "fastest"]
    rows = [
        [name, *(f"{value:,.0f}" for value in (median(each), min(each), max(each)))]
        for name, each in speeds.items()
    ]
    sheet.table(head, rows)
    pairs = {"table of codes": "transform", "table of codes and errors": "reconstruct"}
    for name, other in pairs.items():
        each = zip(speeds[name], speeds[other], strict=True)
        ratio = median(own / its for own, its in each)
        sheet.at_least(f"{name} beside {other}", ratio, must=0.8)
    each = zip(speeds["table of codes and errors"], speeds["transform"], strict=True)
    ratio = median(own / its for own, its in each)
    sheet.say(f"- table of codes and errors beside transform: {ratio:.2f}×, not judged")


def _memory(sheet: Sheet, folder: Path, many: int) -> None:
    draw = np.random.default_rng(0)
    few = draw.integers(0, 256, (1000, SIDE, SIDE), np.uint8)
    run, file = folder / "run", folder / "many.npy"
    CAE("4C3-MP4-8N", epochs=1, random_state=0).fit(few).save(run)
    shape = (many, SIDE, SIDE)
    mapped = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
    for start in range(0, many, len(few)):
        part = mapped[start : start + len(few)]
        part[:] = few[: len(part)]
    del mapped
    import psutil  # only what needs it has to have it

    words = ["encode", str(run), str(file), "--out", str(folder / "many.parquet")]
    command = [sys.executable, "-m", "caes.cli", *words, "--quiet"]
    began, resident = time.perf_counter(), list[float]()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    watched = psutil.Process(process.pid)
    encoding = -1
    while process.poll() is None:
        try:
            resident.append(watched.memory_info().rss / MB)
        except psutil.NoSuchProcess:
            break
        if encoding < 0 and any(folder.glob(".many.parquet.caes-*")):
            encoding = len(resident)
        time.sleep(0.1)
    if process.wait():
        raise SystemExit(f"{' '.join(command)} failed")
    seconds = time.perf_counter() - began
    steady = resident[encoding:]
    early = steady[: max(1, len(steady) // 10)]
    sheet.say(
        "", f"## {many:,} pictures of {SIDE}×{SIDE} from a mapped .npy, 4C3-MP4-8N"
    )
    sheet.table(
        ["resident memory", "MB"],
        [
            ["when encoding begins", f"{steady[0]:,.0f}"],
            ["highest of the first tenth", f"{max(early):,.0f}"],
            ["highest of all", f"{max(steady):,.0f}"],
            ["at the end", f"{steady[-1]:,.0f}"],
        ],
    )
    sheet.say("", f"{seconds:.0f} s in all, {many / seconds:,.0f} images/s.")
    growth = max(steady) - max(early)
    sheet.at_most("growth after the first tenth", growth, GROWTH, "{:.0f} MB")


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
