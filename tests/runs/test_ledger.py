"""The table of runs: nothing in it is lost, and nothing half-made gets into it."""

import csv
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caes.errors import DataError, OutputError
from caes.runs import ledger as module
from caes.runs.ledger import MADE, Ledger, commit, made, pass_on_interruption
from caes.train.history import History
from caes.version import __version__
from tests.refusals import refusing

KEYS, FIGURES = ("start", "seed"), ("error", "note")
# A lone carriage return is not quoted by Python's csv module before 3.13.
CELL = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=8
)


@pytest.fixture(scope="module", autouse=True)
def _quick_commit() -> Iterator[None]:
    """Ask git only where that is what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "commit", lambda: "abc1234")
        yield


def opened(folder: Path) -> Ledger:
    return Ledger(folder / "runs" / "runs.csv", KEYS, FIGURES)


def on_disk(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs" / "runs.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_file_is_whole_after_each_run(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    for seed in range(3):
        row = ledger.add({"start": "stack", "seed": seed}, {"error": f"{seed}.5"})
        rows = on_disk(tmp_path)
        assert len(rows) == seed + 1
        assert rows[-1] == row == list(ledger)[-1]
        assert [path.name for path in (tmp_path / "runs").iterdir()] == ["runs.csv"]
    assert tuple(rows[0]) == (*KEYS, *FIGURES, *MADE)
    assert [row["error"] for row in rows] == ["0.5", "1.5", "2.5"]
    assert [row["note"] for row in rows] == [""] * 3


def test_a_row_says_how_it_was_made() -> None:
    row = made()
    assert tuple(row) == MADE
    assert datetime.fromisoformat(row["date"]).utcoffset() is not None
    assert (row["commit"], row["caes"]) == ("abc1234", __version__)
    assert all(row[name] for name in ("torch", "python", "machine"))
    assert int(row["threads"]) >= 1


def test_rows_survive_and_are_found_by_their_keys(tmp_path: Path) -> None:
    opened(tmp_path).add({"start": "stack", "seed": 1}, {"error": "7.23"})
    opened(tmp_path).add({"start": "random", "seed": 1}, {"error": "7.63"})
    again = opened(tmp_path)
    found = again.find(start="random", seed=1)
    assert found is not None
    assert again.number(found, "error") == 7.63
    assert again.find(start="random", seed=2) is None
    assert again.find(start="stack", seed="1") == again.rows[0]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=4, unique_by=lambda row: row[:2]))
def test_any_text_comes_back_as_it_was(rows: list[tuple[str, str, str]]) -> None:
    with TemporaryDirectory() as name:
        ledger = opened(Path(name))
        for start, seed, note in rows:
            ledger.add({"start": start, "seed": seed}, {"note": note})
        again = opened(Path(name))
        assert again.rows == ledger.rows
        for start, seed, note in rows:
            found = again.find(start=start, seed=seed)
            assert found is not None
            assert found["note"] == note


def test_two_processes_that_share_a_file_keep_each_other_s_runs(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    first.add({"start": "stack", "seed": 0}, {"error": "1"})
    second.add({"start": "random", "seed": 0}, {"error": "2"})
    first.add({"start": "stack", "seed": 1}, {"error": "3"})
    assert [row["error"] for row in on_disk(tmp_path)] == ["1", "2", "3"]
    assert first.find(start="random", seed=0) is not None
    first.add({"start": "stack", "seed": 0}, {"error": "4"})  # made again: in its place
    assert [row["error"] for row in on_disk(tmp_path)] == ["4", "2", "3"]
    assert first.rows == on_disk(tmp_path)


def test_a_claimed_place_is_an_empty_table_and_loses_nothing(tmp_path: Path) -> None:
    opened(tmp_path).claim()
    assert on_disk(tmp_path) == []
    ledger = opened(tmp_path)
    ledger.add({"start": "stack", "seed": 0}, {})
    opened(tmp_path).claim()
    assert on_disk(tmp_path) == ledger.rows


NEXT = "allowed: the table of an earlier run of the same command. Name another folder with --out, or move the file away."
HEAD = ",".join((*KEYS, *FIGURES, *MADE))


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (b"name,label\na.png,cat\n", "a table with other columns"),
        (b"", "a table with other columns"),
        (f"{HEAD}\nstack,1,2.5\n".encode(), "a table with rows of another length"),
        (f"{HEAD}\n{'x,' * len((*KEYS, *FIGURES, *MADE))}x\n".encode(), "a table with rows of another length"),
        (HEAD.encode() + b"\n\xff", f"a file that cannot be read ('utf-8' codec can't decode byte 0xff in position {len(HEAD) + 1}: invalid start byte)"),
    ],
)  # fmt: skip
def test_another_or_a_damaged_table_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, received: str
) -> None:
    path = tmp_path / "runs" / "runs.csv"
    path.parent.mkdir()
    path.write_bytes(content)
    with refusing(DataError, f"{path}: received {received}; {NEXT}"):
        opened(tmp_path)
    assert path.read_bytes() == content


def test_a_table_put_in_the_file_s_place_meanwhile_is_left_alone(
    tmp_path: Path,
) -> None:
    ledger = opened(tmp_path)
    path = tmp_path / "runs" / "runs.csv"
    path.parent.mkdir()
    path.write_text("mine\n")
    with pytest.raises(DataError, match="a table with other columns"):
        ledger.add({"start": "stack", "seed": 0}, {})
    assert path.read_text() == "mine\n"


@pytest.mark.parametrize("text", ["seven", "", "nan", "inf"])
def test_a_figure_that_is_no_number_is_named(tmp_path: Path, text: str) -> None:
    ledger = opened(tmp_path)
    row = ledger.add({"start": "stack", "seed": 0}, {"error": text})
    with pytest.raises(DataError) as caught:
        ledger.number(row, "error")
    path = tmp_path / "runs" / "runs.csv"
    assert str(caught.value) == (f"{path}: received {text!r} as error of a run; {NEXT}")


def test_a_folder_that_cannot_be_written_is_an_error_and_no_run(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    ledger = opened(tmp_path)
    for write in (ledger.claim, lambda: ledger.add({"start": "stack", "seed": 0}, {})):
        message = f"{tmp_path / 'runs' / 'runs.csv'}: received a path that runs through a file; allowed: a place that can be written. Choose another folder."
        with refusing(OutputError, message):
            write()
    assert ledger.rows == []


def test_only_an_interrupted_training_is_passed_on() -> None:
    for history in (History(), History(ended="early"), History(ended="diverged")):
        pass_on_interruption(history)
    with pytest.raises(KeyboardInterrupt):
        pass_on_interruption(History(ended="interrupted"))


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pretend that caes lies in an empty folder."""
    path = tmp_path / "caes" / "version.py"
    (path.parent / "runs").mkdir(parents=True)
    path.write_text("")
    monkeypatch.setattr(module, "__file__", str(path.parent / "runs" / "ledger.py"))
    return path


def test_the_commit_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = commit()
    monkeypatch.setenv("PATH", "")
    assert commit() == before


def test_the_commit_is_git_s_with_a_plus_where_the_code_has_changed(
    installed: Path,
) -> None:
    git(installed.parent, "init", "-q", "..")
    git(installed.parent, "add", "version.py")
    git(installed.parent, "commit", "-qm", "first")
    head = git(installed.parent, "rev-parse", "--short", "HEAD")
    assert re.fullmatch("[0-9a-f]{7,}", head)
    (installed.parents[1] / "beside.txt").write_text("not the code")
    assert commit.__wrapped__() == head
    installed.write_text("changed")
    assert commit.__wrapped__() == f"{head}+"


def test_there_is_no_commit_outside_git_in_another_s_repository_or_without_git(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(installed.parents[2]))
    assert commit.__wrapped__() == ""
    git(installed.parent, "init", "-q", "..")
    (installed.parents[1] / "theirs.txt").write_text("x")
    git(installed.parents[1], "add", "theirs.txt")
    git(installed.parents[1], "commit", "-qm", "theirs")
    assert commit.__wrapped__() == ""
    monkeypatch.setenv("PATH", "")
    assert commit.__wrapped__() == ""
