from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from caes.errors import NotationError
from caes.nn.architecture import Architecture, Level, Shape, parse
from caes.nn.stack import autoencoder
from tests.refusals import refused

levels = st.builds(
    Level,
    maps=st.integers(1, 300),
    kernel=st.integers(1, 11),
    pool=st.integers(1, 4),
)
architectures = st.builds(
    Architecture,
    levels=st.lists(levels, min_size=1, max_size=4).map(tuple),
    dense=st.lists(st.integers(1, 500), max_size=3).map(tuple),
)


@given(architectures)
def test_what_is_printed_reads_back_as_the_same(arch: Architecture) -> None:
    assert parse(str(arch)) == arch
    assert parse(str(arch).lower()) == arch


EXAMPLE = parse("16C3-MP2-8C3-MP2")
PAPER = replace(
    parse("100C5-MP2-150C5-MP2-200C3"),
    decoder="tied",
    padding="valid",
    activation="tanh",
    output="tanh",
)
UNTIED = replace(parse("4C3-MP2-6N-5N"), decoder="untied", normalised=True)
LINEAR = replace(parse("3C3"), decoder="tied", activation="linear", output="linear")
SUMMARIES: list[tuple[Architecture, Shape, int, list[tuple[str, Shape, int]]]] = [
    (
        EXAMPLE,
        (28, 28, 1),
        4,
        [
            ("convolution 16@3×3, relu", (28, 28, 16), 160),
            ("max-pooling 2×2", (14, 14, 16), 0),
            ("convolution 8@3×3, relu", (14, 14, 8), 1160),
            ("max-pooling 2×2", (7, 7, 8), 0),
            ("convolution 8@3×3, relu", (7, 7, 8), 584),
            ("up-sampling 2×2", (14, 14, 8), 0),
            ("convolution 16@3×3, relu", (14, 14, 16), 1168),
            ("up-sampling 2×2", (28, 28, 16), 0),
            ("convolution 1@3×3, sigmoid", (28, 28, 1), 145),
        ],
    ),
    (
        parse("4C3-MP2-20N-5N"),  # the code is linear
        (8, 8, 3),
        5,
        [
            ("convolution 4@3×3, relu", (8, 8, 4), 112),
            ("max-pooling 2×2", (4, 4, 4), 0),
            ("flatten", (64,), 0),
            ("dense 20, relu", (20,), 1300),
            ("dense 5", (5,), 105),
            ("dense 20, relu", (20,), 120),
            ("dense 64, relu", (64,), 1344),
            ("unflatten", (4, 4, 4), 0),
            ("convolution 4@3×3, relu", (4, 4, 4), 148),
            ("up-sampling 2×2", (8, 8, 4), 0),
            ("convolution 3@3×3, sigmoid", (8, 8, 3), 111),
        ],
    ),
    (
        PAPER,  # tied weights, and one bias a map and channel
        (28, 28, 1),
        5,
        [
            ("convolution 100@5×5, tanh", (24, 24, 100), 2600),
            ("max-pooling 2×2", (12, 12, 100), 0),
            ("convolution 150@5×5, tanh", (8, 8, 150), 375_150),
            ("max-pooling 2×2", (4, 4, 150), 0),
            ("convolution 200@3×3, tanh", (2, 2, 200), 270_200),
            ("tied transposed convolution 150@3×3, tanh", (4, 4, 150), 150),
            ("un-pooling 2×2, to where the largest were", (8, 8, 150), 0),
            ("tied transposed convolution 100@5×5, tanh", (12, 12, 100), 100),
            ("un-pooling 2×2, to where the largest were", (24, 24, 100), 0),
            ("tied transposed convolution 1@5×5, tanh", (28, 28, 1), 1),
        ],
    ),
    (
        UNTIED,  # weights of its own, between padding and cropping
        (7, 8, 2),
        7,
        [
            ("pad", (8, 8, 2), 0),
            ("convolution 4@3×3", (8, 8, 4), 76),
            ("max-pooling 2×2", (4, 4, 4), 0),
            ("batch normalisation, relu", (4, 4, 4), 8),
            ("flatten", (64,), 0),
            ("dense 6, relu", (6,), 390),
            ("dense 5, relu", (5,), 35),
            ("dense 6, relu", (6,), 36),
            ("dense 64, relu", (64,), 448),
            ("unflatten", (4, 4, 4), 0),
            ("un-pooling 2×2, to where the largest were", (8, 8, 4), 0),
            ("transposed convolution 2@3×3, sigmoid", (8, 8, 2), 74),
            ("crop", (7, 8, 2), 0),
        ],
    ),
    (
        LINEAR,  # which is not spelt out
        (4, 4, 1),
        1,
        [
            ("convolution 3@3×3", (4, 4, 3), 30),
            ("tied transposed convolution 1@3×3", (4, 4, 1), 1),
        ],
    ),
]


@pytest.mark.parametrize(("arch", "picture", "encoder", "rows"), SUMMARIES, ids=str)
def test_a_summary_has_a_row_for_each_thing_that_is_done(
    arch: Architecture,
    picture: Shape,
    encoder: int,
    rows: list[tuple[str, Shape, int]],
) -> None:
    found = arch.rows(picture)
    assert [(row.title, row.output, row.parameters) for row in found] == rows
    assert arch.rows(picture, "encoder") == found[:encoder]
    assert arch.rows(picture, "decoder") == found[encoder:]


def test_the_keras_example_has_exactly_its_3217_parameters() -> None:
    assert EXAMPLE.parameters((28, 28, 1)) == 3217


# Small enough to be built and run, in all forms that options can ask for.
small_levels = st.builds(
    Level,
    maps=st.integers(1, 4),
    kernel=st.integers(1, 4),
    pool=st.integers(1, 3),
)
networks = st.builds(
    Architecture,
    levels=st.lists(small_levels, max_size=3).map(tuple),
    dense=st.lists(st.integers(1, 5), max_size=2).map(tuple),
    decoder=st.sampled_from(["mirror", "tied", "untied"]),
    padding=st.sampled_from(["same", "valid"]),
    activation=st.sampled_from(["relu", "tanh", "linear"]),
    normalised=st.booleans(),
).filter(
    lambda arch: arch.depth and (arch.decoder, arch.padding) != ("mirror", "valid")
)
extras = st.integers(0, 7)


@settings(max_examples=80, deadline=None)
@given(networks, extras, extras, st.integers(1, 3))
def test_a_network_has_the_sizes_and_parameters_that_its_architecture_says(
    arch: Architecture, more_rows: int, more_columns: int, channels: int
) -> None:
    picture = (arch.smallest + more_rows, arch.smallest + more_columns, channels)
    model = autoencoder(arch, picture).eval()
    assert sum(p.numel() for p in model.parameters()) == arch.parameters(picture)
    with torch.no_grad():
        codes = model.encode(torch.rand(2, *picture))
        assert tuple(codes.shape[1:]) == arch.code_shape(picture)
        assert model.decode(codes).shape == model(torch.rand(2, *picture)).shape
        assert model.decode(codes).shape == (2, *picture)
    *_, last = arch.rows(picture)
    assert last.output == picture


@given(networks, extras, extras)
def test_the_padded_size_is_the_least_that_gives_whole_cells(
    arch: Architecture, more_rows: int, more_columns: int
) -> None:
    height, width = arch.smallest + more_rows, arch.smallest + more_columns

    def cells(side: int) -> int | None:
        """Cells of the code along a side, by going up; None where one is cut."""
        for level in arch.levels:
            side -= level.kernel - 1 if arch.padding == "valid" else 0
            if side < 1 or side % level.pool:
                return None
            side //= level.pool
        return side

    for side, padded in zip((height, width), arch.padded(height, width), strict=True):
        assert padded >= side
        assert cells(padded)
        assert not any(cells(between) for between in range(side, padded))
    assert cells(arch.smallest) == 1
    assert not any(cells(side) for side in range(arch.smallest))


def test_valid_convolutions_eat_more_of_the_picture_the_higher_they_stand() -> None:
    assert PAPER.shrinkage == 4 + 2 * 4 + 4 * 2
    assert PAPER.smallest == 20 + 4
    assert PAPER.padded(28, 32) == (28, 32)
    assert PAPER.padded(29, 24) == (32, 24)
    assert PAPER.margins(29, 31) == (1, 0)
    assert replace(PAPER, padding="same").shrinkage == 0


NUMBER = "a number, as in 16C3 or 32N, or a pooling, as in MP2"
AFTER = "a pooling only straight after a convolution"


@pytest.mark.parametrize(
    ("text", "at", "allowed"),
    [
        ("16C3-MQ2", "7 ('Q')", "'P', as in MP2"),
        ("16C3-", "6 (the end)", NUMBER),
        ("", "1 (the end)", NUMBER),
        ("16X3", "3 ('X')", "'C' (convolution) or 'N' (dense) after the number"),
        ("16C0", "4 ('0')", "a number from 1 to 65536"),
        ("9" * 5000 + "C3", "1 ('9')", "a number from 1 to 65536"),
        ("8C3-MP1", "7 ('1')", "a number from 2 to 65536"),
        ("MP2-8C3", "1 ('M')", AFTER),
        ("8C3-MP2-MP2", "9 ('M')", AFTER),
        ("32N-8C3", "5 ('8')", "only dense layers, as in 32N, after a dense layer"),
        ("8C3_MP2", "4 ('_')", "'-' between parts"),
    ],
)
def test_a_bad_network_is_pointed_at(text: str, at: str, allowed: str) -> None:
    assert refused(parse, text, error=NotationError) == (
        f"arch: received {text!r}, wrong at character {at}; allowed: {allowed}. "
        "A network reads like 16C3-MP2-8C3-MP2."
    )


@given(st.text(alphabet="CMPNcmpn0123456789-٣ ", max_size=12))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        arch = parse(text)
    except NotationError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert parse(str(arch)) == arch


@pytest.mark.parametrize(
    ("arch", "size", "least"),
    [
        (parse("8C3-MP4-8C3-MP4-8C3-MP2"), (28, 40), "32×32 for its poolings"),
        (
            replace(parse("8C5-MP2-8C3"), decoder="tied", padding="valid"),
            (9, 12),
            "10×10 for its valid convolutions and poolings",
        ),
    ],
    ids=str,
)
def test_a_picture_too_small_for_the_network_is_refused(
    arch: Architecture, size: tuple[int, int], least: str
) -> None:
    assert arch.code_shape((arch.smallest, arch.smallest + 2, 1))[0] == 1
    for ask in (arch.code_shape, partial(autoencoder, arch)):
        assert refused(ask, (*size, 1), error=NotationError) == (
            f"arch: received '{arch}' for pictures of {size[0]}×{size[1]}; allowed: "
            f"pictures of at least {least}. Take MP parts away, or give larger pictures."
        )


NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("2C3-MP2-2C3-MP2", {}),
    ("2C5", {}),
    ("2C4-MP3-2C2", {}),
    ("2C3-MP2-2C5-MP2-2C3", {}),
    ("2C5-MP2-2C3", {"decoder": "tied"}),
    ("2C4-MP2-2C3-MP3", {"decoder": "untied"}),
    ("2C3-MP2-2C3-MP2", {"decoder": "tied", "padding": "valid"}),
    ("2C5-MP2-2C4", {"decoder": "untied", "padding": "valid"}),
]


def _network(text: str, options: dict[str, Any]) -> Architecture:
    return replace(parse(text), activation="linear", output="linear", **options)


def _pixels_that_count(arch: Architecture, what: str) -> tuple[int, int, int, int]:
    """Follow gradients from the middle cell: what it is made of, and its own pixels."""
    cells, middle = 41, 20
    side = cells * arch.stride + arch.shrinkage
    model = autoencoder(arch, (side, side, 1), 0).double().eval()
    for weight in model.parameters():
        weight.data.abs_().add_(0.1)  # nothing cancels
    picture = torch.from_numpy(np.random.default_rng(0).random((1, side, side, 1)))
    picture.requires_grad_()
    own = slice(middle * arch.stride, (middle + 1) * arch.stride)
    if what == "code":
        out = model.encode(picture)[:, middle, middle]
    else:
        out = model.raw(picture)[:, own, own]
    (slope,) = torch.autograd.grad(out.sum(), picture)
    rows = np.flatnonzero(slope[0, ..., 0].abs().sum(1).numpy())
    return int(rows.min()), int(rows.max()), own.start, own.stop - 1


@pytest.mark.parametrize(("text", "options"), NETWORKS)
def test_nothing_beyond_the_context_takes_part(
    text: str, options: dict[str, Any]
) -> None:
    arch = _network(text, options)
    for what, cells in (("code", arch.code_context), ("picture", arch.context)):
        first, last, start, end = _pixels_that_count(arch, what)
        around = cells * arch.stride
        assert first >= start - around
        assert last <= end + around + arch.shrinkage


def test_the_context_of_the_example_counted_by_hand() -> None:
    # Encoder: 1 + 2 pixels around a cell of 4. Back: 1 pixel, then 1 + 1 + 1 cells …
    arch = parse("16C3-MP2-8C3-MP2")
    assert arch.code_context == 1
    assert arch.context == 3
    # … and with kernels of 5 used both ways 2 pixels, of 2 a cell, there and back.
    assert replace(parse("4C5-MP2"), decoder="tied").context == 2
