"""Opening what the library `datasets` opens, from the Hub or from here."""

import os
from pathlib import Path
from typing import Any

from caes.data.sources.hub_address import Address
from caes.data.sources.hub_errors import at_work
from caes.data.sources.hub_rows import Mapped, Rows, Streamed

_ONE = ("state.json", "dataset_info.json")  # beside a single data set
_ARROW_FILE = b"ARROW1"  # Arrow's other format, in which the library does not write


def is_saved(path: Path) -> bool:
    """Whether a path is what ``save_to_disk`` has written, or an Arrow file."""
    if path.suffix.lower() == ".arrow":
        return path.is_file()
    try:
        one = all((path / each).is_file() for each in _ONE)
        return one or (path / "dataset_dict.json").is_file()
    except OSError:  # a folder that may not be looked into
        return False


def opened(address: Address) -> dict[str, Rows]:
    """Open a data set, which may mean to download it.

    Returns:
        The rows of each split.

    Raises:
        DataError: It cannot be reached, or the library does not open it.
    """
    with at_work(address):
        if not address.local:
            return _loaded(address, path=address.name, revision=address.revision)
        path = Path(address.name)
        if is_saved(path) and not _is_arrow_file(path):
            return _saved(path, address)
        if path.is_dir():
            return _loaded(address, path=address.name)
        files = {"train": path.name}
        return _loaded(address, path=str(path.parent), data_files=files)


def _saved(path: Path, address: Address) -> dict[str, Rows]:
    from datasets import Dataset, load_from_disk

    if path.is_file():
        return {"train": Mapped(Dataset.from_file(str(path)), address)}
    found = load_from_disk(str(path))
    if isinstance(found, Dataset):
        return {"train": Mapped(found, address)}
    return {split: Mapped(each, address) for split, each in found.items()}


def _loaded(address: Address, **about: Any) -> dict[str, Rows]:
    from datasets import load_dataset

    about = {"name": address.config, **about}
    if address.streamed:
        return _streams(address, about)
    found = load_dataset(**about)
    return {split: Mapped(each, address) for split, each in found.items()}


def _streams(address: Address, about: dict[str, Any]) -> dict[str, Rows]:
    from datasets import load_dataset_builder

    builder = load_dataset_builder(**about)
    stamp = os.path.basename(builder.cache_dir)

    def stream(split: str, data: Any) -> Streamed:
        def narrowed(column: str) -> Any:
            if builder.name != "parquet" and not hasattr(builder.config, "columns"):
                return data
            narrow = load_dataset_builder(**about, columns=[column])
            return narrow.as_streaming_dataset(split)

        counted = (builder.info.splits or {}).get(split)
        count = counted.num_examples or None if counted else None
        return Streamed(data, address, narrowed, count, stamp)

    found = builder.as_streaming_dataset()
    return {split: stream(split, data) for split, data in found.items()}


def _is_arrow_file(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_ARROW_FILE)) == _ARROW_FILE
