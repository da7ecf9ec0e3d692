"""How pictures are to be read, and the guards against what their bytes may do."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from caes.errors import CaesError, DataError

Pages = Literal["pictures", "channels"]
ResizeName = Literal["stretch", "crop", "pad", "random-crop"]
RESIZES: tuple[str, ...] = get_args(ResizeName)


@dataclass(frozen=True)
class Reading:
    """How pictures in files are to be read.

    Args:
        size: (H, W) to bring every picture to, or None to keep theirs.
        channels: 1 or 3 to convert to grey or colour, None to keep what is there.
        strict: Whether the first unreadable picture ends the reading.
        progress: Called with (pictures done, pictures in all) while reading files.
        pages: Whether the pages of a file are pictures, or channels of one picture.
        resize: How pictures are brought to the size.
        seed: Draws random crops, together with the pictures' names.
        alone: Whether `Source.stream` decodes each picture only when it is asked for,
            so that memory never holds two large ones.
        prepare: Whether decoded pictures are kept in the cache, and looked for there;
            None for where it is worth it.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    strict: bool = False
    progress: Callable[[int, int], None] | None = None
    pages: Pages = "pictures"
    resize: ResizeName = "stretch"
    seed: int = 0
    alone: bool = False
    prepare: bool | None = None


_MUCH, _TIMES = 2**30, 100  # bytes, and how many times as much as on disk


@contextmanager
def guarded(path: Path | str, what: str) -> Iterator[None]:
    """Turn whatever a reader makes of broken bytes into a `DataError`, warnings too.

    Raises:
        DataError: In place of any exception inside that is not a `CaesError`.
    """
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
    """Refuse what unpacks to very much out of very little.

    Args:
        source: What is packed.
        packed: Its bytes on disk.
        unpacked: The bytes that it says it will be.

    Raises:
        DataError: It is more than a gibibyte, and more than a hundred times as much.
    """
    if unpacked > _MUCH and unpacked > _TIMES * packed:
        raise DataError(
            source,
            f"{packed:,} bytes that unpack to {unpacked:,}",
            f"at most {_TIMES} times as much, where it is more than {_MUCH:,} bytes",
            "If it is no mistake, save it unpacked.",
        )
