"""What a run is and what is in some pictures, as tables."""

import re
from pathlib import Path

import pytest
from PIL import Image

from caes import CAE, CAEClassifier, ImageSet
from caes.errors import DataError, RunError
from caes.tasks.info import classifier_summary, print_pictures, print_run
from tests import stripes


@pytest.fixture(scope="module")
def classifier(images: ImageSet, stack: CAE) -> CAEClassifier:
    return CAEClassifier(
        stack, recipe="paper", head="7N-5N", epochs=1, random_state=0
    ).fit(images)


def cells(said: str) -> list[list[str]]:
    """Give the rows of a printed table as lists of words between its bars."""
    return [
        [cell.strip() for cell in line.strip("│┃ ").split("│")]
        for line in said.splitlines()
        if "│" in line
    ]


def test_a_classifier_s_layers_end_in_its_head_and_its_classes(
    classifier: CAEClassifier, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classifier.save(tmp_path / "run")
    print_run(tmp_path / "run")
    said = capsys.readouterr().out
    assert "2C3-MP2 on 12×12×1, 3 classes" in said
    assert cells(said) == [
        ["input", "12×12×1", "0"],
        ["convolution 2@3×3, relu", "12×12×2", "20"],
        ["max-pooling 2×2", "6×6×2", "0"],
        ["dense 7, relu", "7", f"{(72 + 1) * 7}"],
        ["dense 5, relu", "5", f"{(7 + 1) * 5}"],
        ["dense 3, softmax", "3", f"{(5 + 1) * 3}"],
        ["total", "", f"{20 + 73 * 7 + 40 + 18}"],
    ]
    told = " ".join(said.split())
    assert "ended complete epochs 1 loss " in told
    assert "code 72 values for 144, 2.00 : 1" in told
    assert "labelled pictures 30" in told
    assert re.search(r"start 2C3-MP2, trained on sha256:[0-9a-f]{8}", told)
    assert "PSNR" not in told


@pytest.mark.parametrize("head", ["none", "4N", "7N-5N"])
@pytest.mark.parametrize("recipe", ["paper", "default"])
def test_the_total_is_the_number_of_weights_that_answer(
    images: ImageSet, stack: CAE, head: str, recipe: str
) -> None:
    model = (
        CAEClassifier(
            stack,
            recipe=recipe,  # type: ignore[arg-type]
            head=head,
            epochs=1,
            random_state=0,
        )
        .fit(images)
        .model_
    )
    table = classifier_summary(model, stripes.CLASSES)
    *_, parameters = table.columns
    weights = sum(
        value.numel()
        for name, value in model.named_parameters()
        if "bias_back" not in name
    )
    assert [*parameters.cells][-1] == f"{weights:,}"


def test_a_stack_is_told_level_by_level_up_to_its_last(
    stack: CAE, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.save(tmp_path / "run")
    print_run(tmp_path / "run")
    said = capsys.readouterr().out
    assert "2C3-MP2 on 12×12×1" in said
    total = sum(each.numel() for each in stack.model_.parameters())
    assert cells(said)[-1] == ["total", "", str(total)]
    told = " ".join(said.split())
    assert "ended complete level 1 epochs 1 loss " in told
    assert re.search(r"PSNR \d+\.\d\d dB", told)


def test_names_of_folders_are_no_markup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stripes.write_folder(tmp_path, 1)
    (tmp_path / "high").rename(tmp_path / "[red]high")
    print_pictures(str(tmp_path))
    said = capsys.readouterr().out
    assert re.search(r"\[red\]high +1", said)
    assert re.search(r"middle +1", said)


def test_pictures_that_cannot_be_read_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stripes.write_folder(tmp_path / "photos", 2, nested=False)
    (tmp_path / "photos" / "low-1.png").write_bytes(b"")
    print_pictures(str(tmp_path / "photos"))
    said = " ".join(capsys.readouterr().out.split())
    assert "splits train 6 pictures 5 sizes 12×12 channels 1 types uint8" in said
    assert "classes none cannot be read 1 cannot be read: low-1.png: empty" in said


def test_neither_a_run_nor_pictures(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        print_run(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: received no model.json in it; allowed: the folder of a run. "
        "Make one with: caes fit DATA --out FOLDER."
    )
    with pytest.raises(DataError, match="received an empty folder"):
        print_pictures(str(tmp_path))


def test_a_reason_is_one_line_however_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (3, 3)).save(tmp_path / "a.png")
    (tmp_path / f"{'b' * 90}.png").write_text("no picture")
    print_pictures(str(tmp_path))
    reason = "not a PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS picture"
    line = f"cannot be read: {'b' * 90}.png: {reason}"
    assert line in capsys.readouterr().out.splitlines()
