import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caes.cli import main
from caes.data import ImageSet, Skipped, load, split_names, stream
from caes.data.imageset import join
from caes.data.labels.labelled import labels_of
from caes.data.sources.huggingface import HuggingFace
from caes.errors import CaesError
from tests import hub_layouts as layouts
from tests.damage import damaged
from tests.hub_layouts import CLASSES, GREY, LABELS, dataset
from tests.refusals import FORMATS, NO_PICTURE, refused
from tests.written import by_pillow, parquet, structs

PREFIXES = pytest.mark.parametrize("prefix", ["hf:", "hf-stream:"])
Maker = Callable[[Path], Path]


def written(folder: Path, columns: dict[str, Any], **features: Any) -> Path:
    """Write rows as they are: `save_to_disk` would put files and paths in order."""
    import datasets

    schema = datasets.Features(features).arrow_schema
    with pa.ipc.new_stream(folder / "rows.arrow", schema) as writer:
        writer.write_table(pa.table(columns, schema))
    return folder / "rows.arrow"


@pytest.mark.parametrize(
    ("maker", "classes"),
    [
        *((layouts.saved, CLASSES), (layouts.arrow_file, CLASSES)),
        *((layouts.other_arrow_file, CLASSES), (layouts.image_folder, CLASSES)),
        *((layouts.shards, CLASSES), (layouts.web_tar, ("0", "1", "2"))),
    ],
)
@PREFIXES
def test_every_layout_gives_the_pictures_that_were_put_into_it(
    tmp_path: Path, maker: Maker, classes: tuple[str, ...], prefix: str
) -> None:
    source = f"{prefix}{maker(tmp_path)}"
    images = load(source)
    assert images.pixels[..., 0].tolist() == GREY.tolist()
    assert images.dtype == np.uint8
    assert (labels_of(images).tolist(), images.classes) == (LABELS, classes)
    within = "train/" if maker is layouts.shards else ""
    assert images.names == [f"{within}{row:05d}" for row in range(10)]
    one_by_one = join([each for each in stream(source) if isinstance(each, ImageSet)])
    assert one_by_one.fingerprint == images.fingerprint
    assert one_by_one.names == images.names


def test_splits_are_those_of_the_set_with_train_before_test(tmp_path: Path) -> None:
    path = layouts.saved_splits(tmp_path)
    assert [*split_names(path).items()] == [("train", 10), ("test", 3)]
    images = load(path, "test+train[8:]")
    tests = [f"test/0000{n}" for n in range(3)]
    assert images.names == [*tests, "train/00008", "train/00009"]
    assert images.pixels[..., 0].tolist() == [*GREY[:3].tolist(), *GREY[8:].tolist()]


def test_a_configuration_is_named_last(tmp_path: Path) -> None:
    path = layouts.configurations(tmp_path)
    for number, name in enumerate(("one", "two")):
        (path / name).rename(path / f"files-{name}")
        card = path / "README.md"
        card.write_text(card.read_text().replace(f": {name}/", f": files-{name}/"))
        images = load(f"hf:{path}/{name}")
        assert images.pixels[..., 0].tolist() == GREY[number:].tolist()
    assert refused(load, f"hf:{path}") == (
        f"hf:{path}: received no configuration; allowed: one of one, two. "
        f"Try hf:{path}/one."
    )
    assert refused(load, f"hf-stream:{path}/three") == (
        f"hf-stream:{path}/three: received the configuration 'three'; allowed: one of "
        f"one, two. Try hf-stream:{path}/one."
    )


def test_rows_without_a_whole_picture_are_skipped_and_named(
    in_empty_folder: Path,
) -> None:
    import datasets

    Path("a.png").write_bytes(by_pillow(GREY[0]))  # is no file of the set's
    whole, half = by_pillow(GREY[0]), by_pillow(GREY[1])[:40]
    rows = [whole, None, b"text", half, {"path": "a.png", "bytes": None}]
    columns = {"image": structs(rows), "label": [0, 1, 2, 0, 1]}
    kind = datasets.ClassLabel(names=[*CLASSES])
    path = written(in_empty_folder, columns, image=datasets.Image(), label=kind)
    images = load(path)
    assert [(each.name, each.reason) for each in images.skipped] == [
        ("00001", "empty"),
        ("00002", NO_PICTURE),
        ("00003", "damaged (its header cannot be read)"),
        ("00004", "empty"),
    ]
    assert (images.names, labels_of(images).tolist()) == (["00000"], [0])
    assert refused(load, path, strict=True) == (
        f"00001 in {path}: received an unreadable picture (empty); allowed: a whole "
        f"{FORMATS} picture. Mend or remove it, or leave out --strict to skip it."
    )
    skipped = [piece for piece in stream(path) if isinstance(piece, Skipped)]
    assert skipped == [*images.skipped]


@PREFIXES
def test_a_split_without_any_known_label_has_none(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "set").mkdir()
    rows = dataset([by_pillow(GREY[0])] * 2, [-1, -1])
    rows.to_parquet(tmp_path / "set" / "train.parquet")
    images = load(f"{prefix}{tmp_path / 'set'}")
    assert (images.labels, images.classes) == (None, ())


def test_sound_and_text_are_refused_with_the_columns_there_are(tmp_path: Path) -> None:
    import datasets

    rows = {"audio": [{"bytes": b"RIFF", "path": "a.wav"}], "text": ["a"]}
    kinds = {"audio": datasets.Audio(), "text": datasets.Value("string")}
    path = written(tmp_path, rows, **kinds)
    assert refused(load, path) == (
        f"{path}: received columns audio (Audio), text (string); allowed: a column of "
        "encoded pictures, as bytes or as structs with bytes. Write it with Hugging "
        "Face's datasets, as a column of type Image."
    )


def test_a_stream_fetches_pictures_that_lie_in_files_of_their_own(
    tmp_path: Path,
) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe("/a.png", by_pillow(GREY[0]))
    (tmp_path / "set").mkdir()
    place = {"bytes": None, "path": "memory://a.png"}
    pictures = pa.array([place], pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    parquet(tmp_path / "set" / "train.parquet", {"image": pictures})
    images = load(f"hf-stream:{tmp_path / 'set'}")
    assert images.pixels[0, ..., 0].tolist() == GREY[0].tolist()


def test_a_changed_picture_makes_another_prepared_set(tmp_path: Path) -> None:
    source = f"hf:{layouts.image_folder(tmp_path)}"
    load(source, prepare=True)
    path = tmp_path / "pictures" / "train" / "4.png"
    path.write_bytes(by_pillow(255 - GREY[4]))
    os.utime(path, (1, 1))
    after = load(source, prepare=True)
    assert after.pixels[4, ..., 0].tolist() == (255 - GREY[4]).tolist()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What is read from now on: columns, and rows of each at once."""
    met: list[tuple[str, int]] = []
    following = HuggingFace._next

    def watched(self: HuggingFace, batches: Iterator[Any]) -> Any:
        batch = following(self, batches)
        met.extend((name, len(values)) for name, values in (batch or {}).items())
        return batch

    monkeypatch.setattr(HuggingFace, "_next", watched)
    return met


@PREFIXES
def test_a_prepared_set_is_found_again_without_a_look_at_any_picture(
    tmp_path: Path, prefix: str, read: list[tuple[str, int]]
) -> None:
    source = f"{prefix}{layouts.shards(tmp_path)}"
    first = load(source, size=(3, 4), prepare=True)
    read.clear()
    again = load(source, size=(3, 4), prepare=True)
    assert isinstance(again.pixels, np.memmap)
    assert again.fingerprint == first.fingerprint
    assert {name for name, _ in read} == {"label"}


def test_of_a_stream_no_more_is_fetched_than_is_asked_for(
    tmp_path: Path, read: list[tuple[str, int]]
) -> None:
    rows = dataset([by_pillow(each) for each in GREY] * 20, LABELS * 20)
    (tmp_path / "set").mkdir()
    for shard in range(4):
        part = rows.select(range(50 * shard, 50 * shard + 50))
        part.to_parquet(tmp_path / "set" / f"train-{shard}.parquet")
    load(f"hf:{tmp_path / 'set'}")  # leaves in the library's cache that rows are 200
    read.clear()
    images = load(f"hf-stream:{tmp_path / 'set'}", "train[60:100]")
    assert images.pixels[..., 0].tolist() == [*GREY.tolist()] * 4
    look, *met = read  # at how large the first picture is
    assert look == ("image", 16)
    assert met == [*(("image", n) for n in (16, 16, 8)), ("label", 40)]


def test_a_stream_that_ends_early_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HuggingFace, "_count", lambda self, split: 12)
    source = f"hf-stream:{layouts.web_tar(tmp_path)}"
    assert refused(load, source) == (
        f"{source}: received a stream that ends after 10 rows; allowed: the 12 that it "
        "is said to have. Read a part, such as train[:10]."
    )


@pytest.mark.parametrize(
    ("rest", "asked"),
    [
        ("mnist", {"path": "mnist"}),
        ("ylecun/mnist", {"path": "ylecun/mnist"}),
        ("a-1/b.2/c x", {"path": "a-1/b.2", "name": "c x"}),
        ("a/b@v1/c", {"path": "a/b", "revision": "v1", "name": "c"}),
        ("a/b@refs/pr/3", {"path": "a/b", "revision": "refs/pr/3"}),
        ("here/before", {"path": "HERE/here/before"}),
    ],
)
@pytest.mark.parametrize("way", ["load_dataset", "load_dataset_builder"])
def test_the_library_is_asked_for_what_the_address_says(
    in_empty_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    rest: str,
    asked: dict[str, str],
    way: str,
) -> None:
    Path("here/before").mkdir(parents=True)
    found = not_found(monkeypatch, "Dataset 'a/b' doesn't exist", way)
    prefix = "hf:" if way == "load_dataset" else "hf-stream:"
    refused(load, prefix + rest)
    path = asked["path"].replace("HERE", str(in_empty_folder))
    assert found == [{**asked, "path": path}]


UNREAD = ("hf:", "hf:a/b/c/d", "hf-stream:a b/c", "hf:a/b@")
MISSING = ("hf:./none", "hf:~/none/at/all", "hf:/none.arrow")


@pytest.mark.parametrize("source", [*UNREAD, *MISSING])
def test_other_addresses_and_missing_paths_are_refused(
    in_empty_folder: Path, source: str
) -> None:
    received, step = "an address that cannot be read", "Try hf:ylecun/mnist."
    if source in MISSING:
        received, step = "a path that does not exist", "Check the spelling."
    assert refused(load, source) == (
        f"{source}: received {received}; allowed: hf:owner/name, "
        f"hf:owner/name@revision/config, or hf: and a path. {step}"
    )


def cache() -> str:
    import datasets

    return str(datasets.config.HF_DATASETS_CACHE)


@PREFIXES
def test_without_a_connection_the_way_to_the_cache_is_told(prefix: str) -> None:
    source = f"{prefix}nobody/nothing"
    assert refused(load, source) == (
        f"{source}: received a data set that is not in {cache()}, while the Hub cannot "
        "be reached; allowed: one that is there, or a connection to fetch it once. Run "
        f"caes info {source} with a connection, and without HF_HUB_OFFLINE."
    )


def test_what_was_fetched_once_is_opened_without_a_connection(tmp_path: Path) -> None:
    load(f"hf:{layouts.shards(tmp_path)}")
    # As it would lie there if it had come from the Hub.
    shutil.copytree(Path(cache()) / "shards", Path(cache()) / "owner___shards")
    images = load("hf:owner/shards", "train+test")
    assert images.pixels[..., 0].tolist() == [*GREY.tolist(), *GREY[:3].tolist()]
    assert images.source == "hf:owner/shards"


def not_found(
    monkeypatch: pytest.MonkeyPatch, text: str, way: str = "load_dataset"
) -> list[dict[str, Any]]:
    """Let the library find nothing; give what it is asked for from now on."""
    import datasets

    asked = []

    def refuse(**about: Any) -> None:
        asked.append(about)
        raise datasets.exceptions.DatasetNotFoundError(text)

    monkeypatch.setattr(datasets, way, refuse)
    return asked


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Dataset 'a/b' doesn't exist on the Hub or cannot be accessed.",
            "a name that is not on the Hub, or that you may not see; allowed: the owner "
            "and name of a data set, as in hf:ylecun/mnist. Check the spelling, or run: "
            "hf auth login",
        ),
        (
            "Revision 'v9' doesn't exist for dataset 'a/b' on the Hub.",
            "'v9', which is no revision of a/b; allowed: a branch, tag or commit of it. "
            "Leave it out for the newest.",
        ),
    ],
    ids=["unknown", "revision"],
)
def test_what_the_hub_does_not_give_is_told(
    monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    not_found(monkeypatch, text)
    assert refused(load, "hf:a/b@v9/c") == f"hf:a/b@v9/c: received {told}"


def test_a_folder_with_a_script_is_refused_and_the_script_not_run(
    tmp_path: Path,
) -> None:
    path = layouts.image_folder(tmp_path)
    (path / "pictures.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')")
    assert "(Dataset scripts are no longer supported" in refused(load, f"hf:{path}")
    assert not (tmp_path / "run").exists()


def test_of_other_errors_the_cause_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 and no more")
    source = f"hf:{tmp_path}"
    assert refused(load, source) == (
        f"{source}: received data that cannot be read (Parquet magic bytes not found in "
        "footer. Either the file is corrupted or this is not a parquet file); allowed: "
        "data that Hugging Face's datasets opens, with a column of encoded pictures. "
        "Check it, or make it again."
    )


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = layouts.saved(tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert refused(load, path) == (
        f"{path}: received a source whose package, datasets, is not installed; allowed: "
        "what it opens once the extra of this name is installed. "
        'Run: pip install "caes[datasets]"'
    )


def test_the_library_says_nothing_and_is_left_as_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import datasets
    from huggingface_hub import utils as hub

    path = layouts.image_folder(tmp_path)
    before = datasets.utils.logging.get_verbosity()
    capfd.readouterr()
    load(f"hf:{path}")
    refused(load, "hf:nobody/nothing")
    assert capfd.readouterr() == ("", "")
    assert not datasets.are_progress_bars_disabled()
    assert not hub.are_progress_bars_disabled()
    assert datasets.utils.logging.get_verbosity() == before


@PREFIXES
def test_commands_take_an_address(
    in_empty_folder: Path, capsys: pytest.CaptureFixture[str], prefix: str
) -> None:
    source = f"{prefix}{layouts.shards(in_empty_folder)}"
    assert main(["info", source]) == 0
    said = capsys.readouterr().out
    assert "train 10, test 3" in said
    assert "6×9" in said
    fit = ["fit", source, "--epochs", "1", "--size", "8x8", "--arch", "2C3-MP2"]
    assert main([*fit, "--out", "run"]) == 0
    assert main(["reconstruct", "run", source, "--out", "out"]) == 0
    assert (in_empty_folder / "out" / "errors.csv").is_file()


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_broken_files_load_or_are_refused_and_nothing_else(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    path = layouts.arrow_file(folder)
    path.write_bytes(damaged(data, path.read_bytes()))
    with suppress(CaesError):
        load(path)
