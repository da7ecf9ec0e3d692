"""Good files of every kind, written by several libraries, and some that are real."""

import gzip
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import skimage.data
import tifffile
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from tests.written import by_pillow, dicom, fits_of, idx, tiff

LARGEST = 40_000
"""Bytes above which a picture of a package is left out."""
SIDES = (21, 34)
ROWS = 12
"""Pictures in each batch of CIFAR-10, where a child reads it."""
BATCH = "cifar10/cifar-10-batches-bin/test_batch.bin"


class Seed(NamedTuple):
    """A good file: what it is, its path below a folder, and its bytes."""

    kind: str
    name: str
    content: bytes


@cache
def pictures() -> tuple[Seed, ...]:
    """Give those of one picture, or a few; the same in every process."""
    every = (pillows(), deep_pngs(), tiffs(), dicoms(), fits_files(), shipped())
    return tuple(chain.from_iterable(every))


@cache
def arrays() -> tuple[Seed, ...]:
    """Give those of many pictures; the same in every process."""
    every = (npy_files(), npz_files(), idx_files(), parquets(), cifar10_batches())
    return tuple(chain.from_iterable(every))


def values(*shape: int, dtype: str = "u1") -> NDArray[Any]:
    """A smooth picture, so that every coder has something to code."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    plane = np.sin(rows / 5) * np.cos(columns / 7) / 2 + 0.5
    if len(shape) == 3:
        plane = np.stack([np.roll(plane, n, 0) for n in range(shape[2])], 2)
    kind = np.dtype(dtype)
    top = 1 if kind.kind == "f" else np.iinfo(kind).max
    whole: NDArray[Any] = (plane * top).astype(kind)
    return whole


def pillows() -> Iterator[Seed]:
    grey = Image.fromarray(values(*SIDES))
    colour = Image.fromarray(values(*SIDES, 3))
    alpha = Image.fromarray(values(*SIDES, 4))
    deep = Image.fromarray(values(*SIDES, dtype="u2"))
    ink = Image.frombytes("CMYK", SIDES, values(*SIDES, 4).tobytes())
    turned = Image.Exif()
    turned[0x0112] = 6
    turned[0x010E] = "a description"
    frames = {"save_all": True, "append_images": [colour.rotate(90)]}
    told: list[tuple[str, Image.Image, str, dict[str, Any]]] = [
        ("PNG", grey, "grey", {}),
        ("PNG", grey.convert("1"), "bits", {}),
        ("PNG", colour, "colour", {"exif": turned}),
        ("PNG", alpha, "alpha", {}),
        ("PNG", deep, "deep", {}),
        ("PNG", colour.quantize(9), "palette", {"transparency": 2}),
        ("PNG", colour, "animated", frames),
        ("JPEG", grey, "grey", {}),
        ("JPEG", colour, "colour", {"exif": turned, "comment": b"a comment"}),
        ("JPEG", colour, "progressive", {"progressive": True, "optimize": True}),
        ("JPEG", colour, "restarts", {"restart_marker_blocks": 1, "subsampling": 0}),
        ("JPEG", ink, "ink", {}),
        ("BMP", grey, "grey", {}),
        ("BMP", colour, "colour", {}),
        ("BMP", grey.convert("1"), "bits", {}),
        ("BMP", colour.quantize(7), "palette", {}),
        ("GIF", colour.quantize(5), "palette", {}),
        ("GIF", colour, "animated", frames),
        ("WebP", colour, "lossy", {"exif": turned}),
        ("WebP", alpha, "lossless", {"lossless": True}),
        ("WebP", colour, "animated", frames),
        ("TIFF", colour, "pillow", {"compression": "tiff_lzw"}),
        ("TIFF", grey.convert("1"), "fax", {"compression": "group4"}),
        ("TIFF", colour.convert("YCbCr"), "ycbcr", {"compression": "jpeg"}),
    ]
    for kind, image, name, options in told:
        content = by_pillow(image, kind.upper(), **options)
        yield Seed(kind, f"{name}.{kind.lower()}", content)


def deep_pngs() -> Iterator[Seed]:
    for channels in (2, 3, 4):
        deep = values(*SIDES, channels, dtype="u2")
        yield Seed("PNG", f"deep{channels}.png", bytes(imagecodecs.png_encode(deep)))


def tiffs() -> Iterator[Seed]:
    for compression in tifffile.COMPRESSION:
        for dtype, channels in (("u1", 1), ("u1", 3), ("u2", 1), ("f4", 1)):
            shape = SIDES if channels == 1 else (*SIDES, channels)
            colours = "rgb" if channels == 3 else "minisblack"
            name = f"{compression.name.lower()}-{dtype}-{channels}.tif"
            # Most cannot be written, or not with every type.
            with suppress(Exception):
                pixels = values(*shape, dtype=dtype)
                content = tiff(pixels, compression=compression, photometric=colours)
                yield Seed("TIFF", name, content)
    stack = np.stack([values(*SIDES, dtype="u2")] * 3)
    wide = values(*SIDES, 5, dtype="f4")
    grey: dict[str, Any] = {"photometric": "minisblack"}
    described: dict[str, Any] = grey | {"metadata": {"axes": "CYX"}}
    for name, pixels, options in (
        ("tiled", wide, grey | {"tile": (16, 16), "planarconfig": "contig"}),
        ("tiled-zlib", stack, grey | {"tile": (16, 16), "compression": "zlib"}),
        ("planes", wide, grey | {"planarconfig": "separate"}),
        ("big", stack, grey | {"bigtiff": True}),
        ("big-endian", stack, grey | {"byteorder": ">", "rowsperstrip": 4}),
        ("pages", stack, grey | {"metadata": None}),
        ("half", values(*SIDES, dtype="f2"), grey),
        ("double", values(*SIDES, dtype="f8"), grey | {"predictor": True,
         "compression": "zlib"}),
        ("imagej", stack, described | {"imagej": True}),
        ("ome", stack, described | {"ome": True}),
        ("white", values(*SIDES), {"photometric": "miniswhite"}),
        ("palette", values(*SIDES), {"photometric": "palette",
         "colormap": np.arange(768, dtype="u2").reshape(3, 256)}),
        ("alpha", values(*SIDES, 4), {"photometric": "rgb",
         "extrasamples": ["unassalpha"]}),
        ("ink", values(*SIDES, 4), {"photometric": "separated"}),
    ):  # fmt: skip
        yield Seed("TIFF", f"{name}.tif", tiff(pixels, **options))


def dicoms() -> Iterator[Seed]:
    for name, pixels, frames in (
        ("grey", values(*SIDES), 1),
        ("deep", values(*SIDES, dtype="u2"), 1),
        ("signed", values(*SIDES, dtype="i2"), 1),
        ("colour", values(*SIDES, 3), 1),
        ("frames", np.concatenate([values(*SIDES)] * 3), 3),
    ):
        yield Seed("DICOM", f"{name}.dcm", dicom(pixels, frames))


def fits_files() -> Iterator[Seed]:
    for dtype in ("u1", "u2", "i4", "f4", "f8"):
        yield Seed("FITS", f"{dtype}.fits", fits_of(values(*SIDES, dtype=dtype)))
    cube = np.stack([values(*SIDES, dtype="f4")] * 3)
    yield Seed("FITS", "cube.fits", fits_of(cube))
    small = values(*SIDES, dtype="i2") // 2**8
    for how in ("GZIP_1", "RICE_1", "HCOMPRESS_1", "PLIO_1"):
        unit = fits.CompImageHDU(small, compression_type=how)
        yield Seed("FITS", f"{how.lower()}.fits", fits_of(fits.PrimaryHDU(), unit))


def shipped() -> Iterator[Seed]:
    """Small pictures that packages bring."""
    ours = {"png": "PNG", "tif": "TIFF", "gif": "GIF", "dcm": "DICOM"}
    for package in (skimage.data, pydicom):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.*")):
            kind = ours.get(path.suffix[1:])
            if kind and path.stat().st_size <= LARGEST:
                yield Seed(kind, f"{path.stem}{path.suffix}", path.read_bytes())


def npy_files() -> Iterator[Seed]:
    stack = np.stack([values(9, 7, 3, dtype="f4")] * 6)
    for version in ((1, 0), (2, 0), (3, 0)):
        yield Seed("npy", f"version{version[0]}.npy", npy(stack, version))
    for dtype in ("?", "i1", "<u2", ">u2", "<i8", "<f2", ">f8", "<c8", "S3", "M8[s]"):
        content = npy((stack * 9).astype("i4").astype(dtype))
        yield Seed("npy", f"{ord(dtype[-1])}.npy", content)
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
    for dtype in ("u1", "f4"):
        name, content = f"{dtype}-images-idx3-ubyte", idx(stack.astype(dtype))
        yield Seed("IDX", name, content)
        yield Seed("IDX", f"{name}.gz", gzip.compress(content, mtime=0))


def parquets() -> Iterator[Seed]:
    both = ("grey.png", "grey.jpeg")
    good = [seed.content for seed in pictures() if seed.name in both] * 2
    cells = [{"bytes": each, "path": None} for each in good]
    for name, column in (("structs", cells), ("bytes", good)):
        for compression in ("none", "snappy", "zstd"):
            table = pa.table({"image": column, "label": [0, 1, 0, 1]})
            file = BytesIO()
            pq.write_table(table, file, compression=compression, row_group_size=3)
            yield Seed("Parquet", f"{name}-{compression}.parquet", file.getvalue())


def cifar10_batches() -> Iterator[Seed]:
    planes = np.arange(ROWS * 3072, dtype="u4").astype("u1").reshape(ROWS, 3072)
    labels = np.arange(ROWS, dtype="u1") % 10
    yield Seed("CIFAR-10 records", BATCH, np.column_stack([labels, planes]).tobytes())
