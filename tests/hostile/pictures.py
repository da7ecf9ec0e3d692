"""Pictures of every format, written by several libraries, and some that are real."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import pydicom
import skimage.data
import tifffile
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

LARGEST = 40_000
"""Bytes above which a picture of a package is left out."""
SIDES = (21, 34)


class Seed(NamedTuple):
    """A good file.

    Args:
        kind: What it is, as a report calls it, such as "TIFF".
        name: Its path below a folder.
        content: Its bytes.
    """

    kind: str
    name: str
    content: bytes


@cache
def pictures() -> tuple[Seed, ...]:
    """Give all of them; the same in every process."""
    every = (by_pillow(), by_imagecodecs(), tiffs(), dicoms(), fits_files(), shipped())
    return tuple(seed for some in every for seed in some)


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


def by_pillow() -> Iterator[Seed]:
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
        file = BytesIO()
        image.save(file, kind.upper(), **options)
        yield Seed(kind, f"{name}.{kind.lower()}", file.getvalue())


def by_imagecodecs() -> Iterator[Seed]:
    for channels in (2, 3, 4):
        deep = values(*SIDES, channels, dtype="u2")
        content = bytes(imagecodecs.png_encode(deep))
        yield Seed("PNG", f"deep{channels}.png", content)


def tiffs() -> Iterator[Seed]:
    for compression in tifffile.COMPRESSION:
        for dtype, channels in (("u1", 1), ("u1", 3), ("u2", 1), ("f4", 1)):
            shape = SIDES if channels == 1 else (*SIDES, channels)
            about: dict[str, Any] = {"compression": compression}
            about["photometric"] = "rgb" if channels == 3 else "minisblack"
            name = f"{compression.name.lower()}-{dtype}-{channels}.tif"
            # Most cannot be written, or not with every type.
            with suppress(Exception):
                yield Seed("TIFF", name, tiff(values(*shape, dtype=dtype), **about))
    stack = np.stack([values(*SIDES, dtype="u2")] * 3)
    wide = values(*SIDES, 5, dtype="f4")
    grey: dict[str, Any] = {"photometric": "minisblack"}
    described: dict[str, Any] = grey | {"metadata": {"axes": "CYX"}}
    for name, pixels, options in (
        ("tiled", wide, grey | {"tile": (16, 16), "planarconfig": "contig"}),
        ("tiled-zlib", stack, grey | {"tile": (16, 16), "compression": "zlib"}),
        ("planes", np.moveaxis(wide, 2, 0), grey | {"planarconfig": "separate"}),
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


def tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def dicoms() -> Iterator[Seed]:
    for name, pixels, frames in (
        ("grey", values(*SIDES), 1),
        ("deep", values(*SIDES, dtype="u2"), 1),
        ("signed", values(*SIDES, dtype="i2"), 1),
        ("colour", values(*SIDES, 3), 1),
        ("frames", np.concatenate([values(*SIDES)] * 3), 3),
    ):
        yield Seed("DICOM", f"{name}.dcm", dicom(pixels, frames))


def dicom(pixels: NDArray[Any], frames: int = 1, **more: Any) -> bytes:
    """Write H×W or H×W×3, or several frames of H/frames×W, uncompressed."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    data.Rows, data.Columns = pixels.shape[0] // frames, pixels.shape[1]
    data.NumberOfFrames = frames
    data.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    data.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    bits = pixels.dtype.itemsize * 8
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    content = pixels.tobytes()
    content += b"\0" * (len(content) % 2)
    data.add_new(0x7FE00010, "OB" if bits == 8 else "OW", content)
    for name, value in more.items():
        setattr(data, name, value)
    file = BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def fits_files() -> Iterator[Seed]:
    for dtype in ("u1", "u2", "i4", "f4", "f8"):
        unit = fits.PrimaryHDU(values(*SIDES, dtype=dtype))
        yield Seed("FITS", f"{dtype}.fits", written(fits.HDUList([unit])))
    cube = np.stack([values(*SIDES, dtype="f4")] * 3)
    yield Seed("FITS", "cube.fits", written(fits.HDUList([fits.PrimaryHDU(cube)])))
    for how in ("GZIP_1", "RICE_1", "HCOMPRESS_1", "PLIO_1"):
        unit = fits.CompImageHDU(
            values(*SIDES, dtype="i2") // 2**8, compression_type=how
        )
        units = fits.HDUList([fits.PrimaryHDU(), unit])
        yield Seed("FITS", f"{how.lower()}.fits", written(units))


def written(units: Any) -> bytes:
    file = BytesIO()
    units.writeto(file)
    return file.getvalue()


def shipped() -> Iterator[Seed]:
    """Small pictures that packages bring."""
    ours = {"png": "PNG", "tif": "TIFF", "gif": "GIF", "dcm": "DICOM"}
    for package in (skimage.data, pydicom):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.*")):
            kind = ours.get(path.suffix[1:])
            if kind and path.stat().st_size <= LARGEST:
                yield Seed(kind, f"{path.stem}{path.suffix}", path.read_bytes())
