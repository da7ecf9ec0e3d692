"""Cases: some files, and what is asked of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Literal

from tests.hostile.mutations import mutated
from tests.hostile.others import runs, tables, typed
from tests.hostile.seeds import Seed, arrays, pictures

What = Literal["load", "survey", "labels", "run", "option", "trap"]
WAYS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"size": (8, 6), "channels": 1},
    {"size": (5, 9), "channels": 3, "resize": "pad"},
    {"pages": "channels"},
    {"tile": 8},
    {"strict": True},
)
ROWS_OF = {"cifar10": {"split": "test"}}
"""What is asked for of several files of which only one is there."""
ENDINGS = (".png", ".jpg", ".tif", ".dcm", ".fits", ".npy", ".npz", ".parquet")
SHARES = {"load": 78, "survey": 6, "labels": 4, "run": 6, "option": 6}
"""Of a hundred cases."""
SECONDS = 5.0
MEMORY = 2 * 2**30


@dataclass(frozen=True)
class Case:
    """What a child is to try."""

    kind: str  # what the file is, or was before it was damaged
    what: What
    title: str  # for the report of a failure
    files: dict[str, bytes]  # by their paths below a folder
    source: str  # the path of what is opened, or the name of an option
    ways: dict[str, Any] = field(default_factory=dict)
    """Arguments of `caes.load`; or the text of an option."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    end: str
    """Read, skipped (something was named and left out), refused (by one line), failed."""
    said: str  # the line, or what is wrong
    seconds: float
    memory: int  # the most bytes that the process occupied meanwhile


def good() -> tuple[Seed, ...]:
    """Give every file that is as it should be."""
    return (*pictures(), *arrays())


def untouched(seed: Seed) -> Case:
    """Make a case of a file as it is."""
    files = {seed.name: seed.content}
    title = f"{seed.name}, untouched"
    source = _source(seed.name)
    return Case(seed.kind, "load", title, files, source, ROWS_OF.get(source, {}))


def drawn(random: Random, bombs: Sequence[Seed] = ()) -> Case:
    """Draw a case; one in twenty is made of a bomb, if there are some."""
    (what,) = random.choices(list(SHARES), list(SHARES.values()))
    if what == "option":
        option, text = typed(random)
        title = f"--{option} {text[:200]!r}"
        return Case("option", "option", title, {}, option, {"text": text})
    if what == "run":
        return _run(random)
    if what == "labels":
        seed = random.choice(tables())
        content = mutated(random, seed.content, random.choice(tables()).content)
        return Case("labels", "labels", seed.name, {seed.name: content}, seed.name)
    asked: What = "survey" if what == "survey" else "load"
    return _pictures(random, asked, _seed(random, bombs))


def _pictures(random: Random, what: What, seed: Seed) -> Case:
    other = _seed(random, ())
    content = seed.content
    if random.random() < 0.95:
        content = mutated(random, content, other.content)
    name = seed.name
    if random.random() < 0.06 and "/" not in name:
        name = f"other{random.choice(ENDINGS)}"
    files = {name: content}
    source = _source(name)
    alone = seed.kind in ("npy", "npz") or "/" in name or "/" in other.name
    if random.random() < 0.2 and not alone:
        files = {f"a/{name}": content, f"a/{other.name}": other.content}
        source = "a"
    ways = random.choice(WAYS) | ROWS_OF.get(source, {})
    return Case(seed.kind, what, seed.name, files, source, ways)


def _seed(random: Random, bombs: Sequence[Seed]) -> Seed:
    """Draw a file, each kind being as likely."""
    if bombs and random.random() < 0.05:
        return random.choice(bombs)
    kinds = _by_kind()
    return random.choice(kinds[random.choice(sorted(kinds))])


@cache
def _by_kind() -> dict[str, list[Seed]]:
    found: dict[str, list[Seed]] = {}
    for seed in good():
        found.setdefault(seed.kind, []).append(seed)
    return found


def _source(name: str) -> str:
    return "cifar10" if name.startswith("cifar10/") else name


def _run(random: Random) -> Case:
    files = dict(random.choice(runs()))
    broken = random.choice(sorted(files))
    other = files[random.choice(sorted(files))]
    files[broken] = mutated(random, files[broken], other)
    return Case("run", "run", broken, {f"run/{n}": c for n, c in files.items()}, "run")
