"""Files made to be too much: small ones that unpack to much, or promise it."""

import bz2
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import chain

import numpy as np
import tifffile
from PIL import Image

from tests.hostile.seeds import Seed, npy, values
from tests.written import by_hand, by_pillow, dicom, idx, tiff


@cache
def bombs() -> tuple[Seed, ...]:
    """Give all of them."""
    small = (pngs(), largest(), jpegs(), others(), tiffs())
    return tuple(chain(*small, promises(), archives(), gzips()))


def pngs() -> Iterator[Seed]:
    short = zlib.compress(b"\0")
    sides = ((2**31 - 1, 2**31 - 1), (60_000, 60_000), (1, 2**31 - 1))
    for number, side in enumerate(sides):
        yield Seed("PNG", f"declared{number}.png", by_hand(side, 8, 2, short))
    yield Seed("PNG", "more.png", by_hand((9, 7), 8, 0, packed(2**28)))
    yield Seed("PNG", "flat.png", by_hand((5000, 5000), 8, 6, packed(5000 * 20_001)))
    yield Seed("PNG", "deep.png", by_hand((3000, 3000), 16, 6, packed(3000 * 24_001)))


def largest() -> Iterator[Seed]:
    """Pictures as large as they may be, of nothing."""
    side = (9450, 9450)
    yield Seed("PNG", "largest.png", by_hand(side, 8, 6, packed(9450 * 37_801)))
    deep = by_hand((6000, 6000), 16, 6, packed(6000 * 48_001))
    yield Seed("PNG", "largest-deep.png", deep)
    for dtype, channels in (("f4", 3), ("u1", 12), ("f8", 1)):
        tile = zlib.compress(bytes(1008 * 1008 * channels * int(dtype[1])))
        content = tiff(
            iter([tile] * 100), shape=(*side, channels) if channels > 1 else side, dtype=dtype,
            tile=(1008, 1008), compression="zlib", photometric="minisblack",
            planarconfig="contig" if channels > 1 else None,
        )  # fmt: skip
        yield Seed("TIFF", f"largest-{dtype}.tif", content)


def packed(count: int) -> bytes:
    """Deflate so many zeros, each megabyte to the same bytes."""
    how, block = zlib.compressobj(wbits=-15), bytes(2**20)
    part = how.compress(block) + how.flush(zlib.Z_FULL_FLUSH)
    rest = how.compress(block[: count % 2**20]) + how.flush()
    sums = struct.pack(">HH", count % 65_521, 1)  # Adler-32 of zeros
    return b"\x78\x9c" + part * (count // 2**20) + rest + sums


def jpegs() -> Iterator[Seed]:
    """Pictures with thousands of scans, each of which costs a pass over all pixels."""
    grey = Image.new("L", (4000, 4000), 99)
    content = by_pillow(grey, "JPEG", progressive=True)
    scans = content.rindex(b"\xff\xda")
    many = content[:scans] + content[scans:-2] * 1000 + b"\xff\xd9"
    yield Seed("JPEG", "scans.jpeg", many)
    size = content.index(b"\xff\xc2") + 5
    large = content[:size] + b"\xff\xdc\xff\xdc" + content[size + 4 :]
    yield Seed("JPEG", "declared.jpeg", large)


def others() -> Iterator[Seed]:
    for kind in ("GIF", "BMP", "WebP"):
        content = bytearray(by_pillow(Image.new("RGB", (60, 40)), kind.upper()))
        if kind == "GIF":
            content[6:10] = b"\xff\xff\xff\xff"
        elif kind == "BMP":
            content[18:26] = struct.pack("<ii", 2**31 - 1, -(2**31))
        else:
            content[26:30] = b"\xff\x3f\xff\x3f"
        yield Seed(kind, f"declared.{kind.lower()}", bytes(content))
    pixels = values(8, 8)
    for number, more in enumerate(
        ({"Rows": 65_535, "Columns": 65_535}, {"NumberOfFrames": 2**31 - 1},
         {"NumberOfFrames": 2_000_000, "Rows": 1, "Columns": 1},
         {"BitsAllocated": 64}, {"SamplesPerPixel": 65_535})
    ):  # fmt: skip
        yield Seed("DICOM", f"declared{number}.dcm", dicom(pixels, **more))
    for axes in ((60_000, 60_000), (2**31 - 1, 1), (9, 9, 2**40), (1, 1, 5_000_000)):
        cards = ["SIMPLE  =                    T", "BITPIX  =                    8",
                 f"NAXIS   = {len(axes):20}"]  # fmt: skip
        cards += [f"NAXIS{n:<3}= {length:20}" for n, length in enumerate(axes, 1)]
        header = "".join(f"{card:80}" for card in (*cards, "END")).ljust(2880).encode()
        yield Seed("FITS", f"declared{axes[-1]}.fits", header + bytes(2880))


def tiffs() -> Iterator[Seed]:
    small = {"tile": (16, 16), "photometric": "minisblack"}
    large = np.zeros((4000, 4000), np.uint8)
    for how in ("zlib", "lzma", "zstd", "lzw", "packbits", "jpeg2000", "jpegxl", "jpegxr",
                "lerc", "png", "webp", "jpeg"):  # fmt: skip
        colours = np.stack([large[:2000, :2000]] * 3, 2) if how == "webp" else large
        kind = "rgb" if how == "webp" else "minisblack"
        whole = tiff(
            colours, rowsperstrip=len(colours), compression=how, photometric=kind
        )
        with tifffile.TiffFile(BytesIO(whole)) as file:
            page = file.pages.first
            start, length = page.dataoffsets[0], page.databytecounts[0]
        # Its strip, in place of that of a picture that says it is small.
        yield Seed("TIFF", f"strip-{how}.tif", relabelled(whole))
        if how in ("zlib", "jpegxl", "jpegxr", "lerc", "zstd"):
            tiles = tiff(np.zeros((64, 64), "u1"), **small, compression=how)
            content = tiles + whole[start : start + length]
            yield Seed("TIFF", f"tiles-{how}.tif", content)
    loop = bytearray(tiff(values(8, 8), metadata=None))
    (start,), (tags,) = (
        struct.unpack("<I", loop[4:8]),
        struct.unpack_from("<H", loop, 8),
    )
    struct.pack_into("<I", loop, start + 2 + 12 * tags, start)  # its next is itself
    yield Seed("TIFF", "loop.tif", bytes(loop))
    pages = np.zeros((3000, 1, 1), np.uint8)
    many = tiff(pages, photometric="minisblack", metadata=None)
    yield Seed("TIFF", "pages.tif", many)
    axes = 'Pixels SizeX="4" SizeY="4" SizeC="1" SizeZ="999999" SizeT="99" Type="uint8"'
    ome = f'<OME><Image ID="Image:0"><{axes} DimensionOrder="XYCZT"/></Image></OME>'
    yield Seed("TIFF", "ome.tif", tiff(values(4, 4), description=ome, metadata=None))


def relabelled(content: bytes) -> bytes:
    """Write 16 as height, width and rows a strip into a TIFF's tags."""
    changed = bytearray(content)
    with tifffile.TiffFile(BytesIO(content)) as file:
        for name in ("ImageLength", "ImageWidth", "RowsPerStrip"):
            tag = file.pages.first.tags[name]
            form = {3: "<H", 4: "<I"}[tag.dtype]
            struct.pack_into(form, changed, tag.valueoffset, 16)
    return bytes(changed)


def promises() -> Iterator[Seed]:
    """Headers of arrays that are not there."""
    header = npy(np.zeros((1, 5000, 7), np.uint8))[:128]
    for rows in (b"250000", b"999999999999"):
        promised = header.replace(b"(1, ", b"(%s, " % rows).replace(b"  ", b"", 1)
        promised = promised[:127].ljust(127) + b"\n"
        yield Seed("npy", f"promised{len(rows)}.npy", promised + bytes(999))
        for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            content = zipped("x", promised + bytes(999), how)
            yield Seed("npz", f"promised{len(rows)}-{how}.npz", content)


def archives() -> Iterator[Seed]:
    zeros = npy(np.zeros((800, 200, 200), np.uint8))
    for how in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield Seed("npz", f"zeros{how}.npz", zipped("x", zeros, how))
    nested = zipped("x", zipped("x", zeros, zipfile.ZIP_DEFLATED), zipfile.ZIP_DEFLATED)
    yield Seed("npz", "nested.npz", nested)
    text = zipped("notes", bytes(2**25), zipfile.ZIP_DEFLATED)
    yield Seed("npz", "notes.npz", text)
    names = BytesIO()
    with zipfile.ZipFile(names, "w") as archive:
        for number in range(3000):
            archive.writestr(f"{number}.npy", b"")
    yield Seed("npz", "names.npz", names.getvalue())


def zipped(name: str, content: bytes, how: int) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def gzips() -> Iterator[Seed]:
    zeros, name = idx(np.zeros((1, 1, 1), "u1")), "bomb-images-idx3-ubyte.gz"
    much = gzip.compress(bytes(2**24), mtime=0)
    yield Seed("IDX", name, gzip.compress(zeros, mtime=0) + much * 200)
    yield Seed("IDX", name, gzip.compress(much * 99, mtime=0))
    promised = struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**16, 2**16)
    yield Seed("IDX", name, gzip.compress(promised, mtime=0))
    axes = struct.pack(">4B255I", 0, 0, 8, 255, *[2**32 - 1] * 255)
    yield Seed("IDX", "axes-images-idx3-ubyte", axes)
    yield Seed("IDX", name, bz2.compress(zeros) + lzma.compress(zeros))
