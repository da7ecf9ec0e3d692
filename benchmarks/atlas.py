"""`caes atlas`: what it keeps of the neighbourhoods beside PCA, how long, how large.

Exits with 1 when t-SNE keeps no more than PCA, or a page is larger than it may be.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import tyro

from caes import CAE, load
from sheet import RESULTS, Sheet, Source, pictures

MB = 1e6
METHODS = ("pca", "tsne", "umap")
LARGEST = 15
"""MB of a page with 10,000 small pictures."""


def main(
    counts: tuple[int, ...] = (1_000, 10_000),
    source: Source | None = None,
    out: Path = RESULTS,
) -> int:
    """Measure, print, write, judge.

    Args:
        counts: Test pictures of each atlas.
        source: The pictures; MNIST where it is on disk, without it digits.
        out: Folder of the result.
    """
    chosen = pictures(source)
    sheet = Sheet("Atlases of the default's codes of test pictures", chosen)
    with tempfile.TemporaryDirectory(prefix="caes-atlas-") as name:
        folder = Path(name)
        cae = CAE(steps=1_000, random_state=0).fit(load(chosen, "train"))
        cae.save(folder / "run")
        rows = [_measure(folder, chosen, count) for count in counts]
    head = ["pictures", *METHODS, *(f"{name} s" for name in METHODS), "page MB"]
    sheet.table(head, [_written(row) for row in rows])
    sheet.say("", "Trustworthiness of 10 neighbours; seconds and MB of the command.")
    for row in rows:
        claim = f"{row.pictures:,} pictures: t-SNE keeps more than PCA"
        sheet.judge(claim, row.kept["tsne"] > row.kept["pca"])
        claim = f"{row.pictures:,} pictures: page"
        sheet.at_most(claim, row.page, LARGEST, "{:.1f} MB")
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / MB
    sheet.say(f"- most memory of a command: {most:,.0f} MB")
    return sheet.finish(out)


class Row(NamedTuple):
    """What was found of an atlas, by each method."""

    pictures: int
    kept: dict[str, float]  # trustworthiness
    seconds: dict[str, float]
    page: float  # MB


def _written(row: Row) -> list[str]:
    kept = [f"{value:.3f}" for value in row.kept.values()]
    seconds = [f"{value:.0f}" for value in row.seconds.values()]
    return [f"{row.pictures:,}", *kept, *seconds, f"{row.page:.1f}"]


def _measure(folder: Path, source: str, count: int) -> Row:
    codes, atlas = str(folder / "codes.parquet"), str(folder / "atlas")
    words = ["encode", str(folder / "run"), source, "--split", f"test[:{count}]"]
    _caes(*words, "--out", codes, "--force", "--quiet")
    kept, seconds = dict[str, float](), dict[str, float]()
    for method in METHODS:
        began = time.perf_counter()
        words = ["atlas", codes, "--method", method, "--out", atlas]
        found = json.loads(_caes(*words, "--json", "--force", "--quiet"))
        kept[method] = found["trustworthiness"]
        seconds[method] = time.perf_counter() - began
    page = Path(atlas, "index.html").stat().st_size / MB
    return Row(found["rows"], kept, seconds, page)


def _caes(*words: str) -> str:
    command = [sys.executable, "-m", "caes.cli", *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
