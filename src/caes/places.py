"""Where caes keeps what it fetched or made: two folders, each with an override."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """Folder for what can be made again: ``CAES_CACHE``, or the platform's cache."""
    given = os.environ.get("CAES_CACHE")
    return Path(given).expanduser() if given else user_cache_path("caes")


def data_folder() -> Path:
    """Folder for downloaded data sets: ``CAES_DATA``, or ``data`` in the cache."""
    given = os.environ.get("CAES_DATA")
    return Path(given).expanduser() if given else cache_folder() / "data"
