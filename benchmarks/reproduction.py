"""Writes docs/reproduction.md from the kept runs; with --check, only compares.

Exits with 1 when the page is not what the runs say.
"""

import sys
from pathlib import Path

import tyro

from caes.files import write_whole
from caes.runs.ledger import Ledger, Row
from caes.tasks.studies import codes, filters, masci2011, sealed, successors
from caes.tasks.studies.study import FIGURES, KEYS, Table, markdown, runs_of

ROOT = Path(__file__).parents[1]
RUNS = Path(__file__).with_name("results") / "reproduction"
PAGE = ROOT / "docs" / "reproduction.md"


def page() -> str:
    """Write the page."""
    template = Path(__file__).with_name("reproduction.template.md").read_text("utf-8")
    for table in (*masci2011.TABLES.values(), *successors.TABLES.values()):
        template = template.replace(f"{{{table.name}}}", _section(table))
    template = template.replace(f"{{{masci2011.SEALED.name}}}", _sealed())
    template = template.replace(f"{{{codes.NAME}}}", _codes())
    return template.replace("{filters}", _filters())


def _section(table: Table) -> str:
    ledger = Ledger(RUNS / table.name / "runs.csv", KEYS, FIGURES)
    return _page_of(table.name, runs_of(table, ledger), markdown(table, ledger))


def _sealed() -> str:
    table, folder = masci2011.SEALED, RUNS / masci2011.SEALED.name
    choices, runs = sealed.choice_ledger(folder), sealed.run_ledger(folder)
    rows, lines = sealed.runs_of(table, runs), sealed.lines(table, choices, runs)
    file = "runs.csv" if rows else "choice.csv"
    return _page_of(table.name, rows or [*choices], lines, file)


def _codes() -> str:
    ledger = Ledger(RUNS / codes.NAME / "runs.csv", codes.KEYS, codes.FIGURES)
    return _page_of(codes.NAME, codes.runs_of(ledger), codes.lines(ledger))


def _page_of(
    name: str, rows: list[Row], lines: list[str], file: str = "runs.csv"
) -> str:
    """Write a table, and under it what its figures were made with."""
    if not rows:
        return "*Not run yet.*"
    runs = f"benchmarks/results/reproduction/{name}/{file}"
    number = "1 run" if len(rows) == 1 else f"{len(rows)} runs"
    return "\n".join([*lines, "", f"[{number}](../{runs}), {_made(rows)}."])


def _made(rows: list[Row]) -> str:
    """Say on what machine, with which code, and for how long they ran."""
    hours = sum(float(row["seconds"]) for row in rows) / 3600
    commits = sorted({row["commit"] for row in rows})
    machines = sorted({row["machine"] for row in rows})
    first = rows[0]
    tested = f"{int(first['test_pictures']):,}" if "test_pictures" in first else ""
    parts = [
        f"errors in % on {tested} test pictures" if tested else "",
        f"commit {', '.join(commits)}",
        f"torch {first['torch']}",
        f"{', '.join(machines)} with {first['threads']} thread(s) a run",
        f"{hours:.1f} hours in all",
    ]
    return "; ".join(part for part in parts if part)


def _filters() -> str:
    ledger = Ledger(RUNS / "filters" / "filters.csv", filters.KEYS, filters.FIGURES)
    rows = list(ledger)
    if not rows:
        return "*Not run yet.*"
    columns = ("data", "autoencoder", "pixels", "response", "loss")
    lines = [
        "| pictures | auto-encoder | a filter's pixels | the response's | loss |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(row[name] for name in columns)} |" for row in rows),
    ]
    shown = "../benchmarks/results/reproduction/filters"
    figures = [
        f"![filters, {data}]({shown}/filters-{data}.png)"
        for data in dict.fromkeys(row["data"] for row in rows)
    ]
    return "\n".join([*lines, "", *figures, "", f"Made: {_made(rows)}."])


def main(check: bool = False) -> int:
    """Write the page.

    Args:
        check: Only compare.
    """
    wanted = page().encode()
    if check:
        return int(not PAGE.is_file() or PAGE.read_bytes() != wanted)
    write_whole(PAGE, wanted)
    print(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
