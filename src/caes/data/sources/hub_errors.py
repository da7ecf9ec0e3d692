"""The library `datasets` at work: quiet, and what goes wrong told in one line."""

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager

from caes.data.decode.silence import silenced
from caes.data.reading import guarded
from caes.data.sources.hub_address import HERE, Address
from caes.errors import CaesError, DataError

WHAT = "data that Hugging Face's datasets opens, with a column of encoded pictures"
_LIBRARIES = ("datasets", "huggingface_hub", "fsspec", "httpx", "httpx2", "urllib3")


@contextmanager
def at_work(address: Address) -> Iterator[None]:
    """Let the library work inside.

    Raises:
        DataError: In place of whatever it raises.
    """
    _check_installed(address)
    with guarded(address.typed, WHAT), _quiet():
        try:
            yield
        except (CaesError, MemoryError, PermissionError):
            raise
        except Exception as error:
            raise _told(error, address) from error


def _check_installed(address: Address) -> None:
    try:
        import datasets  # noqa: F401
    except ImportError as error:
        raise DataError(
            address.typed,
            "a source whose package, datasets, is not installed",
            "what it opens once the extra of this name is installed",
            'Run: pip install "caes[datasets]"',
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    import datasets
    from huggingface_hub import utils as hub

    speaking = [
        library
        for library in (datasets, hub)
        if not library.are_progress_bars_disabled()
    ]
    with silenced(*_LIBRARIES):
        for library in speaking:
            library.disable_progress_bars()
        try:
            yield
        finally:
            for library in speaking:
                library.enable_progress_bars()


def _told(error: Exception, address: Address) -> Exception:
    from datasets.exceptions import DatasetNotFoundError

    text = str(error)
    if isinstance(error, DatasetNotFoundError):
        return _not_found(text, address)
    if "scripts are no longer supported" in text:
        return _script(address)
    if names := re.search(r"(?:available configs|Available)[^\[]*(\[.*?\])", text):
        return _config(ast.literal_eval(names[1]), address)
    if isinstance(error, ConnectionError):
        return _not_reached(address)
    cause = error.__cause__ or error
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return ValueError(lines[0])


def _not_found(text: str, address: Address) -> DataError:
    if "gated" in text:
        return DataError(
            address.typed,
            "a data set that its owner opens on request only (gated)",
            "one that you may read",
            "Ask for access on its page, then run: hf auth login",
        )
    if "Revision" in text:
        return DataError(
            address.typed,
            f"{address.revision!r}, which is no revision of {address.name}",
            "a branch, tag or commit of it",
            "Leave it out for the newest.",
        )
    return DataError(
        address.typed,
        "a name that is not on the Hub, or that you may not see",
        "the owner and name of a data set, as in hf:ylecun/mnist",
        "Check the spelling, or run: hf auth login",
    )


def _script(address: Address) -> DataError:
    converted = "refs/convert/parquet"
    return DataError(
        address.typed,
        "a data set that comes as a script",
        "one that comes as files: foreign code is never run",
        f"Try hf:{address.name}@{converted}, or another copy in Parquet."
        if not address.local
        else "Remove the script.",
    )


def _config(names: list[str], address: Address) -> DataError:
    received, whole = "no configuration", address.typed.rstrip("/")
    if address.config is not None:
        received = f"the configuration {address.config!r}"
        whole = whole.removesuffix(f"/{address.config}")
    prefix, _, rest = whole.partition(":")
    if address.local and not rest.startswith(HERE):
        rest = f"./{rest}"  # lest it be read as a name of the Hub
    return DataError(
        address.typed,
        received,
        f"one of {', '.join(names)}",
        f"Try {prefix}:{rest}/{names[0]}.",
    )


def _not_reached(address: Address) -> DataError:
    from datasets import config

    return DataError(
        address.typed,
        f"a data set that is not in {config.HF_DATASETS_CACHE}, while the Hub cannot "
        "be reached",
        "one that is there, or a connection to fetch it once",
        f"Run caes info {address.typed} with a connection, and without HF_HUB_OFFLINE.",
    )
