"""What a run is, as a table and as JSON."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from caes import CAE, CAEClassifier, ImageSet
from caes.tasks.info import print_run, run_as_dict
from tests import stripes

RUN_KEYS = [
    *("run", "architecture", "picture", "layers", "parameters", "code", "classes"),
    *("ended", "last_epoch", "provenance"),
]
DOCS = Path(__file__).parents[2] / "docs" / "census.md"


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
    images: ImageSet, stack: CAE, tmp_path: Path, head: str, recipe: str
) -> None:
    options: dict[str, Any] = {"recipe": recipe, "head": head, "random_state": 0}
    classifier = CAEClassifier(stack, **options, epochs=1).fit(images)
    classifier.save(tmp_path / "run")
    weights = sum(
        value.numel()
        for name, value in classifier.model_.named_parameters()
        if "bias_back" not in name
    )
    assert run_as_dict(tmp_path / "run")["parameters"] == weights


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


def test_a_run_as_json_says_what_the_table_says(
    classifier: CAEClassifier, stack: CAE, tmp_path: Path
) -> None:
    for name, made in (("classes", classifier), ("stack", stack)):
        made.save(tmp_path / name)
    told = run_as_dict(tmp_path / "classes")
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert list(told) == RUN_KEYS
    assert [tuple(each.values()) for each in told["layers"]] == [
        ("input", [12, 12, 1], 0),
        ("convolution 2@3×3, relu", [12, 12, 2], 20),
        ("max-pooling 2×2", [6, 6, 2], 0),
        ("dense 7, relu", [7], 73 * 7),
        ("dense 5, relu", [5], 40),
        ("dense 3, softmax", [3], 18),
    ]
    assert told["parameters"] == 20 + 73 * 7 + 40 + 18
    assert (told["picture"], told["code"]) == ([12, 12, 1], 72)
    assert told["classes"] == list(stripes.CLASSES)
    assert (told["ended"], told["last_epoch"]["epoch"]) == ("complete", 1)
    assert told["provenance"]["labelled pictures"] == "30"
    again = run_as_dict(tmp_path / "stack")
    assert list(again) == RUN_KEYS
    weights = sum(each.numel() for each in stack.model_.parameters())
    assert (again["parameters"], again["classes"]) == (weights, [])
    page = DOCS.read_text(encoding="utf-8")
    for key in (*told, *told["layers"][0]):
        assert f"`{key}`" in page, key
