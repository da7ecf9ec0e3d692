"""Tables with a column of encoded pictures, and perhaps one of labels."""

import json
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from caes.data.labels.classes import Indices, table_indices
from caes.data.reading import guarded
from caes.data.sources.base import Classes, EncodedSource
from caes.errors import DataError

_PICTURES = ("image", "img", "picture", "jpg", "png")
_LABELS = ("label", "labels", "class", "target", "fine_label", "cls")

_OTHER_MEDIA = ("Audio", "Video", "Pdf", "Mesh", "Nifti")

Features = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Columns:
    """The columns to read."""

    picture: str  # of encoded pictures, as bytes or as structs with bytes
    label: str | None
    classes: tuple[str, ...]  # their names where labels are indices into them
    others: tuple[str, ...] = ()  # of pictures too, and left out


class Table(EncodedSource):
    """What kinds of tables share: a subclass says how columns are read.

    Its ``what`` says what is allowed, where columns cannot be read.
    """

    what: ClassVar[str]

    @cached_property
    @abstractmethod
    def columns(self) -> Columns:
        """Choose the columns to read."""

    @abstractmethod
    def values(self, split: str, rows: range, column: str) -> Iterator[Any]:
        """Read some rows of a column."""

    @cached_property
    def labels(self) -> tuple[dict[str, Indices], Classes]:
        """Number the labels of all rows, for a class may come late."""
        column = self.columns.label
        if column is None:
            return {}, ()
        counts = self.splits().items()
        with guarded(self.called, self.what):
            values = {of: list(self.values(of, range(n), column)) for of, n in counts}
        return table_indices(values, self.columns.classes, self.called)

    def notes(self) -> tuple[str, ...]:
        """Say which other columns of pictures there are."""
        others = ", ".join(self.columns.others)
        if not others:
            return ()
        return (f"Pictures are those of {self.columns.picture}, not of {others}.",)


def columns_of(schema: Any, source: str) -> Columns:
    """Choose by what Hugging Face's metadata says, else by type and usual names."""
    features = _features(schema)
    kinds = {name: about.get("_type") for name, about in features.items()}
    media = {name: kind for name, kind in kinds.items() if kind in _OTHER_MEDIA}
    usual = _usual(schema, _is_encoded, _PICTURES)
    pictures = _said(features, schema, "Image") or [e for e in usual if e not in media]
    if not pictures:
        listed = ", ".join(f"{e.name} ({media.get(e.name, e.type)})" for e in schema)
        raise DataError(
            source,
            f"columns {listed or 'of no kind'}",
            "a column of encoded pictures, as bytes or as structs with bytes",
            "Write it with Hugging Face's datasets, as a column of type Image.",
        )
    labels = _said(features, schema, "ClassLabel")
    names = features[labels[0]].get("names") if labels else None
    usual = _usual(schema, _is_label, _LABELS)
    labels = labels or [name for name in usual if name in _LABELS]
    return Columns(
        pictures[0],
        labels[0] if labels else None,
        tuple(map(str, names)) if isinstance(names, list) else (),
        tuple(pictures[1:]),
    )


def _features(schema: Any) -> Features:
    """Read Hugging Face's metadata, which may be missing or, in a hostile file, odd."""
    try:
        written = (schema.metadata or {}).get(b"huggingface", b"{}")
        features = json.loads(written)["info"]["features"].items()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {name: about for name, about in features if isinstance(about, dict)}


def _said(features: Features, schema: Any, kind: str) -> list[str]:
    said = [name for name, about in features.items() if about.get("_type") == kind]
    return [name for name in said if name in schema.names]


def _usual(schema: Any, fits: Any, names: tuple[str, ...]) -> list[str]:
    """Columns of a fitting type, those with usual names first."""
    fitting = [field.name for field in schema if fits(field.type)]
    usual = [name for name in names if name in fitting]
    return list(dict.fromkeys(usual + fitting))


def _is_encoded(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        names = [field.name for field in kind]
        return "bytes" in names and _is_encoded(kind.field("bytes").type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_label(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    tests = (types.is_integer, types.is_boolean, types.is_string, types.is_large_string)
    return any(test(kind) for test in tests)
