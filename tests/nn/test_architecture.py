from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from caes.errors import NotationError
from caes.nn.architecture import Architecture, Level, Shape, parse
from caes.nn.stack import Stack, autoencoder

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


def test_the_keras_example_has_exactly_its_3217_parameters() -> None:
    rows = [
        (stage.title, stage.output, stage.parameters)
        for stage in parse("16C3-MP2-8C3-MP2").rows((28, 28, 1))
    ]
    assert rows == [
        ("convolution 16@3×3, relu", (28, 28, 16), 160),
        ("max-pooling 2×2", (14, 14, 16), 0),
        ("convolution 8@3×3, relu", (14, 14, 8), 1160),
        ("max-pooling 2×2", (7, 7, 8), 0),
        ("convolution 8@3×3, relu", (7, 7, 8), 584),
        ("up-sampling 2×2", (14, 14, 8), 0),
        ("convolution 16@3×3, relu", (14, 14, 16), 1168),
        ("up-sampling 2×2", (28, 28, 16), 0),
        ("convolution 1@3×3, sigmoid", (28, 28, 1), 145),
    ]
    assert parse("16C3-MP2-8C3-MP2").parameters((28, 28, 1)) == 3217


def test_a_dense_bottleneck_is_mirrored_and_its_code_is_linear() -> None:
    arch = parse("4C3-MP2-20N-5N")
    rows = [(s.part, s.title, s.output) for s in arch.rows((8, 8, 3))]
    assert rows == [
        ("encoder", "convolution 4@3×3, relu", (8, 8, 4)),
        ("encoder", "max-pooling 2×2", (4, 4, 4)),
        ("encoder", "flatten", (64,)),
        ("encoder", "dense 20, relu", (20,)),
        ("encoder", "dense 5", (5,)),
        ("decoder", "dense 20, relu", (20,)),
        ("decoder", "dense 64, relu", (64,)),
        ("decoder", "unflatten", (4, 4, 4)),
        ("decoder", "convolution 4@3×3, relu", (4, 4, 4)),
        ("decoder", "up-sampling 2×2", (8, 8, 4)),
        ("decoder", "convolution 3@3×3, sigmoid", (8, 8, 3)),
    ]
    assert arch.code_shape((8, 8, 3)) == (5,)


@given(architectures, st.integers(0, 40), st.integers(0, 40), st.integers(1, 5))
def test_padding_is_the_least_that_the_pooling_divides(
    arch: Architecture, more_rows: int, more_columns: int, channels: int
) -> None:
    stride = arch.stride
    height, width = stride + more_rows, stride + more_columns
    tall, wide = arch.padded(height, width)
    assert tall % stride == 0
    assert wide % stride == 0
    assert 0 <= tall - height < stride
    assert 0 <= wide - width < stride
    *_, last = arch.rows((height, width, channels))
    assert last.output == (height, width, channels)


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


@settings(max_examples=60, deadline=None)
@given(networks, extras, extras, st.integers(1, 3))
def test_each_level_takes_in_and_gives_back_what_the_architecture_says(
    arch: Architecture, more_rows: int, more_columns: int, channels: int
) -> None:
    assume(arch.decoder != "mirror")
    picture = (arch.smallest + more_rows, arch.smallest + more_columns, channels)
    model = autoencoder(arch, picture).eval()
    assert isinstance(model, Stack)
    told = [stage.output for stage in arch.rows(picture)]
    entering = [stage.input for stage in arch.encoder(picture)]
    assert len(entering) == arch.depth
    for level, shape in zip(model.each, entering, strict=True):
        with torch.no_grad():
            maps = torch.rand(1, *shape[2:], *shape[:2]) if len(shape) == 3 else None
            code = level.encode(torch.rand(1, *shape) if maps is None else maps)
            back = level.decode(code)
        assert _outside(back) == shape
        assert _outside(code.maps) in told


def _outside(maps: torch.Tensor) -> Shape:
    """Shape of one picture's maps, channels last, or of its units."""
    if maps.ndim == 2:
        return (maps.shape[1],)
    _, channels, height, width = maps.shape
    return height, width, channels


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
    arch = replace(parse("100C5-MP2-150C5-MP2-200C3"), decoder="tied", padding="valid")
    assert arch.shrinkage == 4 + 2 * 4 + 4 * 2
    assert arch.smallest == 20 + 4
    assert arch.padded(28, 32) == (28, 32)
    assert arch.padded(29, 24) == (32, 24)
    assert arch.margins(29, 31) == (1, 0)
    assert replace(arch, padding="same").shrinkage == 0


def test_the_paper_s_stack_has_tied_weights_and_one_bias_a_map_and_channel() -> None:
    arch = replace(
        parse("100C5-MP2-150C5-MP2-200C3"),
        decoder="tied",
        padding="valid",
        activation="tanh",
        output="tanh",
    )
    rows = [(s.part, s.title, s.output, s.parameters) for s in arch.rows((28, 28, 1))]
    assert rows == [
        ("encoder", "convolution 100@5×5, tanh", (24, 24, 100), 2600),
        ("encoder", "max-pooling 2×2", (12, 12, 100), 0),
        ("encoder", "convolution 150@5×5, tanh", (8, 8, 150), 375_150),
        ("encoder", "max-pooling 2×2", (4, 4, 150), 0),
        ("encoder", "convolution 200@3×3, tanh", (2, 2, 200), 270_200),
        ("decoder", "tied transposed convolution 150@3×3, tanh", (4, 4, 150), 150),
        ("decoder", "un-pooling 2×2, to where the largest were", (8, 8, 150), 0),
        ("decoder", "tied transposed convolution 100@5×5, tanh", (12, 12, 100), 100),
        ("decoder", "un-pooling 2×2, to where the largest were", (24, 24, 100), 0),
        ("decoder", "tied transposed convolution 1@5×5, tanh", (28, 28, 1), 1),
    ]
    entering = [stage.input for stage in arch.encoder((28, 28, 1))]
    assert entering == [(28, 28, 1), (12, 12, 100), (4, 4, 150)]


def test_an_untied_decoder_counts_weights_of_its_own_and_pads_and_crops() -> None:
    arch = replace(parse("4C3-MP2-6N-5N"), decoder="untied", normalised=True)
    rows = [(s.part, s.title, s.output, s.parameters) for s in arch.rows((7, 8, 2))]
    assert rows == [
        ("encoder", "pad", (8, 8, 2), 0),
        ("encoder", "convolution 4@3×3", (8, 8, 4), 76),
        ("encoder", "max-pooling 2×2", (4, 4, 4), 0),
        ("encoder", "batch normalisation, relu", (4, 4, 4), 8),
        ("encoder", "flatten", (64,), 0),
        ("encoder", "dense 6, relu", (6,), 390),
        ("encoder", "dense 5, relu", (5,), 35),
        ("decoder", "dense 6, relu", (6,), 36),
        ("decoder", "dense 64, relu", (64,), 448),
        ("decoder", "unflatten", (4, 4, 4), 0),
        ("decoder", "un-pooling 2×2, to where the largest were", (8, 8, 4), 0),
        ("decoder", "transposed convolution 2@3×3, sigmoid", (8, 8, 2), 74),
        ("decoder", "crop", (7, 8, 2), 0),
    ]
    tied = replace(arch, decoder="tied")
    own = 64 * 6 + 6 * 5 + 2 * 4 * 9
    assert arch.parameters((7, 8, 2)) - tied.parameters((7, 8, 2)) == own


def test_a_linear_activation_is_not_spelt_out() -> None:
    arch = replace(parse("3C3"), decoder="tied", activation="linear", output="linear")
    titles = [stage.title for stage in arch.rows((4, 4, 1))]
    assert titles == ["convolution 3@3×3", "tied transposed convolution 1@3×3"]


HINT = "A network reads like 16C3-MP2-8C3-MP2."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "16C3-MQ2",
            "arch: received '16C3-MQ2', wrong at character 7 ('Q'); "
            f"allowed: 'P', as in MP2. {HINT}",
        ),
        (
            "16C3-",
            "arch: received '16C3-', wrong at character 6 (the end); allowed: a number, "
            f"as in 16C3 or 32N, or a pooling, as in MP2. {HINT}",
        ),
        (
            "",
            "arch: received '', wrong at character 1 (the end); allowed: a number, "
            f"as in 16C3 or 32N, or a pooling, as in MP2. {HINT}",
        ),
        (
            "16X3",
            "arch: received '16X3', wrong at character 3 ('X'); allowed: "
            f"'C' (convolution) or 'N' (dense) after the number. {HINT}",
        ),
        (
            "16C0",
            "arch: received '16C0', wrong at character 4 ('0'); "
            f"allowed: a number from 1 to 65536. {HINT}",
        ),
        (
            "9" * 5000 + "C3",
            f"arch: received '{'9' * 5000}C3', wrong at character 1 ('9'); "
            f"allowed: a number from 1 to 65536. {HINT}",
        ),
        (
            "8C3-MP1",
            "arch: received '8C3-MP1', wrong at character 7 ('1'); "
            f"allowed: a number from 2 to 65536. {HINT}",
        ),
        (
            "MP2-8C3",
            "arch: received 'MP2-8C3', wrong at character 1 ('M'); "
            f"allowed: a pooling only straight after a convolution. {HINT}",
        ),
        (
            "8C3-MP2-MP2",
            "arch: received '8C3-MP2-MP2', wrong at character 9 ('M'); "
            f"allowed: a pooling only straight after a convolution. {HINT}",
        ),
        (
            "32N-8C3",
            "arch: received '32N-8C3', wrong at character 5 ('8'); "
            f"allowed: only dense layers, as in 32N, after a dense layer. {HINT}",
        ),
        (
            "8C3_MP2",
            "arch: received '8C3_MP2', wrong at character 4 ('_'); "
            f"allowed: '-' between parts. {HINT}",
        ),
    ],
)
def test_a_bad_network_is_pointed_at(text: str, message: str) -> None:
    with pytest.raises(NotationError) as caught:
        parse(text)
    assert str(caught.value) == message


@given(st.text(alphabet="CMPNcmpn0123456789-٣ ", max_size=12))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        arch = parse(text)
    except NotationError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert parse(str(arch)) == arch


def test_a_network_too_deep_for_the_picture_is_refused() -> None:
    with pytest.raises(NotationError) as caught:
        parse("8C3-MP4-8C3-MP4-8C3-MP2").code_shape((28, 40, 1))
    assert str(caught.value) == (
        "arch: received '8C3-MP4-8C3-MP4-8C3-MP2' for pictures of 28×40; "
        "allowed: pictures of at least 32×32 for its poolings. "
        "Take MP parts away, or give larger pictures."
    )


def test_a_picture_too_small_for_valid_convolutions_is_refused() -> None:
    arch = replace(parse("8C5-MP2-8C3"), decoder="tied", padding="valid")
    assert arch.code_shape((10, 12, 1)) == (1, 2, 8)
    with pytest.raises(NotationError) as caught:
        arch.code_shape((9, 12, 1))
    assert str(caught.value) == (
        "arch: received '8C5-MP2-8C3' for pictures of 9×12; allowed: pictures of at "
        "least 10×10 for its valid convolutions and poolings. "
        "Take MP parts away, or give larger pictures."
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
