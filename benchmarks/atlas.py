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

import tyro

from caes import CAE, load
from sheet import RESULTS, Sheet, Source, pictures

MB = 1e6
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
    head = ["pictures", "t-SNE", "PCA", "t-SNE s", "PCA s", "page MB"]
    sheet.table(head, [[f"{row[0]:,.0f}", *_written(*row[1:])] for row in rows])
    sheet.say("", "Trustworthiness of 10 neighbours; seconds and MB of the command.")
    for count, by_tsne, by_pca, _, _, page in rows:
        claim = f"{count:,.0f} pictures: t-SNE keeps more than PCA"
        sheet.judge(claim, by_tsne > by_pca)
        sheet.at_most(f"{count:,.0f} pictures: page", page, LARGEST, "{:.1f} MB")
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / MB
    sheet.say(f"- most memory of a command: {most:,.0f} MB")
    return sheet.finish(out)


def _written(*row: float) -> list[str]:
    by_tsne, by_pca, tsne, pca, page = row
    return [
        f"{by_tsne:.3f}",
        f"{by_pca:.3f}",
        f"{tsne:.0f}",
        f"{pca:.0f}",
        f"{page:.1f}",
    ]


def _measure(folder: Path, source: str, count: int) -> tuple[float, ...]:
    codes, atlas = str(folder / "codes.parquet"), str(folder / "atlas")
    words = ["encode", str(folder / "run"), source, "--split", f"test[:{count}]"]
    _caes(*words, "--out", codes, "--force", "--quiet")
    by = {}
    for method in ("pca", "tsne"):
        began = time.perf_counter()
        words = ["atlas", codes, "--method", method, "--out", atlas]
        found = json.loads(_caes(*words, "--json", "--force", "--quiet"))
        by[method] = found["trustworthiness"], time.perf_counter() - began
    page = Path(atlas, "index.html").stat().st_size / MB
    rows = found["rows"]
    return rows, by["tsne"][0], by["pca"][0], by["tsne"][1], by["pca"][1], page


def _caes(*words: str) -> str:
    command = [sys.executable, "-m", "caes.cli", *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
