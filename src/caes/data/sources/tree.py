"""The picture files below a folder, in natural order."""

import os
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path

from caes.data.formats import LISTED, SUFFIXES
from caes.data.imageset import Skipped
from caes.data.labels.classes import natural
from caes.errors import DataError, visible

Parts = tuple[str, ...]  # a file's path below the root, folder by folder


@dataclass(frozen=True)
class Tree:
    """What was found below a folder: at least one picture, told by its suffix."""

    files: list[Parts]  # in natural order
    unlisted: tuple[Skipped, ...]  # folders that cannot be looked into


def picture_tree(root: Path) -> Tree:
    """Find all pictures below a folder; links are followed, hidden files ignored."""
    files, others, unlisted = [], Counter[str](), []
    seen: set[tuple[int, int]] = set()
    folders: deque[Parts] = deque([()])
    while folders:
        parts = folders.popleft()
        try:
            entries = _new_entries(root.joinpath(*parts), seen)
        except OSError as error:
            unlisted.append(Skipped(printable(parts), error.strerror or str(error)))
            continue
        for entry in entries:
            below = (*parts, entry.name)
            if _is_folder(entry):
                # Links last, so that a folder listed once goes by its own name.
                (folders.append if entry.is_symlink() else folders.appendleft)(below)
            elif is_picture(entry.name):
                files.append(below)
            else:
                others[os.path.splitext(entry.name)[1].lower() or entry.name] += 1
    if not files:
        raise _no_pictures(root, others, unlisted)
    return Tree(sorted(files, key=natural), tuple(unlisted))


def is_picture(name: str) -> bool:
    """Whether a file's name ends as a picture's does."""
    return name.lower().endswith(SUFFIXES)


def printable(parts: Parts) -> str:
    """Join with slashes; no UTF-8 and line ends, which Linux allows, are escaped."""
    return visible("/".join(parts))


def _new_entries(folder: Path, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    stat = folder.stat()
    if (stat.st_dev, stat.st_ino) in seen:  # by a link that leads back, or across
        return []
    seen.add((stat.st_dev, stat.st_ino))
    with os.scandir(folder) as entries:
        shown = [e for e in entries if e.name[0] != "." and e.name != "__MACOSX"]
    return sorted(shown, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # A link is followed, and may lead nowhere; what is none needs no look at the disk.
    return os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()


def _no_pictures(
    root: Path, others: Counter[str], unlisted: list[Skipped]
) -> DataError:
    found = [f"{number:,} {kind}" for kind, number in others.most_common(3)]
    if len(others) > 3:
        found.append("others")
    if unlisted:
        first = unlisted[0]
        found.append(f"{first.name or 'itself'}: {first.reason}")
    received = f"a folder without pictures ({', '.join(found)})" if found else ""
    return DataError(
        str(root),
        received or "an empty folder",
        f"a folder with {LISTED} files, in sub-folders too",
        "Check the path.",
    )
