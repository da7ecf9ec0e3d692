"""Write a picture of each kind, read it with caes, and show both in docs/formats.png.

Run: python docs/gallery.py
"""

import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
import tifffile
from astropy.io import fits
from matplotlib import pyplot as plt
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file
from skimage import data

import caes
from caes.data.reading import Pages

SIDE = 160
SHEET = Path(__file__).with_name("formats.png")


class Kind(NamedTuple):
    """A file, and how it looks to a reader that takes its values as they stand."""

    title: str
    path: Path
    stored: NDArray[Any]
    pages: Pages = "pictures"


def colour() -> NDArray[Any]:
    """Give a cat: H×W×3."""
    cat = Image.fromarray(data.chelsea()).crop((70, 0, 370, 300))
    return np.array(cat.resize((SIDE, SIDE)), np.uint8)


def grey() -> NDArray[Any]:
    """Give coins: H×W."""
    coins = Image.fromarray(data.coins()).crop((0, 0, 300, 300))
    return np.array(coins.resize((SIDE, SIDE)), np.uint8)


def opacity() -> NDArray[Any]:
    """Give a disc that fades out, H×W."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    fading: NDArray[Any] = 255 * (1.4 - np.hypot(y, x) / (SIDE / 2.6))
    return np.clip(fading, 0, 255).astype(np.uint8)


def by_pillow(folder: Path) -> Iterator[Kind]:
    """Write photos: plain, turned, with palettes, opacity, inks and one bit."""
    image, coins = Image.fromarray(colour()), Image.fromarray(grey())

    def saved(title: str, name: str, picture: Image.Image, **options: Any) -> Kind:
        picture.save(folder / name, **options)
        return Kind(title, folder / name, np.asarray(picture))

    yield saved("PNG, grey", "grey.png", coins)
    faded = image.copy()
    faded.putalpha(Image.fromarray(opacity()))
    yield saved("PNG, opacity", "rgba.png", faded)
    palette = image.quantize(12)
    seen = saved("PNG, palette", "palette.png", palette)
    yield seen._replace(stored=np.asarray(palette) * 20)
    black = coins.convert("1", dither=Image.Dither.NONE)
    yield saved("PNG, one bit", "bit.png", black)
    turned = image.rotate(90)
    exif = Image.Exif()
    exif[0x0112] = 6
    yield saved("JPEG, EXIF turn", "turned.jpg", turned, exif=exif, quality=90)
    inks = saved("JPEG, CMYK", "cmyk.jpg", image.convert("CMYK"), quality=90)
    yield inks._replace(stored=inks.stored[..., :3])
    yield saved("BMP", "plain.bmp", image)
    yield saved("WebP", "plain.webp", image, quality=90)
    frames = [image.quantize(64), coins.quantize(64)]
    gif = saved("GIF, 2 frames", "two.gif", frames[0], save_all=True,
                append_images=frames[1:])  # fmt: skip
    yield gif._replace(stored=colour())


def by_tifffile(folder: Path) -> Iterator[Kind]:
    """Write TIFFs of wide types, many channels and pages."""

    def saved(title: str, name: str, pixels: NDArray[Any], stored: NDArray[Any],
              pages: Pages = "pictures", **options: Any) -> Kind:  # fmt: skip
        tifffile.imwrite(folder / name, pixels, **options)
        return Kind(title, folder / name, stored, pages)

    deep = colour().astype(np.uint16) * 257
    yield saved("TIFF, tiles, LZW", "deep.tif", deep, colour(), compression="lzw",
                tile=(64, 64), photometric="rgb")  # fmt: skip
    depth = grey().astype(np.float32) / 50 - 2
    yield saved("TIFF, −2 to 3", "float.tif", depth, depth, compression="zlib")
    wide = (grey().astype(np.int64) * 10_000_000 - 10**9).astype(np.int32)
    yield saved("BigTIFF, ± 10⁹", "wide.tif", wide, wide, bigtiff=True)
    white = 255 - grey()
    yield saved("TIFF, 0 is white", "white.tif", white, white, photometric="miniswhite")
    bands = np.stack([*np.moveaxis(colour(), 2, 0), grey(), grey()[::-1]])
    yield saved("TIFF, 5 planes", "bands.tif", bands, colour(), planarconfig="separate",
                photometric="minisblack")  # fmt: skip
    pages = np.moveaxis(colour(), 2, 0)
    options: dict[str, Any] = {"photometric": "minisblack", "metadata": None}
    yield saved("TIFF, 3 pages", "pages.tif", pages, np.hstack([*pages]), **options)
    yield saved("… --pages channels", "pages.tiff", pages, np.hstack([*pages]),
                "channels", **options)  # fmt: skip


def of_science(folder: Path) -> Iterator[Kind]:
    """Take a DICOM picture that pydicom ships, and write a FITS one."""
    ct = Path(str(get_testdata_file("CT_small.dcm")))
    pixels = caes.load(ct).pixels[0, ..., 0]
    yield Kind("DICOM, a CT slice", ct, pixels)
    field = Image.fromarray(data.hubble_deep_field()).convert("F").resize((SIDE, SIDE))
    sky = np.asarray(field)
    fits.PrimaryHDU(sky).writeto(folder / "sky.fits")
    yield Kind("FITS, float32", folder / "sky.fits", sky)


def read(kind: Kind) -> tuple[NDArray[Any], list[str]]:
    """Read a file, and say what came of it."""
    images = caes.load(kind.path, pages=kind.pages)
    low, high = images.value_range
    shown = np.hstack([*images.pixels])[..., :3]
    shown = np.clip((shown.astype(np.float64) - low) / (high - low), 0, 1)
    n, height, width, channels = images.shape
    size = f"{n} × " * (n > 1) + f"{height}×{width}×{channels} {images.dtype}"
    notes = [wrap(note.rpartition(":")[0], 28) for note in images.notes]
    return shown, [line for lines in [[size], *notes] for line in lines]


def draw(kinds: list[Kind], columns: int = 6) -> None:
    """Draw each file as it is stored and as it is read."""
    rows = -(-len(kinds) // columns)
    form: dict[str, Any] = {
        "figsize": (2.1 * columns, 5.5 * rows),
        "layout": "constrained",
    }
    figure, axes = plt.subplots(2 * rows, columns, **form)
    board = np.kron([[0.85, 0.6] * 8, [0.6, 0.85] * 8] * 8, np.ones((10, 10)))
    for axis in axes.flat:
        axis.set_axis_off()
        axis.set_anchor("N")
    for place, kind in enumerate(kinds):
        row, column = divmod(place, columns)
        above, below = axes[2 * row, column], axes[2 * row + 1, column]
        if kind.stored.shape[2:] == (4,):
            above.imshow(board, cmap="gray", vmin=0, vmax=1)
        top = {"vmin": 0, "vmax": 255} if kind.stored.dtype == np.uint8 else {}
        above.imshow(kind.stored, cmap="gray", **top)
        above.set_title(f"{kind.title}\n{kind.path.name}", fontsize=9)
        shown, said = read(kind)
        below.imshow(shown, cmap="gray", vmin=0, vmax=1)
        below.set_title("\n".join(said), fontsize=7.5)
    figure.suptitle("Above: the values as they are stored. Below: as caes reads them.")
    file = BytesIO()
    figure.savefig(file, dpi=75)
    Image.open(file).convert("RGB").quantize(256).save(SHEET, optimize=True)


def main() -> None:
    """Make the sheet."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw([*by_pillow(folder), *by_tifffile(folder), *of_science(folder)])
    print(SHEET)


if __name__ == "__main__":
    main()
