"""A folder of pictures, nested as you like, or a single picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.cache.lookup import decoded, stamp
from caes.data.decode.parallel import attempts
from caes.data.decode.pictures import (
    Decoded,
    Encoded,
    Page,
    count_pages,
    quiet_decoding,
)
from caes.data.formats import has_pages
from caes.data.imageset import ImageSet, Skipped
from caes.data.labels.classes import natural
from caes.data.sources.base import SPLITS, Kind, split_named
from caes.data.sources.tree import (
    Parts,
    Tree,
    is_picture,
    picture_tree,
    printable,
)


@dataclass(frozen=True)
class Row:
    """A picture: a file, or a page of one that has several.

    Args:
        parts: The file.
        page: From 0, or None.
    """

    parts: Parts
    page: int | None = None

    @property
    def name(self) -> str:
        """The file's path, and behind # the page, counted from 1."""
        name = printable(self.parts)
        return name if self.page is None else f"{name}#{self.page + 1}"


class Folder(Kind):
    """Pictures by their paths; sub-folders are classes where there are several.

    Folders train, test and validation (or val, valid) at the top are splits, once there
    is one of train and test; what lies beside them is left out. Files are in natural
    order ("2.png" before "10.png"), hidden ones are ignored, and links are followed. A
    file's pages are pictures, ``scan.tif#2`` the second, unless they are channels.
    """

    name = "folder"

    @classmethod
    def opens(cls, source: Any) -> bool:
        """Whether the path is a folder, or ends as a picture does."""
        return isinstance(source, Path) and (source.is_dir() or is_picture(source.name))

    def splits(self) -> dict[str, int]:
        """Count the pictures by their suffixes, and pages by their headers."""
        return {split: len(rows) for split, rows in self._rows.items()}

    def read(self, split: str, rows: range) -> ImageSet:
        """Decode these rows and no others."""
        picked = self._rows[split][rows.start : rows.stop]
        names = [row.name for row in picked]
        batch = decoded(
            lambda: self._encoded(picked),
            names,
            str(self.source),
            self.options,
            lambda: self._stamps(picked),
        )
        return ImageSet.from_pixels(
            batch.pixels,
            [names[row] for row in batch.rows],
            labels=self._labels([picked[row].parts for row in batch.rows]),
            classes=self._classes,
            source=str(self.source),
            skipped=(*self._tree.unlisted, *batch.skipped),
            notes=(*self._left_out(), *batch.notes),
        )

    def pieces(
        self, split: str, rows: range | None = None
    ) -> Iterator[ImageSet | Skipped]:
        """Give the pictures one by one, and what cannot be read."""
        yield from self._tree.unlisted
        rows = range(self.splits()[split]) if rows is None else rows
        picked = self._rows[split][rows.start : rows.stop]
        names = [row.name for row in picked]
        found = attempts(self._encoded(picked), names, self.options)
        for row, result in zip(picked, found, strict=True):
            if isinstance(result, Decoded):
                yield ImageSet.from_pixels(
                    result.pixels[None],
                    [row.name],
                    labels=self._labels([row.parts]),
                    classes=self._classes,
                    source=str(self.source),
                    notes=result.notes,
                    stored=result.stored,
                )
            else:
                yield Skipped(row.name, str(result))

    def _encoded(self, rows: list[Row]) -> Iterator[Encoded]:
        for row in rows:
            path = self._path(row.parts)
            yield path if row.page is None else Page(path, row.page)

    def _stamps(self, rows: list[Row]) -> Iterator[str]:
        root = str(self._root)
        for row in rows:
            below = "/".join(row.parts)
            page = "" if row.page is None else f"#{row.page}"
            yield f"{below}{page}\0{stamp(f'{root}/{below}')}"

    def _path(self, parts: Parts) -> Path:
        return self._root.joinpath(*parts)

    @cached_property
    def _root(self) -> Path:
        root: Path = self.source if self.source.is_dir() else self.source.parent
        return root

    @cached_property
    def _tree(self) -> Tree:
        if self.source.is_dir():
            return picture_tree(self.source)
        return Tree([(self.source.name,)], ())

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
        several = self.options.pages == "pictures" and has_pages(parts[-1])
        count = count_pages(self._path(parts)) if several else 1
        return (
            [Row(parts, page) for page in range(count)] if count > 1 else [Row(parts)]
        )

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

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        if self._class_depth < 0:
            return ()
        files = [parts for files in self._files.values() for parts in files]
        found = {parts[self._class_depth] for parts in files}
        ordered = sorted(found, key=lambda folder: natural((folder,)))
        return tuple(printable((folder,)) for folder in ordered)

    def _labels(self, files: list[Parts]) -> NDArray[np.int64] | None:
        if not self._classes:
            return None
        depth, index = self._class_depth, {}
        for folder in {parts[depth] for parts in files}:
            index[folder] = self._classes.index(printable((folder,)))
        return np.array([index[parts[depth]] for parts in files], np.int64)

    def _left_out(self) -> tuple[str, ...]:
        kept = sum(len(files) for files in self._files.values())
        left = len(self._tree.files) - kept
        if not left:
            return ()
        return (f"Pictures outside {', '.join(self._files)} were left out: {left:,}.",)
