"""What stands behind ``hf:``: a data set of the Hugging Face Hub, or a path."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caes.errors import DataError

WHOLE = "hf:"
STREAMED = "hf-stream:"
_ALLOWED = "hf:owner/name, hf:owner/name@revision/config, or hf: and a path"
_CARD = "README.md"  # says which configurations a folder has
HERE = (os.curdir, os.pardir, "~", os.sep)

# A revision stands where the library's own addresses (hf://) have it, so that the
# configuration has to come last; no name of the Hub has a third part.
_NAMES = re.compile(
    r"(?P<name>[\w.-]+/[\w.-]+|[\w.-]+)"
    r"(@(?P<revision>refs/[^/]+/[^/]+|[^/@]+))?"
    r"(/(?P<config>[^/@]+))?"
)


@dataclass(frozen=True)
class Address:
    """Which data set is meant.

    Args:
        typed: What the user wrote, for errors.
        name: Of the Hub, or the absolute path of a folder or file.
        revision: A branch, tag or commit of the Hub; None for the newest.
        config: One of several data sets under one name; None for the only one.
        local: Whether the name is a path.
        streamed: Whether rows are fetched as they are read, and kept nowhere.
    """

    typed: str
    name: str
    revision: str | None = None
    config: str | None = None
    local: bool = False
    streamed: bool = False


def is_address(source: Any) -> bool:
    """Whether a source is written with one of the prefixes."""
    return isinstance(source, str) and source.startswith((WHOLE, STREAMED))


def address_of(source: str | Path) -> Address:
    """Read a source: as in the library, what is here comes before what is on the Hub.

    Raises:
        DataError: It is neither a name nor a path that exists.
    """
    typed = str(source)
    if isinstance(source, Path):
        return Address(typed, os.path.abspath(source), local=True)
    prefix, _, rest = typed.partition(":")
    streamed = f"{prefix}:" == STREAMED
    path = os.path.abspath(os.path.expanduser(rest))
    if rest and os.path.exists(path):
        return Address(typed, path, local=True, streamed=streamed)
    parent, config = os.path.split(path)
    said = rest.startswith(HERE) or rest.count("/") > 1
    if said and os.path.isfile(os.path.join(parent, _CARD)):
        return Address(typed, parent, None, config, local=True, streamed=streamed)
    if rest.startswith(HERE):
        raise DataError(
            typed, "a path that does not exist", _ALLOWED, "Check the spelling."
        )
    found = _NAMES.fullmatch(rest)
    if not found:
        raise DataError(
            typed, "an address that cannot be read", _ALLOWED, "Try hf:ylecun/mnist."
        )
    names = found["name"], found["revision"], found["config"]
    return Address(typed, *names, streamed=streamed)
