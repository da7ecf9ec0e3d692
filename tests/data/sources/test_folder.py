import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caes.data import Skipped, load, split_names
from caes.data.labels.labelled import labels_of
from caes.errors import MixedSizesError
from tests.refusals import FORMATS, NO_PICTURE, refused
from tests.written import huge_png, paint


def labels(folder: Path, split: str = "train") -> tuple[list[int], tuple[str, ...]]:
    images = load(folder, split)
    return labels_of(images).tolist(), images.classes


def test_pictures_come_in_natural_order_by_their_paths(tmp_path: Path) -> None:
    names = ["a/2.png", "a/10.png", "B/x.PNG", "b9.bmp", "b10.jpg", "C.webp", "d.jpeg"]
    painted = {name: paint(tmp_path / name) for name in reversed(names)}
    (tmp_path / "notes.txt").write_text("not a picture")
    images = load(tmp_path, channels=1)
    assert images.names == names
    assert images.pixels[1].tolist() == painted["a/10.png"].tolist()
    assert images.shape == (7, 6, 8, 1)


def test_sub_folders_are_classes_where_there_are_several(tmp_path: Path) -> None:
    for name in ("cat 10/1.png", "cat 9/deep/er/1.png", "cat 9/2.png"):
        paint(tmp_path / "all" / name)
    assert labels(tmp_path) == ([0, 0, 1], ("cat 9", "cat 10"))


@pytest.mark.parametrize(
    "names", [["one/1.png", "one/2.png"], ["1.png", "a/2.png", "b/3.png"], ["1.png"]]
)
def test_pictures_outside_classes_leave_all_without(
    tmp_path: Path, names: list[str]
) -> None:
    for name in names:
        paint(tmp_path / name)
    images = load(tmp_path)
    assert (images.labels, images.classes) == (None, ())


def test_folders_named_as_splits_are_splits(tmp_path: Path) -> None:
    names = ["Train/good/1.png", "Train/good/2.png"]
    names += ["test/good/1.png", "test/bad/1.png"]
    for name in [*names, "val/good/1.png", "ground truth/bad/1.png", "cover.png"]:
        paint(tmp_path / name)
    assert split_names(tmp_path) == {"train": 2, "test": 2, "validation": 1}
    assert labels(tmp_path) == ([1, 1], ("bad", "good"))
    assert labels(tmp_path, "test[:1]+train[1:]") == ([0, 1], ("bad", "good"))
    images = load(tmp_path, "test+train")
    assert images.names == ["test/bad/1.png", "test/good/1.png", *names[:2]]
    assert images.notes == (
        "Pictures outside train, test, validation were left out: 2.",
    )


def test_only_the_wanted_pictures_are_decoded(tmp_path: Path) -> None:
    for number in range(6):
        paint(tmp_path / f"{number}.png")
    (tmp_path / "5.png").write_bytes(b"")
    seen: list[tuple[int, int]] = []
    images = load(tmp_path, "train[1:3]", progress=lambda *at: seen.append(at))
    assert images.names == ["1.png", "2.png"]
    assert seen == [(1, 2), (2, 2)]
    assert images.skipped == ()


def test_grey_among_colour_is_repeated_and_eight_bits_among_sixteen_deepened(
    tmp_path: Path,
) -> None:
    for name, mode in (("1", "L"), ("2", "L"), ("3", "I;16"), ("4", "RGB"), ("5", "L")):
        paint(tmp_path / f"{name}.png", mode)
    images = load(tmp_path)
    assert (images.shape, images.dtype) == ((5, 6, 8, 3), np.dtype(np.uint16))
    whole = [np.asarray(Image.open(path)) for path in sorted(tmp_path.iterdir())]
    for row in (0, 1, 4):
        expected = np.repeat(whole[row][..., None].astype(int) * 257, 3, axis=2)
        assert images.pixels[row].tolist() == expected.tolist()
    assert images.pixels[2, ..., 1].tolist() == whole[2].tolist()
    assert images.pixels[3].tolist() == (whole[3].astype(int) * 257).tolist()
    assert images.notes == (
        "8-bit pictures among 16-bit ones were multiplied by 257: 4.",
        "Grey pictures among colour ones were repeated to three channels: 4.",
    )


def test_hidden_files_are_ignored_and_links_do_not_loop(tmp_path: Path) -> None:
    for name in ("z/1.png", ".hidden/2.png", "__MACOSX/3.png", "z/._1.png"):
        paint(tmp_path / "in" / name)
    paint(tmp_path / "elsewhere" / "9.png")
    (tmp_path / "in" / "a").symlink_to(tmp_path / "in" / "z")
    (tmp_path / "in" / "z" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "self").symlink_to(tmp_path / "in" / "self")
    assert load(tmp_path / "in").names == ["out/9.png", "z/1.png"]


def test_names_that_are_no_text_are_escaped(tmp_path: Path) -> None:
    paint(tmp_path / "1.png")
    os.rename(tmp_path / "1.png", os.fsencode(tmp_path) + b"/\xff.png")
    assert load(tmp_path).names == ["\\udcff.png"]


def test_mixed_sizes_are_told_with_their_counts(tmp_path: Path) -> None:
    for number in range(9):
        paint(tmp_path / f"{number}.png", size=(48, 64) if number < 4 else (number, 64))
    exif = Image.Exif()
    exif[0x0112] = 6
    paint(tmp_path / "turned.jpg", "RGB", size=(64, 48), exif=exif)
    (tmp_path / "bad.png").write_bytes(b"")
    assert refused(load, tmp_path, error=MixedSizesError) == (
        f"{tmp_path}: received pictures of 6 sizes (5 of 48×64, 1 of 4×64, 1 of 5×64, "
        "1 of 6×64 and 2 sizes more); allowed: pictures of one size, or a size to "
        "bring all of them to. Add --size 48x64 (in Python: size=(48, 64))."
    )
    assert load(tmp_path, size=(8, 9)).shape == (10, 8, 9, 3)


def test_bad_pictures_are_skipped_and_named_with_the_reason(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "cut.png"):
        paint(tmp_path / name)
    cut = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(cut[:-30])
    (tmp_path / "bomb.png").write_bytes(huge_png(100_000))
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.png")
    images = load(tmp_path)
    assert images.names == ["1.png", "2.png"]
    assert images.skipped == (
        Skipped("bomb.png", "declared as more than 89,478,485 pixels"),
        Skipped("cut.png", "truncated"),
        Skipped("empty.png", "empty"),
        Skipped("nowhere.png", "a link to nowhere"),
        Skipped("pipe.png", "not a regular file"),
        Skipped("text.jpg", NO_PICTURE),
    )


def test_labels_stay_with_their_pictures_when_others_are_skipped(
    tmp_path: Path,
) -> None:
    for name in ("a/1.png", "a/2.png", "b/3.png", "b/4.png"):
        paint(tmp_path / name)
    (tmp_path / "a/1.png").write_bytes(b"")
    assert labels(tmp_path) == ([0, 1, 1], ("a", "b"))


def test_strict_stops_at_the_first_bad_picture(tmp_path: Path) -> None:
    paint(tmp_path / "1.png")
    (tmp_path / "2.png").touch()
    assert refused(load, tmp_path, strict=True) == (
        f"2.png in {tmp_path}: received an unreadable picture (empty); allowed: a whole "
        f"{FORMATS} picture. Mend or remove it, or leave out --strict to skip it."
    )


def test_all_bad_pictures_are_an_error_that_names_the_first(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").touch()
    assert refused(load, tmp_path) == (
        f"{tmp_path}: received 3 pictures, all unreadable (the first, 0.png: empty); "
        f"allowed: at least one whole {FORMATS} picture. Check the files."
    )
    assert refused(load, tmp_path / "1.png") == (
        f"{tmp_path}/1.png: received an unreadable picture (empty); allowed: a whole "
        f"{FORMATS} picture. Mend or replace it."
    )


def test_a_folder_without_pictures_says_what_is_there(tmp_path: Path) -> None:
    allowed = f"a folder with {FORMATS} files, in sub-folders too"
    assert refused(split_names, tmp_path) == (
        f"{tmp_path}: received an empty folder; allowed: {allowed}. Check the path."
    )
    for name in ("1.txt", "2.TXT", "3.md", "README"):
        (tmp_path / name).write_text("text")
    assert refused(load, tmp_path) == (
        f"{tmp_path}: received a folder without pictures (2 .txt, 1 .md, 1 README); "
        f"allowed: {allowed}. Check the path."
    )


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Do without root's right to read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_what_may_not_be_read_is_skipped_too(open_folder: Path) -> None:
    for name in ("1.png", "2.png", "closed/3.png"):
        paint(open_folder / name)
    (open_folder / "2.png").chmod(0)
    (open_folder / "closed").chmod(0)
    with as_nobody():
        images = load(open_folder)
        told = refused(load, open_folder / "closed")
    (open_folder / "closed").chmod(0o755)
    assert images.names == ["1.png"]
    assert images.skipped == (
        Skipped("closed", "Permission denied"),
        Skipped("2.png", "no permission to read it"),
    )
    assert told == (
        f"{open_folder}/closed: received a folder without pictures (itself: Permission "
        f"denied); allowed: a folder with {FORMATS} files, in sub-folders too. Check the "
        "path."
    )
