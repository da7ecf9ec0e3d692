"""Pickles read as data: no name is looked up, and nothing is ever called.

What a pickle asks to be made by a call is only written down, as a `Request`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pickletools import genops
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ARRAY = "numpy.core.multiarray _reconstruct"
_DTYPE = "numpy dtype"
_NAMES = (_ARRAY, _DTYPE, "numpy ndarray")


@dataclass(eq=False)
class Request:
    """A call that a pickle asks for, and that is not made.

    Args:
        called: What would be called, as "module name".
        arguments: What it would be called with.
        state: What the result would be given afterwards.
    """

    called: str
    arguments: tuple[Any, ...]
    state: Any = None


def read_pickle(content: bytes) -> Any:
    """Read a pickle of plain values and NumPy arrays, as Python 2 wrote it.

    Args:
        content: A pickle of protocol 2 or older.

    Returns:
        Dicts, lists, tuples, whole numbers, bools, None, text (Latin-1, so that bytes
        are kept), and `Request` for each array.

    Raises:
        ValueError: It names anything but NumPy's arrays, or has an opcode that plain
            values do not need.
    """
    machine = _Machine()
    for opcode, argument, _ in genops(content):
        step = _STEPS.get(opcode.name)
        if step is None:
            raise ValueError(f"a pickle with the opcode {opcode.name}")
        step(machine, argument)
    if len(machine.stack) != 1:
        raise ValueError("a pickle that leaves no single value")
    return machine.stack[0]


def uint8_array(request: Any) -> NDArray[np.uint8]:
    """Make the array that a pickle asks for, from its bytes alone.

    Args:
        request: What `read_pickle` gave in the array's place.

    Returns:
        N×M, read-only.

    Raises:
        ValueError: It is not a whole array N×M of uint8.
    """
    match request:
        case Request(
            called, _, (_, (int() as n, int() as m), Request() as dtype, order, str(v))
        ) if (called, dtype.called, dtype.arguments[:1]) == (_ARRAY, _DTYPE, ("u1",)):
            flat = np.frombuffer(v.encode("latin-1"), np.uint8)
            return flat.reshape((n, m), order="F" if order else "C")
    raise ValueError("no array N×M of uint8 where one should be")


@dataclass
class _Machine:
    """The stack, what waits below each mark on it, and what is remembered by number."""

    stack: list[Any] = field(default_factory=list)
    below: list[list[Any]] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self, _: None) -> None:
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        values, self.stack = self.stack, self.below.pop()
        return values

    def remember(self, number: int) -> None:
        self.memo[number] = self.stack[-1]

    def recall(self, number: int) -> None:
        self.push(self.memo[number])

    def name(self, name: str) -> None:
        if name not in _NAMES:
            raise ValueError(f"a pickle that asks for {name.replace(' ', '.')}")
        self.push(name)

    def request(self, _: None) -> None:
        called, arguments = self.pop(2)
        if not isinstance(called, str) or type(arguments) is not tuple:
            raise ValueError("a pickle that calls what has no name")
        self.push(Request(called, arguments))

    def build(self, _: None) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Request):
            raise ValueError("a pickle that sets the state of a plain value")
        self.stack[-1].state = state

    def extend(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise ValueError("a pickle that appends to something else than a list")
        self.stack[-1].extend(values)

    def update(self, values: list[Any]) -> None:
        # Only text is a key: to hash deep tuples can exhaust the interpreter's stack.
        keys, kept = values[::2], self.stack[-1]
        if type(kept) is not dict or not all(isinstance(key, str) for key in keys):
            raise ValueError("a pickle with a dict that is not keyed by text")
        kept.update(zip(keys, values[1::2], strict=True))

    def pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("a pickle that takes more than it gave")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values


_Step = Callable[[_Machine, Any], None]
_PUSHED = ("BININT", "BININT1", "BININT2", "BINSTRING", "SHORT_BINSTRING")
_STEPS: dict[str, _Step] = {
    **dict.fromkeys(_PUSHED, _Machine.push),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.remember),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.recall),
    **dict.fromkeys(("PROTO", "STOP"), lambda machine, _: None),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "MARK": _Machine.mark,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.pop(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.pop(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.pop(3))),
    "APPEND": lambda machine, _: machine.extend(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.update(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.update(machine.since_mark()),
    "GLOBAL": _Machine.name,
    "REDUCE": _Machine.request,
    "BUILD": _Machine.build,
}
