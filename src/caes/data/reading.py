"""How pictures are to be read, and the guards against what their bytes may do."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, get_args

from caes.errors import ArgumentError, CaesError, DataError

Pages = Literal["pictures", "channels"]
ResizeName = Literal["stretch", "crop", "pad", "random-crop"]
RESIZES: tuple[ResizeName, ...] = get_args(ResizeName)
Side = tuple[int, int]  # (H, W), in pixels
Progress = Callable[[int, int], None]  # takes pictures done, and pictures in all

_LONGEST = 65_535  # the longest side that JPEG knows


@dataclass(frozen=True)
class Reading:
    """How pictures are to be read: what `load`, the commands and model.json say of it.

    Raises:
        ArgumentError: One of them cannot be.
    """

    size: Side | None = None  # (H, W) to bring every picture to; None keeps theirs
    channels: int | None = None  # 1 for grey, 3 for colour, None for what is there
    strict: bool = False  # whether the first unreadable picture ends the reading
    progress: Progress | None = None  # called while reading files
    pages: Pages = "pictures"  # what a file's pages are; or channels of one picture
    resize: ResizeName = "stretch"  # how pictures are brought to the size
    seed: int = 0  # draws random crops, together with the pictures' names
    alone: bool = False
    """Whether a stream decodes each only when it is due: memory never holds two."""
    prepare: bool | None = None
    """Whether pictures are kept decoded in the cache; None for where it is worth it."""
    tile: int | Side | None = None  # to cut every picture into; None keeps them whole
    overlap: int | None = None  # pixels that tiles share, at least; None is an eighth

    def __post_init__(self) -> None:
        keep, colours = "Leave it out to keep them.", "1 (grey) or 3 (colour)"
        for name, choices, allowed, hint in (
            ("pages", get_args(Pages), "pictures or channels", 'Try pages="channels".'),
            ("channels", (None, 1, 3), colours, keep),
            ("resize", RESIZES, "stretch, crop, pad or random-crop", "Try 'crop'."),
        ):
            if getattr(self, name) not in choices:
                raise _cannot_be(name, getattr(self, name), allowed, hint)
        if self.size is not None:
            object.__setattr__(self, "size", size_of(self.size))
        if not isinstance(self.seed, Integral) or self.seed < 0:
            allowed = "a whole number of at least 0"
            raise _cannot_be("seed", self.seed, allowed, "Try 0.")
        object.__setattr__(self, "seed", int(self.seed))
        if self.tiles is not None and self.prepare:
            raise ArgumentError(
                "prepare",
                "True with tiles",
                "False or None with tiles, which are cut in memory",
                "Leave prepare or tile out.",
            )

    @property
    def tiles(self) -> tuple[Side, int] | None:
        """(H, W) of the tiles and what neighbours share; None for whole pictures."""
        if self.tile is None:
            return None
        side = side_of(self.tile)
        return side, overlap_of(self.overlap, side)


def size_of(size: Any) -> Side:
    """Read (H, W), whole numbers of any kind."""
    pair = isinstance(size, tuple | list) and len(size) == 2
    whole = pair and all(isinstance(n, Integral) for n in size)
    if not whole or not all(1 <= int(n) <= _LONGEST for n in size):
        allowed = f"height and width, two whole numbers from 1 to {_LONGEST:,}"
        raise _cannot_be("size", size, allowed, "Try size=(64, 96).")
    return int(size[0]), int(size[1])


def _cannot_be(name: str, value: Any, allowed: str, hint: str) -> ArgumentError:
    return ArgumentError(name, repr(value), allowed, hint)


def side_of(tile: Any, least: int = 1) -> Side:
    """Read a tile of no shorter side: one number for a square, or (H, W)."""
    sides = tile if isinstance(tile, tuple | list) else (tile, tile)
    whole = len(sides) == 2 and all(
        hasattr(side, "__index__") and not isinstance(side, bool) for side in sides
    )
    if not whole or min(sides) < least:
        allowed = f"a side of {least} or more pixels, or (height, width)"
        raise _cannot_be("tile", tile, allowed, "Try 128.")
    return int(sides[0]), int(sides[1])


def overlap_of(overlap: Any, tile: Side) -> int:
    """Read an overlap, in pixels; None is an eighth of the tile's shorter side."""
    if overlap is None:
        return min(tile) // 8
    whole = hasattr(overlap, "__index__") and not isinstance(overlap, bool)
    if not whole or not 0 <= overlap < min(tile):
        allowed = f"pixels from 0 to {min(tile) - 1}, below the tile's {min(tile)}"
        hint = "Leave it out for an eighth of the tile."
        raise _cannot_be("overlap", overlap, allowed, hint)
    return int(overlap)


_MUCH, _TIMES = 2**30, 100  # bytes, and how many times as much as on disk


@contextmanager
def guarded(path: Path | str, what: str) -> Iterator[None]:
    """Turn whatever a reader makes of broken bytes into a `DataError`, warnings too."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except CaesError:
        raise
    except PermissionError as error:
        raise DataError(
            str(path),
            "a file without permission to read",
            what,
            "Change its permissions, or copy it to where you may read.",
        ) from error
    except MemoryError as error:
        raise too_large(str(path), str(error)) from error
    # Readers of hostile bytes raise anything: zlib.error, KeyError, struct.error …
    except Exception as error:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise DataError(
            str(path),
            f"data that cannot be read ({reason})",
            what,
            "Check it, or make it again.",
        ) from error


def too_large(source: str, received: str) -> DataError:
    """The error for pictures that memory cannot hold."""
    return DataError(
        source,
        f"more pictures than memory holds ({received.rstrip('.')})",
        "pictures that fit in memory together",
        "Read a part, such as train[:1000], or give a smaller size.",
    )


def check_unpacking(source: str, packed: int, unpacked: int) -> None:
    """Refuse what says that it unpacks to very many bytes out of very few."""
    if unpacked > _MUCH and unpacked > _TIMES * packed:
        raise DataError(
            source,
            f"{packed:,} bytes that unpack to {unpacked:,}",
            f"at most {_TIMES} times as much, where it is more than {_MUCH:,} bytes",
            "If it is no mistake, save it unpacked.",
        )
