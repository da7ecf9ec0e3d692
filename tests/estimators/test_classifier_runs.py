"""A classifier's run on disk: it comes back as it was, or it is refused in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from caes import CAE, CAEClassifier, ImageSet
from caes.errors import RunError
from tests.refusals import refusing

pytestmark = pytest.mark.usefixtures("one_thread")


def _pixels(n: int = 24, seed: int = 0) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 65_536, (n, 9, 8, 2), np.uint16)


@pytest.fixture(scope="module")
def stack() -> CAE:
    return CAE("3C3-MP2", epochs=1, random_state=4).fit(_pixels())


FORMS: dict[str, dict[str, Any]] = {
    "default": {"head": "5N", "validation": 0.2},
    "paper": {"recipe": "paper", "head": "6N-4N", "dropout": 0.25},
    "frozen": {"freeze": True},
}


def _fitted(stack: CAE, y: Any = None, **options: Any) -> CAEClassifier:
    classifier = CAEClassifier(stack, epochs=2, random_state=4, **options)
    return classifier.fit(_pixels(), np.arange(24) % 3 if y is None else y)


@pytest.fixture(scope="module", params=FORMS)
def fitted(request: pytest.FixtureRequest, stack: CAE) -> CAEClassifier:
    return _fitted(stack, **FORMS[request.param])


@pytest.fixture
def run(stack: CAE, tmp_path: Path) -> Path:
    _fitted(stack, head="5N").save(tmp_path / "run")
    return tmp_path / "run"


def test_a_saved_classifier_decides_as_it_did(
    fitted: CAEClassifier, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "run")
    again = CAEClassifier.load(tmp_path / "run")
    np.testing.assert_array_equal(
        again.predict_proba(_pixels(7, seed=1)),
        fitted.predict_proba(_pixels(7, seed=1)),
    )
    ours, theirs = fitted.model_.state_dict(), again.model_.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    given = fitted.get_params(deep=False)
    assert again.get_params(deep=False) == given | {"stack": None}
    assert again.model_.dropout == fitted.model_.dropout
    assert again.history_ == fitted.history_
    assert again.provenance_ == fitted.provenance_
    assert again.architecture_ == fitted.architecture_
    assert again.scaling_ == fitted.scaling_
    assert again.picture_shape_ == (9, 8, 2)
    assert again.n_features_in_ == 144
    assert again.seed_ == 4
    assert again.stack_ is None


@pytest.mark.parametrize("decoder", ["mirror", "tied", "untied"])
def test_every_kind_of_stack_comes_back_under_its_classifier(
    decoder: Any, tmp_path: Path
) -> None:
    form = CAE("3C3-MP2-5N", decoder=decoder, activation="tanh", epochs=1)
    fitted = _fitted(form)
    fitted.save(tmp_path / "run")
    again = CAEClassifier.load(tmp_path / "run")
    assert again.architecture_ == fitted.architecture_
    np.testing.assert_array_equal(
        again.predict_proba(_pixels()), fitted.predict_proba(_pixels())
    )


@pytest.mark.parametrize(
    "classes",
    [
        np.array([7, -3, 40]),
        np.array([0, 1, 2], np.uint8),
        np.array(["Käse", "ant", ""]),
        np.array(["b", "a", "c"], object),
        np.array([0.0, 1.0, 2.0]),
        np.array([True, False, True]),
    ],
    ids=lambda classes: str(classes.dtype),
)
def test_classes_keep_their_type(
    stack: CAE, tmp_path: Path, classes: NDArray[Any]
) -> None:
    y = classes[np.arange(24) % 3]
    fitted = _fitted(stack, y, recipe="paper")
    fitted.save(tmp_path / "run")
    again = CAEClassifier.load(tmp_path / "run")
    assert again.classes_.tolist() == fitted.classes_.tolist()
    kinds = {"O": "U", "u": "i"}
    assert again.classes_.dtype.kind == kinds.get(
        classes.dtype.kind, classes.dtype.kind
    )
    assert again.class_names_ == fitted.class_names_
    assert again.score(_pixels(), y) == fitted.score(_pixels(), y)


def test_the_names_of_an_image_set_s_classes_are_kept(
    stack: CAE, tmp_path: Path
) -> None:
    classes = ("ant", "bee", "cow", "dog")
    images = ImageSet.from_pixels(_pixels(), labels=np.arange(24) % 3, classes=classes)
    CAEClassifier(stack, recipe="paper", epochs=1).fit(images).save(tmp_path / "run")
    again = CAEClassifier.load(tmp_path / "run")
    assert again.class_names_ == ("ant", "bee", "cow")
    assert again.classes_.tolist() == [0, 1, 2]


def test_numbers_of_numpy_are_kept_as_plain_ones(stack: CAE, tmp_path: Path) -> None:
    searched: dict[str, Any] = {
        "dropout": np.float32(0.25),
        "batch_size": np.int64(7),
        "normalise": np.True_,
        "average": np.float64(0.5),
    }
    _fitted(stack, **searched).save(tmp_path / "run")
    again = CAEClassifier.load(tmp_path / "run")
    assert again.model_.dropout == 0.25
    found = {name: getattr(again, name) for name in searched}
    assert found == searched
    plain = {"dropout": float, "batch_size": int, "normalise": bool, "average": float}
    assert {name: type(value) for name, value in found.items()} == plain


def test_what_json_does_not_know_is_an_error_not_a_broken_run(
    stack: CAE, tmp_path: Path
) -> None:
    fitted = _fitted(stack).set_params(head={1, 2})
    with pytest.raises(TypeError, match="set is not kept in JSON"):
        fitted.save(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_run_s_description_says_what_made_it(run: Path, stack: CAE) -> None:
    about = json.loads((run / "model.json").read_text())
    assert about["format"] == 5
    assert about["architecture"] == "3C3-MP2"
    assert about["network"]["normalised"] is True
    assert about["head"] == [5]
    assert about["dropout"] == 0.4
    assert about["classes"] == [0, 1, 2]
    assert about["names"] == ["0", "1", "2"]
    assert about["training"]["stack"] is None
    head = (5 * 4 * 3 + 1) * 5 + (5 + 1) * 3
    decoder_and_encoder = stack.architecture_.parameters((9, 8, 2))
    assert about["parameters"] == decoder_and_encoder + 2 * 3 + head
    made = about["provenance"]
    assert made["labelled pictures"] == "24"
    data = stack.provenance_["data fingerprint"]
    assert made["start"] == f"3C3-MP2, trained on {data}"
    rows = (run / "history.csv").read_text().splitlines()
    assert len(rows) == 3


# Runs of another kind


def test_a_classifier_is_not_opened_as_an_auto_encoder(run: Path) -> None:
    message = f"{run}: received a classifier; allowed: the run of an auto-encoder. Open it with CAEClassifier.load, or use caes predict."
    with refusing(RunError, message):
        CAE.load(run)
    with pytest.raises(RunError, match="allowed: the run of an auto-encoder"):
        _fitted(run)  # type: ignore[arg-type]


def test_an_auto_encoder_is_not_opened_as_a_classifier(
    stack: CAE, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    stack.save(folder)
    message = f"{folder}: received an auto-encoder; allowed: the run of a classifier. Make one with: caes classify DATA --from {folder}."
    with refusing(RunError, message):
        CAEClassifier.load(folder)


# Runs that somebody has changed


def _mended(run: Path, **changes: Any) -> None:
    path = run / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


NO_ORDER = [[], [0], [0, 1, 1], [2, 1, 0], [0, 1, "2"], [0, 1, None], [None, None]]
NO_HEADS = [[0], [0, 0], [-5], ["5"], [2.5], [[5]], [10**9]]
TOO_MANY = "weights, far more than are there"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        *(({"head": head}, "head that are no list") for head in (None, "5")),
        *(({"head": head}, f"a head of {head} units") for head in NO_HEADS),
        ({"head": [65_536] * 4}, f"a network of 12,888,834,251 {TOO_MANY}"),
        ({"architecture": "60000N-60000N"}, f"a network of 7,217,760,144 {TOO_MANY}"),
        *(
            ({"classes": classes}, "classes that are no list")
            for classes in (None, "abc", {"a": 1})
        ),
        *(
            ({"classes": classes}, "classes that are not different ones in order")
            for classes in NO_ORDER
        ),
        ({"classes": [[0], [1], [2]]}, "unhashable type: 'list'"),
        ({"classes": [0, 1]}, "3 names for 2 classes"),
        *(({"names": names}, "names that are no list") for names in (None, "abc")),
        ({"names": ["a"]}, "1 names for 3 classes"),
        *(({"dropout": x}, f"a dropout of {x}") for x in (1.0, -0.5, float("nan"))),
        ({"dropout": "much"}, "could not convert string to float: 'much'"),
        ({"network": {"normalised": 3}}, "a network with normalised 3"),
    ],
)
def test_a_damaged_description_is_refused_in_one_line(
    run: Path, changes: dict[str, Any], reason: str
) -> None:
    _mended(run, **changes)
    message = f"{run}/model.json: received contents that cannot be ({reason}); allowed: the file as caes wrote it. Copy it again from where it was made, or fit again."
    with refusing(RunError, message):
        CAEClassifier.load(run)


@pytest.mark.parametrize(
    "changes",
    [
        {"head": [5.0]},
        {"dropout": None},
        *({"network": network} for network in (None, 3, [], "x", [["a", 1, 2]])),
    ],
)
def test_whatever_stands_there_nothing_but_a_run_s_error_comes(
    run: Path, changes: dict[str, Any]
) -> None:
    _mended(run, **changes)
    with pytest.raises(RunError) as caught:
        CAEClassifier.load(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["head", "names", "dropout"])
def test_a_description_that_lacks_something_is_refused(run: Path, name: str) -> None:
    path = run / "model.json"
    about = json.loads(path.read_text())
    del about[name]
    path.write_text(json.dumps(about))
    with pytest.raises(RunError, match=rf"received contents that cannot be \('{name}'"):
        CAEClassifier.load(run)


@pytest.mark.parametrize(
    "changes",
    [
        {"head": []},
        {"head": [5, 5]},
        {"head": [6]},
        {"classes": [0, 1], "names": ["a", "b"]},
        {"network": {"normalised": False}},
    ],
)
def test_weights_of_another_network_are_refused(
    run: Path, changes: dict[str, Any]
) -> None:
    _mended(run, **changes)
    message = f"{run}/model.safetensors: received weights that are not those of 3C3-MP2; allowed: the file as caes wrote it. Copy it again from where it was made, or fit again."
    with refusing(RunError, message):
        CAEClassifier.load(run)


def test_statistics_of_normalisation_are_kept_and_missed(run: Path) -> None:
    norm = CAEClassifier.load(run).model_.trunk.get_submodule("encoder.0.norm")
    assert norm.get_buffer("running_mean").any()
    assert norm.get_buffer("num_batches_tracked") > 0
    path = run / "model.safetensors"
    weights = load_file(path)
    del weights["trunk.encoder.0.norm.running_var"]
    save_file(weights, path)
    with pytest.raises(RunError, match="received weights that are not those of"):
        CAEClassifier.load(run)
