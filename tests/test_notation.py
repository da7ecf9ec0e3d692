import pytest
from hypothesis import given
from hypothesis import strategies as st

from caes.errors import NotationError
from caes.notation import Architecture, Level, parse

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
        for stage in parse("16C3-MP2-8C3-MP2").stages((28, 28, 1))
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
    rows = [(s.part, s.title, s.output) for s in arch.stages((8, 8, 3))]
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
    *_, last = arch.stages((height, width, channels))
    assert last.output == (height, width, channels)


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
