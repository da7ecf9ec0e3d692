"""Every run of the races as rows of one table, and README's range of speeds from it.

    python benchmarks/speeds.py            # writes README's table again
    python benchmarks/speeds.py --check    # only compares

Exits with 1 when README is not what the runs say.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Literal

import tyro

from caes.files import write_whole
from caes.runs.ledger import Ledger, Row
from interleaved import Speeds, fastest, race, ratios, tabulate
from sheet import FOLDER, RESULTS, STEADY, Sheet, Source
from workers import Entry

NAME = "speeds.csv"
KEYS = ("work", "run", "contender")
FIGURES = (
    "images_per_second",
    "ratio",
    "rounds",
    "gemm",
    "scatter",
    "share",
    "kind",
    "processors",
    "load",
    "pictures",
    "versions",
)
README = FOLDER.parent / "README.md"
BEGIN, END = "<!-- speeds: written by benchmarks/speeds.py -->\n", "<!-- /speeds -->\n"
TRAINING, ENCODING = "training the Keras example", "encoding with it"
PAPER = "training the paper's network"
WRITTEN = "Keras + TensorFlow"
"""The example as it is written."""

# Multiplications of a convolution for one picture: side of the maps, maps in and out.
_LAYERS = ((28, 1, 16), (14, 16, 8), (7, 8, 8), (14, 8, 16), (28, 16, 1))
_FORWARD = [side**2 * 9 * before * after for side, before, after in _LAYERS]
# The same of 100C5-MP2-150C5-MP2-200C3-300N-10N, level by level.
_PAPER = [24**2 * 2_500, 8**2 * 375_000, 2**2 * 270_000, 240_000, 3_000]
FLOPS: Mapping[str, int] = {
    # Forwards, to the weights, and to what came in, but for the picture itself.
    TRAINING: 2 * (3 * sum(_FORWARD) - _FORWARD[0]),
    ENCODING: 2 * sum(_FORWARD[:2]),
    PAPER: 2 * (3 * sum(_PAPER) - _PAPER[0]),
}
"""Operations a picture."""


def compete(
    work: str,
    how: Literal["train", "encode"],
    entries: Sequence[Entry],
    sheet: Sheet,
    source: Source,
    out: Path,
    *,
    rounds: int,
    seconds: float,
    must: float,
    aim: float,
) -> Sequence[float]:
    """Let caes race with the others, keep it, and judge it by the best of them.

    Gives the images a second of caes, round by round.
    """
    speeds = race(entries, how, source, sheet, rounds=rounds, seconds=seconds)
    tabulate(speeds, "caes", sheet)
    keep(work, speeds, "caes", sheet, source, out)
    best = fastest(speeds, rivals(speeds))
    ratio = median(ratios(speeds, "caes", best))
    sheet.at_least(f"faster than the best of all, {best}", ratio, must, aim)
    return speeds["caes"]


def keep(
    work: str, speeds: Speeds, ours: str, sheet: Sheet, pictures: str, out: Path
) -> None:
    """Put a row for each contender of a race into the table, judged or not."""
    ledger = Ledger(out / NAME, KEYS, FIGURES)
    run = datetime.now(UTC).isoformat(timespec="seconds")
    rival = {name: median(ratios(speeds, ours, name)) for name in speeds}
    for name, values in speeds.items():
        figures = {
            "images_per_second": f"{median(values):.0f}",
            "ratio": f"{rival[name]:.3f}",
            "rounds": len(values),
            "gemm": f"{median(sheet.gemm):.1f}",
            "scatter": f"{sheet.scatter:.3f}",
            "share": f"{share(work, speeds[name], sheet):.3f}",
            "pictures": pictures,
            **{key: sheet.facts[key] for key in ("kind", "processors", "load")},
            "versions": sheet.facts["versions"],
        }
        ledger.add({"work": work, "run": run, "contender": name}, figures)


def share(work: str, speed: Sequence[float], sheet: Sheet) -> float:
    """Give the share of a GEMM's operations a second that a contender reaches."""
    each = zip(speed, sheet.gemm, strict=True)
    return median(FLOPS[work] * images / (1e9 * gemm) for images, gemm in each)


def table(ledger: Ledger) -> list[str]:
    """Write the range of the runs on each kind of steady machine, as Markdown."""
    runs: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in ledger:
        if ledger.number(row, "scatter") <= STEADY:
            there = runs.setdefault((row["work"], row["kind"]), {})
            there.setdefault(row["run"], []).append(row)
    if not runs:
        return ["*Not measured yet against all contenders.*"]
    lines = [
        "| | processor | against Keras + TensorFlow | against the best of all | "
        "of GEMM's speed | runs | the last |",
        "|---|---|---|---|---|---|---|",
    ]
    for work in FLOPS:
        for (done, kind), there in runs.items():
            if done == work:
                lines.append(_line(work, kind, there, ledger))
    steady = (row for there in runs.values() for rows in there.values() for row in rows)
    names = {row["contender"] for row in steady}
    return [*lines, "", f"Contenders: {len(rivals(names))}."]


def _line(
    work: str, kind: str, runs: Mapping[str, Sequence[Row]], ledger: Ledger
) -> str:
    written, best, shares = [], [], []
    for rows in runs.values():
        ratio = {row["contender"]: ledger.number(row, "ratio") for row in rows}
        written.append(ratio[WRITTEN])
        best.append(min(ratio[name] for name in rivals(ratio)))
        ours = next(row for row in rows if row["contender"] == "caes")
        shares.append(100 * ledger.number(ours, "share"))
    last = runs[max(runs)][0]
    cells = (
        work,
        kind,
        _range(written, "{:.1f}×"),
        _range(best, "{:.1f}×"),
        _range(shares, "{:.0f} %"),
        str(len(runs)),
        f"{last['run'][:10]}, {last['commit']}",
    )
    return f"| {' | '.join(cells)} |"


def rivals(names: Iterable[str]) -> list[str]:
    """Leave out caes, and caes without its compiled loop."""
    return [name for name in names if not name.startswith("caes")]


def _range(values: list[float], form: str) -> str:
    ends = dict.fromkeys(form.format(end) for end in (min(values), max(values)))
    return " to ".join(ends)


def page(text: str, ledger: Ledger) -> str:
    """Give README with the table between its marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return "\n".join([before + BEGIN, *table(ledger), "", END + after])


def main(check: bool = False) -> int:
    """Write README's table of speeds.

    Args:
        check: Only compare.
    """
    text = README.read_text("utf-8")
    wanted = page(text, Ledger(RESULTS / NAME, KEYS, FIGURES))
    if check:
        return int(text != wanted)
    write_whole(README, wanted.encode())
    print(README)
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
