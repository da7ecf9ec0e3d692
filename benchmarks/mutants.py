"""Mutants of the mathematics: which small changes of the code fail no test.

cosmic-ray's operators change one thing each: a number by one, a comparison, a sign. Of
all such mutants some are drawn, and each is tried against the tests that reach its
line, the quickest first, in a process forked from one that has imported what all need.
Each is a row of the CSV when done: an interrupted series goes on where it stopped.
"""

import ast
import csv
import gc
import hashlib
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import coverage
import pytest
import tyro
from scipy.stats import binomtest

from sheet import FOLDER, RESULTS, Sheet

ROOT = FOLDER.parent
MODULES = {
    "nn/architecture.py": ["nn/test_architecture.py", "nn/test_levels.py"],
    "nn/autoencoder.py": ["nn/test_model.py", "nn/test_nan.py"],
    "nn/classifier.py": ["nn/test_classifier.py", "nn/test_nan.py"],
    "nn/inference.py": ["nn/test_windows.py", "nn/test_classifier.py"],
    "nn/kernels/fused.py": ["nn/test_model.py", "nn/test_nan.py"],
    "nn/kernels/threads.py": ["nn/test_threads.py", "nn/test_model.py"],
    "nn/kernels/winograd.py": ["nn/test_winograd.py", "nn/test_layers.py"],
    "nn/layers.py": ["nn/test_layers.py", "nn/test_levels.py", "nn/test_winograd.py"],
    "nn/model.py": ["nn/test_model.py", "nn/test_nan.py", "nn/test_stack.py"],
    "nn/sparsity.py": ["nn/test_sparsity.py", "nn/test_nan.py"],
    "nn/stack.py": [
        *("nn/test_stack.py", "nn/test_levels.py"),
        *("nn/test_patches.py", "nn/test_sparsity.py"),
    ],
    "nn/windows.py": ["nn/test_windows.py"],
    "train/augment.py": ["train/test_augment.py"],
    "train/batches.py": ["train/test_loop.py", "data/test_mapped.py"],
    "train/history.py": ["train/test_loop.py", "train/test_pretrain.py"],
    "train/loop.py": ["train/test_loop.py", "train/test_pretrain.py"],
    "train/noise.py": ["train/test_noise.py"],
    "train/recipes.py": ["train/test_recipes.py", "train/test_finetune.py"],
    "data/measures.py": [
        *("data/test_measures.py", "data/test_imageset.py"),
        *("data/test_scaling.py", "data/census/test_duplicates.py"),
    ],
    "data/scales.py": ["data/test_scales.py", "data/test_scaling.py"],
    "data/scaling.py": ["data/test_scaling.py", "data/test_measures.py"],
    "data/decode/tiles.py": ["data/decode/test_tiles.py", "nn/test_windows.py"],
    "report/baseline.py": ["report/test_baseline.py"],
    "report/statistics.py": ["report/test_statistics.py"],
}
"""Modules in src/caes, and what in tests/ is about them."""

UNLIKELY = re.compile(
    "NoOp|Operator_(?!Bit|.Shift)[A-Z][a-z]+[A-Za-z]*_(Bit|.Shift)"
    "|Operator_(Bit|.Shift)[A-Za-z]*_(?!Bit|.Shift)"
)
"""Operators left out: from arithmetic to bits, on which any test of the line fails."""

MEMORY = 6 * 2**30
"""Bytes of address space that a mutant may add."""

Outcome = Literal["killed", "survived", "timeout", "error"]


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Args:
        module: Its path in src/caes.
        line: Where the change begins, from 1.
        operator: cosmic-ray's name of the change.
        occurrence: Which of the operator's in the module, from 0.
        was: The line.
        id: Names the mutant, wherever its line moves to.
    """

    module: str
    line: int
    operator: str
    occurrence: int
    was: str
    id: str


@dataclass(frozen=True)
class Trial:
    """What became of a mutant, as a row of the CSV.

    Args:
        id: Of the mutant, as are module, line and operator.
        was: The lines that were changed.
        becomes: What they were changed into.
        outcome: killed by a test that failed; survived; timeout; error where the module
            could not be imported, or the process died.
        test: That failed.
        seconds: It took.
        commit: Of the code and the tests.
    """

    id: str
    module: str
    line: int
    operator: str
    was: str
    becomes: str
    outcome: Outcome
    test: str
    seconds: float
    commit: str


def main(
    mutants: int = 400,
    seed: int = 0,
    workers: int = 1,
    seconds: float = 30,
    again: Sequence[str] = (),
    modules: Sequence[str] = tuple(MODULES),
    out: Path = RESULTS,
) -> int:
    """Draw, try, write.

    Args:
        mutants: How many are drawn.
        seed: Draws them.
        workers: Processes beside each other.
        seconds: Of tests a mutant at the most; quick tests come first.
        again: Try these once more, by their ids, against all tests of their modules.
        modules: Those to change.
        out: Folder of the CSV and of the summary.
    """
    here = {name: ROOT / "src/caes" / name for name in modules}
    out.mkdir(parents=True, exist_ok=True)
    for name in [name for name, path in here.items() if not path.exists()]:
        print(f"no module {name}: is it in another place by now?", file=sys.stderr)
        del here[name]
    every = [one for name in here for one in mutants_of(name)]
    every.sort(key=lambda one: hashlib.sha256(f"{seed} {one.id}".encode()).digest())
    drawn = every[:mutants]
    print(f"{len(drawn)} of {len(every):,} mutants", file=sys.stderr)
    path = out / "mutants.csv"
    tried = {trial.id for trial in read(path)}
    wanted = [m for m in drawn if (m.id in again if again else m.id not in tried)]
    for trial in tries(wanted, workers, None if again else seconds):
        append(path, trial)
        print(trial.outcome, trial.module, trial.line, trial.becomes, file=sys.stderr)
    return summary({one.id for one in drawn}, len(every), read(path), out)


# --- mutants ---


def mutants_of(module: str) -> Iterator[Mutant]:
    """Find all changes of a module, but those of types, messages and the like."""
    from cosmic_ray.ast import ast_nodes, get_ast

    text = (ROOT / "src/caes" / module).read_text("utf-8")
    lines = text.splitlines()
    spans = list(_left_out(text))
    nodes = list(ast_nodes(get_ast(text)))
    equal: Counter[str] = Counter()
    for name, operator in _operators().items():
        places = (p for node in nodes for p in operator.mutation_positions(node))
        for occurrence, (place, _) in enumerate(places):
            was = lines[place[0] - 1]
            if any(start <= place < end for start, end in spans):
                continue
            if was[place[1] :].startswith(("*,", "/,", "/)")):
                continue  # of a signature, taken for a product
            column = place[1] - len(was) + len(was.lstrip())
            key = f"{module} {name} {column} {was.strip()}"
            number = equal[key]
            equal[key] += 1
            identity = hashlib.sha256(f"{key} {number}".encode()).hexdigest()[:10]
            yield Mutant(module, place[0], name, occurrence, was.strip(), identity)


@cache
def _operators() -> dict[str, Any]:
    from cosmic_ray import plugins  # of the extra `mutants`

    names = [name for name in plugins.operator_names() if not UNLIKELY.search(name)]
    kinds = {name.rpartition("/")[2]: plugins.get_operator(name) for name in names}
    return {name: kind() for name, kind in kinds.items() if not kind.arguments()}


def mutated(text: str, mutant: Mutant) -> str:
    """Make the change."""
    from cosmic_ray.mutating import mutate_code

    operator = _operators()[mutant.operator]
    return str(mutate_code(text, operator, mutant.occurrence))


def changed(before: str, after: str) -> tuple[int, str, str]:
    """Give the first line that differs, and what differs, before and after."""
    a, b = before.splitlines(), after.splitlines()
    start = next(i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    cut = [" ".join(" ".join(t[start : len(t) - end]).split()) for t in (a, b)]
    return start + 1, cut[0], cut[1]


def _left_out(text: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Give begin and end of types, of messages, and of what `override` decorates."""
    for number, line in enumerate(text.splitlines(), 1):
        if "pragma" in line:
            yield (number, 0), (number + 1, 0)
    for node in ast.walk(ast.parse(text)):
        parts: list[ast.AST | None] = []
        match node:
            case ast.arg() | ast.AnnAssign():
                parts = [node.annotation]
            case ast.Raise() | ast.JoinedStr():
                parts = [node]
            case ast.FunctionDef():
                words = {"override", "overload", "abstractmethod"}
                marks = [d for d in node.decorator_list if ast.unparse(d) in words]
                for mark in marks:  # cosmic-ray counts from the @
                    yield (mark.lineno, 0), (mark.lineno + 1, 0)
                parts = [node.returns]
            case ast.ExceptHandler(type=ast.Tuple()):
                parts = [node.type]  # dotted names in it are beyond cosmic-ray
            case ast.If() if "TYPE_CHECKING" in ast.unparse(node.test):
                parts = [node]
        for part in parts:
            if isinstance(part, ast.expr | ast.stmt):
                end = (part.end_lineno or 0, part.end_col_offset or 0)
                yield (part.lineno, part.col_offset), end


# --- trials ---


def tries(
    mutants: Sequence[Mutant], workers: int, seconds: float | None
) -> Iterator[Trial]:
    """Try mutants, and give each when it is done.

    Args:
        mutants: The mutants.
        workers: Processes beside each other.
        seconds: Of tests a mutant at the most, among those that reach it; None for all
            tests of its module.
    """
    if not mutants:
        return
    commit = _commit()
    with tempfile.TemporaryDirectory() as folder:
        _copy(Path(folder) / "plain")
        _warm(Path(folder) / "plain/src")
        modules = {one.module for one in mutants}
        reached = Reached(Path(folder), modules) if seconds else None
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(workers, context) as pool:
            jobs = {}
            for one in mutants:
                chosen = [f"tests/{part}" for part in MODULES[one.module]]
                limit = 600.0
                if reached and seconds:
                    chosen = reached.tests(one, seconds)
                    limit = 20 + 3 * sum(reached.seconds[test] for test in chosen)
                jobs[pool.submit(_try, folder, one, chosen, limit)] = one
            for job in as_completed(jobs):
                yield Trial(**job.result(), commit=commit)


class Reached:
    """Which tests reach which lines, and how long each takes: they run once before.

    Args:
        folder: For what is measured.
        modules: Those that are changed.
    """

    def __init__(self, folder: Path, modules: set[str]) -> None:
        self._plain = folder / "plain/src/caes"
        files = sorted({f"tests/{p}" for name in modules for p in MODULES[name]})
        print(f"unchanged: {' '.join(files)}", file=sys.stderr)
        os.environ["COVERAGE_FILE"] = str(folder / "coverage")
        options = ["-p", "pytest_cov", "--cov", "--cov-context=test", "--cov-report="]
        child = _Child(folder / "plain", files, options, cache=folder / "cache")
        child.finish(limit=3_600)
        del os.environ["COVERAGE_FILE"]
        if not child.report.exists():
            raise SystemExit((folder / "plain/output.txt").read_text("utf-8"))
        report = json.loads(child.report.read_text("utf-8"))
        for test in report["failed"]:
            print(f"fails unchanged, left out: {test}", file=sys.stderr)
        self.seconds: dict[str, float] = report["seconds"]
        self._data = coverage.CoverageData(str(folder / "coverage"))
        self._data.read()
        self._contexts: dict[Path, dict[int, list[str]]] = {}

    def tests(self, mutant: Mutant, most: float) -> list[str]:
        """Give the tests that reach a mutant's statement, the quickest first.

        Where none does, as what runs on import, those that reach the function, the
        class or the module around it.

        Args:
            mutant: The mutant.
            most: Seconds of tests.
        """
        path = self._plain / mutant.module
        if path not in self._contexts:
            self._contexts[path] = self._data.contexts_by_lineno(str(path))
        contexts = self._contexts[path].items()
        spans = _around(path.read_text("utf-8"), mutant.line)
        wanted = tuple(f"tests/{part}" for part in MODULES[mutant.module])
        for span in spans:
            found = {c.partition("|")[0] for n, cs in contexts if n in span for c in cs}
            names = [n for n in found if n in self.seconds and n.startswith(wanted)]
            names.sort(key=lambda name: (self.seconds[name], name))
            if names:
                so_far = accumulate(self.seconds[name] for name in names)
                pairs = zip(names, so_far, strict=True)
                return [name for name, total in pairs if total <= most]
        return []


def _around(text: str, line: int) -> list[range]:
    """Give the lines of the statement at a line, then of all that stands around it."""
    spans = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt):
            marks: list[ast.expr] = getattr(node, "decorator_list", [])
            first = min([node.lineno, *(mark.lineno for mark in marks)])
            last = node.end_lineno or first
            body: list[ast.stmt] = getattr(node, "body", [])
            if body and first <= line < body[0].lineno:
                spans.append(range(first, body[0].lineno))
            if first <= line <= last:
                spans.append(range(first, last + 1))
    return [*sorted(spans, key=len), range(10**6)]


def _copy(folder: Path) -> None:
    shutil.copytree(
        ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__")
    )


def _warm(plain: Path) -> None:
    """Import what the modules import, and forget the modules themselves."""
    import hypothesis
    import sklearn.decomposition  # noqa: F401

    _forget()
    sys.path.insert(0, str(plain))
    for path in sorted((plain / "caes").rglob("*.py")):
        if not path.name.startswith("__"):
            import_module(".".join(path.relative_to(plain).with_suffix("").parts))
    sys.path.remove(str(plain))
    _forget()
    hypothesis.settings.register_profile(
        "mutants",
        max_examples=20,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutants")
    gc.collect()
    gc.freeze()  # pytest collects garbage twice: of all that stays, half its time


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "caes"]:
        del sys.modules[name]


def _try(folder: str, mutant: Mutant, tests: list[str], limit: float) -> dict[str, Any]:
    """Run tests on a copy of the code that has the change, in a child of this one."""
    own = Path(folder) / f"worker-{os.getpid()}"
    if not own.exists():
        shutil.copytree(Path(folder) / "plain", own)  # with what is compiled
    path = own / "src/caes" / mutant.module
    before = path.read_text("utf-8")
    after = mutated(before, mutant)
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()  # it could seem to be of the changed one
    start = time.perf_counter()
    outcome, test = "survived", ""
    try:
        path.write_text(after, "utf-8")
        if tests:
            child = _Child(own, tests, ["-x"], cache=Path(folder) / "cache")
            outcome, test = child.finish(limit)
    finally:
        path.write_text(before, "utf-8")
    line, was, becomes = changed(before, after)
    seconds = round(time.perf_counter() - start, 1)
    found = {name: getattr(mutant, name) for name in ("id", "module", "operator")}
    return {
        **found,
        "line": line,
        "was": was,
        "becomes": becomes,
        "test": test,
        "outcome": outcome,
        "seconds": seconds,
    }


class _Child:
    """Tests in a process of their own, on the code in a folder."""

    def __init__(
        self, folder: Path, tests: Sequence[str], options: Sequence[str], cache: Path
    ) -> None:
        self.report = folder / "report.json"
        self.report.unlink(missing_ok=True)
        self._folder = folder
        self._plugin = _Plugin(tests, cache, self.report)
        files = dict.fromkeys(test.partition("::")[0] for test in tests)
        self._words = [
            *("-q", "-p", "no:cacheprovider", f"--basetemp={folder / 'tmp'}"),
            *("-p", "pytest_timeout", "-o", "timeout=0"),
            *(*options, *files),
        ]
        self._process = multiprocessing.get_context("fork").Process(target=self._run)
        self._process.start()

    def finish(self, limit: float) -> tuple[Outcome, str]:
        """Wait for the end, but no longer than that; give outcome and failed test."""
        self._process.join(limit)
        code = self._process.exitcode
        if code is None:
            os.killpg(self._process.pid or 0, signal.SIGKILL)
            self._process.join()
            return "timeout", ""
        if code == 0:
            return "survived", ""
        if code == pytest.ExitCode.USAGE_ERROR:
            raise FileNotFoundError((self._folder / "output.txt").read_text("utf-8"))
        failed = []
        if code == 1 and self.report.exists():
            failed = json.loads(self.report.read_text("utf-8"))["failed"]
        return ("killed", failed[0]) if failed else ("error", "")

    def _run(self) -> None:
        os.setsid()
        with (self._folder / "output.txt").open("w") as output:
            for stream in (1, 2):
                os.dup2(output.fileno(), stream)
        used = int(Path("/proc/self/statm").read_text().split()[0])
        most = used * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.dont_write_bytecode = "-x" in self._words
        code_of = str(self._folder / "src")
        sys.path[:0] = [code_of]
        os.environ["PYTHONPATH"] = code_of
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.chdir(ROOT)
        code = pytest.main(self._words, plugins=[self._plugin])
        self._plugin.write()
        os._exit(code)


class _Plugin:
    """Chooses tests and their order, and notes what they take and which fail.

    Args:
        tests: Files and folders, or single tests in their order.
        cache: A folder that keeps what the tests compile.
        path: Of the report.
    """

    def __init__(self, tests: Sequence[str], cache: Path, path: Path) -> None:
        self._order = {test: i for i, test in enumerate(tests) if "::" in test}
        self._cache = cache
        self._path = path
        self._seconds: Counter[str] = Counter()
        self._failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._order]
        if chosen:
            items[:] = sorted(chosen, key=lambda item: self._order[item.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Any:
        """Lay what was compiled before into the tests' own cache."""
        result = yield
        if fixturedef.argname == "_own_cache" and self._cache.exists():
            shutil.copytree(self._cache, os.environ["CAES_CACHE"], dirs_exist_ok=True)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration  # type: ignore[assignment]
        if report.failed:
            self._failed.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Keep what was compiled."""
        made = Path(os.environ.get("CAES_CACHE", "")) / "fused"
        if not self._cache.exists() and made.exists():
            shutil.copytree(made, self._cache / "fused")

    def write(self) -> None:
        """Write the report."""
        seconds = {t: s for t, s in self._seconds.items() if t not in self._failed}
        report = {"seconds": seconds, "failed": self._failed}
        self._path.write_text(json.dumps(report), "utf-8")


def _commit() -> str:
    """Give the commit, with a + where code or tests were changed since."""

    def git(*words: str) -> str:
        run = ["git", *words]
        done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "src", "tests")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


# --- what comes of it ---


def read(path: Path) -> list[Trial]:
    """Read the trials that were made before."""
    if not path.exists():
        return []
    kinds: dict[str, Any] = {"line": int, "seconds": float}
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Trial(
                **{f.name: kinds.get(f.name, str)(row[f.name]) for f in fields(Trial)}
            )
            for row in csv.DictReader(file)
        ]


def append(path: Path, trial: Trial) -> None:
    """Add a row."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        names = [field.name for field in fields(Trial)]
        writer = csv.DictWriter(file, names, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(asdict(trial))


def summary(drawn: set[str], every: int, trials: Sequence[Trial], out: Path) -> int:
    """Tell the share that is killed, and which survive, and why."""
    first = {trial.id: trial for trial in reversed(trials)}
    last = {trial.id: trial for trial in trials if trial.id in drawn}
    reasons = explained(out / "mutants_explained.csv")
    kept = [trial for trial in last.values() if trial.outcome == "survived"]
    kept.sort(key=lambda trial: (trial.module, trial.line))
    equal = {t.id for t in kept if reasons.get(t.id, ("",))[0] == "equivalent"}
    telling = {key: trial for key, trial in last.items() if key not in equal}
    sheet = Sheet("Mutants of the mathematics: small changes that fail no test")
    sheet.say(
        "",
        f"{len(drawn)} mutants are drawn of {every:,}; {len(last)} of them were tried,",
        f"and {len(first.keys() - drawn)} whose lines are gone. Killed is one on",
        "which a test fails, or all take longer than 20 s and three times as long as",
        "else (timeout). One that cannot be imported, or ends the process, is an error",
        "and not counted in the share.",
    )
    sheet.table(
        ["", *HEAD, "share killed", "95 % interval (Wilson)"],
        [
            [title, *_counts(some.values()), *share(some.values())]
            for title, some in (
                ("all, when first tried", first),
                ("of today's lines, the last time", last),
                ("… without equivalent ones", telling),
            )
        ],
    )
    modules = sorted({trial.module for trial in last.values()})
    sheet.table(
        ["module", *HEAD],
        [
            [name, *_counts([t for t in last.values() if t.module == name])]
            for name in modules
        ],
    )
    sheet.say("", "## What survives", "")
    for one in kept:
        kind, why = reasons.get(one.id, ("open", "not looked at yet"))
        was, becomes = (text.replace("`", "'") for text in (one.was, one.becomes))
        sheet.say(
            f"- {one.module}:{one.line}, {one.id}: `{was}` → `{becomes or ' '}`",
            f"  {kind}: {why}",
        )
    return sheet.finish(out)


HEAD = ("mutants", "killed", "timeout", "survived", "error")


def _counts(trials: Collection[Trial]) -> list[str]:
    counts = Counter(str(trial.outcome) for trial in trials)
    return [str(len(trials)), *(str(counts[name]) for name in HEAD[1:])]


def share(trials: Iterable[Trial]) -> tuple[str, str]:
    """Give the share of what does not survive, errors apart, and its interval."""
    counted = [trial.outcome for trial in trials if trial.outcome != "error"]
    killed = len(counted) - counted.count("survived")
    test = binomtest(killed, len(counted))
    low, high = test.proportion_ci(method="wilson")
    return f"{test.statistic:.1%}", f"{low:.1%} to {high:.1%}"


def explained(path: Path) -> dict[str, tuple[str, str]]:
    """Read what was found out about survivors: id, kind and why."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["id"]: (row["kind"], row["why"]) for row in csv.DictReader(file)}


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
