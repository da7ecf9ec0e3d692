from typing import Any

import pytest

from caes.data.scales import Scale, parse_scale
from caes.errors import ArgumentError
from caes.train.options import Options
from tests.refusals import refused


@pytest.mark.parametrize(
    ("text", "scale", "bounded"),
    [
        ("auto", Scale("auto"), True),
        ("dtype", Scale("dtype"), True),
        ("minmax", Scale("minmax"), True),
        ("standard", Scale("standard"), False),
        ("percentiles:1,99", Scale("percentiles", (1, 99)), False),
        ("percentiles:0.5, 100", Scale("percentiles", (0.5, 100)), False),
    ],
)
def test_a_scale_is_read_and_written(text: str, scale: Scale, bounded: bool) -> None:
    assert parse_scale(text) == scale
    assert str(scale) == text.replace(" ", "")
    assert scale.bounded == bounded


@pytest.mark.parametrize(
    "text",
    [
        *("percentiles", "percentiles:", "percentiles:1", "percentiles:1,2,3"),
        *("percentiles:99,1", "percentiles:5,5", "percentiles:-1,99"),
        *("percentiles:1,101", "percentiles:nan,99", "minmax:1,99", "zscore", "", None),
    ],
)
def test_what_is_no_scale_is_refused(text: str) -> None:
    assert refused(parse_scale, text, error=ArgumentError) == (
        f"scale: received {text!r}; allowed: auto, dtype, minmax, standard or "
        "percentiles:LOW,HIGH with 0 ≤ LOW < HIGH ≤ 100. Try percentiles:1,99."
    )


@pytest.mark.parametrize("scale", ["standard", "percentiles:2,98"])
def test_the_cross_entropy_of_pictures_beyond_its_range_is_refused(scale: str) -> None:
    options = Options(scale=scale, loss="bce", recipe="example")
    assert refused(options.check, error=ArgumentError) == (
        f"loss: received 'bce' with scale='{scale}'; allowed: 'mse' for pictures that "
        "reach beyond [0, 1]. Add loss='mse'."
    )
    Options(scale=scale, loss="mse").check()


def test_salt_and_pepper_without_black_and_white_is_refused() -> None:
    noise = "salt-and-pepper:0.1"
    options = Options(scale="standard", loss="mse", noise=noise)
    assert refused(options.check, error=ArgumentError) == (
        "noise: received 'salt-and-pepper:0.1' with scale='standard'; allowed: masking "
        "or gaussian for pictures without black and white. Try gaussian:0.1."
    )
    Options(scale="percentiles:1,99", loss="mse", noise=noise).check()


@pytest.mark.parametrize("decoder", ["mirror", "tied", "untied"])
def test_the_output_is_linear_where_pictures_reach_beyond_the_unit(
    decoder: str,
) -> None:
    about: dict[str, Any] = {"decoder": decoder, "loss": "mse", "activation": "tanh"}
    about["recipe"] = "example"
    bounded = Options(**about, scale="minmax").check()
    beyond = Options(**about, scale="standard").check()
    output = "sigmoid" if decoder == "mirror" else "tanh"
    assert (bounded.output, bounded.bounded) == (output, True)
    assert (beyond.output, beyond.bounded) == ("linear", False)
