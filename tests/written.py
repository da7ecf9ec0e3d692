"""Pictures as the bytes of files, written by other libraries or by hand."""

import json
import struct
import tarfile
import zlib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import png
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

IDX = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
"""What http://yann.lecun.com/exdb/mnist calls the types."""


def by_pillow(picture: Any, form: str = "PNG", **options: Any) -> bytes:
    """Write a picture of Pillow's, or an array H×W or H×W×C."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(picture)
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def paint(
    path: Path, mode: str = "L", size: tuple[int, int] = (6, 8), **options: Any
) -> NDArray[Any]:
    """Write a picture of random values, whose type fits the mode, and give them."""
    random = np.random.default_rng(sum(path.name.encode()))
    bands = len(Image.new(mode, (1, 1)).getbands())
    deep = mode == "I;16"
    shape = size if bands == 1 else (*size, bands)
    pixels = random.integers(0, 65536 if deep else 256, shape)
    pixels = pixels.astype(np.uint16 if deep else np.uint8)
    image = Image.fromarray(pixels)
    if mode in ("CMYK", "LA"):
        image = Image.frombytes(mode, size[::-1], pixels.tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def by_pypng(pixels: NDArray[Any], **options: Any) -> bytes:
    """Write H×W or H×W×C of 8 or 16 bits; an even number of channels has opacity."""
    height, width, channels = np.atleast_3d(pixels).shape
    about = {"greyscale": channels < 3, "alpha": channels in (2, 4)} | options
    file = BytesIO()
    writer = png.Writer(width, height, bitdepth=8 * pixels.itemsize, **about)
    writer.write(file, pixels.reshape(height, -1).tolist())
    return file.getvalue()


def by_hand(size: tuple[int, int], bits: int, colour: int, packed: bytes) -> bytes:
    """Write a PNG that says it is H×W, with any data; grey is 0, RGB 2, RGBA 6."""
    header = struct.pack(">IIBBBBB", size[1], size[0], bits, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def huge_png(side: int) -> bytes:
    """Write a grey PNG that says how large it is, and has next to nothing in it."""
    return by_hand((side, side), 8, 0, zlib.compress(b"\0"))


def tiff(pixels: Any, **options: Any) -> bytes:
    """Write by tifffile, H×W×C where it is in planes too."""
    if options.get("planarconfig") == "separate":
        pixels = np.moveaxis(pixels, -1, 0)
    file = BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


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


def tar(members: dict[str, bytes]) -> bytes:
    """Write an archive of files."""
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, BytesIO(content))
    return file.getvalue()


def structs(pictures: Iterable[bytes | dict[str, Any] | None]) -> list[Any]:
    """Give pictures' bytes as Hugging Face writes them; what is none stays as it is."""
    return [{"bytes": e, "path": None} if isinstance(e, bytes) else e for e in pictures]


def parquet(
    path: Path, columns: dict[str, Any], features: dict[str, Any] | None = None
) -> Path:
    """Write a Parquet file as Hugging Face does, in row groups of two."""
    table = pa.table(columns)
    if features is not None:
        metadata = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": metadata})
    pq.write_table(table, path, row_group_size=2)
    return path


def fits_of(*units: Any) -> bytes:
    """Write the units of a FITS file; an array is a first one."""
    file = BytesIO()
    first = [fits.PrimaryHDU(units[0])] if isinstance(units[0], np.ndarray) else units
    fits.HDUList([*first]).writeto(file)
    return file.getvalue()


def idx(array: NDArray[Any]) -> bytes:
    """Write an array as MNIST's description says."""
    kind = IDX[array.dtype.str[1:]]
    header = struct.pack(f">4B{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()
