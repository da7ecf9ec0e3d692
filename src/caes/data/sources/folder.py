"""A folder of pictures, nested as you like, or a single picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from caes.data.cache.lookup import stamp
from caes.data.decode.opening import Encoded, Page
from caes.data.decode.pictures import count_pages, quiet_decoding
from caes.data.formats import has_pages
from caes.data.imageset import Skipped
from caes.data.labels.classes import Indices, natural, number_splits
from caes.data.sources.base import Classes, EncodedSource
from caes.data.sources.splits import SPLITS, split_named
from caes.data.sources.tree import Parts, Tree, is_picture, picture_tree, printable


@dataclass(frozen=True)
class Row:
    """A picture: a file, or a page of one that has several, counted from 0."""

    parts: Parts
    page: int | None = None

    @property
    def name(self) -> str:
        """The file's path, and behind # the page, counted from 1."""
        name = printable(self.parts)
        return name if self.page is None else f"{name}#{self.page + 1}"


class Folder(EncodedSource):
    """Pictures by their paths; sub-folders are classes where there are several.

    Folders train, test and validation (or val, valid) at the top are splits, once there
    is one of train and test; what lies beside them is left out. Files are in natural
    order ("2.png" before "10.png"), hidden ones are ignored, and links are followed. A
    file's pages are pictures, ``scan.tif#2`` the second, unless they are channels.
    """

    name = "folder"

    @classmethod
    def opens(cls, spec: Any) -> bool:
        """Whether the path is a folder, or ends as a picture does."""
        return isinstance(spec, Path) and (spec.is_dir() or is_picture(spec.name))

    def splits(self) -> dict[str, int]:
        """Count the pictures by their suffixes, and pages by their headers."""
        return {split: len(rows) for split, rows in self._rows.items()}

    def names(self, split: str, rows: range) -> list[str]:
        """Name pictures by their paths."""
        return [row.name for row in self._picked(split, rows)]

    def encoded(self, split: str, rows: range) -> Iterator[Encoded]:
        """Give the files, and pages of some."""
        for row in self._picked(split, rows):
            path = self._root.joinpath(*row.parts)
            yield path if row.page is None else Page(path, row.page)

    def stamps(self, split: str, rows: range) -> Iterator[str]:
        """Give the path, size and time of each file."""
        root = str(self._root)
        for row in self._picked(split, rows):
            below = "/".join(row.parts)
            page = "" if row.page is None else f"#{row.page}"
            yield f"{below}{page}\0{stamp(f'{root}/{below}')}"

    def unlisted(self) -> tuple[Skipped, ...]:
        """Give the folders that cannot be looked into."""
        return self._tree.unlisted

    def notes(self) -> tuple[str, ...]:
        """Say how many pictures lie beside the splits."""
        left = len(self._tree.files) - sum(map(len, self._files.values()))
        if not left:
            return ()
        return (f"Pictures outside {', '.join(self._files)} were left out: {left:,}.",)

    @cached_property
    def labels(self) -> tuple[dict[str, Indices], Classes]:
        """Number the folders at the depth where they differ, in natural order."""
        depth = self._class_depth
        if depth < 0:
            return {}, ()
        folders = {
            split: np.array([row.parts[depth] for row in rows], object)
            for split, rows in self._rows.items()
        }
        labels, classes = number_splits(folders, lambda folder: natural((folder,)))
        return labels, tuple(printable((folder,)) for folder in classes)

    def _picked(self, split: str, rows: range) -> list[Row]:
        return self._rows[split][rows.start : rows.stop]

    @cached_property
    def _root(self) -> Path:
        root: Path = self.spec if self.spec.is_dir() else self.spec.parent
        return root

    @cached_property
    def _tree(self) -> Tree:
        if self.spec.is_dir():
            return picture_tree(self.spec)
        return Tree([(self.spec.name,)], ())

    @cached_property
    def _files(self) -> dict[str, list[Parts]]:
        by_split: dict[str, list[Parts]] = {}
        top = {parts[0] for parts in self._tree.files if len(parts) > 1}
        of = {folder: split_named(folder) or "" for folder in top}
        for parts in self._tree.files:
            split = of[parts[0]] if len(parts) > 1 else ""
            by_split.setdefault(split, []).append(parts)
        if "train" in by_split or "test" in by_split:
            return {split: by_split[split] for split in SPLITS if split in by_split}
        return {"train": self._tree.files}

    @cached_property
    def _rows(self) -> dict[str, list[Row]]:
        with quiet_decoding():
            return {
                split: [row for parts in files for row in self._rows_of(parts)]
                for split, files in self._files.items()
            }

    def _rows_of(self, parts: Parts) -> list[Row]:
        several = self.reading.pages == "pictures" and has_pages(parts[-1])
        count = count_pages(self._root.joinpath(*parts)) if several else 1
        pages = range(count) if count > 1 else [None]
        return [Row(parts, page) for page in pages]

    @cached_property
    def _class_depth(self) -> int:
        """The depth at which folders differ, below the splits' own; -1 for none."""
        depth = 0 if self._files == {"train": self._tree.files} else 1
        kept = [parts[:-1] for files in self._files.values() for parts in files]
        while all(len(folders) > depth for folders in kept):
            if len({folders[depth] for folders in kept}) > 1:
                return depth
            depth += 1
        return -1
