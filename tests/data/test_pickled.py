import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caes.data.sources.pickled import Request, read_pickle, uint8_array
from tests.data.python2 import Pickler, batch, le, pickled

PLANES = np.random.default_rng(0).integers(0, 256, (3, 3072), np.uint8)


@pytest.mark.parametrize("by_columns", [False, True])
def test_a_batch_of_python_2_is_read_as_pickle_itself_reads_it(
    by_columns: bool,
) -> None:
    content = batch([3, 70_000, -9], PLANES, by_columns)
    ours, reference = read_pickle(content), pickle.loads(content, encoding="latin1")
    assert isinstance(ours["data"], Request)
    assert uint8_array(ours.pop("data")).tolist() == PLANES.tolist()
    assert reference.pop("data").tolist() == PLANES.tolist()
    assert ours == reference
    assert ours["labels"] == [3, 70_000, -9]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.text(st.characters(max_codepoint=255), max_size=300),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, min_size=1, max_size=5).map(tuple)
        | st.dictionaries(st.text(st.characters(max_codepoint=255)), inner, max_size=3)
    ),
    max_leaves=10,
)


def written(value: Any) -> bytes:
    """Write a plain value as cPickle does, by the shortest opcode that fits."""
    if isinstance(value, str):
        content = value.encode("latin-1")
        if len(content) < 256:
            return b"U" + bytes([len(content)]) + content
        return b"T" + le(len(content)) + content
    if isinstance(value, dict):
        if len(value) == 1:
            ((key, item),) = value.items()
            return b"}" + written(key) + written(item) + b"s"
        pairs = b"".join(written(k) + written(item) for k, item in value.items())
        return b"}(" + pairs + b"u"
    if isinstance(value, list):
        items = [written(item) for item in value]
        return b"]" + (items[0] + b"a" if len(items) == 1 else _marked(items) + b"e")
    if isinstance(value, tuple):
        items = [written(item) for item in value]
        ends = {1: b"\x85", 2: b"\x86", 3: b"\x87"}
        if len(items) in ends:
            return b"".join(items) + ends[len(items)]
        return _marked(items) + b"t"
    if isinstance(value, int) and not isinstance(value, bool):
        return Pickler().number(value)
    return {None: b"N", True: b"\x88", False: b"\x89"}[value]


def _marked(items: list[bytes]) -> bytes:
    return b"(" + b"".join(items)


@given(plain)
def test_plain_values_come_back(value: Any) -> None:
    content = pickled(written(value))
    assert read_pickle(content) == value
    assert pickle.loads(content, encoding="latin1") == value


def test_what_was_remembered_is_recalled() -> None:
    # A list of the same list twice, recalled once by each of the two opcodes.
    content = pickled(b"](]q\x01h\x01(K\x07er\x00\x01\x00\x00j\x00\x01\x00\x00e")
    assert pickle.loads(content) == [[7], [7], [7]]
    assert read_pickle(content) == [[7], [7], [7]]


class Attack:
    """Asks, once unpickled, for a file to be made."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_makes_anything_happen(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "marker"
    content = pickle.dumps(Attack(marker), protocol)
    with pytest.raises(ValueError, match=r"^a pickle (that asks for|with the opcode) "):
        read_pickle(content)
    assert not marker.exists()
    pickle.loads(content)
    assert marker.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"cposix\nsystem\n", "a pickle that asks for posix.system"),
        (b"cnumpy\nload\n", "a pickle that asks for numpy.load"),
        (b"(S'true'\niposix\nsystem\n", "a pickle with the opcode STRING"),
        (b"(iposix\nsystem\n", "a pickle with the opcode INST"),
        (b"(cnumpy\ndtype\no", "a pickle with the opcode OBJ"),
        (b"cnumpy\ndtype\n)\x81", "a pickle with the opcode EMPTY_TUPLE"),
        (b"cnumpy\ndtype\nN\x85\x81", "a pickle with the opcode NEWOBJ"),
        (b"X\x00\x00\x00\x00", "a pickle with the opcode BINUNICODE"),
        (b"K\x01Q", "a pickle with the opcode BINPERSID"),
        (b"\x82\x01", "a pickle with the opcode EXT1"),
        (b"NN\x85R", "a pickle that calls what has no name"),
        (b"cnumpy\ndtype\nNR", "a pickle that calls what has no name"),
        (b"}N b", "at position 4, opcode b' ' unknown"),
        (b"}Nb", "a pickle that sets the state of a plain value"),
        (b"]NNs", "a pickle with a dict that is not keyed by text"),
        (b"}NNs", "a pickle with a dict that is not keyed by text"),
        (b"}Na", "a pickle that appends to something else than a list"),
        (b"N\x87", "a pickle that takes more than it gave"),
        (b"NN", "a pickle that leaves no single value"),
        (b"", "a pickle that leaves no single value"),
    ],
)
def test_anything_but_plain_values_and_arrays_is_refused(
    content: bytes, reason: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared as a whole
        read_pickle(pickled(content))
    assert str(caught.value) == reason


@given(st.binary(max_size=60))
def test_no_bytes_do_more_than_raise(content: bytes) -> None:
    with suppress(ValueError, LookupError):
        read_pickle(content)


@pytest.mark.parametrize(
    "request_",
    [
        7,
        Request("numpy dtype", ("u1",)),
        Request("numpy.core.multiarray _reconstruct", ()),
        Request("numpy.core.multiarray _reconstruct", (), state=(1, (2, 2), "u1")),
        Request(
            "numpy.core.multiarray _reconstruct",
            (),
            (1, (1, 8), Request("numpy dtype", ("f8", 0, 1)), False, "8 bytes."),
        ),
        Request(
            "numpy.core.multiarray _reconstruct",
            (),
            (1, (8,), Request("numpy dtype", ("u1", 0, 1)), False, "8 bytes."),
        ),
    ],
)
def test_only_an_array_of_bytes_in_rows_is_made(request_: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^no array N×M of uint8 where one should be$"
    ):
        uint8_array(request_)
