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

import numpy as np
import tifffile
from PIL import Image

from tests.hostile.arrays import idx, npy
from tests.hostile.pictures import Seed, dicom, tiff, values

GIB = 2**30


@cache
def bombs() -> tuple[Seed, ...]:
    """Give all of them."""
    every = (
        pngs(),
        largest(),
        jpegs(),
        others(),
        tiffs(),
        promises(),
        archives(),
        gzips(),
    )
    return tuple(seed for some in every for seed in some)


def png(side: tuple[int, int], bits: int, colour: int, packed: bytes) -> bytes:
    """A PNG that says how large it is, with any data; colour 0 is grey, 2 RGB, 6 RGBA."""
    header = struct.pack(">IIBBBBB", side[1], side[0], bits, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def pngs() -> Iterator[Seed]:
    short = zlib.compress(b"\0")
    for number, side in enumerate(
        ((2**31 - 1, 2**31 - 1), (60_000, 60_000), (1, 2**31 - 1))
    ):
        yield Seed("PNG", f"declared{number}.png", png(side, 8, 2, short))
    yield Seed("PNG", "more.png", png((9, 7), 8, 0, packed(2**28)))
    yield Seed("PNG", "flat.png", png((5000, 5000), 8, 6, packed(5000 * 20_001)))
    yield Seed("PNG", "deep.png", png((3000, 3000), 16, 6, packed(3000 * 24_001)))


def largest() -> Iterator[Seed]:
    """Pictures as large as they may be, of nothing."""
    side = (9450, 9450)
    yield Seed("PNG", "largest.png", png(side, 8, 6, packed(9450 * 37_801)))
    yield Seed(
        "PNG", "largest-deep.png", png((6000, 6000), 16, 6, packed(6000 * 48_001))
    )
    for dtype, channels in (("f4", 3), ("u1", 12), ("f8", 1)):
        tile = zlib.compress(bytes(1008 * 1008 * channels * int(dtype[1])))
        file = BytesIO()
        tifffile.imwrite(
            file, iter([tile] * 100), shape=(*side, channels) if channels > 1 else side, dtype=dtype,
            tile=(1008, 1008), compression="zlib", photometric="minisblack",
            planarconfig="contig" if channels > 1 else None,
        )  # fmt: skip
        yield Seed("TIFF", f"largest-{dtype}.tif", file.getvalue())


def packed(count: int) -> bytes:
    """Deflate so many zeros, each megabyte to the same bytes."""
    how, block = zlib.compressobj(wbits=-15), bytes(2**20)
    part = how.compress(block) + how.flush(zlib.Z_FULL_FLUSH)
    rest = how.compress(block[: count % 2**20]) + how.flush()
    sums = struct.pack(">HH", count % 65_521, 1)  # Adler-32 of zeros
    return b"\x78\x9c" + part * (count // 2**20) + rest + sums


def jpegs() -> Iterator[Seed]:
    """Pictures with thousands of scans, each of which costs a pass over all pixels."""
    file = BytesIO()
    Image.new("L", (4000, 4000), 99).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    scans = content.rindex(b"\xff\xda")
    yield Seed(
        "JPEG", "scans.jpeg", content[:scans] + content[scans:-2] * 1000 + b"\xff\xd9"
    )
    size = content.index(b"\xff\xc2") + 5
    large = content[:size] + b"\xff\xdc\xff\xdc" + content[size + 4 :]
    yield Seed("JPEG", "declared.jpeg", large)


def others() -> Iterator[Seed]:
    for kind in ("GIF", "BMP", "WebP"):
        file = BytesIO()
        Image.new("RGB", (60, 40)).save(file, kind.upper())
        content = bytearray(file.getvalue())
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
        cards += [f"NAXIS{n:<3}= {length:20}" for n, length in enumerate(axes, 1)] + [
            "END"
        ]
        header = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
        yield Seed("FITS", f"declared{axes[-1]}.fits", header + bytes(2880))


def tiffs() -> Iterator[Seed]:
    small = {"tile": (16, 16), "photometric": "minisblack"}
    large = np.zeros((4000, 4000), np.uint8)
    for how in ("zlib", "lzma", "zstd", "lzw", "packbits", "jpeg2000", "jpegxl", "jpegxr",
                "lerc", "png", "webp", "jpeg"):  # fmt: skip
        colours = np.stack([large[:2000, :2000]] * 3, 2) if how == "webp" else large
        about = {
            "compression": how,
            "photometric": "rgb" if how == "webp" else "minisblack",
        }
        whole = tiff(colours, rowsperstrip=len(colours), **about)
        with tifffile.TiffFile(BytesIO(whole)) as file:
            page = file.pages.first
            start, length = page.dataoffsets[0], page.databytecounts[0]
        # Its strip, in place of that of a picture that says it is small.
        yield Seed("TIFF", f"strip-{how}.tif", relabelled(whole))
        if how in ("zlib", "jpegxl", "jpegxr", "lerc", "zstd"):
            tiles = tiff(np.zeros((64, 64), "u1"), **small, compression=how)
            yield Seed(
                "TIFF", f"tiles-{how}.tif", tiles + whole[start : start + length]
            )
    loop = bytearray(tiff(values(8, 8), metadata=None))
    start, tags = (
        struct.unpack("<I", loop[4:8])[0],
        struct.unpack_from("<H", loop, 8)[0],
    )
    struct.pack_into(
        "<I", loop, start + 2 + 12 * tags, start
    )  # its next page is itself
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
            yield Seed(
                "npz",
                f"promised{len(rows)}-{how}.npz",
                zipped("x", promised + bytes(999), how),
            )


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
    zeros = idx(np.zeros((1, 1, 1), "u1"), 8)
    name = "bomb-images-idx3-ubyte.gz"
    yield Seed(
        "IDX",
        name,
        gzip.compress(zeros, mtime=0) + gzip.compress(bytes(2**24), mtime=0) * 200,
    )
    yield Seed(
        "IDX", name, gzip.compress(gzip.compress(bytes(2**24), mtime=0) * 99, mtime=0)
    )
    promised = struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**16, 2**16)
    yield Seed("IDX", name, gzip.compress(promised, mtime=0))
    axes = struct.pack(">4B255I", 0, 0, 8, 255, *[2**32 - 1] * 255)
    yield Seed("IDX", "axes-images-idx3-ubyte", axes)
    yield Seed("IDX", name, bz2.compress(zeros) + lzma.compress(zeros))
