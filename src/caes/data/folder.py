"""A folder of pictures, nested as you like, or a single picture."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data.decoding import attempts
from caes.data.imageset import ImageSet, Skipped
from caes.data.kind import SPLITS, Kind, split_named
from caes.data.pictures import Decoded
from caes.data.prepared import decoded, stamp
from caes.data.tree import Parts, Tree, is_picture, natural, picture_tree, printable


class Folder(Kind):
    """Pictures by their paths; sub-folders are classes where there are several.

    Folders train, test and validation (or val, valid) at the top are splits, once there
    is one of train and test; what lies beside them is left out. Files are in natural
    order ("2.png" before "10.png"), hidden ones are ignored, and links are followed.
    """

    name = "folder"

    @classmethod
    def opens(cls, source: Any) -> bool:
        """Whether the path is a folder, or ends as a picture does."""
        return isinstance(source, Path) and (source.is_dir() or is_picture(source.name))

    def splits(self) -> dict[str, int]:
        """Count the pictures by their suffixes."""
        return {split: len(files) for split, files in self._files.items()}

    def read(self, split: str, rows: range) -> ImageSet:
        """Decode these rows and no others."""
        files = self._files[split][rows.start : rows.stop]
        names = [printable(parts) for parts in files]
        batch = decoded(
            lambda: self._paths(files),
            names,
            str(self.source),
            self.options,
            lambda: self._stamps(files),
        )
        return ImageSet.from_pixels(
            batch.pixels,
            [names[row] for row in batch.rows],
            labels=self._labels([files[row] for row in batch.rows]),
            classes=self._classes,
            source=str(self.source),
            skipped=(*self._tree.unlisted, *batch.skipped),
            notes=(*self._left_out(), *batch.notes),
        )

    def pieces(self, split: str) -> Iterator[ImageSet | Skipped]:
        """Give the pictures one by one, and what cannot be read."""
        yield from self._tree.unlisted
        files = self._files[split]
        found = attempts(self._paths(files), self.options)
        for parts, result in zip(files, found, strict=True):
            if isinstance(result, Decoded):
                yield ImageSet.from_pixels(
                    result.pixels[None],
                    [printable(parts)],
                    labels=self._labels([parts]),
                    classes=self._classes,
                )
            else:
                yield Skipped(printable(parts), str(result))

    def _paths(self, files: list[Parts]) -> Iterator[Path]:
        return (self._root.joinpath(*parts) for parts in files)

    def _stamps(self, files: list[Parts]) -> Iterator[str]:
        root = str(self._root)
        for parts in files:
            below = "/".join(parts)
            yield f"{below}\0{stamp(f'{root}/{below}')}"

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
        kept = sum(self.splits().values())
        left = len(self._tree.files) - kept
        if not left:
            return ()
        return (f"Pictures outside {', '.join(self._files)} were left out: {left:,}.",)
