"""An index on disk: what is written stays, whatever dies meanwhile."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from caes import ImageIndex
from caes.errors import ArgumentError, OutputError, RunError
from caes.tasks.index import image_index, searched
from caes.tasks.index.store import read_listing


def drawn(n: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    index = ImageIndex("whitened").add(drawn(50), labels=["a", None] * 25)
    index.about["seen"] = {"by": "me"}
    index.remove(["00007"]).save(tmp_path / "index")
    again = ImageIndex.load(tmp_path / "index")
    assert (again.names, again.labels) == (index.names, index.labels)
    assert (again.metric, again.about) == ("whitened", index.about)
    np.testing.assert_array_equal(again.codes, index.codes)
    for one, other in zip(again.search(drawn(9)), index.search(drawn(9)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_adding_and_dropping_leave_what_is_there_untouched(tmp_path: Path) -> None:
    ImageIndex().add(drawn(50)).save(tmp_path / "index")
    first = tmp_path / "index" / "segment-000001.arrow"
    before = first.stat().st_mtime_ns, first.stat().st_ino
    index = ImageIndex.load(tmp_path / "index")
    index.add(drawn(5, 1), names="abcde").remove(["00003", "b"])
    index.save(tmp_path / "index")
    assert (first.stat().st_mtime_ns, first.stat().st_ino) == before
    again = ImageIndex.load(tmp_path / "index")
    assert len(again) == 53
    assert again.names == index.names


def test_many_segments_become_one_and_rows_keep_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_index, "MOST", 3)
    index = ImageIndex().add(drawn(5)).remove(["00002"])
    for seed in range(1, 8):
        index.save(tmp_path / "index")
        index.add(drawn(5, seed), names=[f"{seed}{row}" for row in range(5)])
    index.save(tmp_path / "index")
    assert len([*(tmp_path / "index").glob("*.arrow")]) <= 4
    again = ImageIndex.load(tmp_path / "index")
    assert again.names == index.names
    codes = np.concatenate([drawn(5, seed) for seed in range(8)])
    assert again.search(codes[30:31], 1).rows.tolist() == [[30]]


def test_a_graph_is_kept_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searched, "MANY", 500)
    monkeypatch.setattr(searched, "REST", 50)
    index = ImageIndex().add(drawn(600))
    index.save(tmp_path / "index")
    again = ImageIndex.load(tmp_path / "index")
    assert again.graph is not None
    assert len(again.graph) == 600
    np.testing.assert_array_equal(
        again.search(drawn(20, 1)).rows, index.search(drawn(20, 1)).rows
    )
    again.add(drawn(60, 2), names=[f"new {row}" for row in range(60)])
    again.save(tmp_path / "index")
    files = [path.name for path in (tmp_path / "index").glob("*.usearch")]
    assert files == ["graph-000002.usearch"]
    last = ImageIndex.load(tmp_path / "index")
    assert last.graph is not None
    assert len(last.graph) == 660
    assert last.search(drawn(60, 2), 1).names[:, 0].tolist() == last.names[600:]


ADDING = """
import sys, numpy as np
from caes import ImageIndex
from caes.tasks.index import store
index, count = ImageIndex.load(sys.argv[1]), 0
written = store.write_listing
if len(sys.argv) > 2:  # stop between the segment and the list
    def write_listing(*_):
        print(count, flush=True)
        sys.stdin.readline()
    store.write_listing = write_listing
while True:
    codes = np.random.default_rng(9 + count).normal(size=(500, 8))
    index.add(codes, names=[f"{count} {row}" for row in range(500)])
    index.save(sys.argv[1])
    count += 1
    print(count, flush=True)
"""


@pytest.mark.parametrize("between", [[], ["between"]], ids=["anywhere", "between"])
def test_a_kill_while_adding_loses_nothing_that_was_there(
    tmp_path: Path, between: list[str]
) -> None:
    folder = tmp_path / "index"
    ImageIndex().add(drawn(50)).save(folder)
    for turn in range(3):
        before = len(ImageIndex.load(folder))
        words = [sys.executable, "-c", ADDING, str(folder), *between]
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
        ) as adding:
            assert adding.stdout is not None
            done = [adding.stdout.readline() for _ in range(1 if between else turn + 1)]
            os.kill(adding.pid, signal.SIGKILL)
        index = ImageIndex.load(folder)
        assert len(index) >= before + 500 * (0 if between else int(done[-1]))
        assert (len(index) - before) % 500 == 0
        found = index.search(drawn(50), 1)
        assert found.names[:, 0].tolist() == [f"{row:05d}" for row in range(50)]
        if len(index) > 50:  # or the next turn adds the same names
            index.remove(index.names[50:])
        index.save(folder)
        named = {str(each[0]) for each in read_listing(folder).segments}
        assert {path.name for path in folder.glob("*.arrow")} == named
        assert not [*folder.glob(".segment*")]


def test_a_second_writer_is_told_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    ImageIndex().add(drawn(5)).save(folder)
    one, other = ImageIndex.load(folder), ImageIndex.load(folder)
    one.add(drawn(1, 1), names=["one"]).save(folder)
    with pytest.raises(OutputError) as refused:
        other.add(drawn(1, 2), names=["other"]).save(folder)
    assert str(refused.value) == (
        f"{folder}: received an index that another process has changed meanwhile; allowed: one that nobody else is writing to. Nothing of it is lost: do the same again."
    )
    assert ImageIndex.load(folder).names[-1] == "one"


def test_another_folder_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    ImageIndex().add(drawn(5)).save(folder)
    with pytest.raises(OutputError, match="a path that exists"):
        ImageIndex().add(drawn(6)).save(folder)
    ImageIndex().add(drawn(6)).save(folder, force=True)
    assert len(ImageIndex.load(folder)) == 6
    (folder / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match=r"there is also mine\.txt in it"):
        ImageIndex().add(drawn(7)).save(folder, force=True)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("index.json", b"", "contents that cannot be"),
        ("index.json", b"[]", "contents that cannot be"),
        ("index.json", b'{"format": 9}', "format 9"),
        ("index.json", b'{"format": 1, "size": 8}', "contents that cannot be"),
        ("space.safetensors", b"x" * 40, "contents that cannot be"),
        ("segment-000001.arrow", b"ARROW1", "contents that cannot be"),
    ],
)
def test_damaged_files_are_named(
    tmp_path: Path, file: str, change: bytes, message: str
) -> None:
    folder = tmp_path / "index"
    ImageIndex().add(drawn(5)).save(folder)
    (folder / file).write_bytes(change)
    with pytest.raises(RunError, match=message) as refused:
        ImageIndex.load(folder)
    assert file in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"dropped": [99]},
        {"dropped": ["a"]},
        {"graph": ["graph-000001.usearch", 5, 1.0, 16]},
        {"segments": [["segment-000001.arrow", 4]]},
        {"segments": [["../x.arrow", 5]]},
        {"metric": "x"},
    ],
)
def test_a_list_that_cannot_be_is_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    folder = tmp_path / "index"
    ImageIndex().add(drawn(5)).save(folder)
    about = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(about | change))
    with pytest.raises(RunError, match="contents that cannot be"):
        ImageIndex.load(folder)


def test_no_folder_of_an_index(tmp_path: Path) -> None:
    with pytest.raises(RunError) as refused:
        ImageIndex.load(tmp_path / "nowhere")
    assert str(refused.value) == (
        f"{tmp_path}/nowhere: received no index.json in it; allowed: the folder of an index. Make one with: caes index build RUN DATA --out FOLDER."
    )


def test_codes_of_another_run_are_refused() -> None:
    index, other = ImageIndex().add(drawn(5)), ImageIndex().add(drawn(5))
    index.about["run"] = {"fingerprint": "sha256:aaaaaaaaaaaaaaaa"}
    other.about["run"] = {"fingerprint": "sha256:bbbbbbbbbbbbbbbb"}
    with pytest.raises(ArgumentError) as refused:
        index.duplicates(1, against=other)
    assert str(refused.value) == (
        "against: received codes of another run (sha256:bbbbbbbbbbbb); allowed: codes of the run that the index has (sha256:aaaaaaaaaaaa). Codes of two runs mean different things: build another index."
    )
