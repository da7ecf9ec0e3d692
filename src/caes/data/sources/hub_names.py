"""Names of pictures out of the paths that a table keeps beside them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

Paths = Mapping[str, Sequence[str | None]]  # for each split, one a row


def names_by_path(
    paths: Paths, by_row: Mapping[str, Sequence[str]], root: str
) -> dict[str, list[str]] | None:
    """Name pictures by their paths, behind their split's name if need be.

    Args:
        paths: For each split the path of each row: absolute, or as it once was.
        by_row: For each split the names of rows without a path.
        root: The folder that absolute paths are told from; where some lie outside, it
            is the folder that they share.

    Returns:
        For each split a name for each row; None where two rows would have the same.
    """
    root = _shared(paths, root)
    below = {split: [_below(each, root) for each in paths[split]] for split in paths}
    behind = {
        split: [each and f"{split}/{each}" for each in found]
        for split, found in below.items()
    }
    for own in (below, behind):
        names = {
            split: [one or row for one, row in zip(found, by_row[split], strict=True)]
            for split, found in own.items()
        }
        everything = [name for found in names.values() for name in found]
        if len(everything) == len({*everything}):
            return names
    return None


def _shared(paths: Paths, root: str) -> str:
    absolute = [
        os.path.dirname(each)
        for found in paths.values()
        for each in found
        if each and os.path.isabs(each)
    ]
    if all(f"{each}/".startswith(f"{root}/") for each in absolute):
        return root
    return os.path.commonpath({*absolute})


def _below(path: str | None, root: str) -> str | None:
    """Give a path below the root; nothing for what leads elsewhere."""
    path = (path or "").removeprefix(f"{root.rstrip('/')}/")
    parts = PurePosixPath(path).parts
    odd = not parts or path.startswith("/") or ".." in parts or not path.isprintable()
    return None if odd or "\\" in path or "://" in path else "/".join(parts)
