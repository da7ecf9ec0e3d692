import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from caes import CAE
from caes.errors import OutputError, RunError
from caes.nn.sparsity import Sparsity
from caes.nn.stack import Stack
from tests.refusals import refusing


@pytest.fixture(scope="module")
def fitted() -> CAE:
    pixels = np.random.default_rng(0).integers(0, 65_536, (20, 9, 8, 2), np.uint16)
    return CAE("3C3-MP2", epochs=2, validation=0.2, random_state=4).fit(pixels)


@pytest.fixture
def run(fitted: CAE, tmp_path: Path) -> Path:
    fitted.save(tmp_path / "run")
    return tmp_path / "run"


def test_a_saved_auto_encoder_loads_as_it_was(fitted: CAE, run: Path) -> None:
    again = CAE.load(run)
    pixels = np.random.default_rng(1).integers(0, 65_536, (5, 9, 8, 2), np.uint16)
    np.testing.assert_array_equal(again.transform(pixels), fitted.transform(pixels))
    assert again.get_params() == fitted.get_params()
    assert again.history_ == fitted.history_
    assert again.provenance_ == fitted.provenance_
    assert again.scaling_ == fitted.scaling_
    assert again.picture_shape_ == (9, 8, 2)


def test_the_run_s_description_says_what_made_it(run: Path) -> None:
    about = json.loads((run / "model.json").read_text())
    assert about["format"] == 5
    assert about["architecture"] == "3C3-MP2"
    assert about["picture"] == [9, 8, 2]
    assert about["scaling"] == {
        "low": 0.0,
        "high": 65535.0,
        "kind": "auto",
        "value_range": [0.0, 65535.0],
        "dtype": "uint16",
        "clipped": False,
    }
    assert about["training"]["random_state"] == 4
    made = about["provenance"]
    assert made["data fingerprint"].startswith("sha256:")
    assert {"caes", "torch", "numpy", "python", "machine", "seed", "date"} <= set(made)
    table = (run / "history.csv").read_text().splitlines()
    expected = "epoch,loss,validation_loss,accuracy,psnr,seconds,images_per_second,level,waiting,steps"
    assert table[0] == expected
    assert len(table) == 3


def test_a_run_is_never_overwritten_unless_forced(fitted: CAE, run: Path) -> None:
    (run / "history.csv").write_text("old")
    with pytest.raises(OutputError):
        fitted.save(run)
    assert (run / "history.csv").read_text() == "old"
    fitted.save(run, force=True)
    assert (run / "history.csv").read_text() != "old"


@pytest.mark.parametrize("name", ["labels.csv", "predictions.csv", "notes/mine.csv"])
def test_force_never_takes_a_table_that_is_not_the_run_s(
    fitted: CAE, run: Path, name: str
) -> None:
    mine = run / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("name,label")
    message = f"{run}: received a path that caes did not make (there is also {name} in it); allowed: a new folder, or an older one of the same sort. Give another one, or delete it yourself."
    with refusing(OutputError, message):
        fitted.save(run, force=True)
    assert mine.read_text() == "name,label"


def _mended(run: Path, **changes: Any) -> None:
    path = run / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_newer_format_is_refused(run: Path) -> None:
    _mended(run, format=6)
    message = f"{run}/model.json: received format 6; allowed: formats up to 5. It was made by a newer caes: pip install --upgrade caes."
    with refusing(RunError, message):
        CAE.load(run)


def test_truncated_weights_are_refused(run: Path) -> None:
    path = run / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RunError) as caught:
        CAE.load(run)
    reason = r"received a damaged file \(.+\)"
    after = "allowed: the file as caes wrote it. Copy it again from where it was made, or fit again."
    assert re.fullmatch(f"{path}: {reason}; {re.escape(after)}", str(caught.value))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(run: Path, value: float) -> None:
    path = run / "model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if name.endswith("weight"))
    weights[name].view(-1)[3] = value
    save_file(weights, path)
    message = f"{path}: received NaN or infinity in the tensor {name}; allowed: the file as caes wrote it. Copy it again from where it was made, or fit again."
    with refusing(RunError, message):
        CAE.load(run)


LINE = {"low": [0, 0], "high": [1, 1], "kind": "minmax", "dtype": "uint16"}
DAMAGED: dict[str, list[Any]] = {
    "picture": [[9, 8], [9, 8, -2], "9×8×2", [9, 8, 10**9]],
    "architecture": ["import os", None, "65536C60000"],
    "provenance": [3, [], {"seed": "[red]"}],
    "training": [None],
    "format": ["1"],
    "ended": [None],
    "best_epoch": ["x"],
    "network": [
        *(None, 3, "tied", ["tied"]),
        *({"decoder": "sideways"}, {"decoder": ["tied"]}, {"decoder": {"tied": True}}),
        *({"padding": "full"}, {"padding": "valid"}),  # the mirrored one has no "valid"
        *({"activation": "__import__('os')"}, {"output": 1}, {"normalised": "yes"}),
    ],
    "sparsity": [3, "wta:2", ["wta"]],
    "scaling": [
        *({"low": 0}, {"low": "x", "high": 1}, {"low": 0, "high": 0}),
        *(
            LINE | {"low": [None, 0]},
            LINE | {"low": {"0": 1}},
            LINE | {"low": [[0], [0]]},
        ),
        *(LINE | {"kind": "zscore"}, LINE | {"kind": 3}, LINE | {"kind": ["auto"]}),
        *(LINE | {"value_range": 1}, LINE | {"value_range": {}}),
        *(LINE | {"dtype": "float99"}, LINE | {"dtype": 8}, LINE | {"more": 1}),
    ],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in DAMAGED for value in DAMAGED[name]]
)
def test_a_damaged_description_is_refused(run: Path, name: str, value: Any) -> None:
    _mended(run, **{name: value})
    with pytest.raises(RunError, match=r"model\.json: received"):
        CAE.load(run)


@pytest.mark.parametrize(
    ("name", "content", "received"),
    [
        ("model.json", b"\xff\xfe{", "text that is not JSON"),
        ("history.csv", b"epoch,loss\n1,x\n", "a table that cannot"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    run: Path, name: str, content: bytes, received: str
) -> None:
    (run / name).write_bytes(content)
    with pytest.raises(RunError, match=f"{name}: received {received}"):
        CAE.load(run)


STACK: dict[str, Any] = {
    "decoder": "tied",
    "schedule": "greedy",
    "padding": "valid",
    "activation": "tanh",
    "loss": "mse",
    "sparsity": "wta:0.25",
    "epochs": (2, 1, 1),
    "noise": "masking:0.3,none,gaussian:0.1",
    "validation": 0.25,
    "refine": 1,
    "random_state": 4,
}


@pytest.fixture(scope="module", params=["tied", "untied"])
def stack(request: pytest.FixtureRequest) -> CAE:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 13, 12, 2), np.uint8)
    options = STACK | {"decoder": request.param}
    return CAE("4C3-MP2-3C3-5N", **options).fit(pixels)


@pytest.fixture
def stacked(stack: CAE, tmp_path: Path) -> Path:
    stack.save(tmp_path / "run")
    return tmp_path / "run"


def test_a_saved_stack_loads_as_it_was(stack: CAE, stacked: Path) -> None:
    about = json.loads((stacked / "model.json").read_text())
    form: dict[str, Any] = {"padding": "valid", "activation": "tanh", "output": "tanh"}
    form |= {"decoder": stack.decoder, "normalised": False, "bounded": True}
    form["linear"] = False
    assert about["network"] == form
    assert about["sparsity"] == "wta:0.25"
    assert about["parameters"] == stack.architecture_.parameters((13, 12, 2))
    again = CAE.load(stacked)
    pixels = np.random.default_rng(1).integers(0, 256, (9, 13, 12, 2), np.uint8)
    np.testing.assert_array_equal(again.transform(pixels), stack.transform(pixels))
    np.testing.assert_array_equal(again.reconstruct(pixels), stack.reconstruct(pixels))
    assert again.architecture_ == stack.architecture_
    assert again.get_params() == stack.get_params()
    assert again.history_ == stack.history_
    assert [row.level for row in again.history_.rows] == [1, 1, 2, 3, 0]
    missing = [row.accuracy is None for row in again.history_.rows]
    assert missing == [False, False, True, True, False]
    model = again.model_
    assert isinstance(model, Stack)
    assert model.sparsity == Sparsity(0.25)
    assert not model.training


def test_a_loaded_stack_can_be_grown(stack: CAE, stacked: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (9, 13, 12, 2), np.uint8)
    taller = CAE.load(stacked).grow("3N", pixels, validation=0.0)
    assert taller.transform(pixels).shape == (9, 3)
    assert [row.level for row in taller.history_.rows] == [4]


@pytest.mark.parametrize(
    "network", [{}, {"decoder": "mirror"}, {"decoder": "tied", "normalised": True}]
)
def test_a_stack_s_weights_are_refused_in_another_network(
    stacked: Path, network: dict[str, Any]
) -> None:
    _mended(stacked, network=network)
    message = f"{stacked}/model.safetensors: received weights that are not those of 4C3-MP2-3C3-5N; allowed: the file as caes wrote it. Copy it again from where it was made, or fit again."
    with refusing(RunError, message):
        CAE.load(stacked)


def test_a_level_that_is_no_number_is_refused(run: Path) -> None:
    text = (run / "history.csv").read_text()
    (run / "history.csv").write_text(re.sub(r",0,([^,]*,)\n", r",top,\1\n", text))
    with pytest.raises(RunError, match=r"history\.csv: received a table that cannot"):
        CAE.load(run)


@pytest.mark.parametrize("scale", ["dtype", "minmax", "percentiles:1,99", "standard"])
@pytest.mark.parametrize("decoder", ["mirror", "tied"])
def test_every_scale_is_saved_with_the_run(
    scale: str, decoder: Any, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).normal(0, 9, (9, 6, 6, 3)).astype(np.float32)
    options = {"decoder": decoder, "loss": "mse", "scale": scale, "epochs": 1}
    cae = CAE("2C3-MP2", **options, random_state=0).fit(pixels)
    cae.save(tmp_path / "run")
    again = CAE.load(tmp_path / "run")
    assert again.scaling_ == cae.scaling_
    assert again.architecture_ == cae.architecture_
    assert again.get_params() == cae.get_params()
    np.testing.assert_array_equal(again.reconstruct(pixels), cae.reconstruct(pixels))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"low": [0, float("nan")]}, "a scaling from [0, nan] to [1, 1]"),
        ({"high": [1, float("inf")]}, "a scaling from [0, 0] to [1, inf]"),
        ({"high": [1, 0]}, "a scaling from [0, 0] to [1, 0]"),
        ({"low": [0, 0, 0]}, "a scaling of 3 channels"),
        ({"high": []}, "a scaling of 0 channels"),
        ({"value_range": [3, 3]}, "a range of values from (3.0, 3.0)"),
        ({"value_range": [0, float("nan")]}, "a range of values from (0.0, nan)"),
        ({"dtype": "object"}, "pictures of type 'object'"),
        ({"kind": "standard"}, "a scaling 'standard' for this network"),
    ],
)
def test_a_scaling_that_cannot_be_is_refused(
    run: Path, changes: dict[str, Any], reason: str
) -> None:
    _mended(run, scaling=LINE | changes)
    message = f"{run}/model.json: received contents that cannot be ({reason}); allowed: the file as caes wrote it. Copy it again from where it was made, or fit again."
    with refusing(RunError, message):
        CAE.load(run)
