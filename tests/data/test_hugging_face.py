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
from caes.data import ImageSet, Skipped, load, split_names, stream, survey
from caes.data.sources.hub_address import Address, address_of
from caes.data.sources.hub_names import names_by_path
from caes.data.sources.hub_rows import Mapped, Streamed
from caes.errors import CaesError, DataError
from tests import hub_layouts as layouts
from tests.damage import damaged
from tests.hub_layouts import CLASSES, GREY, LABELS, dataset, png

FORMATS = "PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS"
BY_ROW = [f"{row:05d}" for row in range(10)]
Maker = Callable[[Path], Path]


def message(source: Any, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        load(source, **options)
    return str(caught.value)


def saved(folder: Path, rows: Any) -> Path:
    rows.save_to_disk(folder / "set")
    return folder / "set"


def written(folder: Path, columns: dict[str, Any], **features: Any) -> Path:
    """Write rows as they are: `save_to_disk` would put files and paths in order."""
    import datasets

    schema = datasets.Features(features).arrow_schema
    with pa.ipc.new_stream(folder / "rows.arrow", schema) as writer:
        writer.write_table(pa.table(columns, schema))
    return folder / "rows.arrow"


@pytest.mark.parametrize(
    ("maker", "classes", "names"),
    [
        (layouts.saved, CLASSES, BY_ROW),
        (layouts.arrow_file, CLASSES, BY_ROW),
        (layouts.image_folder, CLASSES, [f"train/{row}.png" for row in range(10)]),
        (layouts.shards, CLASSES, [f"train/{name}" for name in BY_ROW]),
        (layouts.web_tar, ("0", "1", "2"), [f"{row:03d}.png" for row in range(10)]),
    ],
)
@pytest.mark.parametrize("prefix", ["hf:", "hf-stream:"])
def test_every_layout_gives_the_pictures_that_were_put_into_it(
    tmp_path: Path,
    maker: Maker,
    classes: tuple[str, ...],
    names: list[str],
    prefix: str,
) -> None:
    source = f"{prefix}{maker(tmp_path)}"
    images = load(source)
    assert images.pixels[..., 0].tolist() == GREY.tolist()
    assert images.dtype == np.uint8
    assert images.labels is not None
    assert images.labels.tolist() == LABELS
    assert images.classes == classes
    streams = prefix == "hf-stream:" and maker not in (
        layouts.saved,
        layouts.arrow_file,
    )
    by_row = [f"train/{name}" for name in BY_ROW]
    few = BY_ROW if maker is not layouts.shards else by_row
    assert images.names == (few if streams else names)
    one_by_one = [piece for piece in stream(source) if isinstance(piece, ImageSet)]
    assert [piece.names[0] for piece in one_by_one] == images.names
    assert [
        piece.labels.tolist() for piece in one_by_one if piece.labels is not None
    ] == [[label] for label in LABELS]
    assert [piece.pixels[0, ..., 0].tolist() for piece in one_by_one] == GREY.tolist()


def test_a_table_of_commas_does_as_well(tmp_path: Path) -> None:
    images = load(f"hf:{layouts.image_folder(tmp_path, 'metadata.csv')}", "train[3:5]")
    assert images.pixels[..., 0].tolist() == GREY[3:5].tolist()
    assert images.names == ["train/3.png", "train/4.png"]


@pytest.mark.parametrize("maker", [layouts.saved, layouts.arrow_file])
def test_what_nothing_else_opens_needs_no_prefix(tmp_path: Path, maker: Maker) -> None:
    path = maker(tmp_path)
    images = load(path)
    assert images.pixels[..., 0].tolist() == GREY.tolist()
    assert (images.source, images.classes) == (str(path), CLASSES)


def test_splits_are_those_of_the_set_with_train_before_test(tmp_path: Path) -> None:
    path = layouts.saved_splits(tmp_path)
    assert [*split_names(path).items()] == [("train", 10), ("test", 3)]
    images = load(path, "test+train[8:]")
    assert images.names == [
        *(f"test/0000{n}" for n in range(3)),
        "train/00008",
        "train/00009",
    ]
    expected = [*GREY[:3].tolist(), *GREY[8:].tolist()]
    assert images.pixels[..., 0].tolist() == expected


def test_the_other_form_of_arrow_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "rows.arrow"
    table = pa.table({"jpg": [png(each) for each in GREY], "class": [*"bababababb"]})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    images = load(path)
    assert images.pixels[..., 0].tolist() == GREY.tolist()
    assert images.labels is not None
    assert (images.labels[:3].tolist(), images.classes) == ([1, 0, 1], ("a", "b"))


@pytest.mark.parametrize("suffix", ["/train-000.tar", ""])
def test_a_tar_is_opened_by_its_folder_or_by_itself(
    tmp_path: Path, suffix: str
) -> None:
    assert len(load(f"hf:{layouts.web_tar(tmp_path)}{suffix}")) == 10


def test_a_configuration_is_named_last(tmp_path: Path) -> None:
    path = layouts.configurations(tmp_path)
    for number, name in enumerate(("one", "two")):
        (path / name).rename(path / f"files-{name}")
        card = path / "README.md"
        card.write_text(card.read_text().replace(f": {name}/", f": files-{name}/"))
        images = load(f"hf:{path}/{name}")
        assert images.pixels[..., 0].tolist() == GREY[number:].tolist()
    assert message(f"hf:{path}") == (
        f"hf:{path}: received no configuration; allowed: one of one, two. "
        f"Try hf:{path}/one."
    )
    assert message(f"hf-stream:{path}/three") == (
        f"hf-stream:{path}/three: received the configuration 'three'; allowed: one of "
        f"one, two. Try hf-stream:{path}/one."
    )


def test_a_path_below_here_is_told_from_a_name_of_the_hub(
    in_empty_folder: Path,
) -> None:
    layouts.configurations(in_empty_folder)
    assert message("hf:configs") == (
        "hf:configs: received no configuration; allowed: one of one, two. "
        "Try hf:./configs/one."
    )
    assert len(load("hf:./configs/one")) == 10


def test_deep_pictures_keep_their_bits(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 211
    images = load(saved(tmp_path, dataset([png(each) for each in deep])))
    assert images.dtype == np.uint16
    assert images.pixels[..., 0].tolist() == deep.tolist()
    assert (images.labels, images.classes) == (None, ())


def test_pictures_with_opacity_are_laid_on_white_as_everywhere(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (4, 5, 4), np.uint8)
    (tmp_path / "a.png").write_bytes(png(drawn))
    alone, within = (
        load(tmp_path / "a.png"),
        load(saved(tmp_path, dataset([png(drawn)]))),
    )
    assert (within.pixels == alone.pixels).all()
    assert within.notes == alone.notes != ()


def test_rows_without_a_whole_picture_are_skipped_and_named(tmp_path: Path) -> None:
    import datasets

    rows = [
        png(GREY[0]),
        None,
        b"text",
        png(GREY[1])[:40],
        {"path": "a.png", "bytes": None},
    ]
    structs = [
        {"bytes": each, "path": None} if isinstance(each, bytes) else each
        for each in rows
    ]
    columns = {"image": structs, "label": [0, 1, 2, 0, 1]}
    kind = datasets.ClassLabel(names=[*CLASSES])
    path = written(tmp_path, columns, image=datasets.Image(), label=kind)
    images = load(path)
    assert [(each.name, each.reason) for each in images.skipped] == [
        ("00001", "empty"),
        ("00002", f"not a {FORMATS} picture"),
        ("00003", "damaged (its header cannot be read)"),
        ("a.png", "empty"),
    ]
    assert images.labels is not None
    assert (images.names, images.labels.tolist()) == (["00000"], [0])
    assert message(path, strict=True) == (
        f"00001 in {path}: received an unreadable picture (empty); allowed: a whole "
        f"{FORMATS} picture. Mend or remove it, or leave out --strict to skip it."
    )
    skipped = [piece for piece in stream(path) if isinstance(piece, Skipped)]
    assert skipped == [*images.skipped]


def test_labels_that_are_not_known_are_minus_one(tmp_path: Path) -> None:
    rows = [png(each) for each in GREY[:4]]
    path = saved(tmp_path, dataset(rows, [2, -1, None, 0]))
    images = load(path)
    assert images.labels is not None
    assert (images.labels.tolist(), images.classes) == ([2, -1, -1, 0], CLASSES)
    assert survey(path).classes == {"ant": 1, "bee": 0, "cat": 1}


@pytest.mark.parametrize("prefix", ["hf:", "hf-stream:"])
def test_a_split_without_any_known_label_has_none(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "set").mkdir()
    dataset([png(GREY[0])] * 2, [-1, -1]).to_parquet(tmp_path / "set" / "train.parquet")
    images = load(f"{prefix}{tmp_path / 'set'}")
    assert (images.labels, images.classes) == (None, ())


def test_sound_and_text_are_refused_with_the_columns_there_are(tmp_path: Path) -> None:
    import datasets

    rows = {"audio": [{"bytes": b"RIFF", "path": "a.wav"}], "text": ["a"]}
    kinds = {"audio": datasets.Audio(), "text": datasets.Value("string")}
    path = written(tmp_path, rows, **kinds)
    assert message(path) == (
        f"{path}: received columns audio (Audio), text (string); allowed: a column of "
        "encoded pictures, as bytes or as structs with bytes. Write it with Hugging "
        "Face's datasets, as a column of type Image."
    )


def test_of_several_columns_of_pictures_the_first_is_read_and_noted(
    tmp_path: Path,
) -> None:
    import datasets

    pictures = [{"bytes": png(each), "path": None} for each in GREY]
    rows = {"photo": pictures, "mask": pictures[::-1]}
    kinds = dict.fromkeys(rows, datasets.Image())
    path = saved(tmp_path, datasets.Dataset.from_dict(rows, datasets.Features(kinds)))
    images = load(path)
    assert images.notes == ("Pictures are those of photo, not of mask.",)
    assert images.pixels[..., 0].tolist() == GREY.tolist()


def paths(folder: Path, *named: str | None, **splits: list[str]) -> list[str]:
    import datasets

    def rows(names: Any) -> Any:
        return [{"bytes": png(GREY[0]), "path": each} for each in names]

    if not splits:
        path = written(folder, {"image": rows(named)}, image=datasets.Image())
        return [*load(path).names]
    parts = {split: dataset(rows(names)) for split, names in splits.items()}
    path = saved(folder, datasets.DatasetDict(parts))
    return [*load(path, "+".join(splits)).names]


def test_pictures_are_named_by_their_paths(tmp_path: Path) -> None:
    assert paths(tmp_path, "a/1.png", None, "b.png") == ["a/1.png", "00001", "b.png"]


@pytest.mark.parametrize(
    "odd", ["../a.png", "/etc/a.png/..", "a\\b.png", "a\nb.png", "", "hf://x/a.png"]
)
def test_paths_that_lead_elsewhere_are_no_names(tmp_path: Path, odd: str) -> None:
    assert paths(tmp_path, "b.png", odd) == ["b.png", "00001"]


def test_where_two_paths_are_one_the_rows_name_all(tmp_path: Path) -> None:
    assert paths(tmp_path, "a.png", "b.png", "a.png") == BY_ROW[:3]


def test_paths_that_come_again_in_another_split_stand_behind_its_name(
    tmp_path: Path,
) -> None:
    names = paths(tmp_path, train=["0.png", "1.png"], test=["0.png"])
    assert names == ["train/0.png", "train/1.png", "test/0.png"]


def test_a_relative_path_without_bytes_is_no_file_to_be_opened(
    in_empty_folder: Path,
) -> None:
    import datasets

    Path("a.png").write_bytes(png(GREY[0]))
    rows = [{"bytes": png(GREY[1]), "path": None}, {"bytes": None, "path": "a.png"}]
    path = written(in_empty_folder, {"image": rows}, image=datasets.Image())
    images = load(path)
    assert images.skipped == (Skipped("a.png", "empty"),)


def test_a_changed_picture_makes_another_prepared_set(tmp_path: Path) -> None:
    source = f"hf:{layouts.image_folder(tmp_path)}"
    before = load(source, prepare=True)
    again = load(source, prepare=True)
    assert isinstance(again.pixels, np.memmap)
    assert again.fingerprint == before.fingerprint
    path = tmp_path / "pictures" / "train" / "4.png"
    path.write_bytes(png(255 - GREY[4]))
    os.utime(path, (1, 1))
    expected = GREY.copy()
    expected[4] = 255 - GREY[4]
    after = load(source, prepare=True)
    assert after.pixels[..., 0].tolist() == expected.tolist()


@pytest.mark.parametrize("prefix", ["hf:", "hf-stream:"])
def test_a_prepared_set_is_found_again_without_a_look_at_any_picture(
    tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"{prefix}{layouts.shards(tmp_path)}"
    first = load(source, size=(3, 4), prepare=True)
    read = []
    for kind in (Mapped, Streamed):
        column = kind.column

        def watched(
            self: Any, name: str, rows: range, within: str = "", column: Any = column
        ) -> Iterator[Any]:
            read.append((name, within))
            return column(self, name, rows, within)  # type: ignore[no-any-return]

        monkeypatch.setattr(kind, "column", watched)
    again = load(source, size=(3, 4), prepare=True)
    assert isinstance(again.pixels, np.memmap)
    assert again.fingerprint == first.fingerprint
    assert ("image", "") not in read
    assert ("label", "") in read


def test_of_a_stream_no_more_is_fetched_than_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = dataset([png(each) for each in GREY] * 20, LABELS * 20)
    (tmp_path / "set").mkdir()
    for shard in range(4):
        part = rows.select(range(50 * shard, 50 * shard + 50))
        part.to_parquet(tmp_path / "set" / f"train-{shard}.parquet")
    source = f"hf-stream:{tmp_path / 'set'}"
    load(f"hf:{tmp_path / 'set'}")  # leaves in the library's cache that rows are 200
    met = []
    batches = Streamed._batches

    def watched(self: Streamed, name: str, rows: range) -> Iterator[list[Any]]:
        for batch in batches(self, name, rows):
            met.append((name, len(batch)))
            yield batch

    monkeypatch.setattr(Streamed, "_batches", watched)
    images = load(source, "train[60:100]")
    assert images.pixels[..., 0].tolist() == [*GREY.tolist()] * 4
    look, *met = met  # at how large the first picture is
    assert look == ("image", 16)
    assert met == [(name, n) for name in ("image", "label") for n in (16, 16, 8)]


def test_a_stream_that_ends_early_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Streamed, "__len__", lambda self: 12)
    source = f"hf-stream:{layouts.web_tar(tmp_path)}"
    assert message(source) == (
        f"{source}: received a stream that ends after 10 rows; allowed: the 12 that it "
        "is said to have. Read a part, such as train[:10]."
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("hf:mnist", ("mnist", None, None)),
        ("hf:ylecun/mnist", ("ylecun/mnist", None, None)),
        ("hf:a-1/b.2/c x", ("a-1/b.2", None, "c x")),
        ("hf-stream:a/b@v1/c", ("a/b", "v1", "c")),
        ("hf:a/b@refs/convert/parquet", ("a/b", "refs/convert/parquet", None)),
        ("hf:a/b@refs/pr/3/c", ("a/b", "refs/pr/3", "c")),
    ],
)
def test_names_of_the_hub_are_read(
    in_empty_folder: Path, source: str, expected: tuple[str, str | None, str | None]
) -> None:
    streamed = source.startswith("hf-stream:")
    assert address_of(source) == Address(source, *expected, streamed=streamed)


def test_what_is_here_comes_before_what_is_on_the_hub(in_empty_folder: Path) -> None:
    Path("ylecun/mnist").mkdir(parents=True)
    found = address_of("hf:ylecun/mnist")
    assert (found.local, found.name) == (True, str(in_empty_folder / "ylecun/mnist"))


ALLOWED = "allowed: hf:owner/name, hf:owner/name@revision/config, or hf: and a path"


@pytest.mark.parametrize("source", ["hf:", "hf:a/b/c/d", "hf-stream:a b/c", "hf:a/b@"])
def test_other_addresses_are_refused(in_empty_folder: Path, source: str) -> None:
    assert message(source) == (
        f"{source}: received an address that cannot be read; {ALLOWED}. "
        "Try hf:ylecun/mnist."
    )


@pytest.mark.parametrize("source", ["hf:./none", "hf:~/none/at/all", "hf:/none.arrow"])
def test_missing_paths_are_told(in_empty_folder: Path, source: str) -> None:
    assert message(source) == (
        f"{source}: received a path that does not exist; {ALLOWED}. Check the spelling."
    )


def cache() -> str:
    import datasets

    return str(datasets.config.HF_DATASETS_CACHE)


def not_reached(source: str) -> str:
    return (
        f"{source}: received a data set that is not in {cache()}, while the Hub cannot "
        "be reached; allowed: one that is there, or a connection to fetch it once. Run "
        f"caes info {source} with a connection, and without HF_HUB_OFFLINE."
    )


@pytest.mark.parametrize("source", ["hf:nobody/nothing", "hf-stream:nobody/nothing"])
def test_without_a_connection_the_way_to_the_cache_is_told(source: str) -> None:
    assert message(source) == not_reached(source)


def test_what_was_fetched_once_is_opened_without_a_connection(tmp_path: Path) -> None:
    load(f"hf:{layouts.shards(tmp_path)}")
    # As it would lie there if it had come from the Hub.
    shutil.copytree(Path(cache()) / "shards", Path(cache()) / "owner___shards")
    images = load("hf:owner/shards", "train+test")
    assert images.pixels[..., 0].tolist() == [*GREY.tolist(), *GREY[:3].tolist()]
    assert images.source == "hf:owner/shards"


def raising(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[dict[str, Any]]:
    import datasets

    asked = []

    def refuse(**about: Any) -> None:
        asked.append(about)
        raise error

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    return asked


def not_found(text: str) -> Exception:
    import datasets

    error: Exception = datasets.exceptions.DatasetNotFoundError(text)
    return error


UNKNOWN = "Dataset 'a/b' doesn't exist on the Hub or cannot be accessed."
GATED = "Dataset 'a/b' is a gated dataset on the Hub. You must be authenticated to access it."
REVISION = "Revision 'v9' doesn't exist for dataset 'a/b' on the Hub."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            UNKNOWN,
            "a name that is not on the Hub, or that you may not see; allowed: the owner "
            "and name of a data set, as in hf:ylecun/mnist. Check the spelling, or run: "
            "hf auth login",
        ),
        (
            GATED,
            "a data set that its owner opens on request only (gated); allowed: one that "
            "you may read. Ask for access on its page, then run: hf auth login",
        ),
        (
            REVISION,
            "'v9', which is no revision of a/b; allowed: a branch, tag or commit of it. "
            "Leave it out for the newest.",
        ),
    ],
)
def test_what_the_hub_does_not_give_is_told(
    monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    asked = raising(monkeypatch, not_found(text))
    assert message("hf:a/b@v9/c") == f"hf:a/b@v9/c: received {told}"
    assert asked == [{"name": "c", "path": "a/b", "revision": "v9"}]


def test_scripts_are_refused_with_the_way_to_their_parquet_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Dataset scripts are no longer supported, but found b.py"
    raising(monkeypatch, RuntimeError(text))
    assert message("hf:a/b") == (
        "hf:a/b: received a data set that comes as a script; allowed: one that comes as "
        "files: foreign code is never run. Try hf:a/b@refs/convert/parquet, or another "
        "copy in Parquet."
    )


def test_a_folder_with_a_script_is_refused_and_the_script_not_run(
    tmp_path: Path,
) -> None:
    path = layouts.image_folder(tmp_path)
    (path / "pictures.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')")
    assert message(f"hf:{path}") == (
        f"hf:{path}: received a data set that comes as a script; allowed: one that "
        "comes as files: foreign code is never run. Remove the script."
    )
    assert not (tmp_path / "run").exists()


def test_of_other_errors_the_cause_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 and no more")
    source = f"hf:{tmp_path}"
    assert message(source) == (
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
    assert message(path) == (
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
    with pytest.raises(DataError):
        load("hf:nobody/nothing")
    assert capfd.readouterr() == ("", "")
    assert not datasets.are_progress_bars_disabled()
    assert not hub.are_progress_bars_disabled()
    assert datasets.utils.logging.get_verbosity() == before


@pytest.mark.parametrize("prefix", ["hf:", "hf-stream:"])
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


ODD_PATHS = st.one_of(
    st.none(),
    st.sampled_from(["a.png", "/r/a.png", "/r/b/a.png", "/q/a.png", "../a", "00001"]),
    st.text("/.a\\\n", max_size=6),
)


@given(
    paths=st.dictionaries(
        st.sampled_from(["train", "test"]), st.lists(ODD_PATHS, max_size=5), min_size=1
    ),
    root=st.sampled_from(["/r", ""]),
)
def test_names_are_unique_and_lead_nowhere_else_whatever_the_paths(
    paths: dict[str, list[str | None]], root: str
) -> None:
    by_row = {
        split: [f"{split}/{row:05d}" for row in range(len(found))]
        for split, found in paths.items()
    }
    names = names_by_path(paths, by_row, root)
    if names is None:
        return
    everything = [name for found in names.values() for name in found]
    assert len({*everything}) == len(everything)
    assert {split: len(found) for split, found in names.items()} == {
        split: len(found) for split, found in paths.items()
    }
    for name in everything:
        below = os.path.relpath(os.path.join("/folder", name), "/folder")
        assert below == name
        assert not below.startswith("..")
