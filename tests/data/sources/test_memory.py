import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from caes.data import load
from tests.refusals import refused

GREY = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
COLOUR = np.arange(180, dtype=np.uint16).reshape(3, 4, 5, 3)


@pytest.mark.parametrize("array", [GREY, COLOUR])
def test_arrays_lists_and_tensors_of_the_same_pictures_are_the_same(array: Any) -> None:
    images = load(array)
    tensor = torch.from_numpy(array)
    if array.ndim == 4:
        tensor = tensor.permute(0, 3, 1, 2)
    for source in (list(array), tensor, list(tensor), tensor.contiguous()):
        assert load(source).fingerprint == images.fingerprint
    assert np.shares_memory(images.pixels, array)
    assert np.shares_memory(load(tensor).pixels, array)


def test_tensors_in_use_and_of_types_that_numpy_lacks_are_read() -> None:
    weights = torch.nn.Parameter(torch.full((2, 3, 4, 5), 0.5))
    assert load(weights).shape == (2, 4, 5, 3)
    halves = load(weights.to(torch.bfloat16))
    assert halves.dtype == np.dtype(np.float32)
    assert (halves.pixels == 0.5).all()


def test_torch_is_not_imported_to_find_out() -> None:
    code = (
        "import sys, numpy, caes.data; caes.data.load(numpy.zeros((1, 2, 2)));"
        "print(sorted({'torch', 'pyarrow', 'mlxtend', 'pooch'} & {*sys.modules}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"


def test_an_image_set_passes_with_its_split_applied() -> None:
    images = load(GREY, "train[1:]")
    assert load(images).fingerprint == images.fingerprint
    assert load(images).split == "train[1:]"
    last = load(images, "train[-1:]", channels=3)
    assert last.names == ["00002"]
    assert last.pixels[..., 2].tolist() == GREY[2:].tolist()


@pytest.mark.parametrize(
    ("source", "form"),
    [
        (np.zeros((2, 3, 28, 28)), "3×28 with 28 channels"),
        (torch.zeros((2, 28, 28, 1)), "28×1 with 28 channels"),
    ],
)
def test_axes_that_look_mistaken_are_noted(source: Any, form: str) -> None:
    assert load(source).notes == (
        f"Read as pictures of {form}: NumPy arrays are taken as N×H×W×C and torch "
        "tensors as N×C×H×W.",
    )


def test_lists_are_of_one_shape_and_not_empty() -> None:
    assert refused(load, [GREY[0], GREY[0, 1:], GREY[0]]) == (
        "list: received arrays of 2 shapes (3×5, 4×5); allowed: a list of arrays of "
        "one shape, H×W or H×W×C. Bring them to one shape, or save them as pictures "
        "and give a size."
    )
    assert refused(load, []).startswith("list: received an empty list; allowed: a list")


@pytest.mark.parametrize(
    ("source", "start"),
    [
        (np.array(["a", "b"]), "array: received an array of type <U1"),
        (np.zeros((1, 2, 2), complex), "array: received an array of type complex128"),
        (["a.png", "b.png"], "list: received an array of type <U5"),
        ([[[1, 2], [3]], [[1, 2], [3]]], "list: received data that cannot be read"),
        (torch.zeros(2, 2, 2).to_sparse(), "tensor: received data that cannot be read"),
        (torch.zeros(2, 2, 2) / 0, "tensor: received NaN or infinity in 2 of 2 pict"),
        (np.float64(3), "source: received an object of type float64"),
        (None, "source: received an object of type NoneType"),
    ],
)
def test_what_is_no_picture_is_refused(source: Any, start: str) -> None:
    assert refused(load, source).startswith(start)
