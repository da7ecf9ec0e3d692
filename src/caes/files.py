"""Where files go, and the one way to write: whole or not at all."""

import csv
import errno
import io
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

from platformdirs import user_cache_path

from caes.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, and so nothing is swept
    fcntl = None  # type: ignore[assignment]

_STAGED = re.compile(r"\.(.+?)(\.old)?\.caes-\w{8}")
"""Names of what becomes ``NAME`` once it is complete, or is an older one set aside."""
_REASONS = {
    errno.ENOSPC: ("a full disk", "Free some space, or choose another folder."),
    errno.EDQUOT: ("a full quota", "Free some space, or choose another folder."),
    errno.EFBIG: ("a file-size limit", "Raise the limit, or choose another folder."),
    errno.EACCES: ("a folder without write permission", "Choose another folder."),
    errno.EPERM: ("a folder without write permission", "Choose another folder."),
    errno.EROFS: ("a read-only file system", "Choose another folder."),
    errno.ENOTDIR: ("a path that runs through a file", "Choose another folder."),
    errno.ENOENT: ("a folder that cannot be made", "Choose another folder."),
    errno.EEXIST: ("a path that runs through a file", "Choose another folder."),
}


def cache_folder() -> Path:
    """Folder for what can be made again: ``CAES_CACHE``, or the platform's cache."""
    given = os.environ.get("CAES_CACHE")
    return Path(given).expanduser() if given else user_cache_path("caes")


def data_folder() -> Path:
    """Folder for downloaded data sets: ``CAES_DATA``, or ``data`` in the cache."""
    given = os.environ.get("CAES_DATA")
    return Path(given).expanduser() if given else cache_folder() / "data"


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write ``path`` into an `OutputError`."""
    try:
        yield
    except OSError as error:
        received, next_step = _REASONS.get(
            error.errno or 0, (error.strerror or str(error), "Choose another folder.")
        )
        raise OutputError(
            str(path), received, "a place that can be written", next_step
        ) from error


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of ``path`` only once it is complete.

    The bytes go to a hidden neighbour first, reach the disk, and are then renamed.
    On any failure the neighbour is removed and an older ``path`` is untouched.
    """
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)

        def neighbour() -> Path:
            handle, name = tempfile.mkstemp(prefix=_prefix(path), dir=path.parent)
            os.close(handle)
            return Path(name)

        with _held(neighbour) as staged:
            try:
                with open(staged, "wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                staged.chmod(0o666 & ~_umask())
                os.replace(staged, path)
            except BaseException:
                staged.unlink(missing_ok=True)
                raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a file's bytes, whole or not at all."""
    with write_atomically(path) as file:
        file.write(content)


_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet computes instead of showing it, however often it was quoted."""


class TableWriter:
    """Writes a CSV file row by row, whole or not at all, holding no row in memory.

    A text that a spreadsheet would take for a formula, one that begins with ``=``,
    ``+``, ``-``, ``@``, a tab or a carriage return and is no number, gets a leading
    apostrophe, the spreadsheets' own sign for text; `read_table` takes it off again.

    >>> TableWriter.cell("=1+1"), TableWriter.cell("-1.5"), TableWriter.cell(-1.5)
    ("'=1+1", '-1.5', -1.5)

    The file is there once the ``with`` block has ended well.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._open = path, ExitStack()

    def __enter__(self) -> Self:
        file = self._open.enter_context(write_atomically(self._path))
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        self._csv = csv.writer(self._text, lineterminator="\n")
        return self

    def row(self, cells: Iterable[object]) -> None:
        """Write a row; None is an empty cell."""
        self._csv.writerow(self.cell(each) for each in cells)

    def __exit__(self, *failure: Any) -> bool | None:
        try:
            self._text.detach()  # flushes
        except OSError as error:
            return self._open.__exit__(type(error), error, error.__traceback__)
        return self._open.__exit__(*failure)

    @staticmethod
    def cell(value: object) -> object:
        """Give a cell as it is written."""
        if not isinstance(value, str) or not _FORMULA.match(value) or _number(value):
            return value
        return f"'{value}"


def read_table(path: Path) -> list[list[str]]:
    """Read the rows that `TableWriter` wrote, the columns' names first."""
    with path.open(newline="", encoding="utf-8") as file:
        return [[plain_text(cell) for cell in row] for row in csv.reader(file) if row]


def plain_text(cell: str) -> str:
    """Take the apostrophe off that `TableWriter` has put before a text."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@contextmanager
def new_folder(
    path: Path, known: Sequence[str], *, force: bool = False
) -> Iterator[Path]:
    """Give an empty folder to fill, which becomes ``path`` only once it is complete.

    The place is tried at once, so that an unwritable one is refused before any work.
    With ``force`` an existing folder is set aside, replaced, and only then deleted;
    but only one that caes itself has made, with nothing else in it: a slip of the
    finger must not cost a home folder.

    ``known`` are the patterns of all files that a folder of this sort holds, such as
    "figures/*.png"; the first names one that is always there.
    """
    _check_replaceable(path, known, force)
    with ExitStack() as stack:
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path.parent)
            staged = stack.enter_context(_held(partial(_folder_beside, path)))
            staged.chmod(0o777 & ~_umask())
        try:
            yield staged
            with output_errors(path):
                _put_in_place(staged, path)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise


def check_new(path: Path, force: bool) -> None:
    """Refuse before the work to write where a file is already."""
    if path.exists() and not force:
        raise OutputError(
            str(path),
            "a file that exists",
            "a new file",
            "Choose another name, or add --force to replace it.",
        )
    sweep(path.parent)


def make_room(file: IO[bytes], size: int) -> None:
    """Take bytes on disk at once: a mapped file that finds none kills the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, 2**20):
        file.write(bytes(min(2**20, size - start)))
    file.flush()


@contextmanager
def reserved(folder: Path, name: str) -> Iterator[Path]:
    """Hold the first of ``folder/name-1``, ``folder/name-2`` … that is free.

    It is there as an empty folder at once, so that two processes never take the same,
    and is given up again if nothing was put in its place.
    """
    with ExitStack() as stack:
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            sweep(folder, runs=True)
            path = stack.enter_context(_held(partial(_first_free, folder, name)))
        try:
            yield path
        finally:
            with suppress(OSError):  # it is full now, as it should be
                path.rmdir()


def sweep(folder: Path, *, runs: bool = False) -> None:
    """Remove what processes that were killed have left half-made in a folder.

    Who makes something holds a lock on it, which the system lets go with the process:
    what a living one works on stays. A folder that was set aside to be replaced, and
    was not, is put back.
    """
    for path in [*folder.iterdir()] if fcntl and os.access(folder, os.W_OK) else []:
        with suppress(OSError):
            staged = _STAGED.fullmatch(path.name)
            numbered = runs and re.fullmatch(r".+-\d+", path.name) and path.is_dir()
            if staged or (numbered and not any(path.iterdir())):
                with _lock(path):
                    _clear(path, staged)


def _clear(path: Path, staged: re.Match[str] | None) -> None:
    """Remove something left behind; but put an older folder back where none is now."""
    if staged and staged[2] and not (wanted := path.with_name(staged[1])).exists():
        (path / wanted.name).rename(wanted)
    if not path.is_dir():
        path.unlink()
    elif staged:
        shutil.rmtree(path)
    else:
        path.rmdir()


@contextmanager
def _held(make: Callable[[], Path]) -> Iterator[Path]:
    """Make a file or folder, and hold its lock, so that no sweep takes it."""
    while True:
        path = make()
        with ExitStack() as stack:
            try:
                stack.enter_context(_lock(path))
            except BlockingIOError:  # a sweep was faster, and takes it away
                continue
            except OSError:  # a place without locks
                pass
            if path.exists():
                yield path
                return


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file or folder."""
    if fcntl is None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _prefix(path: Path) -> str:
    return f".{path.name}.caes-"


def _folder_beside(path: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=_prefix(path), dir=path.parent))


def _first_free(folder: Path, name: str) -> Path:
    """Make the first of ``folder/name-1``, ``folder/name-2`` … that is free."""
    for number in itertools.count(1):
        path = folder / f"{name}-{number}"
        with suppress(FileExistsError):
            path.mkdir()
            return path
    raise AssertionError("numbers have no end")


def _check_replaceable(path: Path, known: Sequence[str], force: bool) -> None:
    with output_errors(path):
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return
    if not force:
        raise OutputError(
            str(path),
            "a path that exists",
            "a new folder",
            "Give another one, or force (--force) to replace it.",
        )
    for strange in _strange(path, known):
        raise OutputError(
            str(path),
            f"a path that caes did not make ({strange})",
            "a new folder, or an older one of the same sort",
            "Give another one, or delete it yourself.",
        )


def _strange(path: Path, known: Sequence[str]) -> Iterator[str]:
    if not (path / known[0]).is_file():
        yield f"there is no {known[0]} in it"
    for file in path.rglob("*"):
        name = file.relative_to(path).as_posix()
        if not file.is_dir() and not any(fnmatch(name, each) for each in known):
            yield f"there is also {name} in it"


def _put_in_place(staged: Path, path: Path) -> None:
    with _held(partial(_folder_beside, path.with_name(f"{path.name}.old"))) as aside:
        old = aside / path.name
        if path.exists():
            path.rename(old)
        try:
            staged.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
