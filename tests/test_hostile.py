"""Damaged files and wrong words: read, skipped with a reason, or refused in one line.

Each case runs in a process of its own kind that hangs, crashes and takes memory on
nobody else's account; `benchmarks/hostile.py` counts the same cases.
"""

import sys
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile import bombs
from tests.hostile.cases import MEMORY, SECONDS, Case, Outcome, drawn, good, untouched
from tests.hostile.parent import Parent
from tests.hostile.seeds import Seed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are Linux's")

ALIKE = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
CHEAP = [
    *(*bombs.jpegs(), *bombs.others(), *bombs.promises()),
    *(seed for seed in bombs.pngs() if "declared" in seed.name),
]


@pytest.fixture(scope="module")
def parent() -> Iterator[Parent]:
    with Parent() as parent:
        yield parent


def checked(parent: Parent, case: Case) -> Outcome:
    outcome = parent.tried(case)
    told = f"{case.kind} {case.title} {case.ways}: {outcome.said}"
    assert outcome.end in ("read", "skipped", "refused"), told
    assert outcome.seconds <= SECONDS, told
    assert outcome.memory <= MEMORY, told
    return outcome


@settings(ALIKE, max_examples=150)
@given(st.randoms(use_true_random=False))
def test_damaged_input_is_read_or_named(parent: Parent, random: Random) -> None:
    checked(parent, drawn(random))


@pytest.mark.slow
@settings(ALIKE, max_examples=2_000)
@given(st.randoms(use_true_random=False))
def test_much_damaged_input_is_read_or_named(parent: Parent, random: Random) -> None:
    checked(parent, drawn(random, bombs.bombs()))


@pytest.mark.parametrize("seed", CHEAP, ids=[f"{s.kind} {s.name}" for s in CHEAP])
def test_what_promises_too_much_is_refused(parent: Parent, seed: Seed) -> None:
    outcome = checked(parent, untouched(seed))
    assert (outcome.end, outcome.seconds < 1) == ("refused", True)


@pytest.mark.slow
def test_no_bomb_takes_long_or_much(parent: Parent) -> None:
    for seed in bombs.bombs():
        checked(parent, untouched(seed))


def test_every_kind_of_good_file_is_read(parent: Parent) -> None:
    ends = {(seed.kind, checked(parent, untouched(seed)).end) for seed in good()}
    kinds = {kind for kind, _ in ends}
    assert kinds == {kind for kind, end in ends if end == "read"}
    assert kinds == {
        "PNG", "JPEG", "BMP", "GIF", "WebP", "TIFF", "DICOM", "FITS", "npy", "npz", "IDX",
        "Parquet", "CIFAR-10 records",
    }  # fmt: skip


def trap(what: str, **ways: str) -> Case:
    return Case("trap", "trap", what, {}, what, ways)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("end", "the process ended with -11"),
        ("memory", "MemoryError"),
        ("warn", "UserWarning: careful"),
        ("leave open", "not to be raised: ResourceWarning"),
    ],
)
def test_whatever_must_not_be_is_seen(parent: Parent, what: str, said: str) -> None:
    outcome = parent.tried(trap(what))
    assert outcome.end == "failed"
    assert said in outcome.said
    assert parent.tried(trap("nothing")).end == "read"


def test_a_reason_of_two_lines_is_seen(parent: Parent) -> None:
    assert parent.tried(trap("", reason="one")).end == "skipped"
    outcome = parent.tried(trap("", reason="one\ntwo"))
    assert (outcome.end, "not one line" in outcome.said) == ("failed", True)


@pytest.mark.slow
def test_what_hangs_is_ended(parent: Parent) -> None:
    outcome = parent.tried(trap("sleep"))
    assert outcome.end == "failed"
    assert "Timeout (0:00:05)!" in outcome.said
    assert "time.sleep" in outcome.said or "_trapped" in outcome.said


def test_a_seed_draws_the_same_cases_again() -> None:
    one, other = ([drawn(Random(f"7 {n}")) for n in range(20)] for _ in range(2))
    assert one == other
    assert len({str(case) for case in one}) == 20
