"""Pickles as Python 2's cPickle wrote them, opcode by opcode, made without pickle."""

import struct
from itertools import count

import numpy as np
from numpy.typing import NDArray


class Pickler:
    """Writes values, remembering each by the next number as cPickle does."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def remember(self) -> bytes:
        number = next(self._numbers)
        return struct.pack("<cB", b"q", number) if number < 256 else b"r" + le(number)

    def text(self, value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode() + self.remember()

    def number(self, value: int) -> bytes:
        if 0 <= value < 256:
            return b"K" + bytes([value])
        return (
            b"M" + struct.pack("<H", value) if 0 <= value < 65536 else b"J" + le(value)
        )

    def name(self, module: str, name: str) -> bytes:
        return f"c{module}\n{name}\n".encode() + self.remember()

    def list_of(self, items: list[bytes]) -> bytes:
        """A list that is filled a thousand items at a time."""
        parts = [items[start : start + 1000] for start in range(0, len(items), 1000)]
        filled = b"".join(b"(" + b"".join(part) + b"e" for part in parts)
        return b"]" + self.remember() + filled

    def array(self, values: NDArray[np.uint8], by_columns: bool = False) -> bytes:
        """Ask for an empty array, then give it its state: version, shape, dtype, …"""
        empty = (
            self.name("numpy.core.multiarray", "_reconstruct")
            + self.name("numpy", "ndarray")
            + (b"K\0\x85" + self.remember())
            + (self.text("b") + b"\x87" + self.remember() + b"R" + self.remember())
        )
        shape = b"".join(map(self.number, values.shape)) + b"\x86" + self.remember()
        dtype = (
            self.name("numpy", "dtype")
            + (self.text("u1") + b"K\0K\1\x87" + self.remember())
            + (b"R" + self.remember() + b"(K\3" + self.text("|") + b"NNN")
            + (2 * (b"J" + le(-1)) + b"K\0t" + self.remember() + b"b")
        )
        order = b"\x88" if by_columns else b"\x89"
        content = values.tobytes("F" if by_columns else "C")
        content = b"T" + le(len(content)) + content + self.remember()
        state = b"(K\1" + shape + dtype + order + content + b"t" + self.remember()
        return empty + state + b"b"

    def dict_of(self, items: dict[str, bytes]) -> bytes:
        filled = b"".join(self.text(key) + value for key, value in items.items())
        return b"}" + self.remember() + b"(" + filled + b"u"


def le(number: int) -> bytes:
    return struct.pack("<i", number)


def pickled(content: bytes) -> bytes:
    return b"\x80\x02" + content + b"."


def batch(
    labels: list[int], planes: NDArray[np.uint8], by_columns: bool = False
) -> bytes:
    """One of CIFAR-10's batches.

    Args:
        labels: N class indices.
        planes: N×3072.
        by_columns: Whether the array is stored column after column.
    """
    write = Pickler()
    names = [write.text(f"some_picture_s_{row:06d}.png") for row in range(len(labels))]
    items = {
        "batch_label": write.text("training batch 1 of 5"),
        "labels": write.list_of([write.number(label) for label in labels]),
        "data": write.array(planes, by_columns),
        "filenames": write.list_of(names),
    }
    return pickled(write.dict_of(items))
