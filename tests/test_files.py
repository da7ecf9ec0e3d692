import errno
import os
import resource
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from caes.errors import OutputError
from caes.files import (
    TableWriter,
    check_new,
    new_folder,
    read_table,
    reserved,
    write_atomically,
)
from tests.refusals import refusing


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with pytest.raises(ZeroDivisionError), write_atomically(path) as file:  # noqa: PT012
        file.write(b"half")
        assert not path.exists()
        raise ZeroDivisionError
    assert list(tmp_path.rglob("*.txt*")) == []
    with write_atomically(path) as file:
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


def test_an_older_file_outlives_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    message = f"{path}: received a full disk; allowed: a place that can be written. Free some space, or choose another folder."
    with refusing(OutputError, message), write_atomically(path) as file:
        file.write(b"new")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_files_get_the_permissions_of_ordinary_ones(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    with write_atomically(tmp_path / "ours"):
        pass
    ordinary, ours = (tmp_path / "ordinary").stat(), (tmp_path / "ours").stat()
    assert ours.st_mode == ordinary.st_mode


def test_a_limit_on_file_size_leaves_no_half_file(tmp_path: Path) -> None:
    """The operating system itself refuses, in a process of its own."""
    code = (
        "import sys; from pathlib import Path; from caes.files import write_atomically\n"
        "with write_atomically(Path(sys.argv[1])) as file: file.write(b'x' * 100_000)"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "file")],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )
    assert "received a file-size limit; allowed" in run.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Make a folder that is to be replaced."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model").write_text("old")
    return tmp_path / "run"


def untouched(run: Path) -> bool:
    """Whether the folder is as it was, and nothing beside it."""
    return (run / "model").read_text() == "old" and [*run.parent.iterdir()] == [run]


def test_an_existing_folder_is_refused_unless_forced(run: Path) -> None:
    message = f"{run}: received a path that exists; allowed: a new folder. Give another one, or force (--force) to replace it."
    with refusing(OutputError, message), new_folder(run, ["model"]):
        pass
    with new_folder(run, ["model"], force=True) as staged:
        (staged / "fresh").write_text("new")
        assert (run / "model").read_text() == "old"
    assert [entry.name for entry in run.iterdir()] == ["fresh"]
    assert [*run.parent.iterdir()] == [run]


def test_a_failure_leaves_the_folder_that_was_to_be_replaced(run: Path) -> None:
    with (  # noqa: PT012
        pytest.raises(KeyboardInterrupt),
        new_folder(run, ["model"], force=True) as staged,
    ):
        (staged / "fresh").write_text("new")
        raise KeyboardInterrupt
    assert untouched(run)


def test_a_rename_that_fails_puts_the_old_folder_back(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.startswith(".run.") and target == run:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with (
        pytest.raises(OutputError, match="received a read-only file system"),
        new_folder(run, ["model"], force=True),
    ):
        pass
    assert untouched(run)


def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    message = f"{tmp_path}/file/run: received a path that runs through a file; allowed: a place that can be written. Choose another folder."
    with (
        refusing(OutputError, message),
        new_folder(tmp_path / "file" / "run", ["model"]),
    ):
        pytest.fail("the work must not start")


def test_two_at_once_never_reserve_the_same_name(tmp_path: Path) -> None:
    held: list[Path] = []
    barrier = threading.Barrier(8)

    def hold() -> None:
        with reserved(tmp_path, "digits") as path:
            held.append(path)
            barrier.wait(timeout=20)

    threads = [threading.Thread(target=hold) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in held) == [f"digits-{n}" for n in range(1, 9)]
    assert list(tmp_path.iterdir()) == []


def test_what_was_put_in_a_reserved_place_stays(tmp_path: Path) -> None:
    with reserved(tmp_path, "digits") as path, new_folder(path, ["model"]) as staged:
        (staged / "model").touch()
    assert (tmp_path / "digits-1" / "model").exists()
    with reserved(tmp_path, "digits") as path:
        assert path.name == "digits-2"


@pytest.mark.parametrize("precious", ["photos/holiday.jpg", "photos"])
def test_force_never_replaces_what_caes_did_not_make(
    tmp_path: Path, precious: str
) -> None:
    path = tmp_path / "photos"
    (tmp_path / precious).parent.mkdir(exist_ok=True)
    (tmp_path / precious).write_text("mine")
    message = f"{path}: received a path that caes did not make (there is no model.json in it); allowed: a new folder, or an older one of the same sort. Give another one, or delete it yourself."
    with refusing(OutputError, message), new_folder(path, ["model.json"], force=True):
        pytest.fail("the work must not start")
    assert (tmp_path / precious).read_text() == "mine"


def test_force_never_takes_what_was_put_beside_a_run(run: Path) -> None:
    (run / "mine").mkdir()
    (run / "mine" / "thesis.txt").write_text("mine")
    with (
        pytest.raises(OutputError, match=r"there is also mine/thesis\.txt in it"),
        new_folder(run, ["model"], force=True),
    ):
        pytest.fail("the work must not start")
    assert (run / "mine" / "thesis.txt").read_text() == "mine"


def test_a_table_shows_formulas_as_text_and_comes_back_as_it_was(
    tmp_path: Path,
) -> None:
    path = tmp_path / "table.csv"
    texts = ["=1+1", "+a", "-b.png", "@sum", "\tx", "'=quoted", "'plain", "a,b", "ü\n"]
    with TableWriter(path) as table:
        table.row(["name", "=evil", "count"])
        for text in texts:
            table.row([text, -1.5, "-2.5e-3"])
            table.row([None, -1, "+7"])
    lines = path.read_text("utf-8").splitlines()
    assert lines[:3] == ["name,'=evil,count", "'=1+1,-1.5,-2.5e-3", ",-1,+7"]
    assert "''=quoted,-1.5,-2.5e-3" in lines
    assert "'plain,-1.5,-2.5e-3" in lines
    head, *rows = read_table(path)
    assert head == ["name", "=evil", "count"]
    assert [row[0] for row in rows[::2]] == texts


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), TableWriter(tmp_path / "table.csv") as table:  # noqa: PT012
        table.row(["a"])
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_disk_that_fills_up_while_a_table_is_written_is_an_output_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "caes.files.open",
        lambda _, mode: open("/dev/full", mode),  # noqa: SIM115
        raising=False,
    )
    with (
        pytest.raises(OutputError, match="a full disk"),
        TableWriter(tmp_path / "t") as t,
    ):
        t.row(["x"])
    assert list(tmp_path.iterdir()) == []


def killed(folder: Path, code: str) -> None:
    """Run a process in a folder until it prints a line, and kill it."""
    start = "from pathlib import Path; from caes.files import *; import time\n"
    wait = "; print('there', flush=True); time.sleep(600)"
    words = [sys.executable, "-c", f"{start}{code}{wait}"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        with reserved(folder, "other"):  # a command that meets it alive
            names = {path.name for path in folder.iterdir()}
            assert len(names) > 1, "what a living process works on stays"
        process.kill()


@pytest.mark.parametrize(
    "code",
    [
        "with reserved(Path(), 'digits') as path, new_folder(path, ['m']) as staged: (staged / 'half').touch()",
        "with write_atomically(Path('errors.csv')) as file: file.write(b'half')",
    ],
)
def test_what_a_killed_process_left_is_removed_by_the_next_command(
    tmp_path: Path, code: str
) -> None:
    (tmp_path / "mine-1").mkdir()
    (tmp_path / "mine-1" / "thesis.txt").touch()
    (tmp_path / "empty").mkdir()
    killed(tmp_path, code)
    assert len(list(tmp_path.iterdir())) > 2
    with reserved(tmp_path, "digits") as path:
        assert path.name == "digits-1"
    assert {path.name for path in tmp_path.iterdir()} == {"mine-1", "empty"}
    assert (tmp_path / "mine-1" / "thesis.txt").exists()


def test_an_older_folder_that_a_killed_process_had_set_aside_is_put_back(
    run: Path,
) -> None:
    killed(
        run.parent,
        "Path.rename = lambda old, new, rename=Path.rename: (rename(old, new), "
        "print('there', flush=True), time.sleep(600))\n"
        "with new_folder(Path('run'), ['model'], force=True): pass\n0",
    )
    assert not run.exists()
    check_new(run.parent / "table.csv", force=False)
    assert untouched(run)


def test_a_file_made_while_another_sweeps_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tempfile.mkstemp
    made: list[str] = []

    def swept(**where: Any) -> tuple[int, str]:
        handle, name = make(**where)
        made.append(name)
        if len(made) == 1:
            os.unlink(name)
        return handle, name

    monkeypatch.setattr("tempfile.mkstemp", swept)
    with write_atomically(tmp_path / "file") as file:
        file.write(b"whole")
    assert len(made) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
