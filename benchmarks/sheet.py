"""What a benchmark has to say: facts, tables, and whether its claims hold."""

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Literal

from caes.files import data_folder, write_whole

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
PACKAGES = (
    "caes",
    "torch",
    "lightning-fabric",
    "numpy",
    "scikit-learn",
    "keras",
    "tensorflow-cpu",
    "jax",
    "onnxruntime",
)


STEADY = 0.25
"""Where a fixed GEMM's speed scatters by more, of speeds nothing can be said."""


class Sheet:
    """Collects lines of Markdown; printed as they come, written at the end.

    Args:
        title: What is measured.
        pictures: What `pictures` chose; empty where there are none.
    """

    def __init__(self, title: str, pictures: str = "") -> None:
        self.lines: list[str] = []
        self.missed = False
        self.gemm: list[float] = []
        self.say(f"# {title}", "", "```", _command(), "```", "")
        self.facts = facts = machine()
        if pictures:
            facts["pictures"] = _PICTURES[pictures]
        self.say(*(f"- {name}: {value}" for name, value in facts.items()))

    def say(self, *lines: str) -> None:
        """Add lines, and print them."""
        self.lines += lines
        print(*lines, sep="\n", flush=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table, aligned for a terminal: the first column left, others right."""
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        first, *others = widths
        rule = ["-" * first, *(f"{'-' * (width - 1)}:" for width in others)]
        self.say("")
        for row in (head, rule, *rows):
            cells = [row[0].ljust(first)]
            cells += [c.rjust(w) for c, w in zip(row[1:], others, strict=True)]
            self.say(f"| {' | '.join(cells)} |")

    def at_least(
        self, claim: str, value: float, must: float, aim: float | None = None
    ) -> None:
        """Judge a ratio of speeds that should be large, if the machine was steady."""
        if self.scatter > STEADY:
            self.missed = True
            self.say(
                f"- {claim}: {value:.2f}×, **not judged**: the GEMM's speed scattered "
                f"by {100 * self.scatter:.0f} %; run it again on an idle machine"
            )
            return
        self.judge(f"{claim}: {value:.2f}×, must {must:g}×", value >= must)
        if aim is not None:
            reached = "reached" if value >= aim else "not reached"
            self.say(f"  - aim {aim:g}×: {reached}")

    @property
    def scatter(self) -> float:
        """How far the rounds' fastest GEMM is from the slowest, of their median."""
        if not self.gemm:
            return 0.0
        return (max(self.gemm) - min(self.gemm)) / median(self.gemm)

    def at_most(self, claim: str, value: float, must: float, form: str) -> None:
        """Judge a figure that should be small; ``form`` writes it, as in "{:.2f} s"."""
        said = f"{claim}: {form.format(value)}, must be at most {form.format(must)}"
        self.judge(said, value <= must)

    def judge(self, claim: str, holds: bool) -> None:
        """Add a claim, and remember if it does not hold."""
        self.missed |= not holds
        if self.lines[-1].startswith("|"):
            self.say("")
        self.say(f"- {claim}: {'**holds**' if holds else '**MISSED**'}")

    def finish(self, out: Path) -> int:
        """Write the sheet into a folder, named after the script; give the exit code."""
        path = out / f"{Path(sys.argv[0]).stem}.md"
        write_whole(path, "\n".join([*self.lines, ""]).encode())
        print(f"written to {path}", file=sys.stderr)
        return int(self.missed)


Source = Literal["mnist", "digits"]

_PICTURES = {
    "mnist": "MNIST, 60,000 to train on and 10,000 to test",
    "digits": "digits, 4,000 to train on and 1,000 to test, repeated where more are "
    "needed (the full MNIST is not on disk, or was not asked for)",
}


def pictures(asked: Source | None) -> Source:
    """Choose what was asked for; otherwise MNIST if it is on disk, else digits."""
    here = any((data_folder() / "mnist").glob("train-images-idx3-ubyte*"))
    return asked or ("mnist" if here else "digits")


def machine() -> dict[str, str]:
    """Describe code, machine and versions, on which every figure depends."""
    import torch

    from caes.runs.ledger import commit
    from caes.runs.provenance import processor

    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "commit": commit() or "unknown",
        "machine": f"{platform.system()} {platform.machine()}, {processor()}",
        "kind": kind(),
        "processors": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "",
        "threads": f"the default of each system; {torch.get_num_threads()} in torch",
        "versions": ", ".join(
            [f"python {platform.python_version()}", *map(_version, PACKAGES)]
        ),
    }


def kind() -> str:
    """Name the processor's kind: its name, family and model, and widest vectors."""
    from caes.runs.provenance import processor

    known = {}
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        lines = listing.read_text(errors="replace").splitlines()
        pairs = (line.partition(":") for line in lines)
        known = {name.strip(): value.strip() for name, _, value in pairs}
    flags = known.get("flags", "").split()
    widest = next((each for each in ("avx512f", "avx2") if each in flags), "")
    numbers = (known[each] for each in ("cpu family", "model") if each in known)
    return " ".join([processor(), "/".join(numbers), widest]).strip()


def _command() -> str:
    script = Path(sys.argv[0]).name
    return shlex.join(["python", f"benchmarks/{script}", *sys.argv[1:]])


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"
