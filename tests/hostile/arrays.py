"""Files of many pictures at once: NumPy's, IDX, Parquet, CIFAR-10's batches."""

import gzip
import struct
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tests.hostile.pictures import Seed, pictures, values

ROWS = 12
"""Pictures in each batch of CIFAR-10, where a child reads it."""
BATCH = "cifar10/cifar-10-batches-bin/test_batch.bin"


@cache
def arrays() -> tuple[Seed, ...]:
    """Give all of them; the same in every process."""
    every = (npy_files(), npz_files(), idx_files(), parquets(), cifar10_batches())
    return tuple(seed for some in every for seed in some)


def npy_files() -> Iterator[Seed]:
    stack = np.stack([values(9, 7, 3, dtype="f4")] * 6)
    for version in ((1, 0), (2, 0), (3, 0)):
        yield Seed("npy", f"version{version[0]}.npy", npy(stack, version))
    for dtype in ("?", "i1", "<u2", ">u2", "<i8", "<f2", ">f8", "<c8", "S3", "M8[s]"):
        yield Seed(
            "npy", f"{ord(dtype[-1])}.npy", npy((stack * 9).astype("i4").astype(dtype))
        )
    yield Seed("npy", "columns.npy", npy(np.asfortranarray(stack)))
    yield Seed("npy", "three.npy", npy(stack[..., 0]))
    objects = BytesIO()
    np.save(objects, np.array([{}, []], object), allow_pickle=True)
    yield Seed("npy", "objects.npy", objects.getvalue())


def npy(array: NDArray[Any], version: tuple[int, int] = (1, 0)) -> bytes:
    file = BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle=False)
    return file.getvalue()


def npz_files() -> Iterator[Seed]:
    stack, labels = np.stack([values(9, 7)] * 6), np.arange(6) % 2
    for name, save in (("plain", np.savez), ("deflated", np.savez_compressed)):
        for keys in (("x_train", "y_train"), ("images", "labels"), ("a", "b")):
            file = BytesIO()
            save(file, allow_pickle=False, **{keys[0]: stack, keys[1]: labels})
            yield Seed("npz", f"{name}-{keys[0]}.npz", file.getvalue())


def idx_files() -> Iterator[Seed]:
    stack = np.stack([values(9, 7)] * 6)
    plain = {"u1": idx(stack, 8), "f4": idx(stack.astype(">f4"), 13)}
    for name, content in plain.items():
        yield Seed("IDX", f"{name}-images-idx3-ubyte", content)
        yield Seed(
            "IDX", f"{name}-images-idx3-ubyte.gz", gzip.compress(content, mtime=0)
        )


def idx(array: NDArray[Any], kind: int) -> bytes:
    return (
        struct.pack(f">4B{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
        + array.tobytes()
    )


def parquets() -> Iterator[Seed]:
    good = [
        seed.content for seed in pictures() if seed.name in ("grey.png", "grey.jpeg")
    ] * 2
    cells = [{"bytes": each, "path": None} for each in good]
    for name, column in (("structs", cells), ("bytes", good)):
        for compression in ("none", "snappy", "zstd"):
            table = pa.table({"image": column, "label": [0, 1, 0, 1]})
            file = BytesIO()
            pq.write_table(table, file, compression=compression, row_group_size=3)
            yield Seed("Parquet", f"{name}-{compression}.parquet", file.getvalue())


def cifar10_batches() -> Iterator[Seed]:
    planes = np.arange(ROWS * 3072, dtype="u4").astype("u1").reshape(ROWS, 3072)
    labels = [row % 10 for row in range(ROWS)]
    records = np.column_stack([np.array(labels, "u1"), planes]).tobytes()
    yield Seed("CIFAR-10 records", BATCH, records)
